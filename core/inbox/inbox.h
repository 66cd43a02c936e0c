/* core/inbox/inbox.h: the durable store of events and of what is still owed to
 * plugins.
 *
 * The promise: when inbox_put() returns RC_OK, the event, its receipt and one
 * pending delivery for each plugin are on stable storage, in one transaction.
 * On anything else nothing may be acknowledged: with RC_UNKNOWN the commit may
 * or may not have happened, and the sender's repeat settles it.
 * Its limits: a disk that lies about flushing, and the loss of the file itself.
 *
 * One thread, the writer, does all that writes. Whatever waits while it
 * commits goes into the next transaction, so that many requests share a flush
 * and a lone one waits for nothing. Verdicts and claims travel in the same
 * transactions as new events.
 *
 * A delivery:
 *
 *   put --> ready --claim--> leased --done, skip--> (row gone; attempt logged)
 *             ^                | |
 *             +-- retry, lost -+ +--fail, used up--> dead
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_H
#define CORE_INBOX_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct event; /* stripe/event.h */
struct inbox; /* opaque */

#define INBOX_NOTE_MAX 1024

/** One arrival of one event. Filled by the caller, who keeps it alive until
 * inbox_put() has returned. */
struct inbox_put {
    const struct event *event;
    const char *body; /* the exact bytes */
    size_t body_len;
    const char *endpoint;    /* name of where it arrived */
    const char *secret;      /* name of the secret that matched */
    const char *signature;   /* the header's value, as received */
    int64_t signed_s;        /* its `t` */
    int64_t received_ms;     /* wall clock */
    const uint32_t *plugins; /* who subscribed; ids of inbox_plugin_id() */
    size_t plugin_count;

    /* Results, valid when inbox_put() returned RC_OK. */
    int64_t seq;    /* the event's number in the inbox */
    int duplicate;  /* this id was stored before */
    int conflict;   /* ... and with other bytes: flagged in its receipt */
    size_t pending; /* deliveries this arrival created */

    /* Private to the writer. */
    struct inbox_put *next;
    int taken;
    atomic_int rc; /* written last, read first: orders the results, also for
                      tools that do not know sem_clockwait() */
    sem_t finished;
};

/** A delivery handed out for one attempt, which is recorded by now. One
 * allocation: free() it. Text is "" when absent. */
struct inbox_claim {
    struct inbox_claim *next;
    int64_t seq;
    uint32_t plugin;
    uint32_t attempt; /* 1 for the first */
    int64_t lease;    /* fencing number; goes back with the result */
    int64_t created_s, received_ms;
    int64_t first_ms; /* when the first attempt began */
    int livemode, thin;
    const char *event_id, *type, *account, *api_version, *object_id, *signature;
    const char *body; /* a NUL stands behind it */
    size_t body_len;
};

/** How an attempt ended, as the attempt log keeps it. */
enum inbox_outcome {
    INBOX_DONE = 0,
    INBOX_SKIP = 1,
    INBOX_RETRY = 2,
    INBOX_FAIL = 3,
    INBOX_CRASH = 4,   /* the runner died */
    INBOX_TIMEOUT = 5, /* the runner was killed for taking too long */
    INBOX_LOST = 6,    /* the daemon ended before a verdict */
};

/** What becomes of the delivery. */
enum inbox_next {
    INBOX_CLOSE = 0, /* nothing more is owed */
    INBOX_AGAIN = 1, /* due again at due_ms */
    INBOX_BURY = 2,  /* dead letter */
    INBOX_UNDO = 3,  /* the attempt never began: as if not claimed */
};

/** The end of one attempt. From malloc(); inbox_finish() takes it over. */
struct inbox_result {
    struct inbox_result *link;
    int64_t seq;
    uint32_t plugin, attempt;
    int64_t lease;
    enum inbox_outcome outcome;
    enum inbox_next next;
    int64_t due_ms;     /* for INBOX_AGAIN; wall clock */
    int64_t started_ms; /* wall clock */
    int64_t duration_us;
    char note[INBOX_NOTE_MAX + 1]; /* why; "" for nothing to say */
};

/**
 * Called on the writer's thread, under its lock, when claims have been
 * committed. Takes over the list. Must not block, nor call into the inbox.
 */
typedef void inbox_claims_fn(void *arg, struct inbox_claim *claims);

/**
 * Open the inbox in the SQLite file at `path`, creating it if absent, and start
 * its writer. Deliveries that a former process had leased become ready again,
 * their attempts logged as lost.
 *
 * @param out   set on success only; the caller owns it: inbox_close()
 * @param err   filled on failure; may be NULL
 * @return RC_OK; RC_BUSY when another process has it open; RC_IO, RC_FULL,
 *         RC_CORRUPT, RC_NOMEM; RC_INVALID when a newer pegboard made it
 */
int inbox_open(struct inbox **out, const char *path, struct error *err);

/** Write the results that wait, with one last try if the store fails, stop the
 * writer and close the file. Nobody may be in a call any more. Accepts NULL. */
void inbox_close(struct inbox *inbox);

/** Say who gets claims, before the first inbox_want(); NULL for nobody. The
 * former listener's wishes are forgotten, and when this returns it is not being
 * called and never will be. */
void inbox_listen(struct inbox *inbox, inbox_claims_fn *fn, void *arg);

/** The number that stands for a plugin's name, for ever; made if new.
 * @return RC_OK or what the store said */
int inbox_plugin_id(struct inbox *inbox, const char *name, uint32_t *id,
                    struct error *err);

/**
 * Store one arrival. Blocks until it is on stable storage or cannot be.
 *
 * @param wait_ms  how long it may wait for its turn
 * @return RC_OK; RC_FULL, RC_IO, RC_CORRUPT, RC_UNKNOWN from the store; RC_BUSY
 *         when its turn did not come in time; RC_CLOSED while closing
 */
int inbox_put(struct inbox *inbox, struct inbox_put *put, int64_t wait_ms);

/** Ask for `count` more due deliveries of a plugin. They come through the
 * listener, in arrival order, as soon as there are any; without one it is no
 * wish. */
void inbox_want(struct inbox *inbox, uint32_t plugin, unsigned count);

/** Take back all wishes, of every plugin. Claims just being made still come. */
void inbox_want_nothing(struct inbox *inbox);

/**
 * Report the end of an attempt. Returns at once; the result is written with the
 * next transaction, and kept and tried again while the store fails.
 *
 * @param result  taken over
 */
void inbox_finish(struct inbox *inbox, struct inbox_result *result);

/** Whether a put would succeed, as far as the last transaction tells. */
int inbox_ready(struct inbox *inbox);

/** Milliseconds for which the writer's loop has not turned; small when well. */
int64_t inbox_stalled_ms(struct inbox *inbox);

/** Figures since the start. */
struct inbox_stats {
    uint64_t events;     /* new ones stored */
    uint64_t duplicates; /* repeats answered */
    uint64_t deliveries; /* created with them */
    uint64_t closed;     /* of all: nothing more will be tried */
    uint64_t buried;     /* ... of these: dead letters */
    uint64_t commits;    /* transactions, each one flush */
    uint64_t failures;   /* transactions that failed */
};

void inbox_stats(struct inbox *inbox, struct inbox_stats *out);

#endif
