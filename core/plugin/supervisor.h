/* core/plugin/supervisor.h: keeps `concurrency` runners of every plugin alive,
 * and starts those of a new generation beside them.
 *
 * Runs on the main thread, which must outlive every runner. It starts runners
 * and sees them through MANIFEST, INIT and READY; then somebody else has them
 * (in the daemon the dispatcher) until supervisor_return(). One that died, or
 * would not start, is replaced after a pause of 0.5 s, doubled each time up to
 * 60 s; one event handled starts the count anew.
 *
 * The runners of one plugin of one generation are a squad (squad.h), which
 * holds that generation. A new generation's changed plugins are staged first:
 * their runners start, run init() and wait. Then either supervisor_switch()
 * lets them serve and the former ones go, or supervisor_unstage() ends them,
 * and nobody has noticed. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SUPERVISOR_H
#define CORE_SUPERVISOR_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct generation;
struct plugin;
struct runner;     /* runner.h: knows whose it is */
struct supervisor; /* opaque */

/** Called on the main thread when a runner is ready to handle events; takes it
 * over. */
typedef void supervisor_ready_fn(void *arg, struct runner *runner);

/** Serves nothing until supervisor_switch(). */
int supervisor_open(struct supervisor **out, supervisor_ready_fn *fn, void *arg,
                    struct error *err);

/** A descriptor that is readable when supervisor_turn() has work. */
int supervisor_fd(const struct supervisor *supervisor);

/** Monotonic time at which supervisor_turn() wants to be called at the latest;
 * INT64_MAX for none. */
int64_t supervisor_deadline_ms(const struct supervisor *supervisor);

/** Do what is due: start runners, read their answers, collect dead ones, and
 * what others asked for. Never blocks. Main thread. */
void supervisor_turn(struct supervisor *supervisor);

/**
 * Give a runner back. From any thread.
 *
 * @param ended    1 when its process has ended and is to be collected; 0 when
 *                 it is well and to be sent away
 * @param handled  events it had handled
 */
void supervisor_return(struct supervisor *supervisor, struct runner *runner,
                       int ended, unsigned long handled);

/** A plugin that was broken works again: those of its runners that are to be
 * restarted after a pause start now, and former failures are forgotten. From
 * any thread. */
void supervisor_recovered(struct supervisor *supervisor, uint32_t plugin);

/* ---- A new generation ----------------------------------------------- */

/** One plugin to be started beside what serves. */
struct stage_plugin {
    const struct plugin *plugin;
    int failed;               /* out: it does not start */
    char why[ERROR_TEXT_MAX]; /* out: ... because */
};

/** Plugins that are being started. The caller keeps it where it is until
 * `done`, and zeroes the outs. */
struct stage {
    struct generation *generation; /* of all of them; held by squads too */
    struct stage_plugin *plugins;
    size_t count;
    /** Called once, on the main thread: every runner of every plugin is ready,
     * or some `failed` (and all that started are tried to their end, so that
     * every failure is told). */
    void (*done)(void *arg, struct stage *stage);
    void *arg;
};

/** Start them: `concurrency` runners each, a few at a time. Not one of them
 * gets an event yet. From any thread; one stage at a time. */
void supervisor_stage(struct supervisor *supervisor, struct stage *stage);

/** End what was staged, also if it is not done yet: then done() is called
 * first, with every unready plugin failed. From any thread; `unstaged` is
 * called on the main thread when their processes are gone; may be NULL. */
void supervisor_unstage(struct supervisor *supervisor, struct stage *stage,
                        void (*unstaged)(void *arg), void *arg);

/**
 * Serve this generation from now on. A plugin that was staged gets its squad's
 * runners at once, and the squad it had before retires: it starts no more, and
 * each of its runners leaves when it comes back. One that is the same
 * (plugin_is_same()) keeps its squad, with failures forgotten and pauses ended.
 * One that was not staged and is new is started, with pauses when it fails, as
 * at boot. Squads whose plugin is gone retire. From any thread; done on the
 * main thread.
 *
 * @param generation  held by the supervisor from now on
 */
void supervisor_switch(struct supervisor *supervisor,
                       struct generation *generation);

/* ---- Looking -------------------------------------------------------- */

/** How a plugin's runners start. */
struct supervisor_status {
    unsigned wanted;     /* runners it shall have */
    unsigned serving;    /* ... that are ready, or at work */
    unsigned failures;   /* starts that failed since the last that went well,
                            of the runner that fares worst */
    int64_t retry_at_ms; /* monotonic: the next try; 0: none is waited for */
    char why[ERROR_TEXT_MAX]; /* of the last failure; "" for none */
};

/** @return RC_OK or RC_NOT_FOUND. From any thread. */
int supervisor_status(struct supervisor *supervisor, uint32_t plugin,
                      struct supervisor_status *out);

/** Runner processes there are, of whatever generation. From any thread. */
unsigned supervisor_runners(struct supervisor *supervisor);

/* ---- The end -------------------------------------------------------- */

/** Start no more runners; those that are starting or given back leave. */
void supervisor_stop(struct supervisor *supervisor);

/** Whether every runner of ours is gone. */
int supervisor_is_empty(const struct supervisor *supervisor);

/** Kill what is still there, collect it, free all. Accepts NULL. */
void supervisor_close(struct supervisor *supervisor);

#endif
