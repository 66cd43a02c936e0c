/* core/cli/follow.c: jobs of the daemon, and waiting for them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "clock.h"
#include "command.h"
#include "field.h"
#include "plain.h"
#include "progress.h"
#include "wanted.h"
#include "when.h"

#define ASK_MS   250   /* between two questions how far it is */
#define STALL_MS 10000 /* without an end of any: say what may be the matter */
#define TURN_MAX 100   /* ms that offline work waits at most */
#define TEXT_MAX 128

char *
follow_path(const char *id, const char *behind)
{
    int is_whole = strncmp(id, "job_", 4) == 0;
    return client_path(is_whole ? "/jobs/" : "/jobs/job_", id, behind);
}

void
follow_add(struct follow_sum *sum, const cJSON *job)
{
    const char *state = field_text(job, "state");
    int64_t total = field_number(job, "total"); /* null: it was too many */
    int64_t moved = field_number(job, "moved");
    sum->total += total > moved ? total : moved;
    sum->moved += moved;
    sum->done += field_number(job, "done");
    sum->dead += field_number(job, "dead");
    sum->is_cancelled |= strcmp(state, "cancelled") == 0;
    sum->is_failed |= strcmp(state, "failed") == 0;
}

const char *
follow_text(const struct follow_sum *sum, char *room)
{
    snprintf(room, TEXT_MAX, "%lld done, %lld dead", (long long)sum->done,
             (long long)sum->dead);
    return room;
}

/* A discard is over when it has moved all. */
static int
is_there(const struct client *client, enum follow_until until, const cJSON *job)
{
    struct follow_sum sum = {0};
    follow_add(&sum, job);
    int is_replay = strcmp(field_text(job, "kind"), "replay") == 0;
    return strcmp(field_text(job, "state"), "running") != 0 &&
           (until == FOLLOW_MOVED || !is_replay || client_is_offline(client) ||
            sum.done + sum.dead >= sum.moved);
}

static void
show_progress(struct progress *progress, const cJSON *job)
{
    struct follow_sum sum = {0};
    char id[64];
    char text[TEXT_MAX * 2];
    char span[WHEN_MAX];
    follow_add(&sum, job);
    plain(field_text(job, "id"), id, sizeof(id));
    if (strcmp(field_text(job, "kind"), "replay") != 0) {
        progress_show(progress, sum.moved, sum.total, id, "");
        return;
    }
    int64_t rate = field_number(job, "rate_per_second");
    int64_t left = sum.total - sum.moved;
    int len = snprintf(text, sizeof(text), "done %lld  dead %lld",
                       (long long)sum.done, (long long)sum.dead);
    if (rate > 0 && left > 0) {
        snprintf(text + len, sizeof(text) - (size_t)len, "  %lld/s  %s left",
                 (long long)rate, when_span(left * 1000 / rate, span));
    } else if (left <= 0) {
        snprintf(text + len, sizeof(text) - (size_t)len, "  %lld to come",
                 (long long)(sum.moved - sum.done - sum.dead));
    }
    progress_show(progress, sum.done + sum.dead, sum.total, id, text);
}

/* Let time pass until it is worth asking again. */
static void
pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000),
                            .tv_nsec = (long)(ms % 1000 * 1000000)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void
let_pass(struct client *client)
{
    int64_t ms = ASK_MS;
    if (client_is_offline(client)) {
        ms = client_turn(client);
        ms = ms > TURN_MAX ? TURN_MAX : ms;
    }
    pause_ms(ms);
}

static int
ask_again(struct client *client, cJSON **job)
{
    char *path = follow_path(field_text(*job, "id"), "");
    cJSON *now = NULL;
    int code = path == NULL ? command_error(EXIT_FAILED, "out of memory")
                            : client_call(client, "GET", path, NULL, &now);
    free(path);
    if (code == 0) {
        cJSON_Delete(*job);
        *job = now;
    }
    return code;
}

/* Since when nothing ended. */
struct stall {
    int64_t ended, since_ms;
    int is_told;
};

/* All was handed out, and yet some do not end: that may take as long as their
 * retries do. Said once. */
static void
watch_stall(struct stall *stall, struct progress *progress, const cJSON *job)
{
    struct follow_sum sum = {0};
    int64_t now_ms = clock_mono_ms();
    follow_add(&sum, job);
    if (sum.done + sum.dead != stall->ended ||
        strcmp(field_text(job, "state"), "running") == 0) {
        stall->ended = sum.done + sum.dead;
        stall->since_ms = now_ms;
    }
    const char *trouble = field_text(job, "trouble");
    if (!stall->is_told && trouble[0] != '\0') {
        char text[TEXT_MAX * 2];
        char safe[TEXT_MAX];
        stall->is_told = 1;
        snprintf(text, sizeof(text), "a step failed and is tried again: %s",
                 plain(trouble, safe, sizeof(safe)));
        progress_note(progress, text);
    } else if (!stall->is_told && now_ms - stall->since_ms >= STALL_MS) {
        stall->is_told = 1;
        progress_note(progress,
                      "what is still to come waits for a retry, or for its "
                      "plugin: see pegboard events list --state pending; ^C "
                      "leaves it to the daemon");
    }
}

int
follow_job(struct client *client, const struct args *args,
           enum follow_until until, int64_t deadline_ms, cJSON **job)
{
    struct progress progress;
    struct stall stall = {.ended = -1};
    progress_start(&progress, args);
    int code = 0;
    while (code == 0 && !is_there(client, until, *job)) {
        watch_stall(&stall, &progress, *job);
        show_progress(&progress, *job);
        if (clock_mono_ms() >= deadline_ms) {
            code = EXIT_TIMED_OUT;
            break;
        }
        let_pass(client);
        code = ask_again(client, job);
    }
    progress_stop(&progress);
    if (code == EXIT_TIMED_OUT) {
        char id[64];
        command_error(code,
                      "%s goes on after --timeout; see pegboard jobs "
                      "show %s",
                      plain(field_text(*job, "id"), id, sizeof(id)), id);
    }
    return code;
}
