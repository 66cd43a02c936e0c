/* tests/plugins/test_process.c RUNNER FIXTURES EVENT: the process that a plugin
 * lives in: its limits, its threads, its output and its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include "error.h"

#include <pegboard/plugin.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static void
lines_of_many_threads_arrive_whole(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    size_t lines = 0;
    start_ready(&runner, "threads");
    send_event(&runner, 7);
    while (next_frame(&runner, &frame) == RC_OK &&
           frame.header.type == WIRE_LOG) {
        assert_int_equal(frame.header.id, 7);
        assert_int_equal(wire_get_u32(&frame.payload), PEG_LOG_INFO);
        const char *text = wire_get_str(&frame.payload, NULL);
        assert_int_equal(strncmp(text, "line ", 5), 0);
        assert_int_equal(wire_done(&frame.payload), RC_OK);
        lines++;
    }
    assert_int_equal(lines, 2000);
    assert_int_equal(frame.header.type, WIRE_VERDICT);
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
output_is_out_before_the_verdict(void **state)
{
    (void)state;
    struct runner runner;
    struct stat status;
    static const char last[] = "stdout without newline";
    char tail[sizeof(last)] = "";
    int pair[2];
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    start_on(&runner, pair, getpid(), fileno(out));
    get_ready(&runner, "prints");
    send_event(&runner, 1);
    expect_verdict(&runner, 1, PEG_DONE, "");
    assert_int_equal(fstat(fileno(out), &status), 0);
    assert_true(status.st_size > 100000);
    assert_int_equal(pread(fileno(out), tail, sizeof(last) - 1,
                           status.st_size - (off_t)sizeof(last) + 1),
                     sizeof(last) - 1);
    assert_string_equal(tail, last);
    fclose(out);
    send_quit(&runner);
    expect_exit(&runner, 0);
}

/* The line of /proc/PID/FILE that starts with `key`. */
static void
expect_proc(pid_t pid, const char *file, const char *key, const char *value)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *proc = fopen(path, "r");
    assert_non_null(proc);
    while (fgets(line, sizeof(line), proc) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            fclose(proc);
            const char *rest = line + strlen(key);
            rest += strspn(rest, " \t");
            if (strncmp(rest, value, strlen(value)) != 0) {
                fail_msg("%s: %s", path, line);
            }
            return;
        }
    }
    fail_msg("%s: no %s", path, key);
}

static void
process_is_confined(void **state)
{
    (void)state;
    struct runner runner;
    struct stat status;
    char path[64];
    start_ready(&runner, "needs_no_more");
    expect_proc(runner.pid, "comm", "", "peg:needs_no_mo\n");
    expect_proc(runner.pid, "status", "NoNewPrivs:", "1");
    expect_proc(runner.pid, "status", "SigIgn:", "0000000000000000");
    expect_proc(runner.pid, "status", "SigBlk:", "0000000000000000");
    expect_proc(runner.pid, "limits", "Max core file size", "0 ");
    snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)runner.pid);
    assert_int_not_equal(lstat(path, &status), 0);
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
runner_without_its_parent_ends(void **state)
{
    (void)state;
    struct runner runner;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    start_on(&runner, pair, getppid(), -1); /* which did not start it */
    expect_exit(&runner, 1);
}

/* This process keeps the other end of the socket, so that only the death of
 * its parent can end the runner. */
static void
runner_dies_with_its_parent(void **state)
{
    (void)state;
    int out[2], pair[2], status;
    char byte;
    assert_int_equal(pipe(out), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        struct runner runner;
        start_on(&runner, pair, getpid(), out[1]);
        get_ready(&runner, "hang");
        send_event(&runner, 1);
        _exit(0);
    }
    close(out[1]);
    close(pair[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    /* Its end of the pipe closes when the runner is gone. */
    struct pollfd gone = {.fd = out[0], .events = POLLIN};
    assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
    assert_int_equal(read(out[0], &byte, 1), 0);
    close(pair[0]);
    close(out[0]);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_many_threads_arrive_whole),
        cmocka_unit_test(output_is_out_before_the_verdict),
        cmocka_unit_test(process_is_confined),
        cmocka_unit_test(runner_without_its_parent_ends),
        cmocka_unit_test(runner_dies_with_its_parent),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
