/* core/delivery/dispatcher.h: brings due deliveries to idle runners and their
 * verdicts back to the inbox.
 *
 * One thread. It owns the runners that serve: the supervisor hands them over
 * when they are ready, and gets them back when they have ended or are not
 * needed any more. A runner handles one event at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DISPATCHER_H
#define CORE_DISPATCHER_H

#include <stddef.h>
#include <stdint.h>

struct dispatcher; /* opaque */
struct error;
struct generation;
struct inbox;
struct inbox_plugin; /* inbox/inbox.h */
struct plugin;
struct runner;

/** Why a runner comes back. */
enum dispatcher_return {
    RETURN_ENDED = 0,  /* its process has ended: collect it */
    RETURN_UNUSED = 1, /* it is well and idle: we are stopping, or it is old, or
                          has served long enough */
};

/**
 * Called on the dispatcher's thread when a runner comes back; takes it over.
 * Must not block.
 *
 * @param handled  events it had handled
 */
typedef void dispatcher_return_fn(void *arg, struct runner *runner,
                                  enum dispatcher_return why,
                                  unsigned long handled);

/** Called on the dispatcher's thread when a plugin's breaker has closed: what
 * waits to be restarted need not wait. */
typedef void dispatcher_recovered_fn(void *arg, uint32_t plugin);

/**
 * Start the thread. It serves nothing until dispatcher_switch().
 *
 * @param inbox  borrowed; its claims come to this dispatcher
 */
int dispatcher_start(struct dispatcher **out, struct inbox *inbox,
                     dispatcher_return_fn *fn,
                     dispatcher_recovered_fn *recovered, void *arg,
                     struct error *err);

/** Take over a ready runner. One that is not of the plugin as it is served now
 * is given back unused. From any thread. */
void dispatcher_adopt(struct dispatcher *dispatcher, struct runner *runner);

/* ---- A new generation ----------------------------------------------- */

/**
 * Serve this generation from now on; returns when it is so. From any thread but
 * the dispatcher's own.
 *
 * A plugin that is the same keeps its runners. The former runners of one that
 * changed, or is gone, are old: idle ones are given back, those at work finish
 * their event, and then are given back. Runners of the new one begin only while
 * fewer than `concurrency` handlers run, old ones counted. Breakers close.
 *
 * @param generation  held by the dispatcher from now on
 * @param drain_ms    old runners that take longer are killed: the event runs
 *                    again, and the attempt does not count
 * @return RC_OK, or RC_NOMEM, and then nothing has changed
 */
int dispatcher_switch(struct dispatcher *dispatcher,
                      struct generation *generation, int64_t drain_ms);

/** Old runners. */
struct dispatcher_drain {
    unsigned left;   /* still at work, or ending */
    unsigned killed; /* of these, since the start: those that took too long */
};

/** How the drain of what the switch to `generation` (a number) retired is
 * going; 0 for that of all switches. From any thread. */
void dispatcher_draining(struct dispatcher *dispatcher, unsigned generation,
                         struct dispatcher_drain *out);

/** A descriptor (eventfd) that becomes readable when an old runner has left;
 * whoever waits for it reads it. */
int dispatcher_drain_fd(const struct dispatcher *dispatcher);

/** Kill the old runners of one plugin now, as if their time was over. They are
 * gone when dispatcher_draining_of() says so. From any thread. */
void dispatcher_hasten(struct dispatcher *dispatcher, uint32_t plugin);

/** Old runners of one plugin that are still there. From any thread. */
unsigned dispatcher_draining_of(struct dispatcher *dispatcher, uint32_t plugin);

/* ---- Looking and holding -------------------------------------------- */

/** What is happening with a plugin, for people. */
struct dispatcher_status {
    unsigned runners; /* ready or at work */
    unsigned running; /* deliveries in work */
    unsigned old;     /* runners of a former generation, finishing */
    int is_broken;    /* it crashed with different events: its breaker is open*/
    int is_paused;
};

/** @return RC_OK or RC_NOT_FOUND. From any thread. */
int dispatcher_status(struct dispatcher *dispatcher, uint32_t plugin,
                      struct dispatcher_status *out);

/**
 * Hold a plugin's deliveries from now on, or no more. What is in work goes on.
 * The caller has stored it; when paused_until_ms comes the dispatcher resumes
 * by itself, and whoever reads the stored pause compares it with the clock. Its
 * held times are the dispatcher's own. From any thread.
 *
 * @param state  id, and the pause as stored; paused_ms 0: resume
 */
void dispatcher_pause(struct dispatcher *dispatcher,
                      const struct inbox_plugin *state);

/** Stop asking for deliveries and give back idle runners; attempts that run may
 * end by themselves until `deadline_ms` (monotonic), then their runners are
 * killed and they will be run again. Returns at once. */
void dispatcher_drain(struct dispatcher *dispatcher, int64_t deadline_ms);

/** Whether the drain is over: nothing runs, all runners were given back. */
int dispatcher_drained(struct dispatcher *dispatcher);

/** Milliseconds since the loop last turned; small when well. */
int64_t dispatcher_stalled_ms(struct dispatcher *dispatcher);

/** End the thread and free all. After a drain, and when no claim can come any
 * more: inbox_want_nothing() was part of the drain. Accepts NULL. */
void dispatcher_stop(struct dispatcher *dispatcher);

#endif
