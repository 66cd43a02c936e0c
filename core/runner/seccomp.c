/* core/runner/seccomp.c: system calls that plugin code cannot make.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/seccomp.h"

#include "error.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define X32_BIT  0x40000000U /* calls of the x32 ABI, which nobody here uses */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCH

/* Of other processes, of the kernel, of the machine. */
static const int denied[] = {
#ifndef __SANITIZE_ADDRESS__ /* its search for leaks traces us from within */
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_process_madvise,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_chroot,
    SYS_setns,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_syslog,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_open_by_handle_at,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_vhangup,
    SYS_pidfd_send_signal,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
};

#define DENIED_COUNT (sizeof(denied) / sizeof(denied[0]))

/* Flags of clone() and unshare() that make a namespace. Of clone() one for time
 * cannot be asked: the low byte is a signal there. */
#define NEW_NAMESPACES                                                         \
    ((uint32_t)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |    \
                CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP))
#define NEW_TIME 0x80U

#define PROGRAM_MAX 256

/* A program that grows; its bound is far from what is put in. */
struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short len;
};

static void
put(struct program *p, struct sock_filter instruction)
{
    assert(p->len < PROGRAM_MAX);
    p->code[p->len++] = instruction;
}

static void
load(struct program *p, size_t offset)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        (uint32_t)offset));
}

static void
answer(struct program *p, uint32_t action)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The next `skip` instructions are only for a value that equals `value`. */
static void
only_if(struct program *p, uint32_t value, unsigned char skip)
{
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
                                        skip));
}

#define EPERM_ANSWER  (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_ANSWER (SECCOMP_RET_ERRNO | ENOSYS)

/* The low half of an argument; numbers here fit into it. */
#define ARGUMENT(n)                                                            \
    (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) +            \
     (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0))

static void
load_number(struct program *p)
{
    load(p, offsetof(struct seccomp_data, nr));
}

/* Deny a call when its argument is one of the values; the call's number is
 * loaded before and after. */
static void
deny_argument(struct program *p, int call, unsigned argument,
              const uint32_t *values, unsigned char count)
{
    only_if(p, (uint32_t)call, (unsigned char)(2 + 2 * count));
    load(p, ARGUMENT(argument));
    for (unsigned char i = 0; i < count; i++) {
        only_if(p, values[i], 1);
        answer(p, EPERM_ANSWER);
    }
    load_number(p);
}

/* Another architecture's numbers mean other calls. */
static void
check_architecture(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1,
                                        0));
    answer(p, EPERM_ANSWER);
    load_number(p);
#ifdef X32_BIT
    put(p,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
    answer(p, EPERM_ANSWER);
#endif
}

/* Deny a call when its first argument has one of the flags. */
static void
deny_flags(struct program *p, int call, uint32_t flags)
{
    only_if(p, (uint32_t)call, 4);
    load(p, ARGUMENT(0));
    put(p,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1));
    answer(p, EPERM_ANSWER);
    load_number(p);
}

/* clone3() keeps its flags where a filter cannot look: without it libc takes
 * clone(). */
static void
deny_namespaces(struct program *p)
{
    only_if(p, SYS_clone3, 1);
    answer(p, ENOSYS_ANSWER);
    deny_flags(p, SYS_clone, NEW_NAMESPACES);
    deny_flags(p, SYS_unshare, NEW_NAMESPACES | NEW_TIME);
}

/* Not the daemon, not its process group (nor by joining it), and not everybody.
 */
static void
deny_signals(struct program *p, int parent_pid)
{
    int group = getpgid(parent_pid); /* -1 when it is gone, and so are we */
    const uint32_t targets[] = {(uint32_t)parent_pid, (uint32_t)-parent_pid,
                                (uint32_t)-group, (uint32_t)-1};
    const uint32_t groups[] = {(uint32_t)group};
    static const int calls[] = {SYS_kill, SYS_tkill, SYS_tgkill,
                                SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        deny_argument(p, calls[i], 0, targets, 4);
    }
    deny_argument(p, SYS_prlimit64, 0, targets, 1);
    deny_argument(p, SYS_setpgid, 1, groups, 1);
}

static void
build(struct program *p, int parent_pid, int deny_network)
{
    static const uint32_t terminal[] = {TIOCSTI, TIOCLINUX};
    check_architecture(p);
    for (size_t i = 0; i < DENIED_COUNT; i++) {
        only_if(p, (uint32_t)denied[i], 1);
        answer(p, EPERM_ANSWER);
    }
    deny_namespaces(p);
    deny_signals(p, parent_pid);
    deny_argument(p, SYS_ioctl, 1, terminal, 2);
    if (deny_network) {
        only_if(p, SYS_socket, 1);
        answer(p, EPERM_ANSWER);
    }
    answer(p, SECCOMP_RET_ALLOW);
}

int
seccomp_deny(int parent_pid, int deny_network, struct error *err)
{
    struct program program = {.len = 0};
    build(&program, parent_pid, deny_network);
    struct sock_fprog filter = {.len = program.len, .filter = program.code};
    /* All threads: a sanitizer has one. Else the older call: this one can be
     * denied itself, as systemd's @system-service does, and prctl() not. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                &filter) == 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0) {
        return RC_OK;
    }
    int is_missing = errno == ENOSYS || errno == EINVAL;
    return error_errno(err, is_missing ? RC_NOT_FOUND : RC_IO, errno,
                       "system calls (seccomp)");
}

#else

int
seccomp_deny(int parent_pid, int deny_network, struct error *err)
{
    (void)parent_pid;
    (void)deny_network;
    return error_set(err, RC_NOT_FOUND,
                     "system calls (there is no list for this processor)");
}

#endif
