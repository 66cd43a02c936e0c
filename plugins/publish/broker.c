/* plugins/publish/broker.c: a connection to NATS.
 *
 * libnats does not reconnect by itself here: it would keep messages for the
 * time when there is a server again, and send them when their events were long
 * retried. A connection that broke is made again for the next message.
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000
#define URL_SHOWN 256

int64_t
broker_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

void
broker_say(struct answer *out, int32_t verdict, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->text, sizeof(out->text), fmt, args);
    va_end(args);
    out->verdict = verdict;
}

const char *
broker_why(natsStatus status)
{
    const char *text = nats_GetLastError(NULL);
    if (text == NULL || text[0] == '\0') {
        return natsStatus_GetText(status);
    }
    const char *end = strstr(text, "): "); /* "(conn.c:733): ..." */
    return text[0] == '(' && end != NULL ? end + 3 : text;
}

/* ---- The connection ------------------------------------------------- */

static void
drop(struct broker *broker)
{
    jsCtx_Destroy(broker->js);
    natsConnection_Destroy(broker->connection);
    broker->js = NULL;
    broker->connection = NULL;
    broker->has_stream = 0;
}

void
broker_fini(struct broker *broker)
{
    drop(broker);
    natsOptions_Destroy(broker->options);
}

static natsStatus
connect_to(struct broker *broker, const char *url, int64_t timeout_ms)
{
    natsStatus status = natsOptions_SetURL(broker->options, url);
    if (status == NATS_OK) {
        status = natsOptions_SetTimeout(broker->options, timeout_ms);
    }
    if (status == NATS_OK) {
        status = natsConnection_Connect(&broker->connection, broker->options);
    }
    if (status == NATS_OK) {
        status =
            natsConnection_JetStream(&broker->js, broker->connection, NULL);
    }
    return status;
}

/* Try the servers in turn, each with its share of the time. libnats, had it the
 * list, would go on to the next when the time is up, and begin with any. The
 * next connection, too, begins where this one ended: a server that takes
 * connections and does no more must not get every message.
 *
 * @return 1 when there is a connection, 0 when `out` tells why not */
static int
reach(struct broker *broker, int64_t deadline_ms, struct answer *out)
{
    const struct broker_setup *setup = broker->setup;
    if (broker->connection != NULL &&
        !natsConnection_IsClosed(broker->connection)) {
        return 1;
    }
    drop(broker);
    broker_say(out, PEG_RETRY, "no time is left to connect to NATS");
    for (unsigned untried = setup->servers; untried > 0; untried--) {
        int64_t share_ms = (deadline_ms - broker_now_ms()) / untried;
        if (share_ms <= 0) {
            return 0;
        }
        char url[URL_SHOWN]; /* a copy: a name can be looked up for long */
        const char *given = setup->urls[broker->turn++ % setup->servers];
        snprintf(url, sizeof(url), "%s", given);
        natsStatus status = connect_to(broker, given, share_ms);
        if (status == NATS_OK && broker_now_ms() < deadline_ms) {
            peg_info(setup->ctx, "connected to %s", url);
            return 1;
        }
        if (status == NATS_OK) { /* the next message has it easier */
            broker_say(out, PEG_RETRY, "%s took too long to connect", url);
            return 0;
        }
        broker_say(out, PEG_RETRY, "cannot connect to %s: %s", url,
                   broker_why(status));
        drop(broker);
    }
    return 0;
}

/* ---- The message ---------------------------------------------------- */

/* Whoever gets messages on the subject may answer, and libnats takes "{}" for
 * an acknowledgement. */
static int
is_from_stream(const jsPubAck *ack, const char *expected)
{
    return ack->Stream != NULL && ack->Stream[0] != '\0' && ack->Sequence > 0 &&
           (expected == NULL || strcmp(ack->Stream, expected) == 0);
}

static natsStatus
publish(struct broker *broker, natsMsg *message, int64_t deadline_ms,
        jsErrCode *code)
{
    jsPubAck *ack = NULL;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = deadline_ms - broker_now_ms();
    if (options.MaxWait <= 0) {
        return NATS_TIMEOUT; /* 0 would stand for libnats' own 5 s */
    }
    options.ExpectStream = broker->setup->stream;
    natsStatus status =
        js_PublishMsg(&ack, broker->js, message, &options, code);
    if (status == NATS_OK && !is_from_stream(ack, options.ExpectStream)) {
        status = NATS_PROTOCOL_ERROR;
    } else if (status == NATS_OK) {
        peg_log(broker->setup->ctx,
                ack->Duplicate ? PEG_LOG_INFO : PEG_LOG_DEBUG,
                "%s: stream %s, sequence %" PRIu64 "%s",
                natsMsg_GetSubject(message), ack->Stream, ack->Sequence,
                ack->Duplicate ? ": it was there already" : "");
    }
    jsPubAck_Destroy(ack);
    return status;
}

/* What was asked of JetStream in vain. An error that it answered leaves the
 * connection alone. After every other, silence among them, nobody knows what
 * that is good for. */
static void
fail(struct broker *broker, natsStatus status, jsErrCode code, const char *what,
     struct answer *out)
{
    if (status == NATS_MAX_PAYLOAD ||
        code == JSStreamMessageExceedsMaximumErr) {
        broker_say(out, PEG_FAIL, "the event is too large for %s: %s",
                   code == 0 ? "the server (its max_payload)" : "the stream",
                   broker_why(status));
    } else if (status == NATS_NO_RESPONDERS && broker->setup->create != NULL) {
        broker_say(out, PEG_RETRY,
                   broker->has_stream
                       ? "the stream does not take %s, or it is gone"
                       : "JetStream is off at that server: nobody creates %s",
                   what);
        broker->has_stream = 0;
    } else if (status == NATS_NO_RESPONDERS) {
        broker_say(out, PEG_RETRY,
                   "no stream takes %s, or JetStream is off: create one (nats "
                   "stream add), or set `stream` and `create = yes`",
                   what);
    } else if (code != 0) {
        broker_say(out, PEG_RETRY, "JetStream refused %s: %s (%d)", what,
                   broker_why(status), (int)code);
    } else {
        const char *said = "";
        (void)natsConnection_GetLastError(broker->connection, &said);
        broker_say(out, PEG_RETRY, "no answer to %s: %s: %s", what,
                   natsStatus_GetText(status),
                   said[0] != '\0' ? said
                   : status == NATS_TIMEOUT
                       ? "is there a stream for it? who just subscribes does "
                         "not answer"
                       : "connection lost");
        drop(broker);
    }
}

/* Create the stream if it is to be created and there is none. Not only when no
 * stream takes a message: that cannot be told when anybody else subscribes.
 *
 * @return 1 when there is one of that name, which is left as it is; 0 when
 *         `out` tells what is wrong */
static int
ensure_stream(struct broker *broker, int64_t deadline_ms, struct answer *out)
{
    const struct broker_setup *setup = broker->setup;
    if (setup->create == NULL || broker->has_stream) {
        return 1;
    }
    jsStreamConfig config;
    jsOptions options;
    jsStreamConfig_Init(&config);
    config.Name = setup->stream;
    config.Subjects = (const char *[]){setup->create};
    config.SubjectsLen = 1;
    config.Duplicates = setup->window_ms * NS_PER_MS;
    jsOptions_Init(&options);
    options.Wait = deadline_ms - broker_now_ms();
    jsErrCode code = 0;
    natsStatus status = NATS_TIMEOUT; /* 0 would stand for libnats' own 5 s */
    if (options.Wait > 0) {
        status = js_AddStream(NULL, broker->js, &config, &options, &code);
    }
    if (status == NATS_OK) {
        peg_info(setup->ctx, "stream %s takes %s", config.Name, setup->create);
    } else if (code != JSStreamNameExistErr) { /* which has other settings */
        fail(broker, status, code, config.Name, out);
        return 0;
    }
    broker->has_stream = 1;
    return 1;
}

void
broker_send(struct broker *broker, natsMsg *message, int64_t deadline_ms,
            struct answer *out)
{
    if (!reach(broker, deadline_ms, out) ||
        !ensure_stream(broker, deadline_ms, out)) {
        return;
    }
    jsErrCode code = 0;
    natsStatus status = publish(broker, message, deadline_ms, &code);
    if (status == NATS_OK) {
        broker_say(out, PEG_DONE, "%s", "");
    } else {
        fail(broker, status, code, natsMsg_GetSubject(message), out);
    }
}
