/* plugins/exec/lines.c: a process for all events: a line in, a line out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"
#include "facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char hello[] = "{\"pegboard\":1,\"plugin\":\"exec\"}\n";

#define START_MS  8000 /* until it is ready: a plugin's init() is given 10 s */
#define ENDING_MS 1000 /* from the end of its input to SIGTERM */
#define GRACE_MS  500  /* from there to SIGKILL */

/* Whatever it is at, it is not at the next event. */
static void
kill_child(struct exec *exec, int64_t kill_ms)
{
    int64_t now_ms = child_now_ms();
    int64_t most_ms = now_ms + GRACE_MS;
    child_finish(&exec->child, now_ms, kill_ms < most_ms ? kill_ms : most_ms);
}

/* By the end of its input, if it heeds that. */
static void
end_child(struct exec *exec, const struct limits *limits)
{
    int64_t now_ms = child_now_ms();
    int64_t term_ms = now_ms + ENDING_MS, kill_ms = term_ms + GRACE_MS;
    child_close(&exec->child);
    child_finish(&exec->child,
                 term_ms < limits->term_ms ? term_ms : limits->term_ms,
                 kill_ms < limits->kill_ms ? kill_ms : limits->kill_ms);
}

/* Until there is an answer, or will be none. One that closes its stdout mostly
 * ends, and how says more. */
static void
await_answer(struct exec *exec, int64_t until_ms)
{
    struct child *child = &exec->child;
    int ends = 0;
    while (child_is_alive(child) && exec->answers == 0 &&
           child_now_ms() < until_ms) {
        child_turn(child, until_ms);
        if (child->out < 0 && !ends) {
            int64_t end_ms = child_now_ms() + GRACE_MS;
            ends = 1;
            until_ms = end_ms < until_ms ? end_ms : until_ms;
        }
    }
}

/* A verdict too many, for the event before, must not count for this one. */
static int
is_for(const struct verdict *answer, const peg_event *ev)
{
    peg_str id;
    return peg_meta_str(ev, PEG_META_ID, &id) == PEG_OK &&
           strncmp(answer->id, id.ptr, VERDICT_ID_MAX) == 0;
}

/* Why there is no answer that holds; NULL: there is one.
 * @param size  of `why`, which may be used */
static const char *
find_fault(const struct exec *exec, const peg_event *ev, char *why, size_t size)
{
    const struct child *child = &exec->child;
    if (exec->answers > 1) {
        return "it answered more than once";
    }
    if (exec->answers == 1 && exec->wrong != NULL) {
        snprintf(why, size,
                 "it answered what makes no sense: %s (logs belong on stderr): "
                 "%.200s",
                 exec->wrong, exec->last_out);
        return why;
    }
    if (exec->answers == 1 && child->rest_len > 0) {
        return "it answered before it had read the event";
    }
    if (exec->answers == 1) {
        return ev == NULL || is_for(&exec->answer, ev) ? NULL
               : exec->answer.id[0] == '\0'
                   ? "it answered without the \"id\" of the event"
                   : "it answered for another event";
    }
    if (!child_is_alive(child)) {
        char end[160];
        exec_describe_end(child, end, sizeof(end));
        snprintf(why, size, "it ended: %s%s%s", end,
                 exec->last_err[0] == '\0' ? "" : ": ", exec->last_err);
        return why;
    }
    return child->out < 0       ? "it closed its stdout"
           : child->out_len > 0 ? "its answer has no end of line"
           : ev == NULL
               ? "it did not answer in time (does it flush its output?)"
               : "it did not answer in time";
}

/* ---- Start ---------------------------------------------------------- */

/* @return 0, or -1 with `why` filled and no process */
static int
start(struct exec *exec, const struct limits *limits, char *why, size_t size)
{
    char text[512];
    int64_t until_ms = child_now_ms() + START_MS;
    (void)stat(exec->program.path, &exec->file); /* if gone, starting says so */
    if (exec_start(exec, NULL, NULL, 0) != 0) {
        snprintf(why, size, "cannot start a process: %s", strerror(errno));
        return -1;
    }
    child_send(&exec->child, hello, sizeof(hello) - 1);
    await_answer(exec, until_ms < limits->term_ms ? until_ms : limits->term_ms);
    const char *fault = find_fault(exec, NULL, text, sizeof(text));
    if (fault == NULL && exec->answer.ready != 1) {
        fault = exec->answer.ready == 0 ? "it is not ready"
                                        : "it did not say {\"ready\":true}";
    }
    if (fault != NULL) {
        const char *reason = exec->answer.ready == 0 ? exec->answer.reason : "";
        snprintf(why, size, "the handler does not start: %s%s%s", fault,
                 reason[0] == '\0' ? "" : ": ", reason);
        kill_child(exec, limits->kill_ms);
    }
    exec_forget(exec);
    return fault == NULL ? 0 : -1;
}

int
lines_init(struct exec *exec)
{
    char why[1024];
    int64_t now_ms = child_now_ms();
    struct limits limits = {now_ms, now_ms + START_MS,
                            now_ms + START_MS + GRACE_MS};
    if (start(exec, &limits, why, sizeof(why)) != 0) {
        peg_error(exec->ctx, "%s", why);
        return -1;
    }
    return 0;
}

/* ---- Events --------------------------------------------------------- */

/* Whether another version stands there than the one that runs. */
static int
has_changed(const struct exec *exec)
{
    struct stat now;
    const struct stat *then = &exec->file;
    return stat(exec->program.path, &now) == 0 &&
           (now.st_ino != then->st_ino || now.st_dev != then->st_dev ||
            now.st_size != then->st_size ||
            now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

/* What it said since the last event: nothing, unless it is out of step. */
static void
check_step(struct exec *exec, const struct limits *limits)
{
    struct child *child = &exec->child;
    if (!child_is_alive(child)) {
        return;
    }
    child_turn(child, limits->start_ms); /* that is now */
    if (!child_is_alive(child)) {
        char end[160];
        exec_describe_end(child, end, sizeof(end));
        peg_warn(exec->ctx, "the handler ended: %s; another is started", end);
    } else if (exec->answers > 0 || child->out_len > 0 || child->out < 0 ||
               child->in < 0) {
        peg_warn(exec->ctx,
                 "the handler %s without being asked; another is started: "
                 "%.200s",
                 child->out < 0 || child->in < 0 ? "closed stdin or stdout"
                                                 : "wrote to stdout",
                 exec->last_out);
        kill_child(exec, limits->kill_ms);
    } else if (has_changed(exec)) {
        peg_info(exec->ctx, "%s has changed: it is started anew",
                 exec->program.path);
        end_child(exec, limits);
    }
    exec_forget(exec);
}

/* What it answered, when that holds. */
static int32_t
take_answer(const struct verdict *answer, const peg_event *ev)
{
    if (answer->reason[0] != '\0') {
        peg_reason(ev, "%s", answer->reason);
    }
    if (answer->code == PEG_RETRY && answer->delay_ms >= 0) {
        peg_retry_after(ev, answer->delay_ms);
    }
    return answer->code;
}

/* Ask, once there is somebody to ask. */
static int32_t
ask(struct exec *exec, const peg_event *ev, const struct limits *limits)
{
    char why[1024];
    size_t len;
    char *line = facts_line(ev, limits->term_ms - child_now_ms(), &len);
    if (line == NULL) {
        peg_reason(ev, "out of memory");
        return PEG_RETRY;
    }
    child_send(&exec->child, line, len);
    await_answer(exec, limits->term_ms);
    const char *fault = find_fault(exec, ev, why, sizeof(why));
    if (fault == NULL && exec->answer.code < 0) {
        fault = "it answered without a \"verdict\"";
    }
    if (fault != NULL) {
        peg_reason(ev, "%s", fault);
        kill_child(exec, limits->kill_ms);
    }
    free(line); /* all of it is sent, or there is nobody to send it to */
    return fault == NULL ? take_answer(&exec->answer, ev) : PEG_RETRY;
}

int32_t
lines_handle(struct exec *exec, const peg_event *ev)
{
    char why[1024];
    int32_t verdict = PEG_RETRY;
    struct limits limits = exec_limits(ev);
    check_step(exec, &limits);
    if (!child_is_alive(&exec->child) &&
        start(exec, &limits, why, sizeof(why)) != 0) {
        peg_reason(ev, "%s", why);
    } else {
        verdict = ask(exec, ev, &limits);
        exec_forget(exec);
    }
    return verdict;
}

void
lines_fini(struct exec *exec)
{
    static const struct limits none = {0, INT64_MAX, INT64_MAX};
    if (child_is_alive(&exec->child)) {
        end_child(exec, &none);
    }
}
