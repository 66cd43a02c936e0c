/* tests/plugins/test_sandbox_user.c RUNNER FIXTURES EVENT: plugin code as a
 * user of its own, and on systems that cannot confine it. A real runner.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_rig.h"

#include "error.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000

/* ---- What the system cannot do -------------------------------------- */

/* From now on these two calls do not exist; -1: let it be. */
static void
take_away(int first, int second, uint32_t answer)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = 5, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        _exit(125);
    }
}

static void
have_no_landlock(void)
{
    take_away(SYS_landlock_create_ruleset, -1, SECCOMP_RET_ERRNO | ENOSYS);
}

/* As in a service of systemd 252 with SystemCallFilter=@system-service. */
static void
have_a_narrow_service(void)
{
    take_away(SYS_landlock_create_ruleset, SYS_seccomp,
              SECCOMP_RET_ERRNO | EPERM);
}

/* The frame that comes first, and goes on with `rest`. */
static void
expect_warning(struct runner *runner, const char *part)
{
    struct wire_frame frame;
    expect_frame(runner, WIRE_LOG, &frame);
    assert_int_equal(wire_get_u32(&frame.payload), PEG_LOG_WARN);
    const char *text = wire_get_str(&frame.payload, NULL);
    if (strstr(text, part) == NULL) {
        fail_msg("no \"%s\" in: %s", part, text);
    }
}

static void
what_is_lacking_is_told_once(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    char text[PEG_TEXT_MAX + 1];
    const struct confinement confinement = at_level(SANDBOX_FILES);
    peer_prepare = have_no_landlock;
    start(&runner);
    peer_prepare = NULL;
    send_confined(&runner, "denied", &confinement);
    expect_warning(&runner, "cannot deny files (landlock): Function not");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    send_init(&runner, NULL, 0, NULL);
    expect_frame(&runner, WIRE_READY, &frame);
    ask(&runner, text); /* what can be denied is */
    assert_string_equal(text, "constructor: ; handler: ");
    leave(&runner);
}

static void
what_is_lacking_is_refused_when_required(void **state)
{
    (void)state;
    struct runner runner;
    struct confinement confinement = at_level(SANDBOX_FILES);
    confinement.is_required = 1;
    peer_prepare = have_no_landlock;
    start(&runner);
    peer_prepare = NULL;
    send_confined(&runner, "noop", &confinement);
    expect_refused(&runner, WIRE_STAGE_SANDBOX,
                   "cannot deny: files (landlock): Function not implemented. "
                   "Take a newer kernel");

    peer_prepare = have_no_landlock; /* which basic does not ask for */
    start(&runner);
    peer_prepare = NULL;
    confinement.level = SANDBOX_BASIC;
    struct wire_frame frame;
    send_confined(&runner, "noop", &confinement);
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    leave(&runner);
}

static void
a_narrow_service_is_good_enough_for_basic(void **state)
{
    (void)state;
    peer_prepare = have_a_narrow_service;
    every_call_is_denied(SANDBOX_BASIC);
    struct runner runner;
    struct wire_frame frame;
    const struct confinement confinement = at_level(SANDBOX_FILES);
    start(&runner);
    peer_prepare = NULL;
    send_confined(&runner, "noop", &confinement);
    expect_warning(&runner, "cannot deny files (landlock): Operation not");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    leave(&runner);
}

static void
this_kernel_is_enough_when_required(void **state)
{
    (void)state;
    need_landlock(6);
    struct confinement confinement = at_level(SANDBOX_FILES);
    confinement.is_required = 1;
    confinement.ports[confinement.port_count++] = 443;
    assert_does(&confinement, "fork:", "ok");
}

static void
data_dir_must_be_there(void **state)
{
    (void)state;
    struct runner runner;
    char missing[160];
    struct confinement confinement = at_level(SANDBOX_BASIC);
    snprintf(missing, sizeof(missing), "%s/missing", folder);
    confinement.data_dir = missing;
    start(&runner);
    send_confined(&runner, "noop", &confinement);
    expect_refused(&runner, WIRE_STAGE_SANDBOX, "missing is out of reach");
}

/* ---- A user of its own ---------------------------------------------- */

/* A copy of a fixture where only root can go. */
static void
hide_fixture(char path[512], const char *fixture)
{
    char from[512], command[1200];
    peer_path(from, sizeof(from), fixture);
    snprintf(path, 512, "%s/closed/copy.so", folder);
    snprintf(command, sizeof(command),
             "mkdir -m 0700 %s/closed && cp %s %s && chmod 0444 %s", folder,
             from, path, path);
    assert_int_equal(system(command), 0);
}

static void
have_groups(void)
{
    static const gid_t groups[] = {0, 1, 2};
    if (setgroups(3, groups) != 0) {
        _exit(125);
    }
}

static void
plugin_runs_as_its_user(void **state)
{
    (void)state;
    char path[512], what[1024], text[PEG_TEXT_MAX + 1];
    struct runner runner;
    need_root();
    hide_fixture(path, "does");
    assert_int_equal(chmod(outside, 0600), 0);
    assert_int_equal(chown(data_dir, NOBODY, NOBODY), 0);
    struct confinement confinement = at_level(SANDBOX_BASIC);
    confinement.uid = confinement.gid = NOBODY;
    snprintf(what, sizeof(what),
             "ids:uid, ids:gid, ids:groups, read:%s, read:/etc/shadow, "
             "read:%s, write:%s/a, read:/proc/self/maps, files:200",
             outside, path, data_dir);
    peer_prepare = have_groups;
    for (int level = SANDBOX_NONE; level <= SANDBOX_STRICT; level++) {
        confinement.level = (uint32_t)level;
        start_confined(&runner, path, &confinement, what);
        ask(&runner, text);
        assert_string_equal(text,
                            "65534 65534 0 EACCES EACCES EACCES ok ok ok");
        leave(&runner);
    }
    peer_prepare = NULL;
}

/* Who may look into a process owns what the kernel shows of it. */
static void
only_a_core_opens_it_to_its_user(void **state)
{
    (void)state;
    need_root();
    struct confinement confinement = at_level(SANDBOX_BASIC);
    confinement.data_dir = "";
    confinement.uid = confinement.gid = NOBODY;
    for (uint32_t keep_core = 0; keep_core <= 1; keep_core++) {
        struct runner runner;
        struct stat st;
        char path[64];
        confinement.keep_core = keep_core;
        start_confined(&runner, "noop", &confinement, NULL);
        snprintf(path, sizeof(path), "/proc/%d/environ", (int)runner.pid);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, keep_core ? NOBODY : 0);
        leave(&runner);
    }
}

static void
data_dir_in_a_closed_folder_is_refused(void **state)
{
    (void)state;
    struct runner runner;
    need_root();
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(chown(data_dir, NOBODY, NOBODY), 0);
    struct confinement confinement = at_level(SANDBOX_BASIC);
    confinement.uid = confinement.gid = NOBODY;
    start(&runner);
    send_confined(&runner, "noop", &confinement);
    expect_refused(&runner, WIRE_STAGE_SANDBOX,
                   "is out of reach for user 65534");
}

/* This process keeps the other end of the socket, so that only the death of
 * its parent can end the runner. */
static void
runner_of_another_user_dies_with_its_parent(void **state)
{
    (void)state;
    int out[2], pair[2], status;
    char byte;
    need_root();
    assert_int_equal(pipe(out), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        struct runner runner;
        struct wire_frame frame;
        struct confinement confinement = at_level(SANDBOX_BASIC);
        confinement.data_dir = "";
        confinement.uid = confinement.gid = NOBODY;
        start_on(&runner, pair, getpid(), out[1]);
        send_confined(&runner, "hang", &confinement);
        expect_frame(&runner, WIRE_MANIFEST, &frame);
        send_init(&runner, NULL, 0, NULL);
        expect_frame(&runner, WIRE_READY, &frame);
        send_event(&runner, 1);
        _exit(0);
    }
    close(out[1]);
    close(pair[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    struct pollfd gone = {.fd = out[0], .events = POLLIN};
    assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
    assert_int_equal(read(out[0], &byte, 1), 0);
    close(pair[0]);
    close(out[0]);
}

static void
processes_are_limited_for_a_user(void **state)
{
    (void)state;
    need_root();
    struct confinement confinement = at_level(SANDBOX_BASIC);
    confinement.data_dir = "";
    confinement.uid = confinement.gid = 54321; /* who has nothing else */
    confinement.processes = 1;
    assert_does(&confinement, "fork:", "EAGAIN");
    confinement.processes = 0;
    assert_does(&confinement, "fork:", "ok");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(processes_are_limited_for_a_user),
        FOLDER_TEST(what_is_lacking_is_told_once),
        FOLDER_TEST(what_is_lacking_is_refused_when_required),
        FOLDER_TEST(a_narrow_service_is_good_enough_for_basic),
        FOLDER_TEST(this_kernel_is_enough_when_required),
        FOLDER_TEST(data_dir_must_be_there),
        FOLDER_TEST(plugin_runs_as_its_user),
        FOLDER_TEST(only_a_core_opens_it_to_its_user),
        FOLDER_TEST(data_dir_in_a_closed_folder_is_refused),
        FOLDER_TEST(runner_of_another_user_dies_with_its_parent),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
