/* plugins/exec/keeper.c: the process between a runner and its handler. It is a
 * fork of the runner and stays one: only calls that are safe after fork().
 * SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOT_RUN 127 /* exit status of what could not be run, as in a shell */

/* Strays are looked for this often, with a pause between. Only one that the
 * kernel cannot end, or that multiplies, takes so long. */
#define SWEEP_ROUNDS   100
#define SWEEP_PAUSE_NS 10000000L

/* Nobody is left to tell if this fails. */
static void
tell(int report, int failed, int status)
{
    const struct keeper_report text = {failed, status};
    ssize_t n = write(report, &text, sizeof(text));
    (void)n;
}

/* ---- The handler, before it is one ---------------------------------- */

/* Descriptors 0, 1 and 2 may be among those that are to become them. */
static int
take_ends(const int ends[3], int *report)
{
    int moved[3];
    for (int i = 0; i < 3; i++) {
        moved[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        if (moved[i] < 0) {
            return -1;
        }
    }
    int high = fcntl(*report, F_DUPFD_CLOEXEC, 3);
    if (high < 0) {
        return -1;
    }
    *report = high;
    for (int i = 0; i < 3; i++) {
        if (dup2(moved[i], i) < 0) {
            return -1;
        }
    }
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void
run(const struct program *program, char *const env[], const int ends[3],
    int report, pid_t keeper)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); /* exec keeps what is ignored */
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (take_ends(ends, &report) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == keeper &&
        chdir(program->dir) == 0) {
        execve(program->path, program->argv, env);
    }
    tell(report, errno != 0 ? errno : ESRCH, 0);
    _exit(NOT_RUN);
}

/* ---- The keeper ----------------------------------------------------- */

/* Whether the handler has ended. It is not collected yet, so that its number
 * still names its group and nobody else's; others are. */
static int
has_ended(pid_t handler)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0) {
            return 0;
        }
        if (info.si_pid == handler) {
            return 1;
        }
        waitpid(info.si_pid, NULL, 0);
    }
}

/* @return how many children there are to be seen */
static int
kill_children(void)
{
    char list[4096]; /* numbers with a blank behind each */
    int count = 0;
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, list, sizeof(list) - 1);
    close(fd);
    list[len > 0 ? len : 0] = '\0';
    char *at = list, *end;
    for (long pid; (pid = strtol(at, &end, 10)) > 1 && *end == ' '; at = end) {
        kill((pid_t)pid, SIGKILL);
        count++;
    }
    return count;
}

/* The children of what is killed become ours, and are killed in the next round.
 * There are none, or the kernel does not show them. */
void
keeper_sweep(void)
{
    static const struct timespec pause = {0, SWEEP_PAUSE_NS};
    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        pid_t gone;
        while ((gone = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        if (gone < 0 || kill_children() == 0) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

/* Until the handler has ended, or must. */
static int
watch(pid_t handler)
{
    sigset_t news;
    sigemptyset(&news);
    sigaddset(&news, SIGCHLD);
    sigaddset(&news, KEEPER_TERM);
    sigaddset(&news, KEEPER_KILL);
    while (!has_ended(handler)) {
        int number = sigwaitinfo(&news, NULL);
        if (number == KEEPER_TERM) {
            kill(-handler, SIGTERM);
        } else if (number == KEEPER_KILL) {
            kill(-handler, SIGKILL);
            kill(handler, SIGKILL); /* should it have left its group */
        }
    }
    int status = 0;
    kill(-handler, SIGKILL);
    waitpid(handler, &status, 0);
    keeper_sweep();
    return status;
}

static void
keep(const struct program *program, char *const env[], const int ends[3],
     int report, pid_t runner)
{
    prctl(PR_SET_NAME, "exec-keeper");
    signal(SIGCHLD, SIG_DFL);
    setpgid(0, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, KEEPER_KILL) != 0 || getppid() != runner) {
        return; /* the runner was gone before */
    }
    pid_t keeper = getpid();
    pid_t handler = fork();
    if (handler == 0) {
        run(program, env, ends, report, keeper);
    }
    if (handler < 0) {
        tell(report, errno, 0);
        return;
    }
    setpgid(handler, handler); /* whoever of the two comes first */
    /* Nothing of the runner's stays open here: its peers shall see its end. */
    if (dup2(report, 0) == 0) {
        close_range(1, ~0U, 0);
        tell(0, 0, watch(handler));
    }
}

pid_t
keeper_start(const struct program *program, char *const env[],
             const int ends[3], int report)
{
    sigset_t all, before;
    pid_t runner = getpid();
    /* What a keeper leaves that is killed shall be ours: keeper_sweep(). */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return -1;
    }
    sigfillset(&all);
    /* The keeper takes signals one by one, from its first moment. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        keep(program, env, ends, report, runner);
        _exit(0);
    }
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}
