/* plugins/exec/oneshot.c: a process for each event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

static int32_t
verdict_of(const struct child *child)
{
    if (child->lost || child->end.failed != 0 ||
        !WIFEXITED(child->end.status)) {
        return PEG_RETRY;
    }
    switch (WEXITSTATUS(child->end.status)) {
    case 0:
        return PEG_DONE;
    case EX_DATAERR:
        return PEG_FAIL;
    default: /* EX_TEMPFAIL among them. None is PEG_SKIP: a status that a tool
                has by accident must not lose an event. */
        return PEG_RETRY;
    }
}

/* What it said last; of a failure, with how it ended. */
static void
give_reason(const struct exec *exec, const peg_event *ev, int32_t verdict)
{
    char end[160];
    const char *said = exec->last_out;
    if (verdict == PEG_DONE) {
        if (said[0] != '\0') {
            peg_reason(ev, "%s", said);
        }
        return;
    }
    said = said[0] != '\0' ? said : exec->last_err;
    exec_describe_end(&exec->child, end, sizeof(end));
    peg_reason(ev, "%s%s%s", end, said[0] == '\0' ? "" : ": ", said);
}

int32_t
oneshot_handle(struct exec *exec, const peg_event *ev)
{
    peg_str body;
    struct child *child = &exec->child;
    struct limits limits = exec_limits(ev);
    if (peg_get_raw(ev, "", &body) != PEG_OK) {
        return PEG_RETRY;
    }
    if (exec_start(exec, ev, &body, limits.term_ms - limits.start_ms) != 0) {
        peg_reason(ev, "cannot start a process: %s", strerror(errno));
        return PEG_RETRY;
    }
    int told = child_finish(child, limits.term_ms, limits.kill_ms);
    child_flush(child);
    int32_t verdict = told ? PEG_RETRY : verdict_of(child);
    if (told) {
        /* Many programs exit with 0 when they are told to end. */
        peg_reason(ev, "not ended within %lld ms: killed",
                   (long long)(limits.term_ms - limits.start_ms));
    } else {
        give_reason(exec, ev, verdict);
    }
    exec_forget(exec);
    return verdict;
}
