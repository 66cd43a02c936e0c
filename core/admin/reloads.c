/* core/admin/reloads.c: asking for a reload, and what became of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/reloads.h"

#include "admin/body.h"
#include "admin/call.h"
#include "admin/show.h"

#include <cjson/cJSON.h>

#include <stdio.h>

#define TIMEOUT_DEFAULT_S 120
#define TIMEOUT_MAX_S     600

void
reloads_last(struct api *api, struct reload_last *out)
{
    struct reload *reload = atomic_load(&api->reload);
    *out = (struct reload_last){.count = 0};
    if (reload != NULL) {
        reload_last(reload, out);
    }
}

int
reloads_is_bad(const struct reload_last *last)
{
    return last->count > 0 &&
           (last->end == RELOAD_REFUSED || last->end == RELOAD_FAILED);
}

const char *
reloads_kind_name(enum reload_kind kind)
{
    static const char *const names[] = {"apply", "try", "rollback"};
    return names[kind];
}

/* ---- Showing -------------------------------------------------------- */

static void
add_changes(cJSON *json, const struct delta *delta)
{
    cJSON *list = cJSON_AddArrayToObject(json, "changes");
    for (size_t i = 0; i < delta->count; i++) {
        const struct delta_item *item = &delta->items[i];
        cJSON *change = cJSON_CreateObject();
        show_text(change, "kind", delta_kind_name(item->kind));
        show_text(change, "what", item->what);
        show_text(change, "detail", item->detail);
        cJSON_AddItemToArray(list, change);
    }
}

static void
add_findings(cJSON *json, const char *name, const struct config_report *report,
             int warnings)
{
    cJSON *list = cJSON_AddArrayToObject(json, name);
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        if (finding->is_warning != warnings) {
            continue;
        }
        cJSON *one = cJSON_CreateObject();
        show_text(one, "file", finding->file);
        if (finding->line > 0) {
            show_number(one, "line", finding->line);
        } else {
            cJSON_AddNullToObject(one, "line");
        }
        show_text(one, "message", finding->message);
        cJSON_AddItemToArray(list, one);
    }
}

static cJSON *
answer_json(const struct reload_answer *answer)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "reload");
    show_text(json, "kind", reloads_kind_name(answer->kind));
    show_text(json, "result", reload_end_name(answer->end));
    show_number(json, "generation", answer->generation);
    if (answer->restored != 0) {
        show_number(json, "restored", answer->restored);
    } else {
        cJSON_AddNullToObject(json, "restored");
    }
    show_number(json, "took_ms", answer->took_ms);
    if (answer->drained_ms >= 0) {
        show_number(json, "drained_ms", answer->drained_ms);
    } else {
        cJSON_AddNullToObject(json, "drained_ms");
    }
    show_number(json, "killed", answer->killed);
    add_changes(json, &answer->delta);
    add_findings(json, "errors", &answer->report, 0);
    add_findings(json, "warnings", &answer->report, 1);
    show_text(json, "detail", answer->why);
    return json;
}

/* Why nothing has changed, when the answer has no sentence of its own. */
static int
refuse(struct call *call, const struct reload_answer *answer)
{
    size_t errors = answer->report.errors, keys = answer->delta.refused;
    if (answer->why[0] != '\0') {
        problem_set(&call->problem, PROBLEM_RELOAD, "%s", answer->why);
    } else if (errors > 0) {
        problem_set(&call->problem, PROBLEM_RELOAD, "%zu error%s", errors,
                    errors == 1 ? "" : "s");
    } else {
        problem_set(&call->problem, PROBLEM_RELOAD,
                    "%zu changed key%s a restart", keys,
                    keys == 1 ? " needs" : "s need");
    }
    return RC_INVALID;
}

static int
tell(struct call *call, const struct reload_answer *answer)
{
    cJSON *json = answer_json(answer);
    switch (answer->end) {
    case RELOAD_DONE:
    case RELOAD_KILLED:
        return call_answer(call, 200, json);
    case RELOAD_LATE:
        snprintf(call->answer->location, sizeof(call->answer->location),
                 API_PREFIX "/status"); /* tells how it ended */
        return call_answer(call, 202, json);
    case RELOAD_REFUSED:
        refuse(call, answer);
        break;
    case RELOAD_FAILED:
        problem_set(&call->problem, PROBLEM_UNLOADED, "%s", answer->why);
        break;
    case RELOAD_STOPPED:
        problem_set(&call->problem, PROBLEM_STOPPING,
                    "the daemon is stopping; nothing was changed");
        break;
    }
    call->members = json;
    return RC_INVALID;
}

/* ---- Asking --------------------------------------------------------- */

static int
wait_for(struct call *call, struct reload *reload, enum reload_kind kind,
         int64_t wait_ms)
{
    struct reload_answer answer = {0};
    int rc;
    if (atomic_fetch_add(&call->api->waiting, 1) >= RELOADS_WAITING_MAX) {
        rc = problem_set(&call->problem, PROBLEM_MANY_RELOADS,
                         "%d others are waiting for a reload to end",
                         RELOADS_WAITING_MAX);
    } else {
        reload_ask(reload, kind, wait_ms, &answer);
        rc = tell(call, &answer);
        reload_answer_fini(&answer);
    }
    atomic_fetch_sub(&call->api->waiting, 1);
    return rc;
}

static int
ask(struct call *call, enum reload_kind kind)
{
    int64_t seconds = TIMEOUT_DEFAULT_S;
    int rc = body_number(call->body, "timeout_seconds", 1, TIMEOUT_MAX_S,
                         &seconds, &call->problem);
    if (rc != RC_OK) {
        return rc;
    }
    struct reload *reload = atomic_load(&call->api->reload);
    if (reload != NULL) {
        return wait_for(call, reload, kind, seconds * 1000);
    }
    if (call->api->settings.serving != NULL) {
        return problem_set(&call->problem, PROBLEM_STOPPING,
                           "the daemon is starting or stopping");
    }
    return problem_set(&call->problem, PROBLEM_OFFLINE,
                       "only a running daemon can reload");
}

int
reload_post(struct call *call)
{
    int dry_run = 0;
    int rc = body_allow(call->body, "dry_run timeout_seconds", &call->problem);
    if (rc == RC_OK) {
        rc = body_bool(call->body, "dry_run", &dry_run, &call->problem);
    }
    return rc == RC_OK ? ask(call, dry_run ? RELOAD_TRY : RELOAD_APPLY) : rc;
}

int
rollback_post(struct call *call)
{
    int rc = body_allow(call->body, "timeout_seconds", &call->problem);
    return rc == RC_OK ? ask(call, RELOAD_BACK) : rc;
}
