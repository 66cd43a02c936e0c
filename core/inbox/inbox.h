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
 * and a lone one waits for nothing. Verdicts, claims and what operators ask for
 * travel in the same transactions as new events. Reading is done beside it:
 * view.h.
 *
 * A delivery, with the numbers of enum inbox_state:
 *
 *   put --> 0 ready --claim--> 1 leased --done, skip--> (row gone; logged)
 *     |       ^  ^               | | |
 *     |       |  +--- lost ------+ | +--fail, used up--> 3 dead --replay--+
 *     v       |                    +--retry--> 4 waiting                  |
 *   2 held ---+<------------------------due------+        <---------------+
 *
 * A lane holds the deliveries of one plugin for one Stripe object. With order
 * `object` or `strict` at most one of a lane is ready or leased, the others are
 * held behind it in order of arrival. One that waits for its retry gives way to
 * the next with `object`, and keeps its place with `strict`.
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

#define INBOX_NOTE_MAX   1024
#define INBOX_DIGEST_MAX 64 /* SHA-256 in hex */
#define INBOX_TWIN_BYTES 16

/** Two events with one twin key that were created further apart than this, in
 * seconds, are no twins: what was changed and changed back can be changed in
 * the same way again. Rather a repeat than a change that nobody hears of. */
#define INBOX_TWIN_APART_S 10

enum inbox_state {
    INBOX_READY = 0,  /* may run now */
    INBOX_LEASED = 1, /* handed out */
    INBOX_HELD = 2,   /* behind another of its lane */
    INBOX_DEAD = 3,   /* dead letter */
    INBOX_WAITING = 4 /* for its time: due_ms */
};

/** What a delivery is, for the shares in which they are claimed: a backlog of
 * one kind never starves the others. */
enum inbox_class { INBOX_FRESH = 0, INBOX_AGED = 1, INBOX_REPLAYED = 2 };

/** Which deliveries of one plugin may run beside each other. */
enum inbox_order { INBOX_ANY = 0, INBOX_OBJECT = 1, INBOX_STRICT = 2 };

/* ---- Storing arrivals ----------------------------------------------- */

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
    const uint32_t *plugins; /* who subscribed; ids of inbox_enrol() */
    size_t plugin_count;
    /** The same for two events that tell of one change, INBOX_TWIN_BYTES long;
     * NULL when no subscriber wants to know. */
    const unsigned char *twin;

    /* Results, valid when inbox_put() returned RC_OK. */
    int64_t seq;      /* the event's number in the inbox */
    int duplicate;    /* this id was stored before */
    int conflict;     /* ... and with other bytes: flagged in its receipt */
    size_t pending;   /* deliveries this arrival created */
    size_t collapsed; /* ... and those skipped as the twin of another */

    /* Private to the writer. */
    struct inbox_put *next;
    int taken;
    atomic_int rc; /* written last, read first: orders the results, also for
                      tools that do not know sem_clockwait() */
    sem_t finished;
};

/* ---- Handing out ---------------------------------------------------- */

/** A delivery handed out for one attempt, which is recorded by now. One
 * allocation: free() it. Text is "" when absent. */
struct inbox_claim {
    struct inbox_claim *next;
    int64_t seq;
    uint32_t plugin;
    uint32_t attempt; /* 1 for the first; goes up with each, also by replay */
    uint32_t spared;  /* attempts before this one that do not count */
    uint32_t crashes; /* counted ones: runners that it took along */
    int replay;       /* it was asked for by an operator */
    int64_t job;      /* ... in this job; 0 for none */
    int64_t lease;    /* fencing number; goes back with the result */
    int64_t created_s, received_ms;
    int64_t first_ms; /* when the first attempt began; wall clock */
    int64_t held_ms;  /* the plugin's inbox_plugin.held_ms at that time */
    int livemode, thin;
    const char *event_id, *type, *account, *api_version, *object_id, *signature,
        *snapshot_event;
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
    INBOX_DISCARD = 7, /* no attempt: an operator closed the dead letter */
};

/** Its name: "done", "crash". */
const char *inbox_outcome_name(enum inbox_outcome outcome);

/** What becomes of the delivery. */
enum inbox_next {
    INBOX_CLOSE = 0, /* nothing more is owed */
    INBOX_AGAIN = 1, /* due again at due_ms */
    INBOX_BURY = 2,  /* dead letter */
    INBOX_UNDO = 3,  /* the attempt never began: as if not claimed */
};

#define INBOX_KEY_MAX      255          /* bytes of a key of the store */
#define INBOX_VALUE_MAX    (64U << 10)  /* ... of a value */
#define INBOX_KEYS_MAX     64           /* keys that one attempt may touch */
#define INBOX_CHANGES_MAX  (192U << 10) /* bytes that it may write */
#define INBOX_PLUGIN_BYTES (64LL << 20) /* that a plugin may keep */

/** What an attempt did to one key of its plugin's store. One allocation. */
struct inbox_change {
    struct inbox_change *next;
    int64_t seen; /* version it read, 0 for no such key; -1: did not read */
    int writes;   /* 0: only read; 1: put; 2: delete */
    size_t key_len, value_len;
    const char *key;
    const char *value;
};

/** The end of one attempt. From malloc(); inbox_finish() takes it over, with
 * the evidence and the changes. */
struct inbox_result {
    struct inbox_result *link;
    int64_t seq;
    uint32_t plugin, attempt;
    int64_t lease;
    int64_t job; /* of the claim */
    enum inbox_outcome outcome;
    enum inbox_next next;
    int spare;          /* this attempt does not count */
    uint32_t crashes;   /* as the delivery's count shall be now */
    int64_t due_ms;     /* for INBOX_AGAIN, and for changes without room; wall
                           clock */
    int is_last;        /* no attempt is left after this one; with changes, or
                           after a crash */
    int64_t started_ms; /* wall clock */
    int64_t duration_us;
    /** Committed with INBOX_DONE, thrown away with anything else. If a key that
     * was read has changed since, nothing of the verdict holds: the delivery
     * runs again at once, and this attempt does not count. If there is no room,
     * it counts as if the handler had asked for a retry: again at due_ms, or a
     * dead letter if it was the last. */
    struct inbox_change *changes;
    /* Evidence of a crash or timeout. */
    int signal;     /* that ended the runner; 0 for none */
    char *evidence; /* its last log lines; NULL for none */
    unsigned generation;
    char digest[INBOX_DIGEST_MAX + 1]; /* of the plugin's file; "" for none */
    char note[INBOX_NOTE_MAX + 1];     /* why; "" for nothing to say */

    /* Private to the writer. */
    int64_t clock_ms; /* of the wall clock by which due_ms is, to the time
                         since boot */
};

/** A question for one key of a plugin's store. One allocation by the caller;
 * comes back through the listener, in whatever order. */
struct inbox_lookup {
    struct inbox_lookup *next;
    uint32_t plugin;
    uint64_t tag; /* the caller's */
    size_t key_len;
    char key[INBOX_KEY_MAX];
    int rc;          /* out: RC_OK, RC_NOT_FOUND, or what the store said */
    int64_t version; /* out: 0 for no such key */
    char *value;     /* out: from malloc(); NULL for no such key */
    size_t value_len;
};

/** Who hears of claims and answers: called on the writer's thread, under its
 * lock. They take over the list, and must not block, nor call into the inbox.
 */
struct inbox_listener {
    void (*claims)(void *arg, struct inbox_claim *claims);
    void (*lookups)(void *arg, struct inbox_lookup *lookups);
    void *arg;
};

/* ---- Plugins -------------------------------------------------------- */

#define INBOX_REASON_MAX 500

/** What the inbox needs to know of a plugin that is about to serve. */
struct inbox_policy {
    const char *name;
    enum inbox_order order;
    int collapse_twins; /* of two events for one change only the first */
    const char *digest; /* of its file: other bytes, and crashes of its
                           deliveries are forgotten; may be "" */
};

/** What the inbox keeps of it. Times are wall clock milliseconds, 0 for never.
 */
struct inbox_plugin {
    uint32_t id;
    int64_t paused_ms;       /* by an operator, since */
    int64_t paused_until_ms; /* 0: until resumed */
    char reason[INBOX_REASON_MAX + 1];
    int64_t held_ms;       /* for how long it was paused or broken, in all, up
                              to held_since_ms */
    int64_t held_since_ms; /* it is so now, since */
};

/** One generation, as the inbox keeps it. */
struct inbox_generation {
    int64_t number;       /* 0: there is none yet */
    int64_t previous;     /* the last one that was different: where a rollback
                             goes; 0: none */
    int64_t committed_ms; /* wall clock */
    int is_rollback;      /* made by a rollback, and so not of the files */
    /** What it was made of, as text: of two with the same inputs one is no
     * change. With is_rollback: the inputs of the one that was left. */
    char inputs[INBOX_DIGEST_MAX + 1];
};

/** A generation that is to serve. */
struct inbox_enrolment {
    const struct inbox_policy *policies;
    size_t count;
    struct inbox_plugin *plugins;        /* out: room for `count` */
    struct inbox_generation *generation; /* kept; out: its number, one higher
                                            than ever before, committed_ms */
};

/* ---- What operators ask for ----------------------------------------- */

struct inbox_item {
    int64_t seq;
    uint32_t plugin;
};

#define INBOX_ITEMS_MAX  256
#define INBOX_FILTER_MAX 4096

/** Work on many deliveries, done in steps. Kept, so that a restart goes on. */
struct inbox_job {
    int64_t id;     /* 0: not stored yet */
    char kind[16];  /* "replay", "discard" */
    char state[16]; /* "running", "done", "cancelled", "failed" */
    char reason[INBOX_REASON_MAX + 1];
    char filter[INBOX_FILTER_MAX + 1]; /* JSON, as it was asked for */
    int64_t created_ms, ended_ms;
    int64_t rate;            /* a second; 0: as fast as it goes */
    int64_t total;           /* deliveries that matched when it began */
    int64_t moved;           /* ... acted upon so far */
    struct inbox_item after; /* ... the last of them */
    int64_t done, dead;      /* of a replay: how they ended; counted by the
                                inbox, not written from here */
};

enum inbox_action_kind {
    INBOX_PAUSE = 1,       /* plugin, state */
    INBOX_KEEP_HELD = 2,   /* plugin, state: its held_ms and held_since_ms */
    INBOX_REPLAY_ALL = 3,  /* items: deliver again, or try again now */
    INBOX_DISCARD_ALL = 4, /* items: close dead letters; note is the reason */
    INBOX_KEEP_JOB = 5,    /* job only */
};

/** One step, all or nothing. */
struct inbox_action {
    enum inbox_action_kind kind;
    uint32_t plugin;
    struct inbox_plugin state;
    const struct inbox_item *items; /* at most INBOX_ITEMS_MAX */
    size_t item_count;
    const char *note;
    struct inbox_job *job; /* stored with it, and given its id; may be NULL */
    int64_t now_ms;        /* wall clock */
    size_t changed;        /* out: items that were acted upon: those still
                              running, or not dead, are left alone */

    /* Private to the writer. */
    struct inbox_action *next;
    int is_async;
    atomic_int rc;
    sem_t finished;
};

/* ---- Calls ---------------------------------------------------------- */

struct inbox_settings {
    const char *path;       /* of the SQLite file */
    int64_t retention_ms;   /* of events with nothing owed; 0: for ever */
    int64_t min_free_bytes; /* with less left on the disk, and less than a
                               sixteenth of it, puts are refused; 0: never */
};

/**
 * Open the inbox, creating it if absent, and start its writer. Deliveries that
 * a former process had leased become ready again; their attempts are logged as
 * lost and do not count.
 *
 * @param out   set on success only; the caller owns it: inbox_close()
 * @param err   filled on failure; may be NULL
 * @return RC_OK; RC_BUSY when another process has it open; RC_IO, RC_FULL,
 *         RC_CORRUPT, RC_NOMEM; RC_INVALID when a newer pegboard made it
 */
int inbox_open(struct inbox **out, const struct inbox_settings *settings,
               struct error *err);

/** Write the results that wait, with one last try if the store fails, stop the
 * writer and close the file. Nobody may be in a call any more. Accepts NULL. */
void inbox_close(struct inbox *inbox);

/** Say who gets claims, before the first inbox_want(); NULL for nobody. The
 * former listener's wishes are forgotten, and when this returns it is not being
 * called and never will be. Lookups that nobody hears are freed. */
void inbox_listen(struct inbox *inbox, const struct inbox_listener *listener);

/**
 * Make plugins known, each by a number that stands for its name for ever, and
 * keep which generation serves: in one transaction, while everything else goes
 * on. Changing a plugin's order puts its pending deliveries in the new order;
 * those at work go on. From any thread.
 *
 * @return RC_OK; or what the store said, and then nothing has changed, but with
 *         RC_UNKNOWN it may have
 */
int inbox_enrol(struct inbox *inbox, struct inbox_enrolment *enrolment,
                struct error *err);

/** The generation that was enrolled last; number 0 for none. From any thread.
 * @return RC_OK or what the store said */
int inbox_generation(struct inbox *inbox, struct inbox_generation *out,
                     struct error *err);

/** Change retention_ms and min_free_bytes, as in inbox_settings. From any
 * thread. */
void inbox_tune(struct inbox *inbox, int64_t retention_ms,
                int64_t min_free_bytes);

/**
 * Store one arrival. Blocks until it is on stable storage or cannot be.
 *
 * @param wait_ms  how long it may wait for its turn
 * @return RC_OK; RC_FULL, RC_IO, RC_CORRUPT, RC_UNKNOWN from the store; RC_BUSY
 *         when its turn did not come in time; RC_CLOSED while closing
 */
int inbox_put(struct inbox *inbox, struct inbox_put *put, int64_t wait_ms);

/** Ask for `count` more due deliveries of a plugin. They come through the
 * listener as soon as there are any; without one it is no wish. */
void inbox_want(struct inbox *inbox, uint32_t plugin, unsigned count);

/** Take back the wishes of one plugin. Claims just being made still come. */
void inbox_unwant(struct inbox *inbox, uint32_t plugin);

/** Take back all wishes, of every plugin. */
void inbox_want_nothing(struct inbox *inbox);

/**
 * Report the end of an attempt. Returns at once; the result is written with the
 * next transaction, and kept and tried again while the store fails.
 *
 * @param result  taken over
 */
void inbox_finish(struct inbox *inbox, struct inbox_result *result);

/** Ask for a key's value. Returns at once; what was finished before is seen.
 * @param lookup  taken over, until it comes back through the listener */
void inbox_look_up(struct inbox *inbox, struct inbox_lookup *lookup);

/** Do one step and wait until it is durable.
 * @return RC_OK, or why nothing of it happened; RC_UNKNOWN */
int inbox_act(struct inbox *inbox, struct inbox_action *action);

/** Keep how long a plugin has been held. Returns at once; tried once. */
void inbox_keep_held(struct inbox *inbox, const struct inbox_plugin *plugin);

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
    uint64_t pruned;     /* events that left by retention */
};

void inbox_stats(struct inbox *inbox, struct inbox_stats *out);

/** Free what a result owns, and the result. Accepts NULL. */
void inbox_result_free(struct inbox_result *result);

/** Free a list of lookups, with their values. */
void inbox_lookups_free(struct inbox_lookup *lookups);

#endif
