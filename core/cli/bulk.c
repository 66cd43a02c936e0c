/* core/cli/bulk.c: what `replay` and `discard` have in common.
 *
 * A request holds WANTED_IDS_ONCE ids; more of them become several jobs, of
 * which each begins when the one before has been through its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bulk.h"

#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "command.h"
#include "field.h"
#include "follow.h"
#include "plain.h"
#include "wanted.h"
#include "when.h"

#define BATCHES_MAX (WANTED_IDS_MAX / WANTED_IDS_ONCE)

struct work {
    const struct bulk *bulk;
    const struct args *args;
    struct wanted wanted;
    struct client *client;
    int64_t deadline_ms;      /* monotonic */
    int64_t count, left_out;  /* by the dry run */
    int is_exact;             /* ... it could count them all */
    char oldest[WHEN_MAX];    /* RFC 3339; "" for none */
    cJSON *jobs[BATCHES_MAX]; /* begun */
    size_t job_count;
};

/* ---- Requests ------------------------------------------------------- */

static size_t
batch_count(const struct work *work)
{
    size_t ids = work->wanted.id_count;
    return ids == 0 ? 1 : (ids + WANTED_IDS_ONCE - 1) / WANTED_IDS_ONCE;
}

/* The API refuses what would be about everything, unless it is told that this
 * is meant: that is for those who wrote --type '*'. */
static int
means_all(const struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->type_count; i++) {
        if (strcmp(wanted->types[i], "*") == 0) {
            return 1;
        }
    }
    return 0;
}

/* The body of request number `batch`. NULL when out of memory. */
static cJSON *
make_body(const struct work *work, size_t batch, int dry_run)
{
    size_t first = batch * WANTED_IDS_ONCE;
    size_t left = work->wanted.id_count - first;
    const char *reason = args_value(work->args, "reason");
    cJSON *body = cJSON_CreateObject();
    cJSON *filter = wanted_json(
        &work->wanted, first, left < WANTED_IDS_ONCE ? left : WANTED_IDS_ONCE);
    if (body == NULL || filter == NULL ||
        !cJSON_AddItemToObject(body, "filter", filter)) {
        cJSON_Delete(filter);
        cJSON_Delete(body);
        return NULL;
    }
    if (!cJSON_AddBoolToObject(body, "dry_run", dry_run) ||
        (reason != NULL && !cJSON_AddStringToObject(body, "reason", reason)) ||
        (means_all(&work->wanted) && !cJSON_AddTrueToObject(body, "all")) ||
        !work->bulk->fill(work->args, body)) {
        cJSON_Delete(body);
        return NULL;
    }
    return body;
}

static int
post(struct work *work, size_t batch, int dry_run, cJSON **out)
{
    cJSON *body = make_body(work, batch, dry_run);
    *out = NULL;
    if (body == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    return client_call(work->client, "POST", work->bulk->path, body, out);
}

/* ---- Counting ------------------------------------------------------- */

static void
add_count(struct work *work, const cJSON *answer)
{
    const char *oldest = field_text(answer, "oldest");
    work->count += field_number(answer, "count");
    work->left_out += field_number(answer, "left_out");
    work->is_exact = work->is_exact && field_true(answer, "count_exact");
    if (oldest[0] != '\0' &&
        (work->oldest[0] == '\0' || strcmp(oldest, work->oldest) < 0)) {
        snprintf(work->oldest, sizeof(work->oldest), "%s", oldest);
    }
}

static int
count_all(struct work *work)
{
    int code = 0;
    work->is_exact = 1;
    for (size_t i = 0; i < batch_count(work) && code == 0; i++) {
        cJSON *answer;
        code = post(work, i, 1, &answer);
        if (code == 0) {
            add_count(work, answer);
        }
        cJSON_Delete(answer);
    }
    return code;
}

static void
tell_count(const struct work *work, FILE *to)
{
    char when[WHEN_MAX];
    fprintf(to, "%s%lld deliver%s match%s", work->is_exact ? "" : "over ",
            (long long)work->count, work->count == 1 ? "y" : "ies",
            work->count == 1 ? "es" : "");
    if (work->oldest[0] != '\0') {
        fprintf(to, ", the oldest received %s", when_local(work->oldest, when));
    }
    fputc('\n', to);
}

static int
print_dry(const struct work *work)
{
    if (args_count(work->args, "json") == 0) {
        tell_count(work, stdout);
        return 0;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "dry_run");
    cJSON_AddNumberToObject(json, "count", (double)work->count);
    cJSON_AddBoolToObject(json, "count_exact", work->is_exact);
    cJSON_AddNumberToObject(json, "left_out", (double)work->left_out);
    int code = field_print(json);
    cJSON_Delete(json);
    return code;
}

/* ---- Asking --------------------------------------------------------- */

/* Ids that somebody named one by one are no accident. */
static int
needs_consent(const struct work *work)
{
    int wide = work->count > BULK_ASK_ABOVE || !work->is_exact;
    int named = work->wanted.id_count > 0;
    return args_count(work->args, "yes") == 0 &&
           (wide || (work->bulk->asks_always && !named));
}

static int
ask(const struct work *work)
{
    char line[16] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        tell_count(work, stderr);
        return command_error(EXIT_REFUSED,
                             "nothing was done: without a terminal to ask on, "
                             "this needs --yes (--dry-run only counts)");
    }
    tell_count(work, stderr);
    fprintf(stderr, "%s %s? [y/N] ", work->bulk->verb,
            work->count == 1 ? "it" : "them");
    fflush(stderr);
    if (fgets(line, sizeof(line), stdin) == NULL ||
        (line[0] != 'y' && line[0] != 'Y')) {
        return command_error(EXIT_REFUSED, "nothing was done");
    }
    return 0;
}

/* ---- Doing ---------------------------------------------------------- */

/* Whether to stay until all has ended. */
static int
waits(const struct work *work)
{
    if (args_count(work->args, "no-wait") > 0) {
        return 0;
    }
    return args_count(work->args, "wait") > 0 || isatty(STDERR_FILENO);
}

static void
tell_begun(const struct work *work, const cJSON *job)
{
    char id[64];
    if (args_count(work->args, "quiet") == 0 && isatty(STDERR_FILENO) &&
        !client_is_offline(work->client) && waits(work)) {
        plain(field_text(job, "id"), id, sizeof(id));
        fprintf(stderr,
                "%s: ^C leaves it to the daemon; pegboard jobs cancel %s\n", id,
                id);
    }
}

static int
begin_all(struct work *work)
{
    size_t batches = batch_count(work);
    int offline = client_is_offline(work->client);
    int code = 0;
    for (size_t i = 0; i < batches && code == 0; i++) {
        cJSON *job;
        code = post(work, i, 0, &job);
        if (code != 0) {
            break;
        }
        work->jobs[work->job_count++] = job;
        tell_begun(work, job);
        if (offline || i + 1 < batches) {
            code = follow_job(work->client, work->args, FOLLOW_MOVED,
                              work->deadline_ms, &work->jobs[i]);
        }
    }
    return code;
}

static int
wait_all(struct work *work)
{
    int code = 0;
    for (size_t i = 0; i < work->job_count && code == 0; i++) {
        code = follow_job(work->client, work->args, FOLLOW_ENDED,
                          work->deadline_ms, &work->jobs[i]);
    }
    return code;
}

/* ---- Telling -------------------------------------------------------- */

static void
print_sum(const struct work *work, const struct follow_sum *sum, int waited)
{
    char text[128];
    char id[64];
    const char *how = sum->is_failed      ? "failed"
                      : sum->is_cancelled ? "cancelled"
                                          : "done";
    if (work->bulk->ended != NULL && (waited || sum->moved >= sum->total)) {
        printf("%s: %lld %s\n", how, (long long)sum->moved, work->bulk->ended);
    } else if (client_is_offline(work->client)) {
        printf("%s: %lld queued, for when the daemon runs\n", how,
               (long long)sum->moved);
    } else if (waited) {
        printf("%s: %s\n", how, follow_text(sum, text));
    }
    for (size_t i = 0;
         i < work->job_count && !waited && !client_is_offline(work->client);
         i++) {
        puts(plain(field_text(work->jobs[i], "id"), id, sizeof(id)));
    }
}

static int
tell_end(const struct work *work, int waited)
{
    struct follow_sum sum = {0};
    int code = 0;
    int as_json = args_count(work->args, "json") > 0;
    for (size_t i = 0; i < work->job_count; i++) {
        follow_add(&sum, work->jobs[i]);
        if (as_json && code == 0) {
            code = field_print(work->jobs[i]);
        }
    }
    if (!as_json) {
        print_sum(work, &sum, waited);
    }
    if (code != 0 || sum.is_failed) {
        return EXIT_FAILED;
    }
    return sum.dead > 0 || sum.is_cancelled ? EXIT_PARTLY : EXIT_OK;
}

/* ---- In order ------------------------------------------------------- */

static int
check_flags(const struct work *work)
{
    const struct args *args = work->args;
    const char *reason = args_value(args, "reason");
    if (wanted_is_empty(&work->wanted)) {
        return args_error(args,
                          "name events, or filters such as --type or --since: "
                          "this would %s everything",
                          work->bulk->verb);
    }
    if (reason != NULL && reason[strspn(reason, " \t")] == '\0') {
        return args_error(args, "--reason: the value is empty");
    }
    if (args_count(args, "wait") > 0 && args_count(args, "no-wait") > 0) {
        return args_error(args, "--wait and --no-wait exclude each other");
    }
    return 0;
}

static int
act(struct work *work)
{
    int waited = waits(work);
    int code = begin_all(work);
    if (code == 0 && waited) {
        code = wait_all(work);
    }
    if (code == 0) {
        return tell_end(work, waited);
    }
    if (work->job_count > 0) {
        tell_end(work, waited); /* what was done until then */
    }
    return code;
}

/* Of a filter that is an answer; of ids it is a mistake. */
static int
tell_nothing(const struct work *work)
{
    if (work->wanted.id_count > 0 && work->wanted.plugin != NULL) {
        return command_error(EXIT_MISSING,
                             "there is nothing in it to %s for that plugin: no "
                             "such event, or not of a type that it takes, or "
                             "under way; see pegboard events show ID",
                             work->bulk->verb);
    }
    if (work->wanted.id_count > 0) {
        return command_error(EXIT_MISSING,
                             "no such event has a delivery to %s; pegboard "
                             "events show ID tells how it stands",
                             work->bulk->verb);
    }
    if (args_count(work->args, "quiet") == 0) {
        fprintf(stderr, "there is nothing to %s\n", work->bulk->verb);
    }
    return EXIT_OK;
}

static int
count_ask_act(struct work *work)
{
    int quiet = args_count(work->args, "quiet") > 0;
    int code = count_all(work);
    if (code == 0 && work->left_out > 0 && !quiet) {
        fprintf(stderr,
                "note: %lld more are left out: their plugin is not served, or "
                "does not take their mode\n",
                (long long)work->left_out);
    }
    if (code != 0 || args_count(work->args, "dry-run") > 0) {
        return code != 0 ? code : print_dry(work);
    }
    if (work->count == 0 && work->is_exact) {
        return tell_nothing(work);
    }
    if (needs_consent(work)) {
        code = ask(work);
    }
    return code == 0 ? act(work) : code;
}

static int
read_deadline(struct work *work)
{
    int64_t timeout_ms = -1;
    int code = args_duration(work->args, "timeout", &timeout_ms);
    work->deadline_ms =
        code != 0 || timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    return code;
}

int
bulk_run(const struct bulk *bulk, const struct args *args)
{
    struct work *work = calloc(1, sizeof(*work));
    if (work == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    work->bulk = bulk;
    work->args = args;
    int code = wanted_read(&work->wanted, args);
    if (code == 0) {
        code = check_flags(work);
    }
    if (code == 0) {
        code = read_deadline(work);
    }
    if (code == 0) {
        code = client_open(&work->client, args);
    }
    if (code == 0) {
        code = count_ask_act(work);
    }
    for (size_t i = 0; i < work->job_count; i++) {
        cJSON_Delete(work->jobs[i]);
    }
    client_close(work->client);
    wanted_fini(&work->wanted);
    free(work);
    return code;
}
