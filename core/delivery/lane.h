/* core/delivery/lane.h: the deliveries and the runners of one plugin; private
 * to the dispatcher, and used on its thread only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include "delivery/dispatcher.h"

#include <stdint.h>

struct inbox;
struct inbox_claim;
struct source; /* worker.h: what epoll gives back */
struct worker;

/** What all lanes of a dispatcher share. */
struct lane_host {
    int epoll;
    struct inbox *inbox;
    dispatcher_return_fn *return_fn;
    void *return_arg;
};

struct lane {
    const struct lane_host *host;
    const struct plugin *plugin;
    struct worker *workers;
    struct inbox_claim *ready, **ready_end; /* claimed, not begun */
    unsigned ready_count;
    unsigned asked; /* wished for, not come yet */
};

/** An empty lane. */
void lane_init(struct lane *lane, const struct lane_host *host,
               const struct plugin *plugin);

/** Take over a runner that is ready for events. */
void lane_adopt(struct lane *lane, struct runner *runner);

/** Take over a claim, behind those that wait. */
void lane_queue(struct lane *lane, struct inbox_claim *claim);

/** Give idle runners work, and ask the inbox for what they can do next. */
void lane_feed(struct lane *lane);

/** Deal with news of one of a runner's descriptors. */
void lane_on_source(const struct source *source, uint32_t events);

/**
 * End what takes too long.
 *
 * @param late  1: whatever still runs, because a drain is over
 * @return when to look again, `next_ms` at the latest; monotonic
 */
int64_t lane_check(struct lane *lane, int late, int64_t next_ms);

/** Give back idle runners, and claims that nobody began with.
 * @return how many runners are still there */
unsigned lane_drain(struct lane *lane);

/** Free what was given back; once a round, when no more news can come. */
void lane_sweep(struct lane *lane);

/** Give a claim back as if it had never been made; frees it. */
void lane_undo(struct inbox *inbox, struct inbox_claim *claim);

#endif
