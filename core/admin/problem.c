/* core/admin/problem.c: what can be wrong with a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/problem.h"

#include "admin/show.h"
#include "error.h"

#include <cjson/cJSON.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *code, *title;
} problems[PROBLEM_COUNT] = {
    [PROBLEM_NONE] = {500, "internal", "Internal error"},
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "Malformed request"},
    [PROBLEM_PARAMETER] = {400, "invalid-parameter", "Invalid parameter"},
    [PROBLEM_BODY] = {400, "invalid-body", "Invalid body"},
    [PROBLEM_CURSOR] = {400, "cursor-mismatch", "Cursor of another list"},
    [PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "No valid token"},
    [PROBLEM_ORIGIN] = {403, "forbidden-origin", "Not from our origin"},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "No such path"},
    [PROBLEM_NO_EVENT] = {404, "event-not-found", "No such event"},
    [PROBLEM_NO_PLUGIN] = {404, "plugin-not-found", "No such plugin"},
    [PROBLEM_NO_JOB] = {404, "job-not-found", "No such job"},
    [PROBLEM_METHOD] = {405, "method-not-allowed", "Method not allowed"},
    [PROBLEM_SLOW] = {408, "timeout", "The request came too slowly"},
    [PROBLEM_NOT_SERVED] = {409, "plugin-not-served", "Plugin is not served"},
    [PROBLEM_JOB_ENDED] = {409, "job-ended", "The job has ended"},
    [PROBLEM_MANY_JOBS] = {409, "too-many-jobs", "Too many jobs at work"},
    [PROBLEM_OFFLINE] = {409, "no-daemon", "No daemon runs"},
    [PROBLEM_RELOAD] = {409, "reload-refused", "The reload is refused"},
    [PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large"},
    [PROBLEM_NOT_JSON] = {415, "not-json", "The body must be JSON"},
    [PROBLEM_HOST] = {421, "wrong-host", "Not our host name"},
    [PROBLEM_TOO_WIDE] = {422, "too-wide", "Nothing narrows this down"},
    [PROBLEM_REFUSED] = {422, "refused", "The request cannot be done"},
    [PROBLEM_TRIES] = {429, "too-many-tries", "Too many wrong tokens"},
    [PROBLEM_INTERNAL] = {500, "internal", "Internal error"},
    [PROBLEM_UNLOADED] = {500, "reload-failed", "The reload failed"},
    [PROBLEM_VERSION] = {505, "bad-version", "Speak HTTP/1.1 or 1.0"},
    [PROBLEM_STORE] = {503, "store-unavailable", "The store does not work"},
    [PROBLEM_QUERY_SLOW] = {503, "query-timeout", "The question took too long"},
    [PROBLEM_STREAMS] = {503, "too-many-streams", "Too many streams"},
    [PROBLEM_MANY_RELOADS] = {503, "too-many-reloads", "Too many are waiting"},
    [PROBLEM_STOPPING] = {503, "stopping", "Pegboard is stopping"},
};

int
problem_set(struct problem *problem, enum problem_code code, const char *detail,
            ...)
{
    va_list args;
    memset(problem, 0, sizeof(*problem));
    problem->code = code;
    va_start(args, detail);
    vsnprintf(problem->detail, sizeof(problem->detail), detail, args);
    va_end(args);
    return RC_INVALID;
}

void
problem_hint(struct problem *problem, const char *hint, ...)
{
    va_list args;
    va_start(args, hint);
    vsnprintf(problem->hint, sizeof(problem->hint), hint, args);
    va_end(args);
}

void
problem_blame(struct problem *problem, const char *base, const char *name,
              const char *allowed)
{
    snprintf(problem->member, sizeof(problem->member), "%s%s%s",
             base != NULL ? base : "", base != NULL ? "/" : "", name);
    problem->allowed = allowed;
}

int
problem_status(const struct problem *problem)
{
    return problems[problem->code].status;
}

/* What was quoted from a request may have been cut inside a character. */
static void
add_text(cJSON *json, const char *name, const char *text)
{
    if (text[0] != '\0') {
        show_text(json, name, text);
    }
}

static void
add_words(cJSON *list, const char *words)
{
    while (*words != '\0') {
        char word[32];
        size_t len = strcspn(words, " ");
        snprintf(word, sizeof(word), "%.*s", (int)len, words);
        cJSON_AddItemToArray(list, cJSON_CreateString(word));
        words += len;
        words += strspn(words, " ");
    }
}

static void
add_error(cJSON *json, const struct problem *problem)
{
    cJSON *errors = cJSON_AddArrayToObject(json, "errors");
    cJSON *error = cJSON_CreateObject();
    cJSON_AddStringToObject(error,
                            problem->member[0] == '/' ? "pointer" : "parameter",
                            problem->member);
    cJSON_AddStringToObject(error, "message", problem->detail);
    if (problem->allowed != NULL) {
        add_words(cJSON_AddArrayToObject(error, "allowed"), problem->allowed);
    }
    cJSON_AddItemToArray(errors, error);
}

/* Paths come from outside: others than printable ASCII might not be JSON. */
static int
is_plain(const char *path)
{
    while (*path >= 0x20 && *path <= 0x7e) {
        path++;
    }
    return *path == '\0';
}

cJSON *
problem_json(const struct problem *problem, const char *instance)
{
    char type[64];
    const char *code = problems[problem->code].code;
    cJSON *json = cJSON_CreateObject();
    snprintf(type, sizeof(type), "urn:pegboard:problem:%s", code);
    cJSON_AddStringToObject(json, "type", type);
    cJSON_AddStringToObject(json, "title", problems[problem->code].title);
    cJSON_AddNumberToObject(json, "status", problem_status(problem));
    add_text(json, "detail", problem->detail);
    cJSON_AddStringToObject(json, "code", code);
    add_text(json, "hint", problem->hint);
    if (problem->member[0] != '\0') {
        add_error(json, problem);
    }
    if (is_plain(instance)) {
        cJSON_AddStringToObject(json, "instance", instance);
    }
    return json;
}

void
problem_add(cJSON *json, cJSON *members)
{
    cJSON *next = json != NULL && members != NULL ? members->child : NULL;
    while (next != NULL) {
        cJSON *item = next;
        next = item->next;
        if (cJSON_GetObjectItemCaseSensitive(json, item->string) == NULL) {
            cJSON_DetachItemViaPointer(members, item);
            if (!cJSON_AddItemToObject(json, item->string, item)) {
                cJSON_Delete(item);
            }
        }
    }
}
