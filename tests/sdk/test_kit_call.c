/* tests/sdk/test_kit_call.c: the test kit: time, memory, store and log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test_kit_rig.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Time ----------------------------------------------------------- */

static int32_t
work_in_steps(peg_ctx *ctx, const peg_event *ev)
{
    int64_t first = peg_ms_left(ev);
    pegt_advance(host, 300); /* as a server's stand-in would */
    peg_info(ctx, "%d then %d", (int)first, (int)peg_ms_left(ev));
    return PEG_DONE;
}

static int32_t
work_until_late(peg_ctx *ctx, const peg_event *ev)
{
    int rounds = 0;
    while (peg_ms_left(ev) > 100) {
        rounds++;
    }
    peg_info(ctx, "%d rounds", rounds);
    return PEG_DONE;
}

static int32_t
overrun(peg_ctx *ctx, const peg_event *ev)
{
    int64_t note = 1;
    peg_store_put(ev, "note", &note, sizeof(note));
    peg_reason(ev, "all fine");
    peg_retry_after(ev, 5);
    pegt_advance(host, 1000);
    peg_info(ctx, "left: %d", (int)peg_ms_left(ev));
    return PEG_DONE;
}

static void
time_passes_when_the_test_says(void **state)
{
    (void)state;
    get_ready();
    assert_int_equal(pegt_call(host, work_in_steps), PEG_DONE);
    assert_string_equal(pegt_log_text(host, 0), "30000 then 29700");
    pegt_set_timeout(host, 1000);
    pegt_advance(host, 5000); /* between calls: no matter */
    assert_int_equal(pegt_call(host, work_in_steps), PEG_DONE);
    assert_string_equal(pegt_log_text(host, 1), "1000 then 700");
    pegt_set_step(host, 50);
    assert_int_equal(pegt_call(host, work_until_late), PEG_DONE);
    assert_string_equal(pegt_log_text(host, 2), "18 rounds");
}

static void
handler_that_takes_too_long_is_tried_again(void **state)
{
    (void)state;
    get_ready();
    pegt_set_timeout(host, 1000);
    assert_int_equal(pegt_call(host, overrun), PEG_RETRY);
    assert_int_equal(pegt_returned(host), PEG_DONE);
    assert_string_equal(pegt_reason(host), "timed out: 1000 ms of 1000 ms");
    assert_int_equal(pegt_delay_ms(host), -1);
    assert_string_equal(pegt_log_text(host, 0), "left: 0");
    assert_int_equal(pegt_store_count(host), 0);
    pegt_set_timeout(host, 1001);
    assert_int_equal(pegt_call(host, overrun), PEG_DONE);
}

/* ---- Memory --------------------------------------------------------- */

static int32_t
take_three(peg_ctx *ctx, const peg_event *ev)
{
    for (int i = 1; i <= 3; i++) {
        if (peg_scratch(ev, 10) == NULL) {
            peg_info(ctx, "missed %d", i);
        }
    }
    peg_str raw; /* takes memory of its own, which must not fail */
    return peg_get_raw(ev, "data.object", &raw) == PEG_OK ? PEG_DONE : PEG_FAIL;
}

static void
scratch_fails_on_the_nth_call(void **state)
{
    (void)state;
    get_ready();
    assert_int_equal(pegt_call(host, take_three), PEG_DONE);
    assert_int_equal(pegt_scratch_calls(host), 3);
    assert_int_equal(pegt_log_count(host), 0);
    for (unsigned nth = 1; nth <= 3; nth++) {
        char line[16];
        pegt_log_clear(host);
        pegt_fail_scratch(host, nth);
        assert_int_equal(pegt_call(host, take_three), PEG_DONE);
        snprintf(line, sizeof(line), "missed %u", nth);
        assert_int_equal(pegt_log_count(host), 1);
        assert_string_equal(pegt_log_text(host, 0), line);
    }
    pegt_fail_scratch(host, 1);
    assert_int_equal(pegt_handle(host), PEG_RETRY);
    assert_string_equal(pegt_reason(host), "no memory");
    assert_int_equal(pegt_delay_ms(host), 1500);
    assert_int_equal(pegt_handle(host), PEG_DONE);
    pegt_fail_scratch(host, 1);
    pegt_fail_scratch(host, 0);
    assert_int_equal(pegt_handle(host), PEG_DONE);
}

/* ---- The store ------------------------------------------------------ */

static int runs;
static const char *rival; /* written by another event in the first run */

/* Counts in "n", as text of one digit. */
static int32_t
count_up(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_str value;
    char text[2] = "0";
    int32_t status = peg_store_get(ev, "n", &value);
    if (status == PEG_OK) {
        text[0] = value.ptr[0];
    } else if (status != PEG_ABSENT) {
        peg_reason(ev, "status %d", status);
        return PEG_RETRY;
    }
    if (runs++ == 0 && rival != NULL) {
        assert_int_equal(pegt_store_put(host, "n", rival, 1), PEGT_OK);
    }
    text[0]++;
    return peg_store_put(ev, "n", text, 1) == PEG_OK ? PEG_DONE : PEG_FAIL;
}

/* Writes, and is not done. */
static int32_t
write_and_skip(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_store_put(ev, "n", "9", 1);
    return PEG_SKIP;
}

static int32_t
delete_it(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_store_delete(ev, "n");
    return PEG_DONE;
}

/* Takes "cannot tell" for "is not there". */
static int32_t
careless(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_str value;
    if (peg_store_get(ev, "n", &value) != PEG_OK) {
        peg_store_put(ev, "n", "0", 1);
    }
    return PEG_DONE;
}

static void
store_is_there_before_and_after(void **state)
{
    (void)state;
    size_t len = 0;
    get_ready();
    runs = 0;
    rival = NULL;
    assert_null(pegt_store_get(host, "n", &len));
    assert_int_equal(pegt_store_put(host, "n", "4", 1), PEGT_OK);
    assert_int_equal(pegt_store_put(host, "other", "x\0y", 3), PEGT_OK);
    assert_int_equal(pegt_call(host, count_up), PEG_DONE);
    assert_string_equal(pegt_store_get(host, "n", &len), "5");
    assert_int_equal(len, 1);
    assert_memory_equal(pegt_store_get(host, "other", &len), "x\0y", 4);
    assert_int_equal(len, 3);
    assert_int_equal(pegt_store_count(host), 2);

    assert_int_equal(pegt_call(host, write_and_skip), PEG_SKIP);
    assert_string_equal(pegt_store_get(host, "n", NULL), "5");
    assert_int_equal(pegt_call(host, delete_it), PEG_DONE);
    assert_null(pegt_store_get(host, "n", NULL));
    assert_int_equal(pegt_store_delete(host, "other"), PEGT_OK);
    assert_int_equal(pegt_store_delete(host, "other"), PEGT_OK);
    assert_int_equal(pegt_store_count(host), 0);
    REFUSED(pegt_store_put(host, "", "x", 1),
            "beyond one of the PEG_STORE_* limits: a key of 0 bytes, a value "
            "of 1");
    assert_int_equal(
        pegt_store_put(host, "k", "", PEG_STORE_VALUE_MAX + (size_t)1),
        PEGT_REFUSED);
}

static void
store_fails_on_demand(void **state)
{
    (void)state;
    get_ready();
    runs = 0;
    rival = NULL;
    pegt_fail_store(host, 2);
    assert_int_equal(pegt_call(host, count_up), PEG_DONE);
    assert_int_equal(pegt_call(host, count_up), PEG_RETRY);
    assert_string_equal(pegt_reason(host), "status 5"); /* PEG_FAILED */
    assert_int_equal(pegt_call(host, count_up), PEG_DONE);
    assert_string_equal(pegt_store_get(host, "n", NULL), "2");

    pegt_fail_store(host, 1);
    assert_int_equal(pegt_call(host, careless), PEG_RETRY);
    assert_int_equal(pegt_returned(host), PEG_DONE);
    assert_string_equal(pegt_reason(host), "the store could not be read");
    assert_string_equal(pegt_store_get(host, "n", NULL), "2");
}

static int32_t
tell_attempt(peg_ctx *ctx, const peg_event *ev)
{
    int64_t attempt;
    if (peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) == PEG_OK) {
        peg_info(ctx, "%d", (int)attempt);
    }
    return PEG_DONE;
}

static void
another_event_can_be_faster(void **state)
{
    (void)state;
    get_ready();
    runs = 0;
    rival = "6";
    assert_int_equal(pegt_call(host, count_up), PEG_DONE);
    assert_int_equal(runs, 2);
    assert_string_equal(pegt_store_get(host, "n", NULL), "7");
    assert_int_equal(pegt_call(host, tell_attempt), PEG_DONE);
    assert_string_equal(pegt_log_text(host, 0), "2"); /* that was one */
}

static int32_t
always_overtaken(peg_ctx *ctx, const peg_event *ev)
{
    runs = 0;
    return count_up(ctx, ev);
}

static void
handler_that_is_always_overtaken_ends(void **state)
{
    (void)state;
    get_ready();
    rival = "1";
    assert_int_equal(pegt_call(host, always_overtaken), PEG_RETRY);
    assert_string_equal(pegt_reason(host),
                        "each time another event had changed what was read "
                        "from the store");
    assert_string_equal(pegt_store_get(host, "n", NULL), "1");
}

/* ---- The log -------------------------------------------------------- */

static void *
log_a_lot(void *ctx)
{
    for (int i = 0; i < 500; i++) {
        peg_warn(ctx, "line %d", i);
    }
    return NULL;
}

static int32_t
log_from_threads(peg_ctx *ctx, const peg_event *ev)
{
    (void)ev;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_a_lot, ctx), 0);
    }
    log_a_lot(ctx);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    return PEG_DONE;
}

static void
log_is_captured(void **state)
{
    (void)state;
    get_ready();
    assert_string_equal(pegt_log_text(host, 0), "");
    assert_int_equal(pegt_log_level(host, 0), -1);
    assert_int_equal(pegt_call(host, log_from_threads), PEG_DONE);
    assert_int_equal(pegt_log_count(host), 1500);
    assert_int_equal(pegt_logged(host, PEG_LOG_WARN, "line 49"), 3 * 11);
    assert_int_equal(pegt_logged(host, PEG_LOG_ERROR, "line"), 0);
    pegt_log_clear(host);
    assert_int_equal(pegt_log_count(host), 0);
}

/* A check that fails, in a child: what it prints, and that it is no assert().
 */
static void
check_that_fails_tells_all(void **state)
{
    (void)state;
    int fds[2];
    char text[1024];
    size_t len = 0;
    ssize_t n;
    get_ready();
    pegt_fail_scratch(host, 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_RETRY);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        peg_warn(pegt_ctx(host), "a line");
        PEGT_CHECK(host, pegt_delay_ms(host) == 7);
        _exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = '\0';
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, ": not so: pegt_delay_ms(host) == 7\n"
                                 "verdict: retry in 1500 ms: no memory\n"
                                 "warn: a line\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(time_passes_when_the_test_says),
        TEST(handler_that_takes_too_long_is_tried_again),
        TEST(scratch_fails_on_the_nth_call),
        TEST(store_is_there_before_and_after),
        TEST(store_fails_on_demand),
        TEST(another_event_can_be_faster),
        TEST(handler_that_is_always_overtaken_ends),
        TEST(log_is_captured),
        TEST(check_that_fails_tells_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
