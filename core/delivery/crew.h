/* core/delivery/crew.h: how the runners of a pool come, speak and go; private
 * to the dispatcher, and used on its thread only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CREW_H
#define CORE_CREW_H

#include <stdint.h>

struct attempt;
struct inbox_lookup;
struct pool;
struct runner;
struct source; /* worker.h: what epoll gives back */
struct worker;

struct pool_host;

/** Take over a runner that is ready for events. One that is not of the plugin
 * as it is served now is given back. @param pool  of its plugin, or NULL */
void crew_adopt(const struct pool_host *host, struct pool *pool,
                struct runner *runner);

/** Give an idle worker work. */
void crew_begin(struct worker *worker, struct attempt *attempt);

/** Tell a worker's runner what it asked for. */
void crew_tell(struct worker *worker, const struct inbox_lookup *lookup);

/** Give an idle worker's runner back. */
void crew_dismiss(struct worker *worker);

/** Expect an idle worker's runner to end by itself. */
void crew_let_go(struct worker *worker);

/** Kill a worker that is at work, once all that it has said is heard: the event
 * is to run again, and this attempt does not count.
 * @param by  for people, as attempt_lose() wants it; kept
 * @return 1, or 0 when it is not at work, or not any more */
int crew_cut_short(struct worker *worker, const char *by);

/** Deal with news of one of a runner's descriptors. */
void crew_on_source(const struct source *source, uint32_t events);

/** End what takes too long; see pool_check(). */
int64_t crew_check(struct pool *pool, int late, int64_t next_ms);

/** Free what was given back; once a round, when no more news can come. */
void crew_sweep(struct pool *pool);

#endif
