/* plugins/publish/broker.h: one connection to NATS, made when it is needed, and
 * messages that JetStream acknowledges.
 *
 * All of it may block for longer than it was asked to: see outbox.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_BROKER_H
#define PUBLISH_BROKER_H

#include <nats/nats.h>
#include <pegboard/plugin.h>

#define SERVERS_MAX 16

/** What was configured; it does not change, and outlives all brokers. Texts are
 * the host's, as the context is. */
struct broker_setup {
    peg_ctx *ctx; /* for log lines */
    const char *urls[SERVERS_MAX];
    unsigned servers;   /* how many there are; at least 1 */
    const char *stream; /* the one that must take the messages; or NULL */
    const char *create; /* subjects of that stream, when it is to be created
                           if there is none of its name; or NULL */
    int64_t window_ms;  /* then: how long it knows a repeat */
};

struct broker {
    const struct broker_setup *setup;
    natsOptions *options;       /* but for the URL */
    unsigned turn;              /* modulo the servers: which is the next */
    natsConnection *connection; /* or NULL, as js is then */
    jsCtx *js;
    int has_stream; /* the server, over this connection; see `create` */
};

struct answer {
    int32_t verdict; /* PEG_DONE, PEG_RETRY or PEG_FAIL */
    char text[512];  /* why it is not done */
};

/** A monotonic clock, in milliseconds. */
int64_t broker_now_ms(void);

/** Fill an answer; `fmt` as for printf(). */
void broker_say(struct answer *out, int32_t verdict, const char *fmt, ...)
    PEG_PRINTF(3, 4);

/** Why the last call of libnats in this thread did not succeed. */
const char *broker_why(natsStatus status);

/**
 * Publish a message and wait for the acknowledgement.
 *
 * @param message      stays the caller's
 * @param deadline_ms  of broker_now_ms(). After it nothing is sent, and nothing
 *                     that is the host's is used
 */
void broker_send(struct broker *broker, natsMsg *message, int64_t deadline_ms,
                 struct answer *out);

/** Close the connection, if there is one, and free the options. */
void broker_fini(struct broker *broker);

#endif
