/* core/cli/cmd_reload.c: `pegboard reload` and `rollback`: the running daemon
 * takes up what the files say now, or goes back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "field.h"
#include "plain.h"

#define TEXT_MAX 1024

#define TIMEOUT_MS     120000
#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 600000

/* Its answer tells that the time is over; this long we wait for that. */
#define ANSWER_MS 5000

#define TIMEOUT_FLAG                                                           \
    {                                                                          \
        "timeout", 0, "DURATION",                                              \
            "wait no longer for its end, 1s to 10m; default 2m"                \
    }

const struct flag reload_flags[] = {
    {"dry-run", 'n', NULL, "go as far as possible, and change nothing"},
    TIMEOUT_FLAG,
    CLIENT_PLACE_FLAGS,
    {NULL, 0, NULL, NULL}};

const struct flag rollback_flags[] = {
    TIMEOUT_FLAG, CLIENT_PLACE_FLAGS, {NULL, 0, NULL, NULL}};

/* ---- Showing -------------------------------------------------------- */

static int
is_kind(const cJSON *answer, const char *kind)
{
    return strcmp(field_text(answer, "kind"), kind) == 0;
}

static int
is_result(const cJSON *answer, const char *result)
{
    return strcmp(field_text(answer, "result"), result) == 0;
}

static char
mark_of(const char *kind)
{
    static const struct {
        const char *kind;
        char mark;
    } marks[] = {{"added", '+'},
                 {"removed", '-'},
                 {"rolled", '~'},
                 {"set", '='},
                 {"refused", '!'}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strcmp(marks[i].kind, kind) == 0) {
            return marks[i].mark;
        }
    }
    return '?';
}

/* "  ~ plugin ledger          code 3f21a0b2 -> 9ab0c3d4" */
static void
print_change(const cJSON *change, const char *behind, FILE *to)
{
    char what[TEXT_MAX];
    char detail[TEXT_MAX];
    plain(field_text(change, "what"), what, sizeof(what));
    plain(field_text(change, "detail"), detail, sizeof(detail));
    fprintf(to, "  %c ", mark_of(field_text(change, "kind")));
    if (detail[0] == '\0' && behind[0] == '\0') {
        fprintf(to, "%s\n", what);
    } else {
        fprintf(to, "%-22s %s%s%s\n", what, detail,
                detail[0] != '\0' && behind[0] != '\0' ? ", " : "", behind);
    }
}

static void
print_changes(const cJSON *answer, FILE *to)
{
    for (const cJSON *one = field_list(answer, "changes"); one != NULL;
         one = one->next) {
        int refused = strcmp(field_text(one, "kind"), "refused") == 0;
        if (refused == (to == stderr)) {
            print_change(one, refused ? "needs a restart" : "", to);
        }
    }
}

/* As a compiler does: "file:line: message". */
static void
print_findings(const cJSON *answer, const char *key, const char *mark)
{
    char file[TEXT_MAX];
    char message[TEXT_MAX];
    for (const cJSON *one = field_list(answer, key); one != NULL;
         one = one->next) {
        long long line = (long long)field_number(one, "line");
        fputs(plain(field_text(one, "file"), file, sizeof(file)), stderr);
        if (line > 0) {
            fprintf(stderr, ":%lld", line);
        }
        fprintf(stderr, ": %s%s\n", mark,
                plain(field_text(one, "message"), message, sizeof(message)));
    }
}

static void
print_head(const cJSON *answer)
{
    int is_changed = field_list(answer, "changes") != NULL;
    long long generation = (long long)field_number(answer, "generation");
    long long restored = (long long)field_number(answer, "restored");
    long long took_ms = (long long)field_number(answer, "took_ms");
    if (is_kind(answer, "rollback") && restored > 0) {
        printf("rolled back to generation %lld as generation %lld (%lld ms)\n",
               restored, generation, took_ms);
    } else if (is_kind(answer, "rollback")) {
        printf("rolled back as generation %lld (%lld ms)\n", generation,
               took_ms);
    } else if (is_kind(answer, "try")) {
        printf(is_changed ? "would reload (%lld ms):\n"
                          : "nothing would change (%lld ms)\n",
               took_ms);
    } else {
        printf("%s (generation %lld, %lld ms)\n",
               is_changed ? "reload ok" : "nothing changed", generation,
               took_ms);
    }
}

static void
tell_killed(long long killed)
{
    if (killed == 1) {
        fputs("1 runner overran the drain and was killed; its event runs "
              "again\n",
              stderr);
    } else {
        fprintf(stderr,
                "%lld runners overran the drain and were killed; their events "
                "run again\n",
                killed);
    }
}

/* Why nothing has changed. */
static void
tell_unchanged(const cJSON *answer)
{
    char detail[TEXT_MAX];
    char result[32];
    print_findings(answer, "errors", "");
    print_changes(answer, stderr);
    plain(field_text(answer, "result"), result, sizeof(result));
    plain(field_text(answer, "detail"), detail, sizeof(detail));
    int would = is_kind(answer, "try") && is_result(answer, "refused");
    fprintf(stderr, "%s %s%s: %s; generation %lld serves on\n",
            is_kind(answer, "rollback") ? "rollback" : "reload",
            would ? "would be " : "", result, detail,
            (long long)field_number(answer, "generation"));
}

static void
tell(const cJSON *answer, int64_t seconds, int quiet)
{
    int is_killed = is_result(answer, "killed");
    if (!quiet) {
        print_findings(answer, "warnings", "warning: ");
    }
    if (is_result(answer, "late")) {
        fprintf(stderr,
                "not over after %lld s; it goes on, and `pegboard status` "
                "tells how it ended\n",
                (long long)seconds);
    } else if (!is_killed && !is_result(answer, "done")) {
        tell_unchanged(answer);
    } else if (!quiet) {
        print_head(answer);
        print_changes(answer, stdout);
    }
    if (is_killed) {
        tell_killed((long long)field_number(answer, "killed"));
    }
}

/* ---- How it ended --------------------------------------------------- */

/* Whether a key is in the way that only a restart changes. */
static int
needs_restart(const cJSON *answer)
{
    const cJSON *one = field_list(answer, "changes");
    while (one != NULL && strcmp(field_text(one, "kind"), "refused") != 0) {
        one = one->next;
    }
    return one != NULL;
}

static int
code_of(const cJSON *answer)
{
    if (is_result(answer, "done")) {
        return EXIT_OK;
    }
    if (is_result(answer, "killed")) {
        return EXIT_PARTLY;
    }
    if (is_result(answer, "late")) {
        return EXIT_TIMED_OUT;
    }
    if (!is_result(answer, "refused")) {
        return EXIT_FAILED;
    }
    /* Without a mistake in it there is nothing to go back to. */
    return is_kind(answer, "rollback") && !needs_restart(answer) &&
                   field_list(answer, "errors") == NULL
               ? EXIT_REFUSED
               : EXIT_CONFIG;
}

/* ---- Asking --------------------------------------------------------- */

static int
read_timeout(const struct args *args, int64_t *seconds)
{
    int64_t ms = TIMEOUT_MS;
    int code = args_duration(args, "timeout", &ms);
    if (code == 0 && (ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS)) {
        code = args_error(args, "--timeout: from 1s to 10m");
    }
    *seconds = (ms + 999) / 1000;
    return code;
}

static int
make_body(cJSON **out, int64_t seconds, int dry_run)
{
    cJSON *body = cJSON_CreateObject();
    if (cJSON_AddNumberToObject(body, "timeout_seconds", (double)seconds) ==
            NULL ||
        (dry_run && cJSON_AddTrueToObject(body, "dry_run") == NULL)) {
        cJSON_Delete(body);
        return command_error(EXIT_FAILED, "out of memory");
    }
    *out = body;
    return 0;
}

static int
ask(const struct args *args, const char *path, int64_t seconds, int dry_run,
    cJSON **answer)
{
    struct client *client;
    cJSON *body = NULL;
    long status = 0;
    int code = make_body(&body, seconds, dry_run);
    if (code == 0) {
        code = client_open(&client, args);
    }
    if (code != 0) {
        cJSON_Delete(body);
        return code;
    }
    client_limit(client, seconds * 1000 + ANSWER_MS);
    code = client_ask(client, "POST", path, body, &status, answer);
    client_close(client);
    if (code == 0 && strcmp(field_text(*answer, "object"), "reload") != 0) {
        code = client_problem(status, *answer); /* it did not come so far */
    }
    return code;
}

static int
run(const struct args *args, const char *path)
{
    int64_t seconds;
    cJSON *answer = NULL;
    int code = read_timeout(args, &seconds);
    if (code == 0) {
        code =
            ask(args, path, seconds, args_count(args, "dry-run") > 0, &answer);
    }
    if (code == 0 && args_count(args, "json") > 0) {
        code = field_print(answer);
    } else if (code == 0) {
        tell(answer, seconds, args_count(args, "quiet") > 0);
    }
    if (code == 0) {
        code = code_of(answer);
    }
    cJSON_Delete(answer);
    return code;
}

int
cmd_reload(const struct args *args)
{
    return run(args, "/reload");
}

int
cmd_rollback(const struct args *args)
{
    return run(args, "/rollback");
}
