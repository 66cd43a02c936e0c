/* core/cli/try_isolated.c: one event in a runner as the daemon starts it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "try_isolated.h"

#include "checked.h"
#include "clock.h"
#include "command.h"
#include "config/config.h"
#include "config/report.h"
#include "error.h"
#include "log.h"
#include "plugin/agree.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/probe.h"
#include "plugin/runner.h"
#include "runner/sample.h"
#include "runner/shelf.h"
#include "runner/store.h"
#include "tryout.h"

#include <pegboard/plugin.h>

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LEAVE_MS 5000 /* for shutdown() */

/* A runner being tried. */
struct trial {
    const struct try_isolated *plan;
    struct plugin plugin;
    struct runner *runner; /* NULL when it has ended */
    struct sample sample;
    struct shelf shelf;
    struct store touched; /* by the last verdict; borrowed from its frame */
};

/* ---- What it says --------------------------------------------------- */

static void
print_output(void *arg, const char *line, size_t len)
{
    const struct trial *trial = arg;
    fprintf(stderr, "prints %s: %.*s\n", trial->plugin.config->name, (int)len,
            line);
}

static void
print_log(struct trial *trial, struct wire_frame *frame)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    size_t len;
    uint32_t level = wire_get_u32(&frame->payload);
    const char *text = wire_get_str(&frame->payload, &len);
    fprintf(stderr, "%s %s: %.*s\n", levels[level > 3 ? 3 : level],
            trial->plugin.config->name, (int)len, text);
}

/* The next frame that is no log line. */
static int
await(struct trial *trial, int64_t deadline_ms, struct wire_frame *frame)
{
    int rc;
    while ((rc = runner_await(trial->runner, deadline_ms, -1, frame,
                              print_output, trial)) == RC_OK &&
           frame->header.type == WIRE_LOG) {
        print_log(trial, frame);
    }
    return rc;
}

/* ---- Its start ------------------------------------------------------ */

/* What is said of the file begins with its path, which stands there already. */
static int
refuse(const struct trial *trial, const struct error *err)
{
    const char *path = trial->plan->tryout->path;
    const char *why = err->text;
    size_t len = strlen(path);
    if (strncmp(why, path, len) == 0 && strncmp(why + len, ": ", 2) == 0) {
        why += len + 2;
    }
    return command_error(EXIT_CONFIG, "%s refused: %s", path, why);
}

/* No frame came: the runner is ended, and why is said. */
static int
fail_start(struct trial *trial, int rc, const char *doing)
{
    struct error err = {0};
    struct runner *runner = trial->runner;
    trial->runner = NULL;
    runner_output(runner, 1, print_output, trial);
    probe_explain(runner, rc, doing, &err);
    return refuse(trial, &err);
}

static int
agree(struct trial *trial)
{
    struct config_report report = {0};
    int rc =
        agree_options(&trial->plugin, trial->plan->tryout->config, &report);
    int code = rc != RC_OK         ? EXIT_FAILED
               : report.errors > 0 ? EXIT_CONFIG
                                   : EXIT_OK;
    report_print(&report, stderr);
    report_fini(&report);
    return code;
}

static int
start(struct trial *trial, const char *dir)
{
    struct wire_frame frame;
    struct error err;
    const struct config_plugin *config = trial->plugin.config;
    int rc = snapshot_make(&trial->plugin.snapshot, config->path, dir, &err);
    if (rc == RC_OK) {
        rc = runner_start(&trial->runner, config, trial->plugin.snapshot.path,
                          &err);
    }
    if (rc != RC_OK) {
        return refuse(trial, &err);
    }
    int64_t deadline_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    rc = await(trial, deadline_ms, &frame);
    if (rc != RC_OK) {
        return fail_start(trial, rc, "loading it");
    }
    return handshake_manifest(&frame, &trial->plugin.manifest, &err) == RC_OK
               ? agree(trial)
               : refuse(trial, &err);
}

static int
call_init(struct trial *trial)
{
    struct wire_frame frame;
    struct error err;
    (void)handshake_init(trial->runner, &trial->plugin); /* its end shows */
    int rc = await(trial, clock_mono_ms() + PROBE_TIMEOUT_MS, &frame);
    if (rc != RC_OK) {
        return fail_start(trial, rc, "init()");
    }
    return handshake_ready(&frame, &err) == RC_OK ? EXIT_OK
                                                  : refuse(trial, &err);
}

/* ---- An event ------------------------------------------------------- */

static void
answer_lookup(struct trial *trial, struct wire_frame *frame)
{
    size_t len;
    struct store_value value;
    struct scratch scratch = {0};
    const char *key = wire_get_str(&frame->payload, &len);
    shelf_ask(&trial->shelf, key, len, &scratch, &value);
    struct wire_writer *out = &trial->runner->frame;
    wire_begin(out, WIRE_VALUE, frame->header.id);
    wire_put_u32(out, value.bytes != NULL);
    wire_put_i64(out, value.version);
    wire_put_str(out, value.bytes, value.bytes != NULL ? value.len : 0);
    (void)runner_send(trial->runner); /* its end shows */
    scratch_fini(&scratch);
}

/* Which keys it wrote. RC_INVALID when the frame is none of ours. */
static int
get_touched(struct wire_reader *reader, struct store *out)
{
    uint32_t count = wire_get_u32(reader);
    if (count > PEG_STORE_KEYS_MAX) {
        return RC_INVALID;
    }
    for (out->count = 0; out->count < count; out->count++) {
        struct store_key *key = &out->keys[out->count];
        key->key = wire_get_str(reader, &key->key_len);
        key->seen = wire_get_i64(reader);
        key->write = (enum store_write)wire_get_u32(reader);
        key->value = (char *)(uintptr_t)wire_get_str(reader, &key->value_len);
    }
    return wire_done(reader);
}

static int
get_verdict(struct trial *trial, struct wire_frame *frame, struct tried *out)
{
    size_t len;
    if (frame->header.type != WIRE_VERDICT) {
        return RC_INVALID;
    }
    out->code = (int32_t)wire_get_u32(&frame->payload);
    out->delay_ms = wire_get_i64(&frame->payload);
    out->reason = wire_get_str(&frame->payload, &len);
    out->took_us = wire_get_i64(&frame->payload);
    return get_touched(&frame->payload, &trial->touched);
}

/* The runner is gone, or must go: print that instead of a verdict. */
static int
print_end(struct trial *trial, int rc)
{
    char why[160];
    int status = 0;
    struct runner *runner = trial->runner;
    struct pollfd fd = {.fd = runner->pid_fd, .events = POLLIN};
    int has_ended = rc == RC_CLOSED && poll(&fd, 1, LEAVE_MS) == 1;
    if (!has_ended) {
        runner_kill(runner);
    }
    runner_output(runner, 1, print_output, trial);
    trial->runner = NULL;
    runner_reap(runner, 1, &status);
    if (rc == RC_TIMEOUT) {
        snprintf(why, sizeof(why),
                 "no verdict within %" PRId64 " ms, so the runner was killed",
                 trial->plan->timeout_ms);
    } else if (has_ended) {
        char end[64];
        runner_describe_end(status, end, sizeof(end));
        snprintf(why, sizeof(why), "the runner was %s", end);
        if (WIFEXITED(status)) {
            snprintf(why, sizeof(why), "the runner %s", end);
        }
    } else {
        snprintf(why, sizeof(why), "the runner spoke nonsense");
    }
    const char *word = rc == RC_TIMEOUT ? "timeout" : "crash";
    printf(trial->plan->form == TRIED_JSON
               ? "{\"verdict\":\"%s\",\"reason\":\"%s\"}\n"
               : "%s: %s\n",
           word, why);
    return rc == RC_TIMEOUT ? EXIT_TIMED_OUT : EXIT_FAILED;
}

/* Until the verdict, or the end. */
static int
call_handle(struct trial *trial)
{
    struct wire_event *facts = &trial->sample.facts;
    struct wire_frame frame;
    struct tried tried;
    facts->attempt++;
    facts->timeout_ms = trial->plan->timeout_ms;
    wire_put_event(&trial->runner->frame, facts->attempt, facts);
    (void)runner_send(trial->runner); /* its end shows */
    int64_t deadline_ms = clock_mono_ms() + facts->timeout_ms;
    int rc;
    while ((rc = await(trial, deadline_ms, &frame)) == RC_OK &&
           frame.header.type == WIRE_LOOKUP) {
        answer_lookup(trial, &frame);
    }
    if (rc == RC_OK) {
        rc = get_verdict(trial, &frame, &tried);
    }
    if (rc != RC_OK) {
        return print_end(trial, rc);
    }
    runner_output(trial->runner, 1, print_output, trial);
    if (tried_settle(&trial->shelf, &trial->touched, tried.code == PEG_DONE) !=
        RC_OK) {
        return EXIT_FAILED;
    }
    tried_print(&tried, trial->plan->form, stdout);
    fflush(stdout);
    return tried_is_wished(&tried, &trial->plan->wish) ? EXIT_OK : EXIT_FAILED;
}

static int
handle_all(struct trial *trial)
{
    int code = EXIT_OK;
    for (int64_t i = 0; i < trial->plan->repeat && trial->runner != NULL; i++) {
        int one = call_handle(trial);
        code = one != EXIT_OK ? one : code;
    }
    return code;
}

/* ---- All of it ------------------------------------------------------ */

/* Let it go, as a daemon does. */
static void
leave(struct trial *trial)
{
    char end[64];
    int status = 0;
    struct runner *runner = trial->runner;
    if (runner == NULL) {
        return;
    }
    runner_quit(runner);
    struct pollfd fd = {.fd = runner->pid_fd, .events = POLLIN};
    if (poll(&fd, 1, LEAVE_MS) != 1) {
        fprintf(stderr,
                "warning: shutdown() takes more than %d s, so the "
                "runner was killed\n",
                LEAVE_MS / 1000);
        runner_kill(runner);
    }
    runner_output(runner, 1, print_output, trial);
    runner_reap(runner, 1, &status);
    if (WIFEXITED(status) ? WEXITSTATUS(status) != 0
                          : WTERMSIG(status) != SIGKILL) {
        runner_describe_end(status, end, sizeof(end));
        fprintf(stderr, "warning: when it was told to leave it was %s\n", end);
    }
}

static void
trial_fini(struct trial *trial)
{
    for (size_t i = 0; i < trial->plugin.option_count; i++) {
        free(trial->plugin.options[i].value);
    }
    free(trial->plugin.options);
    manifest_fini(&trial->plugin.manifest);
    snapshot_fini(&trial->plugin.snapshot);
    sample_fini(&trial->sample);
    shelf_fini(&trial->shelf);
}

static int
run(struct trial *trial, const char *dir)
{
    struct error err;
    const struct tryout *tryout = trial->plan->tryout;
    if (sample_read(&trial->sample, tryout->event, trial->plugin.config->name,
                    &err) != RC_OK) {
        return command_error(EXIT_MISSING, "%s", err.text);
    }
    int code = start(trial, dir);
    if (code == EXIT_OK) {
        code = call_init(trial);
    }
    if (code == EXIT_OK) {
        if (trial->plan->form == TRIED_TEXT) {
            tried_note_type(&trial->plugin.manifest, trial->sample.facts.type);
        }
        code = handle_all(trial);
    }
    leave(trial);
    return code;
}

int
try_isolated(const struct try_isolated *plan)
{
    char dir[CHECKED_DIR_MAX];
    struct error err;
    log_setup(LOG_WARN, LOG_AUTO);
    if (checked_folder(dir, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    int code = EXIT_FAILED;
    struct trial *trial = calloc(1, sizeof(*trial));
    if (trial == NULL) {
        command_error(code, "out of memory");
    } else {
        trial->plan = plan;
        trial->plugin.config = plan->tryout->plugin;
        code = run(trial, dir);
        trial_fini(trial);
    }
    free(trial);
    checked_remove(dir);
    return code;
}
