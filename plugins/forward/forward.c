/* plugins/forward: posts the exact bytes of each event to a URL.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include "post.h"
#include "settings.h"
#include "sign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARGIN_MS      500  /* kept of the attempt's time, for the verdict */
#define LEAST_RETRY_MS 1000 /* after the first attempt, of Retry-After */
#define SECRET_LEAST   8    /* letters; what is shorter is no secret */
#define DOUBLINGS_MAX  20   /* of it: far beyond max_retry_after's most */

struct forward {
    struct settings settings;
    struct post *post;
};

static int64_t
attempt_of(const peg_event *ev)
{
    int64_t attempt = 1;
    peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt);
    return attempt;
}

/* ---- Headers -------------------------------------------------------- */

/* They grow until something is wrong with one; that is looked at in the end. */
struct fields {
    struct curl_slist *list;
    const char *bad; /* name of one that cannot be sent, or NULL */
    int failed;      /* out of memory, or of OpenSSL */
};

static void
fields_add(struct fields *fields, const char *line)
{
    struct curl_slist *longer = curl_slist_append(fields->list, line);
    if (longer == NULL) {
        fields->failed = 1;
        return;
    }
    fields->list = longer;
}

static void
fields_put(struct fields *fields, const char *name, peg_str value)
{
    if (!settings_is_field_text(value)) {
        fields->bad = name;
        return;
    }
    size_t size = strlen(name) + 2 + value.len + 1;
    char *line = malloc(size);
    if (line == NULL) {
        fields->failed = 1;
        return;
    }
    snprintf(line, size, "%s: %s", name, value.ptr);
    fields_add(fields, line);
    free(line);
}

/* A fact of the event, if it has it. */
static void
fields_put_fact(struct fields *fields, const char *name, const peg_event *ev,
                int32_t fact)
{
    peg_str value;
    if (peg_meta_str(ev, fact, &value) == PEG_OK) {
        fields_put(fields, name, value);
    }
}

static void
fields_sign(struct fields *fields, const struct settings *settings,
            const peg_event *ev, peg_str body)
{
    char made[SIGN_MAX];
    if (settings->secret_count == 0) {
        fields_put_fact(fields, "Stripe-Signature", ev, PEG_META_SIGNATURE);
    } else if (sign_make(made, settings->secrets, settings->secret_count,
                         (int64_t)time(NULL), body) != 0) {
        fields->failed = 1;
    } else {
        fields_put(fields, "Stripe-Signature", (peg_str){made, strlen(made)});
    }
}

/* @return headers for fields_fini() */
static struct fields
fields_make(const struct settings *settings, const peg_event *ev, peg_str body)
{
    struct fields fields = {.list = NULL};
    char number[24];
    int len = snprintf(number, sizeof(number), "%" PRId64, attempt_of(ev));

    fields_add(&fields, "Content-Type: application/json; charset=utf-8");
    fields_add(&fields, "Expect:"); /* or libcurl waits before a large body */
    fields_put_fact(&fields, "Idempotency-Key", ev, PEG_META_KEY);
    fields_put_fact(&fields, "Pegboard-Event-Id", ev, PEG_META_ID);
    fields_put(&fields, "Pegboard-Attempt", (peg_str){number, (size_t)len});
    fields_put_fact(&fields, "Stripe-Account", ev, PEG_META_ACCOUNT);
    fields_sign(&fields, settings, ev, body);
    for (const struct curl_slist *more = settings->fields; more != NULL;
         more = more->next) {
        fields_add(&fields, more->data);
    }
    return fields;
}

static void
fields_fini(struct fields *fields)
{
    curl_slist_free_all(fields->list);
}

/* ---- Verdicts ------------------------------------------------------- */

/* What Retry-After asks for, within bounds. The lower one doubles with every
 * attempt: a receiver that says "1" for an hour would else use up all attempts
 * in the first minute of it. */
static int64_t
retry_ms(const struct forward *forward, const peg_event *ev, int64_t asked_s)
{
    int64_t doublings = attempt_of(ev) - 1;
    int64_t least_ms =
        (int64_t)LEAST_RETRY_MS
        << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    int64_t most_ms = forward->settings.max_retry_after_ms;
    int64_t delay_ms = asked_s * 1000 > least_ms ? asked_s * 1000 : least_ms;
    return delay_ms < most_ms ? delay_ms : most_ms;
}

/* A receiver may show what it got, as pages for debugging do. So the text ends
 * before the first secret of ours: the last word of a header, as in
 * "Authorization: Bearer SECRET". */
static void
hide_secrets(char *text, const struct curl_slist *fields)
{
    for (; fields != NULL; fields = fields->next) {
        const char *value = strchr(fields->data, ':') + 1; /* checked */
        const char *blank = strrchr(value, ' ');
        const char *word = blank == NULL ? value : blank + 1;
        char *at = strlen(word) < SECRET_LEAST ? NULL : strstr(text, word);
        if (at != NULL) {
            *at = '\0';
        }
    }
}

static int32_t
judge(const struct forward *forward, const peg_event *ev, struct answer *answer)
{
    hide_secrets(answer->text, forward->settings.fields);
    int status = answer->status;
    const char *gap = answer->text[0] == '\0' ? "" : ": ";
    if (status == 0) {
        peg_reason(ev, "%s", answer->text);
        return PEG_RETRY;
    }
    if (status / 100 == 2) {
        return PEG_DONE;
    }
    if (status / 100 == 3) {
        peg_reason(ev, "HTTP %d leads to %s, which is not followed: set `url`",
                   status,
                   answer->moved_to[0] == '\0' ? "nowhere" : answer->moved_to);
        return PEG_RETRY;
    }
    peg_reason(ev, "HTTP %d%s%s", status, gap, answer->text);
    if (status == 410) {
        return PEG_FAIL;
    }
    if ((status == 429 || status == 503) && answer->retry_after_s > 0) {
        peg_retry_after(ev, retry_ms(forward, ev, answer->retry_after_s));
    }
    return PEG_RETRY;
}

/* How long the exchange may take. An attempt with little left keeps a quarter
 * of it. */
static long
limit_ms(const struct forward *forward, const peg_event *ev)
{
    int64_t left_ms = peg_ms_left(ev);
    int64_t margin_ms = left_ms / 4;
    left_ms -= margin_ms < MARGIN_MS ? margin_ms : MARGIN_MS;
    long most_ms = forward->settings.timeout_ms;
    return left_ms < most_ms ? (long)left_ms : most_ms;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    struct forward *forward = ctx->user;
    peg_str body;
    if (peg_get_raw(ev, "", &body) != PEG_OK) {
        return PEG_FAIL;
    }
    struct fields fields = fields_make(&forward->settings, ev, body);
    int32_t verdict = PEG_RETRY;
    long limit = limit_ms(forward, ev);
    if (fields.bad != NULL) {
        peg_reason(ev, "a control character in what belongs into the header %s",
                   fields.bad);
        verdict = PEG_FAIL;
    } else if (fields.failed) {
        peg_reason(ev, "out of memory, or no HMAC from OpenSSL");
    } else if (limit < 1) {
        peg_reason(ev, "no time is left");
    } else {
        struct answer answer;
        post_send(forward->post, body, fields.list, limit, &answer);
        verdict = judge(forward, ev, &answer);
    }
    fields_fini(&fields);
    return verdict;
}

/* ---- Life ----------------------------------------------------------- */

static void
shut_down(peg_ctx *ctx)
{
    struct forward *forward = ctx->user;
    if (forward != NULL) {
        post_close(forward->post);
        settings_fini(&forward->settings);
        free(forward);
        ctx->user = NULL;
    }
}

static int32_t
init(peg_ctx *ctx)
{
    struct forward *forward = calloc(1, sizeof(*forward));
    if (forward == NULL) {
        peg_error(ctx, "out of memory");
        return 1;
    }
    ctx->user = forward;
    if (settings_read(&forward->settings, ctx) != 0 ||
        post_open(&forward->post, &forward->settings, ctx) != 0) {
        shut_down(ctx);
        return 1;
    }
    return 0;
}

PEG_PLUGIN(.name = "forward", .version = "1.0",
           .summary = "posts each event to a URL, as Stripe would",
           PEG_EVENTS("*"), .options = settings_options,
           .option_count = SETTINGS_OPTION_COUNT,
           .option_stride = sizeof(peg_option), .init = init, .handle = handle,
           .shutdown = shut_down);
