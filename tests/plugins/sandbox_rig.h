/* tests/plugins/sandbox_rig.h: a folder with a data_dir in it, and a runner
 * that is confined to that, whose plugin does what it is told.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SANDBOX_RIG_H
#define TESTS_SANDBOX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include "plugin/confinement.h"

#include <pegboard/plugin.h>

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY   65534
#define MEBIBYTE (INT64_C(1) << 20)

/* A folder with a data_dir in it, and a file beside that. */
static char folder[64], data_dir[128], outside[128];

static inline int
make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/pegboard-sandbox-XXXXXX");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return -1;
    }
    snprintf(data_dir, sizeof(data_dir), "%s/data", folder);
    snprintf(outside, sizeof(outside), "%s/outside", folder);
    int fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, "x", 1) != 1) {
        return -1;
    }
    close(fd);
    return mkdir(data_dir, 0700);
}

static inline int
remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static inline struct confinement
at_level(enum sandbox_level level)
{
    return (struct confinement){.level = (uint32_t)level,
                                .data_dir = data_dir,
                                .uid = -1,
                                .gid = -1,
                                .files = 256,
                                .file_bytes = 64 * MEBIBYTE};
}

static inline int
landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                        LANDLOCK_CREATE_RULESET_VERSION);
}

static inline void
need_landlock(int abi)
{
    if (landlock_abi() < abi) {
        print_message("this kernel has no Landlock ABI %d\n", abi);
        skip();
    }
}

static inline void
need_root(void)
{
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
}

/* ---- The plugin does, and tells ------------------------------------- */

static inline void
start_confined(struct runner *runner, const char *fixture,
               const struct confinement *confinement, const char *what)
{
    struct wire_frame frame;
    start(runner);
    send_confined(runner, fixture, confinement);
    expect_frame(runner, WIRE_MANIFEST, &frame);
    send_init(runner, what != NULL ? "do" : NULL, PEG_OPTION_LIST, what);
    expect_frame(runner, WIRE_READY, &frame);
}

/* An event, whose verdict is `fail` with a reason: that is put into `text`. */
static inline void
ask(struct runner *runner, char text[PEG_TEXT_MAX + 1])
{
    struct wire_frame frame;
    send_event(runner, 1);
    expect_frame(runner, WIRE_VERDICT, &frame);
    assert_int_equal(wire_get_u32(&frame.payload), PEG_FAIL);
    wire_get_i64(&frame.payload);
    snprintf(text, PEG_TEXT_MAX + 1, "%s", wire_get_str(&frame.payload, NULL));
}

/* What comes of a list of things to do. */
static inline void
assert_does(const struct confinement *confinement, const char *what,
            const char *expected)
{
    struct runner runner;
    char text[PEG_TEXT_MAX + 1];
    start_confined(&runner, "does", confinement, what);
    ask(&runner, text);
    assert_string_equal(text, expected);
    leave(&runner);
}

/* With denied.c, which names those that were let through. */
static inline void
every_call_is_denied(enum sandbox_level level)
{
    struct runner runner;
    char text[PEG_TEXT_MAX + 1];
    const struct confinement confinement = at_level(level);
    start_confined(&runner, "denied", &confinement, NULL);
    ask(&runner, text);
    assert_string_equal(text, "constructor: ; handler: ");
    leave(&runner);
}

#define FOLDER_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
