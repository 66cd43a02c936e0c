/* core/runner/process.c: make this process one that code of others may run in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/process.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HIDDEN_FROM 240 /* where hidden ones are, if there is room */
#define HIDDEN_ROOM 16  /* else that far under the limit */

/* Exec keeps ignored signals ignored, and the mask; a plugin shall find
 * neither. */
static void
reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); /* fails for KILL and STOP, and may */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int
process_limit(int resource, rlim_t most, struct error *err)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return error_errno(err, RC_IO, errno, "getrlimit");
    }
    if (limit.rlim_max <= most && limit.rlim_cur <= most) {
        return RC_OK;
    }
    limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
    limit.rlim_cur = limit.rlim_cur < most ? limit.rlim_cur : most;
    if (setrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return error_errno(err, RC_IO, errno, "setrlimit");
    }
    return RC_OK;
}

int
process_die_with(int parent_pid, struct error *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return error_errno(err, RC_IO, errno, "PR_SET_PDEATHSIG");
    }
    /* It may have died before the line above took effect. */
    if (getppid() != parent_pid) {
        return error_set(err, RC_CLOSED, "parent %d is gone", parent_pid);
    }
    return RC_OK;
}

int
process_confine(int parent_pid, struct error *err)
{
    reset_signals();
    int rc = process_die_with(parent_pid, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return error_errno(err, RC_IO, errno, "PR_SET_NO_NEW_PRIVS");
    }
    return RC_OK;
}

int
process_hide_fd(int fd, struct error *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return error_errno(err, RC_IO, errno, "getrlimit");
    }
    int from = HIDDEN_FROM;
    if (limit.rlim_cur < HIDDEN_FROM + HIDDEN_ROOM) {
        int top = (int)limit.rlim_cur;
        from = top > 2 * HIDDEN_ROOM ? top - HIDDEN_ROOM : 0;
    }
    int hidden = fcntl(fd, F_DUPFD_CLOEXEC, from);
    if (hidden < 0) {
        return error_errno(err, RC_IO, errno, "descriptor %d", fd);
    }
    close(fd);
    int flags = fcntl(hidden, F_GETFL);
    if (flags < 0 || fcntl(hidden, F_SETFL, flags & ~O_NONBLOCK) != 0) {
        return error_errno(err, RC_IO, errno, "descriptor %d", fd);
    }
    return hidden;
}

void
process_set_name(const char *plugin)
{
    char name[16]; /* the kernel's own bound */
    snprintf(name, sizeof(name), "peg:%.11s", plugin);
    prctl(PR_SET_NAME, name);
}
