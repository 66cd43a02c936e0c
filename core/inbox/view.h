/* core/inbox/view.h: looking into the inbox, beside its writer.
 *
 * A view is a connection that only reads. Each call is one short transaction,
 * broken off with RC_TIMEOUT when it takes longer than VIEW_LIMIT_MS: an old
 * reader would keep the write-ahead log from being reused. One thread at a time
 * uses a view; a callback may call in again, as part of the same call.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_VIEW_H
#define CORE_INBOX_VIEW_H

#include "inbox/inbox.h"

#include <stddef.h>
#include <stdint.h>

struct error;
struct view; /* opaque */

#define VIEW_LIMIT_MS  2000
#define VIEW_IDS_MAX   100
#define VIEW_TYPES_MAX 16

/** What becomes of a delivery, in one word. */
enum view_state {
    VIEW_QUEUED = 0,   /* ready, or behind another of its lane */
    VIEW_RUNNING = 1,  /* handed out */
    VIEW_RETRYING = 2, /* failed, and will be tried again */
    VIEW_HELD = 3,     /* would be one of the above; its plugin is paused */
    VIEW_ORPHANED = 4, /* would be one of the above; there is no such plugin */
    VIEW_DONE = 5,
    VIEW_SKIPPED = 6,
    VIEW_DEAD = 7,
    VIEW_DISCARDED = 8,
    VIEW_UNROUTED = 9, /* of events only: nobody had subscribed */
    VIEW_STATE_COUNT = 10,
};

/** Its name: "queued" ... "unrouted". */
const char *view_state_name(enum view_state state);
/** The state of that name; also "pending" for any of the first five, as
 * VIEW_STATE_COUNT. -1 for no such name. */
int view_state_parse(const char *name);

/** What is asked for: all that is set must hold. Of plugin and state, for one
 * and the same delivery: an event is listed when it has such a one, whatever
 * became of its others. */
struct view_filter {
    const char *ids[VIEW_IDS_MAX]; /* event ids; any of them */
    size_t id_count;
    const char *types[VIEW_TYPES_MAX]; /* name, "prefix.*" or "*"; any of them*/
    size_t type_count;
    const char *plugin; /* events that have a delivery for it; NULL: any */
    const char *object_id, *customer, *account; /* NULL: any */
    int state;    /* enum view_state, VIEW_STATE_COUNT for pending; -1: any */
    int livemode; /* 1, 0; -1: any */
    int64_t received_after_ms, received_before_ms; /* 0: no bound; >=, < */
    int64_t created_after_s, created_before_s;
};

/** A filter that everything passes. */
void view_filter_init(struct view_filter *filter);

/** The plugins that are being served, for VIEW_HELD and VIEW_ORPHANED; without
 * any (offline) nothing counts as orphaned. Borrowed. */
struct view_plugins {
    const uint32_t *ids;
    size_t count;
    int known; /* 0: offline */
};

/* Rows. Text is borrowed until the callback returns; "" when absent. A
 * callback returns 0 to go on; anything else ends the call, which is no error.
 */
struct view_event {
    int64_t seq, created_s, received_ms;
    const char *id, *type, *account, *api_version, *object_id, *customer,
        *snapshot_event, *endpoint, *secret;
    int livemode, thin, routed;
    int64_t body_bytes;
    int64_t repeats;       /* receipts after the first */
    int64_t conflicts;     /* ... with other bytes */
    enum view_state state; /* the worst of its deliveries: dead, orphaned, held,
                              retrying, running, queued, discarded, skipped,
                              done */
};
typedef int view_event_fn(void *arg, const struct view_event *row);

struct view_delivery {
    int64_t seq;
    const char *event_id, *type, *plugin;
    uint32_t plugin_id;
    enum view_state state;
    uint32_t attempts, spared, crashes;
    int64_t due_ms;    /* of a retry; 0 for none */
    int64_t died_ms;   /* of a dead letter */
    int last_outcome;  /* enum inbox_outcome; -1: not tried yet */
    const char *note;  /* of the last attempt */
    const char *cause; /* of a dead letter: what it is grouped by */
};
typedef int view_delivery_fn(void *arg, const struct view_delivery *row);

struct view_attempt {
    int64_t seq;
    const char *plugin;
    uint32_t n;
    int64_t started_ms, duration_us;
    enum inbox_outcome outcome;
    int signal; /* 0 for none */
    const char *note, *evidence, *digest;
    unsigned generation; /* 0 for not kept */
};
typedef int view_attempt_fn(void *arg, const struct view_attempt *row);

struct view_receipt { /* of each arrival after the first */
    int64_t received_ms, signed_s;
    const char *endpoint, *secret;
    int conflict;
    int64_t conflict_bytes; /* kept; 0: only flagged */
};
typedef int view_receipt_fn(void *arg, const struct view_receipt *row);

struct view_dead { /* dead letters with one cause */
    const char *plugin, *type, *cause;
    enum inbox_outcome outcome;
    int64_t count, first_ms, last_ms;    /* when they died */
    const char *sample_id, *sample_note; /* the newest */
};
typedef int view_dead_fn(void *arg, const struct view_dead *row);

struct view_plugin {
    struct inbox_plugin state;
    const char *name;
    int64_t pending, dead, oldest_ms; /* oldest_ms: received; 0: none pending */
};
typedef int view_plugin_fn(void *arg, const struct view_plugin *row);

typedef int view_job_fn(void *arg, const struct inbox_job *row);

/**
 * Open a view of the SQLite file at `path`, which an inbox has opened before.
 *
 * @param out  set on success only; view_close()
 * @return RC_OK, RC_NOT_FOUND, RC_IO, RC_INVALID (another format), RC_NOMEM
 */
int view_open(struct view **out, const char *path, struct error *err);
void view_close(struct view *view); /* accepts NULL */

/** Who is being served; kept by pointer. */
void view_set_plugins(struct view *view, const struct view_plugins *plugins);

/**
 * Events, newest first (or oldest first).
 *
 * @param from  seq to begin behind; 0: at the beginning
 * @param limit rows at most
 */
int view_events(struct view *view, const struct view_filter *filter,
                int oldest_first, int64_t from, size_t limit, view_event_fn *fn,
                void *arg, struct error *err);

/** One event. @return RC_NOT_FOUND when there is none of that id */
int view_event(struct view *view, const char *id, view_event_fn *fn, void *arg,
               struct error *err);

/** Its exact bytes, from malloc(), with a NUL behind. */
int view_body(struct view *view, const char *id, char **out, size_t *len,
              struct error *err);

/** All deliveries of an event, by plugin; also those that ended. */
int view_deliveries(struct view *view, int64_t seq, view_delivery_fn *fn,
                    void *arg, struct error *err);

/** The attempts at an event, by plugin and number; plugin NULL for all. */
int view_attempts(struct view *view, int64_t seq, const char *plugin,
                  view_attempt_fn *fn, void *arg, struct error *err);

int view_receipts(struct view *view, int64_t seq, view_receipt_fn *fn,
                  void *arg, struct error *err);

/** Dead letters by plugin, type, outcome and cause; the largest first. */
int view_dead(struct view *view, const struct view_filter *filter,
              view_dead_fn *fn, void *arg, struct error *err);

/** Every plugin that ever was, with what waits for it; by id. */
int view_plugins(struct view *view, view_plugin_fn *fn, void *arg,
                 struct error *err);

/** Jobs, newest first; `id` 0 for all. */
int view_jobs(struct view *view, int64_t id, size_t limit, view_job_fn *fn,
              void *arg, struct error *err);

/** Those in the state "running", newest first, however old they are. */
int view_jobs_at_work(struct view *view, view_job_fn *fn, void *arg,
                      struct error *err);

/* ---- For jobs ------------------------------------------------------- */

/** Which deliveries a job is about. */
enum view_which {
    VIEW_TO_DISCARD = 0, /* dead letters that pass the filter */
    VIEW_TO_REPLAY = 1,  /* deliveries that pass it and are not under way: dead,
                            done, skipped, discarded, and waiting ones (tried
                            now) */
    VIEW_TO_GIVE = 2,    /* events that pass it (the filter's plugin aside), for
                            one plugin, whether it ever had them or not */
};

/** Whether a plugin is to get an event, by type, mode and endpoint; for
 * VIEW_TO_GIVE. */
typedef int view_passes_fn(void *arg, const char *type, int livemode,
                           const char *endpoint);

struct view_selection {
    const struct view_filter *filter;
    enum view_which which;
    uint32_t plugin; /* for VIEW_TO_GIVE */
    view_passes_fn *passes;
    void *passes_arg;
};

/**
 * The next items of a selection, oldest first.
 *
 * @param after  in: the item to begin behind ({0, 0}: at the beginning); out:
 *               how far this call looked, which may be behind the last item
 * @param items  room for `max`
 * @param count  out; fewer than max does not mean the end: *more tells. Each
 *               call looks at a bounded number of rows
 */
int view_select(struct view *view, const struct view_selection *selection,
                struct inbox_item *after, struct inbox_item *items, size_t max,
                size_t *count, int *more, struct error *err);

/** How many items a selection has; counted up to `most`. Not one call but many
 * short ones, 30 s in all at most. */
int view_count(struct view *view, const struct view_selection *selection,
               int64_t most, int64_t *count, struct error *err);

#endif
