/* core/cli/cmd_trigger.c: `pegboard trigger TYPE`: builds, signs and posts test
 * events, without Stripe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "error.h"
#include "input.h"
#include "post.h"
#include "template/document.h"
#include "stripe/event.h"
#include "stripe/signature.h"
#include "template/template.h"
#include "target.h"
#include "trigger_list.h"

#define COUNT_MAX   1000000
#define RATE_MAX    100000
#define ANSWER_SHOW 300 /* bytes of an answer in the terminal */

const struct flag trigger_flags[] = {
    {"url", 0, "URL", "where to post; default: the configured listener"},
    {"endpoint", 0, "NAME",
     "endpoint of the configuration; default: the first"},
    {"secret-file", 0, "FILE", "signing secret; - reads standard input"},
    {"override", 0, "PATH=VALUE", "change a member, such as amount=2000"},
    {"data", 0, "FILE", "post this event, or wrap this object; - for stdin"},
    {"account", 0, "ACCT", "as an event of this connected account"},
    {"live", 0, NULL, "livemode true"},
    {"thin", 0, NULL, "the thin form: v1.TYPE, without the object"},
    {"count", 0, "N", "how many events"},
    {"rate", 0, "N", "at most N events a second"},
    {"duplicate", 0, NULL, "send each event twice, signed anew"},
    {"bad-signature", 0, NULL, "sign wrongly: 400 is the right answer"},
    {"age", 0, "DURATION", "sign as if this long ago, such as 400s"},
    {"list", 0, NULL, "list event types; TYPE filters, such as invoice.*"},
    {"print", 0, NULL, "print the body, and the header on stderr; do not post"},
    {NULL, 0, NULL, NULL},
};

/* What the command line asks for. */
struct plan {
    const struct args *args;
    struct template_request request;
    const char *overrides[ARGS_MAX];
    char *data;
    struct target target;
    int64_t count;
    int64_t rate; /* a second; 0: as fast as it goes */
    int64_t age_s;
    int copies;
    int bad_signature;
    int refusal; /* 400 is what should come back */
    int print, json;
};

/* What became of it. */
struct tally {
    int64_t sent, good;
    int stop; /* exit code of what makes going on useless; 0: nothing */
};

/* ---- The plan ------------------------------------------------------- */

static int
plan_numbers(struct plan *plan)
{
    const struct args *args = plan->args;
    int64_t age_ms = 0;
    plan->count = 1;
    int code = args_int(args, "count", 1, COUNT_MAX, &plan->count);
    if (code == 0) {
        code = args_int(args, "rate", 1, RATE_MAX, &plan->rate);
    }
    if (code == 0) {
        code = args_duration(args, "age", &age_ms);
    }
    plan->age_s = age_ms / 1000;
    return code;
}

static int
plan_data(struct plan *plan, const char *path)
{
    struct error err;
    size_t len;
    int rc = input_read(path, INPUT_EVENT_MAX, &plan->data, &len, &err);
    if (rc != RC_OK) {
        return command_error(rc == RC_NOT_FOUND ? EXIT_MISSING : EXIT_FAILED,
                             "%s", err.text);
    }
    plan->request.data = plan->data;
    plan->request.data_len = len;
    return 0;
}

static int
plan_request(struct plan *plan)
{
    const struct args *args = plan->args;
    struct template_request *request = &plan->request;
    const char *data = args_value(args, "data");
    request->type = args->operand_count > 0 ? args->operands[0] : NULL;
    request->account = args_value(args, "account");
    request->livemode = args_count(args, "live") > 0;
    request->thin = args_count(args, "thin") > 0;
    request->overrides = plan->overrides;
    request->override_count = (size_t)args_count(args, "override");
    for (int i = 0; i < args_count(args, "override"); i++) {
        plan->overrides[i] = args_value_at(args, "override", i);
    }
    if (request->type == NULL && data == NULL) {
        return args_error(args, "name an event type, such as "
                                "payment_intent.succeeded; --list shows all");
    }
    const char *secret = args_value(args, "secret-file");
    if (data != NULL && secret != NULL && strcmp(data, "-") == 0 &&
        strcmp(secret, "-") == 0) {
        return args_error(args, "--data and --secret-file cannot both read "
                                "standard input");
    }
    return data != NULL ? plan_data(plan, data) : 0;
}

static int
make_plan(struct plan *plan)
{
    const struct args *args = plan->args;
    plan->copies = args_count(args, "duplicate") > 0 ? 2 : 1;
    plan->bad_signature = args_count(args, "bad-signature") > 0;
    plan->print = args_count(args, "print") > 0;
    plan->json = args_count(args, "json") > 0;
    int code = plan_numbers(plan);
    if (code == 0) {
        code = plan_request(plan);
    }
    if (code == 0) {
        code = target_find(&plan->target, args, plan->print);
    }
    plan->refusal =
        plan->bad_signature || plan->age_s > plan->target.tolerance_s;
    return code;
}

/* ---- One event ------------------------------------------------------ */

struct message {
    char *body;
    size_t len;
    char header[SIGNATURE_HEADER_MAX];
    char id[EVENT_ID_MAX + 1]; /* "-" when an override spoiled it */
    char type[EVENT_TYPE_MAX + 1];
};

static int
exit_code_of(int rc)
{
    switch (rc) {
    case RC_INVALID:
        return EXIT_USAGE;
    case RC_NOT_FOUND:
        return EXIT_MISSING;
    case RC_CLOSED:
        return EXIT_NO_DAEMON;
    case RC_TIMEOUT:
        return EXIT_TIMED_OUT;
    default:
        return EXIT_FAILED;
    }
}

static int
build_message(const struct plan *plan, struct message *message,
              struct error *err)
{
    int rc = template_build(&plan->request, &message->body, &message->len, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct event event;
    strcpy(message->id, "-");
    strcpy(message->type, "-");
    if (event_read(&event, message->body, message->len, NULL) == RC_OK) {
        strcpy(message->id, event.id);
        strcpy(message->type, event.type);
    }
    return RC_OK;
}

static int
sign(const struct plan *plan, struct message *message, struct error *err)
{
    const struct secret *secret = &plan->target.secret;
    int64_t timestamp_s = clock_wall_ms() / 1000 - plan->age_s;
    int rc = signature_make(secret->text, secret->len, timestamp_s,
                            message->body, message->len, message->header, err);
    if (rc == RC_OK && plan->bad_signature) {
        char *last = message->header + strlen(message->header) - 1;
        *last = *last == '0' ? '1' : '0';
    }
    return rc;
}

/* ---- Printing ------------------------------------------------------- */

static void
print_json_line(cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    if (text != NULL) {
        puts(text);
    }
    cJSON_free(text);
    cJSON_Delete(line);
}

/* The answer as JSON if it is JSON, else as text. */
static cJSON *
answer_item(const struct post_answer *answer)
{
    cJSON *item;
    if (document_parse(&item, answer->body, answer->len, NULL) == RC_OK) {
        return item;
    }
    return cJSON_CreateString(answer->body);
}

static void
print_result_json(const struct message *message,
                  const struct post_answer *answer)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "id", message->id);
    cJSON_AddStringToObject(line, "type", message->type);
    cJSON_AddItemToObject(line, "status", document_integer(answer->status));
    cJSON_AddItemToObject(line, "ms", document_integer(answer->elapsed_ms));
    cJSON_AddItemToObject(line, "answer", answer_item(answer));
    print_json_line(line);
}

/* Text from outside: what could steer a terminal is shown as dots. */
static void
print_answer(const struct post_answer *answer)
{
    size_t len = answer->len < ANSWER_SHOW ? answer->len : ANSWER_SHOW;
    fputs("                     ", stdout);
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)answer->body[i];
        putchar(byte < 0x20 || byte >= 0x7f ? '.' : byte);
    }
    puts(len < answer->len ? "..." : "");
}

static void
print_result_text(const struct plan *plan, const struct message *message,
                  const struct post_answer *answer, int good)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    localtime_r(&now, &tm);
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
    int color = args_color(plan->args, stdout);
    const char *on = !color ? "" : good ? "\x1b[32m" : "\x1b[31m";
    printf("%s  <--  [%s%ld%s] POST %s %lld ms [%s]\n", stamp, on,
           answer->status, color ? "\x1b[0m" : "", plan->target.url,
           (long long)answer->elapsed_ms, message->id);
    if (answer->len > 0 && (!good || args_count(plan->args, "verbose") > 0)) {
        print_answer(answer);
    }
}

static void
print_result(const struct plan *plan, const struct message *message,
             const struct post_answer *answer, int good)
{
    if (plan->json) {
        print_result_json(message, answer);
    } else if (!good || args_count(plan->args, "quiet") == 0) {
        print_result_text(plan, message, answer, good);
    }
    fflush(stdout); /* whoever reads along sees each line at once */
}

/* The body alone goes to stdout, byte by byte, so that it can be saved. */
static void
print_message(const struct plan *plan, const struct message *message)
{
    if (plan->json) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddStringToObject(line, "header", message->header);
        cJSON_AddStringToObject(line, "body", message->body);
        print_json_line(line);
        return;
    }
    fprintf(stderr, "Stripe-Signature: %s\n", message->header);
    fwrite(message->body, 1, message->len, stdout);
    if (isatty(STDOUT_FILENO) || plan->count * plan->copies > 1) {
        putchar('\n');
    }
    fflush(stdout);
}

/* ---- Sending -------------------------------------------------------- */

static int
send_copy(const struct plan *plan, struct post *post, struct message *message,
          struct tally *tally, struct error *err)
{
    int rc = sign(plan, message, err);
    if (rc != RC_OK) {
        return rc;
    }
    tally->sent++;
    if (plan->print) {
        print_message(plan, message);
        tally->good++;
        return RC_OK;
    }
    struct post_answer answer;
    rc = post_send(post, message->header, message->body, message->len, &answer,
                   err);
    if (rc != RC_OK) {
        return rc;
    }
    int good = plan->refusal ? answer.status == 400
                             : answer.status >= 200 && answer.status < 300;
    tally->good += good;
    print_result(plan, message, &answer, good);
    return RC_OK;
}

/* Build one event and send its copies. What cannot be built or delivered once
 * would fail again: the rest is not tried. */
static void
send_event(const struct plan *plan, struct post *post, struct tally *tally)
{
    struct message message = {.body = NULL};
    struct error err;
    int rc = build_message(plan, &message, &err);
    for (int i = 0; i < plan->copies && rc == RC_OK; i++) {
        rc = send_copy(plan, post, &message, tally, &err);
    }
    free(message.body);
    if (rc != RC_OK) {
        tally->stop = command_error(exit_code_of(rc), "%s", err.text);
    }
}

/* Wait until event number `index` is due. */
static void
pace(const struct plan *plan, int64_t start_us, int64_t index)
{
    if (plan->rate == 0) {
        return;
    }
    int64_t due_us = start_us + index * 1000000 / plan->rate;
    struct timespec due = {.tv_sec = (time_t)(due_us / 1000000),
                           .tv_nsec = (long)(due_us % 1000000 * 1000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static int
run_plan(const struct plan *plan)
{
    struct post *post = NULL;
    struct error err;
    if (!plan->print) {
        int rc = post_open(&post, plan->target.url, &err);
        if (rc != RC_OK) {
            return command_error(exit_code_of(rc), "%s", err.text);
        }
    }
    struct tally tally = {.sent = 0};
    int64_t start_us = clock_mono_us();
    for (int64_t i = 0; i < plan->count && tally.stop == 0; i++) {
        pace(plan, start_us, i);
        send_event(plan, post, &tally);
    }
    post_close(post);
    if (tally.good == 0) {
        return tally.stop != 0 ? tally.stop : EXIT_FAILED;
    }
    int all = tally.stop == 0 && tally.good == tally.sent;
    return all ? EXIT_OK : EXIT_PARTLY;
}

int
cmd_trigger(const struct args *args)
{
    if (args_count(args, "list") > 0) {
        return trigger_list(args);
    }
    struct plan plan = {.args = args};
    int code = make_plan(&plan);
    if (code == 0) {
        code = run_plan(&plan);
    }
    target_fini(&plan.target);
    free(plan.data);
    return code;
}
