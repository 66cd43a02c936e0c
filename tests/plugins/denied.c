/* tests/plugins/denied.c: makes every system call that a sandbox denies, with
 * arguments that do no harm where it is not denied, and names those that were
 * let through. Also from a constructor, which runs before anything else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOWHERE 1L          /* an address that is none */
#define MANY    0x7fffffffL /* flags that are none */

struct call {
    const char *name;
    long number;
    long args[6];
};

/* In a child of the runner, so that what is let through changes nothing here.
 */
static const struct call calls[] = {
    {"ptrace", SYS_ptrace, {PTRACE_CONT, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {0, 0, 0, 0, 0, MANY}},
    {"process_vm_writev", SYS_process_vm_writev, {0, 0, 0, 0, 0, MANY}},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, 0, 0}},
    {"pidfd_send_signal", SYS_pidfd_send_signal, {-1, 0, 0, 0}},
    {"kcmp", SYS_kcmp, {0, 0, MANY}},
    {"process_madvise", SYS_process_madvise, {-1}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, MANY}},
    {"init_module", SYS_init_module, {0, 0, 0}},
    {"finit_module", SYS_finit_module, {-1, 0, MANY}},
    {"delete_module", SYS_delete_module, {NOWHERE, 0}},
    {"bpf", SYS_bpf, {MANY, 0, 0}},
    {"perf_event_open", SYS_perf_event_open, {NOWHERE, 0, 0, -1, MANY}},
    {"userfaultfd", SYS_userfaultfd, {MANY}},
    {"mount", SYS_mount, {NOWHERE, NOWHERE, NOWHERE, 0, NOWHERE}},
    {"umount2", SYS_umount2, {NOWHERE, MANY}},
    {"pivot_root", SYS_pivot_root, {NOWHERE, NOWHERE}},
    {"move_mount", SYS_move_mount, {-1, 0, -1, 0, MANY}},
    {"open_tree", SYS_open_tree, {-1, 0, MANY}},
    {"fsopen", SYS_fsopen, {NOWHERE, MANY}},
    {"fsconfig", SYS_fsconfig, {-1, MANY, 0, 0, 0}},
    {"fsmount", SYS_fsmount, {-1, MANY, MANY}},
    {"fspick", SYS_fspick, {-1, NOWHERE, MANY}},
    {"mount_setattr", SYS_mount_setattr, {-1, NOWHERE, MANY, 0, 0}},
    {"chroot", SYS_chroot, {NOWHERE}},
    {"setns", SYS_setns, {-1, 0}},
    {"unshare user", SYS_unshare, {CLONE_NEWUSER | CLONE_FS}},
    {"unshare time", SYS_unshare, {0x80}},
    {"clone net", SYS_clone, {CLONE_NEWNET | CLONE_SIGHAND}},
    {"clone user", SYS_clone, {CLONE_NEWUSER | CLONE_SIGHAND}},
    {"add_key", SYS_add_key, {NOWHERE, 0, 0, 0, 0}},
    {"request_key", SYS_request_key, {NOWHERE, NOWHERE, 0, 0}},
    {"keyctl", SYS_keyctl, {MANY}},
    {"io_uring_setup", SYS_io_uring_setup, {1, NOWHERE}},
    {"io_uring_enter", SYS_io_uring_enter, {-1, 0, 0, 0, 0, 0}},
    {"io_uring_register", SYS_io_uring_register, {-1, 0, 0, 0}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"swapon", SYS_swapon, {NOWHERE, 0}},
    {"swapoff", SYS_swapoff, {NOWHERE}},
    {"acct", SYS_acct, {NOWHERE}},
    {"syslog", SYS_syslog, {MANY, 0, 0}},
    {"quotactl", SYS_quotactl, {MANY, NOWHERE, 0, 0}},
    {"quotactl_fd", SYS_quotactl_fd, {-1, MANY, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, NOWHERE, 0}},
    {"settimeofday", SYS_settimeofday, {NOWHERE, NOWHERE}},
    {"clock_settime", SYS_clock_settime, {0, NOWHERE}},
    {"clock_adjtime", SYS_clock_adjtime, {0, NOWHERE}},
    {"adjtimex", SYS_adjtimex, {NOWHERE}},
    {"sethostname", SYS_sethostname, {NOWHERE, -1}},
    {"setdomainname", SYS_setdomainname, {NOWHERE, -1}},
#ifdef SYS_kexec_file_load
    {"kexec_file_load", SYS_kexec_file_load, {-1, -1, 0, 0, MANY}},
#endif
#ifdef SYS_iopl
    {"iopl", SYS_iopl, {4}},
    {"ioperm", SYS_ioperm, {0x10000, 1, 1}},
#endif
    {"ioctl TIOCSTI", SYS_ioctl, {0, TIOCSTI, NOWHERE}},
    {"ioctl TIOCLINUX", SYS_ioctl, {0, TIOCLINUX, NOWHERE}},
};

/* Names that do not fit are as bad. */
static void
add(char *names, size_t size, const char *name)
{
    size_t len = strlen(names);
    snprintf(names + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

static void
try_call(const struct call *call, char *names, size_t size)
{
    const long *a = call->args;
    errno = 0;
    if (syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]) != -1 ||
        errno != EPERM) {
        add(names, size, call->name);
    }
}

/* Those that name the daemon; signal 0 only asks whether one may. */
static void
try_daemon(pid_t daemon, char *names, size_t size)
{
    int group = getpgid(daemon);
    const struct call ours[] = {
        {"kill", SYS_kill, {daemon, 0}},
        {"kill -", SYS_kill, {-daemon, 0}},
        {"kill group", SYS_kill, {-group, 0}},
        {"kill -1", SYS_kill, {-1, 0}},
        {"tkill", SYS_tkill, {daemon, 0}},
        {"tgkill", SYS_tgkill, {daemon, daemon, 0}},
        {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {daemon, 0, NOWHERE}},
        {"rt_tgsigqueueinfo",
         SYS_rt_tgsigqueueinfo,
         {daemon, daemon, 0, NOWHERE}},
        {"prlimit64", SYS_prlimit64, {daemon, RLIMIT_CORE, 0, 0}},
        {"setpgid", SYS_setpgid, {0, group}},
    };
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        try_call(&ours[i], names, size);
    }
}

/* vhangup() last, without a terminal that it could hang up. */
static void
try_all(pid_t daemon, char *names, size_t size)
{
    static const struct call hang_up = {"vhangup", SYS_vhangup, {0}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        try_call(&calls[i], names, size);
    }
    try_daemon(daemon, names, size);
    if (syscall(SYS_clone3, NOWHERE, 0) != -1 || errno != ENOSYS) {
        add(names, size, "clone3");
    }
    setsid();
    try_call(&hang_up, names, size);
}

static char from_constructor[256];

__attribute__((constructor)) static void
construct(void)
{
    try_call(&calls[0], from_constructor, sizeof(from_constructor));
    try_daemon(getppid(), from_constructor, sizeof(from_constructor));
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    char names[PEG_TEXT_MAX] = "";
    int ends[2];
    pid_t daemon = getppid();
    if (pipe(ends) != 0) {
        return PEG_RETRY;
    }
    pid_t child = fork();
    if (child == 0) {
        try_all(daemon, names, sizeof(names));
        _exit(write(ends[1], names, sizeof(names)) != sizeof(names));
    }
    close(ends[1]);
    ssize_t len = read(ends[0], names, sizeof(names));
    close(ends[0]);
    if (child < 0 || waitpid(child, NULL, 0) != child || len != sizeof(names)) {
        return PEG_RETRY;
    }
    peg_reason(ev, "constructor: %s; handler: %s", from_constructor, names);
    return PEG_FAIL;
}

PEG_PLUGIN(.name = "denied", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
