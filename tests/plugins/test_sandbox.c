/* tests/plugins/test_sandbox.c RUNNER FIXTURES EVENT: what plugin code may do,
 * level by level. A real runner, confined as a daemon would have it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_rig.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

/* ---- System calls --------------------------------------------------- */

static void
calls_are_denied_under_basic(void **state)
{
    (void)state;
    every_call_is_denied(SANDBOX_BASIC);
}

static void
calls_are_denied_under_files(void **state)
{
    (void)state;
    need_landlock(1);
    every_call_is_denied(SANDBOX_FILES);
}

static void
calls_are_denied_under_strict(void **state)
{
    (void)state;
    need_landlock(1);
    every_call_is_denied(SANDBOX_STRICT);
}

/* So that the tests above can fail. */
static void
calls_are_let_through_under_none(void **state)
{
    (void)state;
    struct runner runner;
    char text[PEG_TEXT_MAX + 1];
    const struct confinement confinement = at_level(SANDBOX_NONE);
    start_confined(&runner, "denied", &confinement, NULL);
    ask(&runner, text);
    static const char *const names[] = {"constructor: ptrace, kill,",
                                        "process_madvise",
                                        "setns",
                                        "tgkill",
                                        "kill group",
                                        "clone3"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(text, names[i]) == NULL) {
            fail_msg("no \"%s\" in: %s", names[i], text);
        }
    }
    leave(&runner);
}

static void
ordinary_work_goes_on_under_basic(void **state)
{
    (void)state;
    char what[512];
    const struct confinement confinement = at_level(SANDBOX_BASIC);
    snprintf(what, sizeof(what),
             "fork:, run:true, socket:inet, socket:unix, pair:, kill:self, "
             "kill:parent, kill:all, read:/etc/passwd, write:%s, "
             "look_up:localhost, malloc:64, files:200",
             outside);
    assert_does(&confinement, what,
                "ok ok ok ok ok ok EPERM EPERM ok ok ok ok ok");
}

/* ---- Files ---------------------------------------------------------- */

static void
files_are_out_of_reach(void **state)
{
    (void)state;
    char what[1024], own[512];
    need_landlock(1);
    const struct confinement confinement = at_level(SANDBOX_FILES);
    snprintf(what, sizeof(what),
             "read:/etc/shadow, read:%s, write:%s, read:%s, read:/etc, "
             "read:/proc/1/status, write:/tmp/pegboard-x, write:/etc/hosts, "
             "write:/usr/x",
             outside, outside, folder);
    assert_does(&confinement, what,
                "EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES "
                "EACCES");
    peer_path(own, sizeof(own), "does");
    snprintf(what, sizeof(what),
             "write:%s/a, read:%s/a, truncate:%s/a, read:%s, read:%s, "
             "read:/etc/ssl, read:/etc/hosts, read:/etc/passwd, "
             "read:/proc/self/status, write:/dev/null, read:/dev/urandom, "
             "look_up:localhost, run:true, fork:, kill:self, kill:parent",
             data_dir, data_dir, data_dir, data_dir, own);
    assert_does(&confinement, what,
                "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok EPERM");
}

static void
files_cannot_be_cut_short(void **state)
{
    (void)state;
    char what[256];
    struct stat st;
    need_landlock(3);
    const struct confinement confinement = at_level(SANDBOX_FILES);
    snprintf(what, sizeof(what), "truncate:%s", outside);
    assert_does(&confinement, what, "EACCES");
    assert_int_equal(stat(outside, &st), 0);
    assert_int_equal(st.st_size, 1);
}

static void
resolver_files_and_certificates_can_be_read(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf",
        "/etc/gai.conf",    "/etc/ssl/certs",     "/etc/ssl/openssl.cnf",
        "/etc/localtime",   "/etc/ld.so.cache",   "/usr/share"};
    need_landlock(1);
    const struct confinement confinement = at_level(SANDBOX_FILES);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char what[64];
        snprintf(what, sizeof(what), "read:%s", paths[i]);
        if (access(paths[i], R_OK) == 0) {
            assert_does(&confinement, what, "ok");
        }
    }
}

static void
without_data_dir_nothing_can_be_written(void **state)
{
    (void)state;
    char what[256];
    need_landlock(1);
    struct confinement confinement = at_level(SANDBOX_FILES);
    confinement.data_dir = "";
    snprintf(what, sizeof(what), "write:%s/a, read:/etc/hosts", data_dir);
    assert_does(&confinement, what, "EACCES ok");
}

/* ---- Network -------------------------------------------------------- */

/* A port of ours that is listened on. */
static int
listen_somewhere(int *fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(*fd, 8), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

static void
only_named_ports_can_be_connected_to(void **state)
{
    (void)state;
    char what[128];
    int first_fd, second_fd;
    need_landlock(4);
    int first = listen_somewhere(&first_fd);
    int second = listen_somewhere(&second_fd);
    struct confinement confinement = at_level(SANDBOX_FILES);
    snprintf(what, sizeof(what), "connect:%d, connect:%d", first, second);
    assert_does(&confinement, what, "ok ok");
    confinement.ports[confinement.port_count++] = (uint32_t)first;
    assert_does(&confinement, what, "ok EACCES");
    confinement.ports[confinement.port_count++] = (uint32_t)second;
    assert_does(&confinement, what, "ok ok");
    close(first_fd);
    close(second_fd);
}

static void
strict_has_no_network(void **state)
{
    (void)state;
    need_landlock(1);
    const struct confinement confinement = at_level(SANDBOX_STRICT);
    assert_does(&confinement,
                "socket:inet, socket:unix, connect:80, pair:, fork:, "
                "read:/etc/hosts, read:/etc/shadow",
                "EPERM EPERM EPERM ok ok ok EACCES");
}

/* ---- Limits --------------------------------------------------------- */

static void
limits_are_those_asked_for(void **state)
{
    (void)state;
    char what[256];
    struct confinement confinement = at_level(SANDBOX_BASIC);
    confinement.files = 64; /* less than where the runner's own one is */
    confinement.file_bytes = MEBIBYTE;
    confinement.memory_bytes = 64 * MEBIBYTE;
    snprintf(what, sizeof(what),
             "files:40, files:80, large:%s/a, malloc:16, malloc:256, fork:, "
             "malloc:16",
             data_dir);
    assert_does(&confinement, what, "ok EMFILE EFBIG ok ENOMEM ok ok");
    confinement.files = 1024;
    confinement.file_bytes = 4 * MEBIBYTE;
    confinement.memory_bytes = 0;
    snprintf(what, sizeof(what), "files:900, large:%s/a, malloc:256", data_dir);
    assert_does(&confinement, what, "ok ok ok");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(calls_are_denied_under_basic),
        FOLDER_TEST(calls_are_denied_under_files),
        FOLDER_TEST(calls_are_denied_under_strict),
        FOLDER_TEST(calls_are_let_through_under_none),
        FOLDER_TEST(ordinary_work_goes_on_under_basic),
        FOLDER_TEST(files_are_out_of_reach),
        FOLDER_TEST(files_cannot_be_cut_short),
        FOLDER_TEST(resolver_files_and_certificates_can_be_read),
        FOLDER_TEST(without_data_dir_nothing_can_be_written),
        FOLDER_TEST(only_named_ports_can_be_connected_to),
        FOLDER_TEST(strict_has_no_network),
        FOLDER_TEST(limits_are_those_asked_for),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
