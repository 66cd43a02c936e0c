/* core/admin/plan.h: which deliveries a replay or a discard is about.
 *
 * Asked for as {"filter": {...}, "plugin": "name"}, and stored so with its job.
 * Not replayed, but counted as left out: deliveries of plugins that nobody
 * serves, and those whose plugin does not take the event's mode any more (a
 * test event never reaches a live-only plugin).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "admin/roster.h"
#include "admin/served.h"
#include "inbox/view.h"

#include <stddef.h>
#include <stdint.h>

struct call;
struct cJSON;
struct error;
struct problem;

/** Counting ends here. */
#define PLAN_COUNT_MAX 10000

/** End with plan_fini(). Does not move: the selection points into it. A job
 * keeps it over many generations: `served` is set for each call or step. */
struct plan {
    const struct served *served; /* borrowed; NULL between two steps */
    int is_discard;
    struct cJSON *spec; /* what was asked for */
    struct view_filter filter;
    struct view_selection selection;
    struct roster roster;
    const struct roster_entry *target; /* the plugin to replay to, or NULL */
};

/**
 * Make a plan.
 *
 * @param served  borrowed until plan->served is set anew
 * @param spec    taken over, also on failure
 * @return RC_OK; RC_INVALID or RC_NOT_FOUND with a problem; or what the view
 *         said
 */
int plan_init(struct plan *plan, const struct served *served, struct view *view,
              int is_discard, struct cJSON *spec, struct problem *problem,
              struct error *err);
void plan_fini(struct plan *plan);

/** Whether the plugin to replay to is being served, which a reload may change.
 * @return RC_OK, or RC_INVALID with a problem */
int plan_check_target(const struct plan *plan, struct problem *problem);

/** As view_select(), without those that are left out, which are added to
 * *left_out. */
int plan_next(const struct plan *plan, struct view *view,
              struct inbox_item *after, struct inbox_item *items, size_t max,
              size_t *count, int *more, int64_t *left_out, struct error *err);

struct plan_count {
    int64_t count, left_out;
    int exact;         /* 0: there are more, or counting took too long */
    int64_t oldest_ms; /* when the oldest was received; 0: there is none */
};

int plan_count(const struct plan *plan, struct view *view,
               struct plan_count *out, struct error *err);

/** Whether the filter's plugin, if it has one, exists.
 * @return RC_OK, RC_NOT_FOUND with a problem, or what the view said */
int plan_check_filter(struct call *call, const struct view_filter *filter);

#endif
