/* core/http/intake.c: from a request to a durable event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/intake.h"

#include "config/config.h"
#include "delivery/tail.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/generation.h"
#include "stripe/event.h"
#include "stripe/signature.h"
#include "stripe/twin.h"

#include <stdio.h>
#include <string.h>

/* How long a post may wait for its turn to be stored: well under what Stripe
 * waits for an answer. */
#define STORE_WAIT_MS 5000

static struct log_limit refusals, repeats, unhandled;

static enum answer
refuse_signature(const struct intake_post *post, enum signature_verdict verdict,
                 const struct signature_result *result)
{
    unsigned dropped;
    if (log_limit_pass(&refusals, &dropped)) {
        struct log_value remote, help;
        const char *text = signature_verdict_help(verdict);
        log_write(LOG_WARN, "http", "signature refused",
                  "endpoint=%s reason=%s v1_items=%u secrets_tried=%u "
                  "age_s=%lld body_bytes=%zu remote=%s hint=%s dropped=%u",
                  post->endpoint->name, signature_verdict_name(verdict),
                  result->v1_count, result->tried, (long long)result->age_s,
                  post->body_len,
                  log_quote(&remote, post->remote, strlen(post->remote)),
                  log_quote(&help, text, strlen(text)), dropped);
    }
    return verdict == SIGNATURE_FAILED ? ANSWER_FAILED : ANSWER_BAD_SIGNATURE;
}

static enum answer
refuse_event(const struct intake_post *post, const struct error *err)
{
    unsigned dropped;
    if (log_limit_pass(&refusals, &dropped)) {
        struct log_value why;
        log_write(LOG_WARN, "http", "authentic body refused",
                  "endpoint=%s body_bytes=%zu detail=%s dropped=%u",
                  post->endpoint->name, post->body_len,
                  log_quote(&why, err->text, strlen(err->text)), dropped);
    }
    return ANSWER_NOT_AN_EVENT;
}

static void
log_stored(const struct intake_post *post, const struct event *event,
           const struct inbox_put *put)
{
    unsigned dropped;
    struct log_value room;
    const char *id = log_word(&room, event->id);
    if (put->conflict && log_limit_pass(&repeats, &dropped)) {
        log_write(LOG_WARN, "http", "same event id with other bytes",
                  "event=%s endpoint=%s action=kept_as_receipt dropped=%u", id,
                  post->endpoint->name, dropped);
    }
    if (!put->duplicate &&
        !generation_mode_passes(post->endpoint, event->livemode)) {
        if (log_limit_pass(&unhandled, &dropped)) {
            log_write(LOG_WARN, "http", "event of the other mode",
                      "event=%s livemode=%d endpoint=%s action=kept_for_nobody "
                      "dropped=%u",
                      id, event->livemode, post->endpoint->name, dropped);
        }
    } else if (!put->duplicate && put->plugin_count == 0 &&
               log_limit_pass(&unhandled, &dropped)) {
        struct log_value type;
        log_write(LOG_INFO, "http", "unhandled event type",
                  "type=%s event=%s endpoint=%s dropped=%u",
                  log_quote(&type, event->type, strlen(event->type)), id,
                  post->endpoint->name, dropped);
    }
    if (log_enabled(LOG_DEBUG)) {
        struct log_value type, remote;
        log_write(LOG_DEBUG, "http",
                  put->duplicate ? "event repeated" : "event stored",
                  "event=%s type=%s endpoint=%s secret=%s pending=%zu "
                  "twins=%zu remote=%s",
                  id, log_quote(&type, event->type, strlen(event->type)),
                  post->endpoint->name, put->secret, put->pending,
                  put->collapsed,
                  log_quote(&remote, post->remote, strlen(post->remote)));
    }
}

/* Whether one of the subscribers wants only the first of twins. */
static int
wants_twins(const struct generation *generation, const uint32_t *plugins,
            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (generation_plugin(generation, plugins[i])->config->collapse_twins) {
            return 1;
        }
    }
    return 0;
}

static enum answer
store(const struct generation *generation, struct inbox *inbox,
      const struct intake_post *post, const struct event *event,
      const struct signature_result *signature)
{
    uint32_t plugins[CONFIG_PLUGINS_MAX];
    struct inbox_put put = {
        .event = event,
        .body = post->body,
        .body_len = post->body_len,
        .endpoint = post->endpoint->name,
        .secret = signature->secret,
        .signature = post->signature,
        .signed_s = signature->timestamp_s,
        .received_ms = post->received_ms,
        .plugins = plugins,
        .plugin_count = generation_route(generation, post->endpoint,
                                         event->type, event->livemode, plugins),
    };
    unsigned char twin[TWIN_BYTES];
    if (wants_twins(generation, plugins, put.plugin_count) &&
        twin_key(event, post->body, post->body_len, twin)) {
        put.twin = twin;
    }
    if (inbox_put(inbox, &put, STORE_WAIT_MS) != RC_OK) {
        return ANSWER_UNAVAILABLE; /* the inbox has logged why */
    }
    log_stored(post, event, &put);
    return put.duplicate ? ANSWER_DUPLICATE : ANSWER_RECEIVED;
}

void
intake_accept(const struct generation *generation, struct inbox *inbox,
              const struct intake_post *post, struct intake_outcome *outcome)
{
    struct signature_result result = {0};
    outcome->event_id[0] = '\0';
    enum signature_verdict verdict = signature_check(
        post->endpoint->keys, post->signature,
        post->signature != NULL ? strlen(post->signature) : 0, post->signatures,
        post->body, post->body_len, post->received_ms / 1000,
        post->endpoint->tolerance_s, &result);
    if (verdict != SIGNATURE_OK) {
        outcome->answer = refuse_signature(post, verdict, &result);
        return;
    }

    struct event event;
    struct error err;
    if (event_read(&event, post->body, post->body_len, &err) != RC_OK) {
        outcome->answer = refuse_event(post, &err);
        return;
    }
    snprintf(outcome->event_id, sizeof(outcome->event_id), "%s", event.id);
    tail_arrived(event.type, event.id, event.account);
    outcome->answer = store(generation, inbox, post, &event, &result);
}
