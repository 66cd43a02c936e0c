/* plugins/publish: every event as a message in NATS JetStream.
 *
 * An event is done when a stream acknowledged it. The message's id lets the
 * server know a repeat, which is done as well.
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"
#include "setup.h"

#include <limits.h>
#include <stdlib.h>

#define MARGIN_MS   250  /* of the runner's time that is kept for the rest */
#define LEAST_MS    200  /* with less none is begun */
#define PATIENCE_MS 1000 /* with a thread that shall end */

static const peg_option options[] = {
    {"url", PEG_OPTION_LIST, 0, "nats://127.0.0.1:4222",
     "servers of one cluster, nats://HOST:PORT or tls://HOST:PORT"},
    {"subject", PEG_OPTION_STRING, 0, "stripe.{type}",
     "of each message; may hold {type}, {account} and {livemode}"},
    {"stream", PEG_OPTION_STRING, 0, NULL,
     "the stream that must take the messages; without: whichever does"},
    {"create", PEG_OPTION_BOOL, 0, "no",
     "create the stream if there is none of that name"},
    {"window", PEG_OPTION_DURATION, 0, "1h",
     "for how long a created stream knows a repeat"},
    {"message_id", PEG_OPTION_STRING, 0, "event",
     "event: the event's id; key: the idempotency key"},
    {"credentials", PEG_OPTION_PATH, 0, NULL, "a .creds file: JWT and seed"},
    {"token", PEG_OPTION_STRING, PEG_OPTION_SECRET, NULL, "to log in with"},
    {"user", PEG_OPTION_STRING, 0, NULL, "to log in as"},
    {"password", PEG_OPTION_STRING, PEG_OPTION_SECRET, NULL, "of the user"},
    {"ca", PEG_OPTION_PATH, 0, NULL,
     "certificates to trust for tls://, beside those of the system"},
    {"timeout", PEG_OPTION_DURATION, 0, "5s",
     "for connecting and the acknowledgement together"},
};

struct publish {
    struct setup setup;
    struct outbox *outbox;
};

/* @return 0, or -1 when it was said why not */
static int
start(struct publish *self, peg_ctx *ctx)
{
    natsOptions *made = NULL;
    if (setup_read(&self->setup, ctx) != 0 ||
        (made = setup_options(&self->setup)) == NULL) {
        return -1;
    }
    self->outbox = outbox_open(&self->setup.broker, made);
    if (self->outbox == NULL) {
        peg_error(ctx, "there is no thread or no memory left");
        return -1;
    }
    return 0;
}

static int32_t
init(peg_ctx *ctx)
{
    struct publish *self = calloc(1, sizeof(*self));
    if (self == NULL || start(self, ctx) != 0) {
        free(self);
        return -1;
    }
    ctx->user = self;
    return 0;
}

/* ---- The message ---------------------------------------------------- */

/* A fact as text, "" when it is absent. */
static const char *
fact(const peg_event *ev, int32_t field)
{
    peg_str text;
    return peg_meta_str(ev, field, &text) == PEG_OK ? text.ptr : "";
}

static int64_t
number(const peg_event *ev, int32_t field)
{
    int64_t number = 0;
    (void)peg_meta_i64(ev, field, &number);
    return number;
}

/* A header, unless there is nothing to say. No fact can bring in another one:
 * the daemon takes no event with control characters in them, and libnats writes
 * blanks for ends of lines. */
static void
put_header(natsMsg *message, natsStatus *status, const char *name,
           const char *value)
{
    if (*status == NATS_OK && value[0] != '\0') {
        *status = natsMsgHeader_Set(message, name, value);
    }
}

static natsStatus
put_headers(const struct publish *self, const peg_event *ev, natsMsg *message)
{
    natsStatus status = NATS_OK;
    char created[24] = "";
    long long created_s = number(ev, PEG_META_CREATED);
    if (created_s > 0) {
        snprintf(created, sizeof(created), "%lld", created_s);
    }
    const char *id = fact(ev, PEG_META_ID);
    const char *key = fact(ev, PEG_META_KEY);
    put_header(message, &status, "Nats-Msg-Id",
               self->setup.id_is_key ? key : id);
    put_header(message, &status, "Pegboard-Idempotency-Key", key);
    put_header(message, &status, "Content-Type", "application/json");
    put_header(message, &status, "Stripe-Event-Id", id);
    put_header(message, &status, "Stripe-Event-Type", fact(ev, PEG_META_TYPE));
    put_header(message, &status, "Stripe-Event-Created", created);
    put_header(message, &status, "Stripe-Livemode",
               number(ev, PEG_META_LIVEMODE) ? "true" : "false");
    put_header(message, &status, "Stripe-Account", fact(ev, PEG_META_ACCOUNT));
    put_header(message, &status, "Stripe-Version",
               fact(ev, PEG_META_API_VERSION));
    return status;
}

/* @return PEG_DONE when there is a message; else the verdict, with a reason */
static int32_t
make_message(const struct publish *self, const peg_event *ev, natsMsg **out)
{
    char subject[SUBJECT_MAX];
    peg_str body;
    const struct subject_values values = {
        .type = fact(ev, PEG_META_TYPE),
        .account = fact(ev, PEG_META_ACCOUNT),
        .live = number(ev, PEG_META_LIVEMODE) != 0,
    };
    if (peg_get_raw(ev, "", &body) != PEG_OK || body.len > INT_MAX ||
        subject_make(subject, self->setup.subject, &values) != 0) {
        peg_reason(ev, "the event's body, type or account is too long");
        return PEG_FAIL;
    }
    natsMsg *message = NULL;
    natsStatus status =
        natsMsg_Create(&message, subject, NULL, body.ptr, (int)body.len);
    if (status == NATS_OK) {
        status = put_headers(self, ev, message);
    }
    if (status != NATS_OK) {
        peg_reason(ev, "no message can be made: %s", broker_why(status));
        natsMsg_Destroy(message);
        return PEG_RETRY;
    }
    *out = message;
    return PEG_DONE;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    struct publish *self = ctx->user;
    int64_t now_ms = broker_now_ms();
    int64_t left_ms = peg_ms_left(ev) - MARGIN_MS;
    if (left_ms < LEAST_MS) {
        peg_reason(ev, "no time is left: raise the plugin's timeout");
        return PEG_RETRY;
    }
    int64_t deadline_ms =
        now_ms +
        (left_ms < self->setup.timeout_ms ? left_ms : self->setup.timeout_ms);
    natsMsg *message;
    int32_t verdict = make_message(self, ev, &message);
    if (verdict != PEG_DONE) {
        return verdict;
    }
    struct answer answer;
    outbox_post(self->outbox, message, deadline_ms, &answer);
    if (answer.verdict != PEG_DONE) {
        peg_reason(ev, "%s", answer.text);
    }
    return answer.verdict;
}

static void
stop(peg_ctx *ctx)
{
    struct publish *self = ctx->user;
    if (outbox_close(self->outbox, PATIENCE_MS)) {
        free(self);
        nats_CloseAndWait(PATIENCE_MS);
    } /* else all is in use as long as this process lives */
}

PEG_PLUGIN(.name = "publish", .version = "1.0",
           .summary = "publishes every event to NATS JetStream",
           PEG_EVENTS("*"), PEG_OPTIONS(options), .init = init,
           .handle = handle, .shutdown = stop);
