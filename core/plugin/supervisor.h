/* core/plugin/supervisor.h: keeps `concurrency` runners of every plugin alive.
 *
 * Runs on the main thread, which must outlive every runner. It starts runners
 * and sees them through MANIFEST, INIT and READY; then somebody else has them
 * (in the daemon the dispatcher) until supervisor_return(). One that died, or
 * would not start, is replaced after a pause of 0.5 s, doubled each time up to
 * 60 s; one event handled starts the count anew.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SUPERVISOR_H
#define CORE_SUPERVISOR_H

#include <stdint.h>

struct error;
struct generation;
struct plugin;
struct runner;
struct supervisor; /* opaque */

/** Called when a runner is ready to handle events; takes it over. */
typedef void supervisor_ready_fn(void *arg, const struct plugin *plugin,
                                 struct runner *runner);

/** @param generation  borrowed for the supervisor's life */
int supervisor_open(struct supervisor **out,
                    const struct generation *generation,
                    supervisor_ready_fn *fn, void *arg, struct error *err);

/** A descriptor that is readable when supervisor_turn() has work. */
int supervisor_fd(const struct supervisor *supervisor);

/** Monotonic time at which supervisor_turn() wants to be called at the latest;
 * INT64_MAX for none. */
int64_t supervisor_deadline_ms(const struct supervisor *supervisor);

/** Do what is due: start runners, read their answers, collect dead ones. Never
 * blocks. */
void supervisor_turn(struct supervisor *supervisor);

/**
 * Give a runner back. From any thread.
 *
 * @param ended    1 when its process has ended and is to be collected; 0 when
 *                 it is well and to be sent away
 * @param handled  events it had handled
 */
void supervisor_return(struct supervisor *supervisor,
                       const struct plugin *plugin, struct runner *runner,
                       int ended, unsigned long handled);

/** A plugin that was broken works again: those of its runners that are to be
 * restarted after a pause start now, and former failures are forgotten. From
 * any thread. */
void supervisor_recovered(struct supervisor *supervisor,
                          const struct plugin *plugin);

/** Start no more runners; those that are starting or given back leave. */
void supervisor_stop(struct supervisor *supervisor);

/** Whether every runner of ours is gone. */
int supervisor_is_empty(const struct supervisor *supervisor);

/** Kill what is still there, collect it, free all. Accepts NULL. */
void supervisor_close(struct supervisor *supervisor);

#endif
