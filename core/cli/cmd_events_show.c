/* core/cli/cmd_events_show.c: `pegboard events show`: all that is known of one
 * event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fact.h"
#include "field.h"
#include "paint.h"
#include "plain.h"
#include "table.h"
#include "wanted.h"
#include "when.h"

#define TEXT_MAX 2048 /* bytes shown of one text */

const struct flag events_show_flags[] = {
    {"body", 0, NULL, "print the exact bytes that Stripe sent, nothing else"},
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

/* ---- Facts ---------------------------------------------------------- */

static void
print_state(const char *state, int color)
{
    printf("%-12s %s%s%s\n", "state", color ? paint_state(state) : "", state,
           color ? PAINT_OFF : "");
}

static void
print_facts(const cJSON *event, int color)
{
    char size[64];
    fact("event", field_text(event, "id"));
    fact("type", field_text(event, "type"));
    print_state(field_text(event, "state"), color);
    fact("mode", field_true(event, "livemode") ? "live" : "test");
    fact("object", field_text(event, "object_id"));
    fact("customer", field_text(event, "customer"));
    fact("account", field_text(event, "account"));
    fact("api version", field_text(event, "api_version"));
    fact("snapshot of", field_text(event, "snapshot_event"));
    fact("endpoint", field_text(event, "endpoint"));
    fact("signed with", field_text(event, "secret"));
    fact_time("created", event, "created_at");
    fact_time("received", event, "received_at");
    snprintf(size, sizeof(size), "%lld bytes",
             (long long)field_number(event, "body_bytes"));
    fact("body", size);
}

/* ---- Receipts ------------------------------------------------------- */

static void
print_receipt(const cJSON *receipt, int color)
{
    char when[WHEN_MAX];
    char where[TEXT_MAX];
    printf("  %s  %s", when_local(field_text(receipt, "received_at"), when),
           plain(field_text(receipt, "endpoint"), where, sizeof(where)));
    if (field_true(receipt, "conflict")) {
        printf("  %sOTHER BYTES under the same id%s", color ? PAINT_BAD : "",
               color ? PAINT_OFF : "");
        if (field_number(receipt, "conflict_bytes") > 0) {
            printf(" (%lld kept)",
                   (long long)field_number(receipt, "conflict_bytes"));
        }
    }
    putchar('\n');
}

static void
print_receipts(const cJSON *event, int color)
{
    const cJSON *first = field_list(event, "receipts");
    if (first != NULL) {
        fputs("\nREPEATS\n", stdout);
    }
    for (const cJSON *one = first; one != NULL; one = one->next) {
        print_receipt(one, color);
    }
}

/* ---- Deliveries ----------------------------------------------------- */

static void
print_deliveries(const cJSON *event, int color)
{
    static const char *const heads[] = {"PLUGIN", "STATE",  "ATTEMPTS",
                                        "NEXT",   "REASON", NULL};
    struct table table = {.heads = heads, .is_colored = color};
    char when[WHEN_MAX];
    putchar('\n');
    const cJSON *first = field_list(event, "deliveries");
    if (first == NULL) {
        puts("No plugin was to get it.");
        return;
    }
    for (const cJSON *one = first; one != NULL; one = one->next) {
        table_cell(&table, field_text(one, "plugin"));
        table_state(&table, field_text(one, "state"));
        table_number(&table, field_number(one, "attempts"));
        table_cell(&table,
                   when_local(field_text(one, "next_attempt_at"), when));
        table_cell(&table, field_text(one, "last_message"));
    }
    table_print(&table, stdout);
    table_fini(&table);
}

/* ---- Attempts ------------------------------------------------------- */

/* Several lines, each made safe and indented. */
static void
print_log(const char *log)
{
    char safe[TEXT_MAX];
    char line[TEXT_MAX];
    while (*log != '\0') {
        size_t len = strcspn(log, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)len, log);
        printf("      | %s\n", plain(line, safe, sizeof(safe)));
        log += len + (log[len] == '\n');
    }
}

static void
print_crash(const cJSON *attempt)
{
    const char *signal = field_text(attempt, "signal");
    const char *digest = field_text(attempt, "digest");
    char safe[64];
    if (signal[0] != '\0') {
        printf("      ended by SIG%s\n", plain(signal, safe, sizeof(safe)));
    }
    if (digest[0] != '\0') {
        printf("      plugin file %.12s, generation %lld\n",
               plain(digest, safe, sizeof(safe)),
               (long long)field_number(attempt, "generation"));
    }
    print_log(field_text(attempt, "log"));
}

static void
print_attempt(const cJSON *attempt, int color)
{
    char when[WHEN_MAX];
    char plugin[64];
    char safe[TEXT_MAX];
    const char *outcome = field_text(attempt, "outcome");
    int64_t us = field_seconds_us(attempt, "duration_seconds");
    printf("  %s  %s %lld  [%s%s%s]  %lld ms",
           when_local(field_text(attempt, "started_at"), when),
           plain(field_text(attempt, "plugin"), plugin, sizeof(plugin)),
           (long long)field_number(attempt, "number"),
           color ? paint_state(outcome) : "", outcome, color ? PAINT_OFF : "",
           (long long)((us + 500) / 1000));
    plain(field_text(attempt, "message"), safe, sizeof(safe));
    printf("%s%s\n", safe[0] != '\0' ? "  " : "", safe);
    if (strcmp(outcome, "crash") == 0 || strcmp(outcome, "timeout") == 0) {
        print_crash(attempt);
    }
}

static void
print_attempts(const cJSON *event, int color)
{
    const cJSON *first = field_list(event, "attempts");
    if (first != NULL) {
        fputs("\nATTEMPTS\n", stdout);
    }
    for (const cJSON *one = first; one != NULL; one = one->next) {
        print_attempt(one, color);
    }
}

/* ---- Asking --------------------------------------------------------- */

static int
show_body(struct client *client, const char *id)
{
    char *path = client_path("/events/", id, "/body");
    char *bytes = NULL;
    size_t len = 0;
    if (path == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    int code = client_bytes(client, path, &bytes, &len);
    if (code == 0 && fwrite(bytes, 1, len, stdout) != len) {
        code = command_error(EXIT_FAILED, "cannot write to standard output");
    }
    free(bytes);
    free(path);
    return code;
}

static int
print_event(const cJSON *event, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print(event);
    }
    int color = args_color(args, stdout);
    print_facts(event, color);
    print_receipts(event, color);
    print_deliveries(event, color);
    print_attempts(event, color);
    return 0;
}

static int
show(struct client *client, const struct args *args, const char *id)
{
    cJSON *event = NULL;
    char *path = client_path("/events/", id, "");
    int code = path == NULL ? command_error(EXIT_FAILED, "out of memory")
                            : client_call(client, "GET", path, NULL, &event);
    free(path);
    if (code == 0) {
        code = print_event(event, args);
    }
    cJSON_Delete(event);
    return code;
}

int
cmd_events_show(const struct args *args)
{
    struct client *client;
    const char *id = args->operands[0];
    if (id[0] == '\0') {
        return args_error(args, "the id is empty");
    }
    int code = client_open(&client, args);
    if (code != 0) {
        return code;
    }
    code = args_count(args, "body") > 0 ? show_body(client, id)
                                        : show(client, args, id);
    client_close(client);
    return code;
}
