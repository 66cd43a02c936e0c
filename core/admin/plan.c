/* core/admin/plan.c: which deliveries a replay or a discard is about.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/plan.h"

#include "admin/call.h"
#include "admin/filter.h"
#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"

#include <cjson/cJSON.h>

#include <string.h>

/* Counting holds a view for this long at most. */
#define COUNT_MS 1500

/* ---- Making --------------------------------------------------------- */

/* Whether a plugin gets an event by the rules of now, for those who never had
 * it: as generation_route(). */
static int
passes(void *arg, const char *type, int livemode, const char *endpoint)
{
    const struct plan *plan = arg;
    const struct plugin *plugin =
        served_plugin(plan->served, plan->target->state.id);
    const struct config_endpoint *where =
        config_endpoint(plan->served->config, endpoint);
    return plugin != NULL &&
           (where == NULL || generation_mode_passes(where, livemode)) &&
           generation_passes(plugin, endpoint, type, livemode);
}

static int
is_offline(const struct plan *plan)
{
    return plan->served->generation == NULL;
}

int
plan_check_target(const struct plan *plan, struct problem *problem)
{
    const struct roster_entry *target = plan->target;
    if (target == NULL || is_offline(plan) ||
        served_plugin(plan->served, target->state.id) != NULL) {
        return RC_OK;
    }
    problem_set(problem, PROBLEM_NOT_SERVED,
                "plugin \"%s\" is not in the running configuration",
                target->name);
    problem_hint(problem, "bring it back into the configuration first");
    return RC_INVALID;
}

static int
check_target(const struct plan *plan, struct problem *problem)
{
    const struct roster_entry *target = plan->target;
    int rc = plan_check_target(plan, problem);
    if (rc != RC_OK) {
        return rc;
    }
    if (plan->filter.plugin != NULL &&
        strcmp(plan->filter.plugin, target->name) != 0) {
        problem_set(problem, PROBLEM_REFUSED,
                    "the filter means deliveries of \"%.64s\", the replay goes "
                    "to \"%s\"",
                    plan->filter.plugin, target->name);
        problem_blame(problem, "/filter", "plugin", NULL);
        return RC_INVALID;
    }
    return RC_OK;
}

/* With a state it is about deliveries that exist; without, or for events that
 * went to nobody, also about those that the plugin never had. */
static int
is_gift(const struct plan *plan)
{
    return !is_offline(plan) &&
           (plan->filter.state < 0 || plan->filter.state == VIEW_UNROUTED);
}

static void
select_items(struct plan *plan)
{
    struct view_selection *selection = &plan->selection;
    selection->filter = &plan->filter;
    selection->which = plan->is_discard ? VIEW_TO_DISCARD : VIEW_TO_REPLAY;
    if (plan->target == NULL) {
        return;
    }
    selection->plugin = plan->target->state.id;
    if (is_gift(plan)) {
        selection->which = VIEW_TO_GIVE;
        selection->passes = passes;
        selection->passes_arg = plan;
    } else {
        plan->filter.plugin = plan->target->name;
    }
}

static int
resolve(struct plan *plan, struct problem *problem)
{
    const char *plugin = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(plan->spec, "plugin"));
    const cJSON *filter =
        cJSON_GetObjectItemCaseSensitive(plan->spec, "filter");
    if (!cJSON_IsObject(filter)) { /* everything would pass one that is lost */
        return problem_set(problem, PROBLEM_INTERNAL, "the filter is lost");
    }
    int rc = filter_read(&plan->filter, filter, "/filter", problem);
    if (rc == RC_OK && plan->filter.plugin != NULL &&
        roster_find(&plan->roster, plan->filter.plugin, problem) == NULL) {
        rc = RC_NOT_FOUND;
    }
    if (rc == RC_OK && plugin != NULL) {
        plan->target = roster_find(&plan->roster, plugin, problem);
        rc = plan->target == NULL ? RC_NOT_FOUND : check_target(plan, problem);
    }
    return rc;
}

int
plan_init(struct plan *plan, const struct served *served, struct view *view,
          int is_discard, cJSON *spec, struct problem *problem,
          struct error *err)
{
    memset(plan, 0, sizeof(*plan));
    plan->served = served;
    plan->is_discard = is_discard;
    plan->spec = spec;
    int rc = roster_read(&plan->roster, view, err);
    if (rc == RC_OK) {
        rc = resolve(plan, problem);
    }
    if (rc != RC_OK) {
        plan_fini(plan);
        return rc;
    }
    select_items(plan);
    return RC_OK;
}

void
plan_fini(struct plan *plan)
{
    roster_fini(&plan->roster);
    cJSON_Delete(plan->spec);
    plan->spec = NULL;
}

int
plan_check_filter(struct call *call, const struct view_filter *filter)
{
    struct roster roster;
    struct error err = {0};
    if (filter->plugin == NULL) {
        return RC_OK;
    }
    int rc = roster_read(&roster, call->view, &err);
    if (rc == RC_OK) {
        rc = roster_find(&roster, filter->plugin, &call->problem) != NULL
                 ? RC_OK
                 : RC_NOT_FOUND;
        roster_fini(&roster);
    }
    return call_failed(call, rc, &err);
}

/* ---- Going through it ----------------------------------------------- */

struct seen {
    int64_t seq, received_ms;
    int livemode;
};

static int
on_seen(void *arg, const struct view_event *row)
{
    struct seen *seen = arg;
    seen->seq = row->seq;
    seen->received_ms = row->received_ms;
    seen->livemode = row->livemode;
    return 0;
}

/* Look at the event of that number; seen->seq differs when it is gone. */
static int
look(struct view *view, int64_t seq, struct seen *seen, struct error *err)
{
    struct view_filter every;
    view_filter_init(&every);
    memset(seen, 0, sizeof(*seen));
    return view_events(view, &every, 1, seq - 1, 1, on_seen, seen, err);
}

static int
takes_mode(enum config_mode mode, int livemode)
{
    return mode == CONFIG_ANY || (mode == CONFIG_LIVE) == (livemode != 0);
}

/* Whether a plugin may get deliveries, and what is set for it, if that is
 * known. One that a reload brought is not in the roster of an older plan. */
static int
find_taker(const struct plan *plan, uint32_t id,
           const struct config_plugin **config)
{
    const struct plugin *plugin = served_plugin(plan->served, id);
    const struct roster_entry *entry = roster_get(&plan->roster, id);
    *config = NULL;
    if (plugin != NULL) {
        *config = plugin->config;
    } else if (entry != NULL && is_offline(plan)) {
        *config = served_config(plan->served, entry->name);
    }
    return plugin != NULL || (entry != NULL && is_offline(plan));
}

/* Whether a delivery may be handed out again. */
static int
may_replay(const struct plan *plan, struct view *view,
           const struct inbox_item *item, int *out, struct error *err)
{
    const struct config_plugin *config;
    *out = find_taker(plan, item->plugin, &config);
    if (!*out || config == NULL || config->livemode == CONFIG_ANY) {
        return RC_OK;
    }
    struct seen seen;
    int rc = look(view, item->seq, &seen, err);
    *out = seen.seq == item->seq && takes_mode(config->livemode, seen.livemode);
    return rc;
}

int
plan_next(const struct plan *plan, struct view *view, struct inbox_item *after,
          struct inbox_item *items, size_t max, size_t *count, int *more,
          int64_t *left_out, struct error *err)
{
    size_t found = 0, kept = 0;
    int rc = view_select(view, &plan->selection, after, items, max, &found,
                         more, err);
    if (plan->selection.which != VIEW_TO_REPLAY) {
        *count = found;
        return rc;
    }
    for (size_t i = 0; i < found && rc == RC_OK; i++) {
        int may = 0;
        rc = may_replay(plan, view, &items[i], &may, err);
        if (may) {
            items[kept++] = items[i];
        } else {
            ++*left_out;
        }
    }
    *count = kept;
    return rc;
}

int
plan_count(const struct plan *plan, struct view *view, struct plan_count *out,
           struct error *err)
{
    struct inbox_item items[INBOX_ITEMS_MAX], after = {0};
    int64_t deadline_ms = clock_mono_ms() + COUNT_MS, first = 0;
    int more = 1;
    memset(out, 0, sizeof(*out));
    while (more && out->count <= PLAN_COUNT_MAX &&
           clock_mono_ms() < deadline_ms) {
        size_t count;
        int rc = plan_next(plan, view, &after, items, INBOX_ITEMS_MAX, &count,
                           &more, &out->left_out, err);
        if (rc != RC_OK) {
            return rc;
        }
        first = first == 0 && count > 0 ? items[0].seq : first;
        out->count += (int64_t)count;
    }
    out->exact = !more && out->count <= PLAN_COUNT_MAX;
    out->count = out->count <= PLAN_COUNT_MAX ? out->count : PLAN_COUNT_MAX;
    if (first == 0) {
        return RC_OK;
    }
    struct seen seen;
    int rc = look(view, first, &seen, err);
    out->oldest_ms = seen.received_ms;
    return rc;
}
