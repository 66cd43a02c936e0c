/* tests/sdk/test_kit.c: the test kit: life, options, events and verdicts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test_kit_rig.h"

#include <limits.h>
#include <unistd.h>

/* ---- Life ----------------------------------------------------------- */

static void
handles_an_event(void **state)
{
    (void)state;
    get_ready();
    assert_int_equal(pegt_handle(host), PEG_DONE);
    assert_int_equal(pegt_returned(host), PEG_DONE);
    assert_string_equal(pegt_reason(host), "");
    assert_int_equal(pegt_delay_ms(host), -1);
    assert_in_range(pegt_took_us(host), 0, 10 * 1000000);
    assert_int_equal(pegt_log_count(host), 1);
    assert_string_equal(pegt_log_text(host, 0), "pi_1: 9007199254740993");
    assert_int_equal(pegt_log_level(host, 0), PEG_LOG_INFO);
    assert_non_null(pegt_ctx(host)->user);
}

static void
names_of_the_runner_are_free(void **state)
{
    (void)state;
    assert_int_equal(error_set(), 42);
    assert_int_equal(host_init(), 43);
    get_ready();
}

static void
order_of_calls_is_kept(void **state)
{
    (void)state;
    REFUSED(pegt_handle(host), "call pegt_init() first");
    REFUSED(pegt_self_test(host), "call pegt_init() first");
    assert_int_equal(pegt_init(host), PEGT_OK);
    assert_string_equal(pegt_error(host), "");
    REFUSED(pegt_init(host), "too late: pegt_init() was called");
    REFUSED(pegt_set_option(host, "count", "1"),
            "too late: pegt_init() was called");
    REFUSED(pegt_handle(host), "no event yet: call pegt_set_event() first");
    REFUSED(pegt_set_meta_str(host, PEG_META_ACCOUNT, "acct_2"),
            "no event yet: call pegt_set_event() first");
    assert_int_equal(lives, 1);
    pegt_shutdown(host);
    assert_int_equal(lives, 0);
    pegt_shutdown(host);
    assert_int_equal(lives, 0);
    REFUSED(pegt_handle(host),
            "too late: init() failed, or pegt_shutdown() was called");
}

static void
init_that_fails_says_why(void **state)
{
    (void)state;
    pegt_set_option(host, "mode", "fails");
    REFUSED(pegt_init(host), "init() returned 2: no database at db.example");
    REFUSED(pegt_handle(host),
            "too late: init() failed, or pegt_shutdown() was called");
}

static void
init_that_is_mute_is_told_to_speak(void **state)
{
    (void)state;
    pegt_set_option(host, "mode", "mute");
    REFUSED(pegt_init(host),
            "init() returned 1: it did not say why: use peg_error()");
}

static void
self_test_is_called(void **state)
{
    (void)state;
    assert_int_equal(pegt_set_option(host, "mode", "sick"), PEGT_OK);
    get_ready();
    REFUSED(pegt_self_test(host), "self_test() returned 7: not well");
}

static void
bad_descriptor_is_refused(void **state)
{
    (void)state;
    static const peg_plugin bad = {
        .size = sizeof(bad), .abi_major = PEG_ABI_MAJOR, .name = "Bad Name"};
    pegt_host *other = pegt_open(&bad);
    assert_string_equal(pegt_error(other),
                        "descriptor: .name \"Bad Name\" must be 1 to 32 of "
                        "a-z 0-9 - _");
    assert_int_equal(pegt_init(other), PEGT_REFUSED);
    assert_int_equal(pegt_set_event(other, PAID), PEGT_REFUSED);
    assert_int_equal(pegt_handle(other), PEGT_REFUSED);
    assert_int_equal(pegt_store_put(other, "a", "b", 1), PEGT_REFUSED);
    assert_int_equal(pegt_wants(other, "charge.updated"), 0);
    assert_ptr_not_equal(strstr(pegt_error(other), "Bad Name"), NULL);
    pegt_close(other);

    other = pegt_open(NULL);
    assert_string_equal(pegt_error(other),
                        "no descriptor: pass &pegboard_plugin_v1");
    pegt_close(other);
    pegt_close(NULL);
}

static void
two_hosts_live_side_by_side(void **state)
{
    (void)state;
    pegt_host *other = pegt_open(&pegboard_plugin_v1);
    assert_int_equal(pegt_set_option(other, "token", "x"), PEGT_OK);
    assert_int_equal(pegt_init(other), PEGT_OK);
    get_ready();
    assert_int_equal(lives, 2);
    assert_int_equal(pegt_handle(host), PEG_DONE);
    assert_int_equal(pegt_store_count(host), 1);
    assert_int_equal(pegt_store_count(other), 0);
    assert_int_equal(pegt_log_count(other), 0);
    pegt_close(other);
    assert_int_equal(lives, 1);
}

/* ---- Options -------------------------------------------------------- */

static void
options_are_checked(void **state)
{
    (void)state;
    REFUSED(pegt_set_option(host, "wiat", "1s"),
            "probe has no option \"wiat\", did you mean \"wait\"?");
    REFUSED(pegt_set_option(host, "colour", "red"),
            "probe has no option \"colour\": declare it with PEG_OPTIONS()");
    REFUSED(pegt_set_option(host, "wait", "30"),
            "option \"wait\" must be a duration like "
            "250ms, 30s, 5m, 4h or 35d");
    REFUSED(pegt_set_option(host, "token", "again"),
            "option \"token\" is given twice");
    assert_int_equal(pegt_set_option(host, "wait", "30s"), PEGT_OK);
}

static void
required_option_is_required(void **state)
{
    (void)state;
    pegt_host *other = pegt_open(&pegboard_plugin_v1);
    assert_int_equal(pegt_init(other), PEGT_REFUSED);
    assert_string_equal(pegt_error(other),
                        "probe needs the option \"token\" (of the API): call "
                        "pegt_set_option() before pegt_init()");
    assert_int_equal(pegt_set_option(other, "token", "late"), PEGT_OK);
    assert_int_equal(pegt_init(other), PEGT_OK);
    pegt_close(other);
}

static void
options_have_types_and_defaults(void **state)
{
    (void)state;
    peg_str text;
    int64_t number;
    char here[PATH_MAX], path[PATH_MAX + 16];
    assert_int_equal(pegt_set_option(host, "room", "2K"), PEGT_OK);
    get_ready();
    peg_ctx *ctx = pegt_ctx(host);
    assert_int_equal(peg_option_i64(ctx, "wait", &number), PEG_OK);
    assert_int_equal(number, 2000);
    assert_int_equal(peg_option_i64(ctx, "room", &number), PEG_OK);
    assert_int_equal(number, 2048);
    assert_int_equal(peg_option_i64(ctx, "loud", &number), PEG_OK);
    assert_int_equal(number, 1);
    assert_int_equal(peg_option_i64(ctx, "count", &number), PEG_ABSENT);
    assert_int_equal(peg_option_item(ctx, "names", 1, &text), PEG_OK);
    assert_string_equal(text.ptr, "b");
    assert_int_equal(peg_option_str(ctx, "wait", &text), PEG_TYPE);
    assert_int_equal(peg_option_str(ctx, "file", &text), PEG_OK);
    snprintf(path, sizeof(path), "%s/here.txt", getcwd(here, sizeof(here)));
    assert_string_equal(text.ptr, path);
}

/* ---- The event ------------------------------------------------------ */

/* A fact as the plugin gets it. */
static int32_t asked_field, asked_status;
static char asked_text[64];
static int64_t asked_number;

static int32_t
ask_text(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_str text = {"", 0};
    asked_status = peg_meta_str(ev, asked_field, &text);
    snprintf(asked_text, sizeof(asked_text), "%s", text.ptr);
    return PEG_DONE;
}

static int32_t
ask_number(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    asked_status = peg_meta_i64(ev, asked_field, &asked_number);
    return PEG_DONE;
}

static const char *
text_of(int32_t field)
{
    asked_field = field;
    assert_int_equal(pegt_call(host, ask_text), PEG_DONE);
    return asked_text;
}

static int64_t
number_of(int32_t field)
{
    asked_field = field;
    assert_int_equal(pegt_call(host, ask_number), PEG_DONE);
    assert_int_equal(asked_status, PEG_OK);
    return asked_number;
}

static void
facts_come_from_the_json(void **state)
{
    (void)state;
    get_ready();
    assert_int_equal(number_of(PEG_META_ATTEMPT), 1);
    assert_int_equal(number_of(PEG_META_ATTEMPT), 2);
    assert_string_equal(text_of(PEG_META_ID), "evt_1");
    assert_string_equal(text_of(PEG_META_KEY), "evt_1:probe");
    assert_string_equal(text_of(PEG_META_ACCOUNT), "acct_1");
    assert_string_equal(text_of(PEG_META_CHANGE),
                        "payment_intent.succeeded:pi_1");
    assert_int_equal(number_of(PEG_META_LIVEMODE), 1);
    assert_int_equal(number_of(PEG_META_CREATED), 1767225600);
    assert_int_equal(number_of(PEG_META_REPLAY), 0);
    text_of(PEG_META_SIGNATURE);
    assert_int_equal(asked_status, PEG_ABSENT);
}

static void
facts_can_be_set(void **state)
{
    (void)state;
    static const struct {
        int32_t field;
        const char *value;
    } texts[] = {
        {PEG_META_ID, "evt_9"},       {PEG_META_TYPE, "charge.refunded"},
        {PEG_META_ACCOUNT, "acct_9"}, {PEG_META_API_VERSION, "2030-01-01"},
        {PEG_META_KEY, "key"},        {PEG_META_OBJECT_ID, "ch_9"},
        {PEG_META_SIGNATURE, "t=1"},  {PEG_META_SNAPSHOT_EVENT, "evt_8"},
    };
    get_ready();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            pegt_set_meta_str(host, texts[i].field, texts[i].value), PEGT_OK);
        assert_string_equal(text_of(texts[i].field), texts[i].value);
    }
    assert_string_equal(text_of(PEG_META_CHANGE), "charge.refunded:ch_9");
    assert_int_equal(pegt_set_meta_str(host, PEG_META_ACCOUNT, NULL), PEGT_OK);
    text_of(PEG_META_ACCOUNT);
    assert_int_equal(asked_status, PEG_ABSENT);

    static const struct {
        int32_t field;
        int64_t value;
    } numbers[] = {
        {PEG_META_ATTEMPT, 8}, {PEG_META_LIVEMODE, 0}, {PEG_META_CREATED, 5},
        {PEG_META_THIN, 1},    {PEG_META_REPLAY, 1},   {PEG_META_RECEIVED, 6},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(
            pegt_set_meta_i64(host, numbers[i].field, numbers[i].value),
            PEGT_OK);
        assert_int_equal(number_of(numbers[i].field), numbers[i].value);
    }

    /* The next event has its own. */
    assert_int_equal(pegt_set_event(host, PAID), PEGT_OK);
    assert_string_equal(text_of(PEG_META_ID), "evt_1");
    assert_int_equal(number_of(PEG_META_ATTEMPT), 2);
}

static void
facts_that_are_none_are_refused(void **state)
{
    (void)state;
    static const int32_t not_text[] = {0, -1, 99, PEG_META_CHANGE,
                                       PEG_META_LIVEMODE};
    get_ready();
    for (size_t i = 0; i < sizeof(not_text) / sizeof(not_text[0]); i++) {
        assert_int_equal(pegt_set_meta_str(host, not_text[i], "x"),
                         PEGT_REFUSED);
    }
    REFUSED(pegt_set_meta_i64(host, PEG_META_ID, 1),
            "field 1 is no PEG_META_* that is a number and can be that");
    assert_int_equal(pegt_set_meta_i64(host, PEG_META_ATTEMPT, 0),
                     PEGT_REFUSED);
}

static void
event_that_is_none_is_refused(void **state)
{
    (void)state;
    get_ready();
    REFUSED(pegt_set_event(host, "{\"id\":1"),
            "event: not JSON: unexpected end of text at byte 7");
    REFUSED(pegt_set_event(host, "{\"id\":\"evt_2\"}"),
            "not a Stripe event: \"id\" and \"type\" must be strings");
    REFUSED(pegt_set_event_file(host, "/nowhere/event.json"),
            "/nowhere/event.json: No such file or directory");
    assert_string_equal(text_of(PEG_META_ID), "evt_1"); /* it stayed */
}

static void
event_comes_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/pegboard-kit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, PAID, strlen(PAID)), strlen(PAID));
    close(fd);
    assert_int_equal(pegt_init(host), PEGT_OK);
    int rc = pegt_set_event_file(host, path);
    unlink(path);
    assert_int_equal(rc, PEGT_OK);
    assert_int_equal(pegt_handle(host), PEG_DONE);
}

static void
wants_what_it_subscribes_to(void **state)
{
    (void)state;
    assert_int_equal(pegt_wants(host, "payment_intent.succeeded"), 1);
    assert_int_equal(pegt_wants(host, "charge.dispute.created"), 1);
    assert_int_equal(pegt_wants(host, "payment_intent.canceled"), 0);
    assert_int_equal(pegt_wants(host, "charge"), 0);
}

/* ---- Verdicts ------------------------------------------------------- */

static int32_t
return_99(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return 99;
}

static void
verdicts_are_the_daemons(void **state)
{
    (void)state;
    get_ready();
    assert_int_equal(pegt_set_event(host, "{\"id\":\"evt_2\",\"type\":\"x\"}"),
                     PEGT_OK);
    assert_int_equal(pegt_handle(host), PEG_FAIL);
    assert_string_equal(pegt_reason(host), "no amount");
    assert_int_equal(
        pegt_set_event(host, "{\"id\":\"evt_3\",\"type\":\"x\",\"data\":"
                             "{\"object\":{\"id\":\"a\",\"amount\":0}}}"),
        PEGT_OK);
    assert_int_equal(pegt_handle(host), PEG_SKIP);
    assert_string_equal(pegt_reason(host), "");
    assert_int_equal(pegt_call(host, return_99), PEG_RETRY);
    assert_int_equal(pegt_returned(host), 99);
    assert_string_equal(pegt_reason(host),
                        "handle() returned 99, which is no verdict");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handles_an_event),
        TEST(names_of_the_runner_are_free),
        TEST(order_of_calls_is_kept),
        TEST(init_that_fails_says_why),
        TEST(init_that_is_mute_is_told_to_speak),
        TEST(self_test_is_called),
        TEST(bad_descriptor_is_refused),
        TEST(two_hosts_live_side_by_side),
        TEST(options_are_checked),
        TEST(required_option_is_required),
        TEST(options_have_types_and_defaults),
        TEST(facts_come_from_the_json),
        TEST(facts_can_be_set),
        TEST(facts_that_are_none_are_refused),
        TEST(event_that_is_none_is_refused),
        TEST(event_comes_from_a_file),
        TEST(wants_what_it_subscribes_to),
        TEST(verdicts_are_the_daemons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
