/* tests/unit/test_inbox_disk.c: the SQLite engine on a disk that is full, that
 * cannot write or that cannot flush. The calls of SQLite to the system are
 * watched, and fail on demand.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_fixture.h"

#include "inbox/sqlite_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static unsigned flushes;    /* so far */
static unsigned writes;     /* so far */
static unsigned fail_flush; /* the flush of this number fails; 0: none */
static unsigned fail_write; /* the write of this number fails; 0: none */
static int fail_errno;

/* Stands before the C library's: SQLite calls this one to flush. */
__attribute__((visibility("default"))) int
fdatasync(int fd)
{
    if (++flushes == fail_flush) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static ssize_t
counted_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    if (++writes == fail_write) {
        errno = fail_errno;
        return -1;
    }
    return pwrite(fd, bytes, len, at);
}

static int
watch_writes(void **state)
{
    (void)state;
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    flushes = writes = fail_flush = fail_write = 0;
    return vfs->xSetSystemCall(vfs, "pwrite64",
                               (sqlite3_syscall_ptr)counted_pwrite);
}

static int
watch_and_make_folder(void **state)
{
    return watch_writes(state) != SQLITE_OK ? -1 : make_folder(state);
}

static int64_t
ask(struct inbox_engine *engine, const char *sql)
{
    return ask_db(((struct sqlite_engine *)(void *)engine)->db, sql);
}

/* One batch with a new event, a repeat, a result and a claim. */
struct mixed {
    struct arrival fresh, repeat;
    struct inbox_want want;
    struct inbox_batch batch;
};

static struct inbox_batch *
mixed_batch(struct mixed *m, const char *id, struct inbox_result *result)
{
    arrive(&m->fresh, id, 2)->next = arrive(&m->repeat, "evt_0", 2);
    m->repeat.put.endpoint = "other";
    m->want = (struct inbox_want){.plugin = 2, .count = 9};
    m->batch = (struct inbox_batch){.puts = &m->fresh.put,
                                    .results = result,
                                    .wants = &m->want,
                                    .want_count = 1,
                                    .now_ms = 2000};
    return &m->batch;
}

/* An inbox with evt_0, whose delivery to plugin 1 is claimed. */
static struct inbox_engine *
open_with_claim(struct inbox_result **result)
{
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_0", 1)), RC_OK);
    struct inbox_want want = claim_due(engine, 1, 1, 2000);
    *result = result_of(want.claims, INBOX_DONE, INBOX_CLOSE);
    inbox_claims_free(want.claims);
    return engine;
}

static void
assert_untouched(struct inbox_engine *engine)
{
    assert_int_equal(ask(engine, "SELECT count(*) FROM event"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM body"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM receipt"), 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 1);
    assert_int_equal(ask(engine, "SELECT state FROM delivery"), 1);
}

static void
assert_applied(struct inbox_engine *engine)
{
    assert_int_equal(ask(engine, "SELECT count(*) FROM event"), 2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM body"), 2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM receipt"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 3);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"
                                 " WHERE state = 1"),
                     2);
}

/* ---- Flushing ------------------------------------------------------- */

/* A kill cannot tell this, since what was written outlives the process. */
static void
each_commit_is_flushed_before_it_returns(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    char id[32];
    assert_int_equal(commit_put(engine, arrive(&a, "evt_first", 1)), RC_OK);
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = flushes;
        snprintf(id, sizeof(id), "evt_%u", i);
        assert_int_equal(commit_put(engine, arrive(&a, id, 1)), RC_OK);
        assert_int_equal(flushes, before + 1);
    }
    unsigned before = flushes;
    assert_int_equal(engine->ops->probe(engine, NULL), RC_OK);
    assert_int_equal(flushes, before + 1);
    engine->ops->close(engine);
}

static void
failed_flush_is_an_unknown_outcome_and_is_overcome(void **state)
{
    (void)state;
    struct inbox_result *result;
    struct mixed m;
    struct inbox_engine *engine = open_with_claim(&result);
    fail_flush = flushes + 1;
    assert_int_equal(
        engine->ops->commit(engine, mixed_batch(&m, "evt_1", result), NULL),
        RC_UNKNOWN);
    inbox_claims_free(m.want.claims);
    assert_untouched(engine);

    assert_int_equal(
        engine->ops->commit(engine, mixed_batch(&m, "evt_1", result), NULL),
        RC_OK);
    assert_false(m.fresh.put.duplicate);
    inbox_claims_free(m.want.claims);
    assert_applied(engine);
    assert_int_equal(ask(engine, SOUND), 1);
    engine->ops->close(engine);
    free(result);
}

/* ---- Writing -------------------------------------------------------- */

/* Let each write of one mixed batch fail in turn, until none is left. */
static void
sweep(int error, int expected)
{
    fail_errno = error;
    for (unsigned n = 1;; n++) {
        struct inbox_result *result;
        struct mixed m;
        struct inbox_engine *engine = open_with_claim(&result);
        unsigned before = writes;
        fail_write = writes + n;
        int rc =
            engine->ops->commit(engine, mixed_batch(&m, "evt_1", result), NULL);
        int met = writes >= before + n;
        inbox_claims_free(m.want.claims);
        if (met) {
            assert_int_equal(rc, expected);
            assert_untouched(engine);
            assert_int_equal(engine->ops->probe(engine, NULL), RC_OK);
            rc = engine->ops->commit(engine, mixed_batch(&m, "evt_1", result),
                                     NULL);
            inbox_claims_free(m.want.claims);
        }
        assert_int_equal(rc, RC_OK);
        assert_applied(engine);
        assert_int_equal(ask(engine, SOUND), 1);
        engine->ops->close(engine);
        free(result);
        assert_int_equal(remove_folder(NULL), 0);
        assert_int_equal(make_folder(NULL), 0);
        if (!met) {
            assert_true(n > 5); /* there was something to meet */
            return;
        }
    }
}

static void
disk_full_at_any_write_leaves_nothing(void **state)
{
    (void)state;
    sweep(ENOSPC, RC_FULL);
}

static void
error_at_any_write_leaves_nothing(void **state)
{
    (void)state;
    sweep(EIO, RC_UNKNOWN);
}

/* ---- Full, for real: in children, since limits and mounts are theirs --- */

/* In a child a failed assertion must not go on with the other tests. */
#define NEED(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

#define EXIT_CANNOT 77

static int
in_child(void (*run)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Put events until one is refused; returns how many were stored. */
static unsigned
fill(struct inbox_engine *engine, unsigned from, int *rc)
{
    static char body[30000];
    memset(body, ' ', sizeof(body));
    for (unsigned i = from;; i++) {
        struct arrival a;
        char id[32];
        snprintf(id, sizeof(id), "evt_%u", i);
        arrive(&a, id, 1);
        a.put.body = body;
        a.put.body_len = sizeof(body);
        *rc = commit_put(engine, &a.put);
        if (*rc != RC_OK) {
            return i;
        }
    }
}

static void
need_exactly(struct inbox_engine *engine, unsigned stored)
{
    NEED(ask(engine, "SELECT count(*) FROM event") == stored);
    NEED(ask(engine, "SELECT count(*) FROM body") == stored);
    NEED(ask(engine, "SELECT count(*) FROM delivery") == stored);
    NEED(ask(engine, SOUND) == 1);
}

static void
write_ballast(const char *path, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    NEED(posix_fallocate(fd, 0, (off_t)len) == 0);
    close(fd);
}

static void
fill_a_small_disk(void)
{
    char ballast[128];
    int rc;
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", inbox_folder, "tmpfs", 0, "size=6m") != 0) {
        _exit(EXIT_CANNOT);
    }
    snprintf(ballast, sizeof(ballast), "%s/ballast", inbox_folder);
    write_ballast(ballast, 3 << 20);
    struct inbox_engine *engine = open_engine();
    unsigned stored = fill(engine, 0, &rc);
    NEED(rc == RC_FULL);
    NEED(stored > 10);
    need_exactly(engine, stored);

    /* Open it anew while the disk is still full. */
    engine->ops->close(engine);
    struct error err;
    if (sqlite_open(&engine, inbox_path, &err) == RC_OK) {
        need_exactly(engine, stored);
        engine->ops->close(engine);
    } else {
        NEED(err.rc == RC_FULL || err.rc == RC_IO);
    }

    NEED(unlink(ballast) == 0);
    engine = open_engine();
    NEED(engine->ops->probe(engine, NULL) == RC_OK);
    unsigned more = fill(engine, stored, &rc);
    NEED(more > stored + 10);
    need_exactly(engine, more);
    engine->ops->close(engine);
}

static void
full_disk_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    int status = in_child(fill_a_small_disk);
    if (status == EXIT_CANNOT) {
        print_message("no right to mount a small disk\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void
set_file_limit(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void
fill_to_the_limit(void)
{
    int rc;
    signal(SIGXFSZ, SIG_IGN);
    struct inbox_engine *engine = open_engine();
    set_file_limit(3 << 20);
    unsigned stored = fill(engine, 0, &rc);
    NEED(rc == RC_UNKNOWN || rc == RC_IO || rc == RC_FULL);
    NEED(stored > 10);
    need_exactly(engine, stored);

    set_file_limit(4 << 20); /* more room, and it goes on by itself */
    NEED(engine->ops->probe(engine, NULL) == RC_OK);
    unsigned more = fill(engine, stored, &rc);
    NEED(more > stored);
    need_exactly(engine, more);
    set_file_limit(RLIM_INFINITY);
    engine->ops->close(engine);
    engine = open_engine();
    need_exactly(engine, more);
    engine->ops->close(engine);
}

static void
file_limit_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(in_child(fill_to_the_limit), 0);
}

#define DISK_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, watch_and_make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(each_commit_is_flushed_before_it_returns),
        DISK_TEST(failed_flush_is_an_unknown_outcome_and_is_overcome),
        DISK_TEST(disk_full_at_any_write_leaves_nothing),
        DISK_TEST(error_at_any_write_leaves_nothing),
        INBOX_TEST(full_disk_keeps_what_was_acknowledged),
        INBOX_TEST(file_limit_keeps_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
