/* core/reload/reload.h: from what is served to what the files say now, whole or
 * not at all.
 *
 *   PARSE -> DIFF -> SNAPSHOT -> START -> COMMIT -> DRAIN
 *     +--------+---------+---------+--------+--> ROLLBACK: as if never asked
 *
 * One thread does one after the other. Whoever asks while one is under way, and
 * before the next has begun, shares that next one. COMMIT is one transaction in
 * the inbox and one pointer; before it nothing that serves has changed. DRAIN
 * goes on beside the next reload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RELOAD_H
#define CORE_RELOAD_H

#include "config/report.h"
#include "error.h"
#include "plugin/delta.h"

#include <stdint.h>

struct dispatcher;
struct inbox;
struct reload; /* opaque */
struct server;
struct serving;
struct supervisor;

enum reload_kind {
    RELOAD_APPLY = 0, /* what the files say */
    RELOAD_TRY = 1,   /* ... without COMMIT */
    RELOAD_BACK = 2,  /* the generation before */
};

enum reload_end {
    RELOAD_DONE = 0,    /* committed, and drained */
    RELOAD_KILLED = 1,  /* committed, but a drain had to be killed */
    RELOAD_REFUSED = 2, /* nothing has changed: see the report, or `why` */
    RELOAD_FAILED = 3,  /* likewise, and it is the machine's fault: `why` */
    RELOAD_STOPPED = 4, /* likewise: we are stopping */
    RELOAD_LATE = 5, /* not over in the time given to reload_ask(); goes on */
};

/** How it went. Zero it before; reload_answer_fini() after. */
struct reload_answer {
    enum reload_kind kind;
    enum reload_end end;
    unsigned generation; /* that serves now */
    unsigned restored;   /* RELOAD_BACK: the one gone back to; 0: none */
    int64_t took_ms;     /* up to COMMIT, or to where it ended */
    int64_t drained_ms;  /* ... and from there; -1: it goes on */
    unsigned killed;     /* runners that overran the drain */
    struct delta delta;  /* what changes */
    struct config_report report; /* mistakes and warnings */
    char why[ERROR_TEXT_MAX];    /* a sentence; "" when the rest says it all */
};

struct reload_settings {
    const char *config_path;
    struct serving *serving;
    struct inbox *inbox;
    struct supervisor *supervisor;
    struct dispatcher *dispatcher;
    struct server *server;
    /** Called on the reload's thread: one that is no mere try begins, and it
     * ended so. */
    void (*begun)(void *arg);
    void (*ended)(void *arg, const struct reload_answer *answer);
    void *arg;
    int verbose; /* log level debug, whatever the file says */
};

/** Start the thread. All is borrowed for its life. */
int reload_start(struct reload **out, const struct reload_settings *settings,
                 struct error *err);

/** Ask for a reload and go on; how it ends is logged. From any thread. Accepts
 * NULL: before the start is over there is nothing to reload. */
void reload_poke(struct reload *reload, enum reload_kind kind);

/** Ask, and wait for the end. From any thread but main and the reload's own.
 * @param wait_ms  at the longest */
void reload_ask(struct reload *reload, enum reload_kind kind, int64_t wait_ms,
                struct reload_answer *answer);
void reload_answer_fini(struct reload_answer *answer);

/** "done", "killed", "refused", "failed", "stopped", "late". */
const char *reload_end_name(enum reload_end end);

/** "apply", "try", "rollback". */
const char *reload_kind_name(enum reload_kind kind);

/** The last reload, for status. */
struct reload_last {
    int64_t count;         /* since the start; 0: none yet */
    int64_t at_ms;         /* wall clock */
    enum reload_kind kind; /* never RELOAD_TRY */
    enum reload_end end;
    int64_t good_ms;          /* when one was committed last; 0: never */
    char why[ERROR_TEXT_MAX]; /* the first mistake; "" */
    int is_running;           /* one is under way */
};

void reload_last(struct reload *reload, struct reload_last *out);

/** Give up what is under way, answer all that wait, and do no more. From the
 * main thread, which goes on turning the supervisor until reload_is_idle(). */
void reload_stop(struct reload *reload);
int reload_is_idle(struct reload *reload);

/** After reload_stop() and when idle. Accepts NULL. */
void reload_close(struct reload *reload);

#endif
