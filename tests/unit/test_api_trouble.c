/* tests/unit/test_api_trouble.c: what status and readiness say of reloads and
 * of plugins that do not start. SPDX-License-Identifier: Apache-2.0 */
#include "admin_rig.h"
#include "reload_rig.h"

static void
alpha_fails(void)
{
    fake.failing = rig.ids[0];
    fake.starts =
        (struct supervisor_status){.wanted = 2,
                                   .failures = 3,
                                   .retry_at_ms = clock_mono_ms() + 3500,
                                   .why = "init(): database\ndown"};
}

static void
last_was_refused(void)
{
    fake.last = (struct reload_last){.count = 2,
                                     .at_ms = 1790000000123,
                                     .kind = RELOAD_APPLY,
                                     .end = RELOAD_REFUSED,
                                     .good_ms = 1780000000000,
                                     .why = "p.ini:3: no such key"};
}

static void
status_tells_of_reloads(void **state)
{
    (void)state;
    rig_attach();
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_true(cJSON_IsNull(member(rig.answer.json, "last_reload")));
    assert_false(is_true("reloading"));
    assert_false(is_true("degraded"));
    assert_int_equal(number_of("runners"), 5);
    assert_string_equal(text_of("url"), "http://127.0.0.1:4242");

    last_was_refused();
    fake.last.is_running = 1;
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_true(is_true("reloading"));
    assert_true(is_true("degraded"));
    assert_string_equal(text_of("last_reload.at"), "2026-09-21T14:13:20.123Z");
    assert_string_equal(text_of("last_reload.kind"), "apply");
    assert_string_equal(text_of("last_reload.result"), "refused");
    assert_string_equal(text_of("last_reload.detail"), "p.ini:3: no such key");
    assert_string_equal(text_of("last_reload.good_at"),
                        "2026-05-28T20:26:40.000Z");

    fake.last = (struct reload_last){.count = 3, .kind = RELOAD_BACK};
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_false(is_true("degraded"));
    assert_string_equal(text_of("last_reload.kind"), "rollback");
    assert_true(cJSON_IsNull(member(rig.answer.json, "last_reload.detail")));
}

static void
plugin_that_does_not_start_is_failing(void **state)
{
    (void)state;
    rig_attach();
    fake.work = (struct dispatcher_status){.runners = 2, .old = 1};
    assert_int_equal(ask("GET", "/plugins/alpha", NULL), 200);
    assert_string_equal(text_of("state"), "running");
    assert_int_equal(number_of("failures"), 0);
    assert_int_equal(number_of("old_runners"), 1);
    assert_true(cJSON_IsNull(member(rig.answer.json, "retry_at")));

    alpha_fails();
    assert_int_equal(ask("GET", "/plugins/alpha", NULL), 200);
    assert_string_equal(text_of("state"), "failing");
    assert_int_equal(number_of("failures"), 3);
    assert_string_equal(text_of("detail"), "init(): database\ndown");
    assert_string_not_equal(text_of("retry_at"), "(none)");
    ask("GET", "/status", NULL);
    assert_true(is_true("degraded"));

    fake.starts.serving = 1; /* one of two serves: it is not down */
    assert_int_equal(ask("GET", "/plugins/alpha", NULL), 200);
    assert_string_equal(text_of("state"), "running");
    assert_int_equal(number_of("failures"), 3);
    ask("GET", "/status", NULL);
    assert_false(is_true("degraded"));
    fake.work.is_broken = 1;
    ask("GET", "/status", NULL);
    assert_true(is_true("degraded"));
}

static void
assert_readiness(const char *text)
{
    int is_ready = 0;
    char *said = api_readiness(rig.api, &is_ready);
    assert_string_equal(said, text);
    assert_true(is_ready);
    free(said);
}

static void
readiness_names_what_is_wrong(void **state)
{
    (void)state;
    rig_attach();
    assert_readiness("[+] store ok\n[+] loops ok\n[+] secrets ok\n"
                     "[+] plugins ok\nreadyz check passed\n");
    alpha_fails();
    last_was_refused();
    assert_readiness("[+] store ok\n[+] loops ok\n[+] secrets ok\n"
                     "[-] plugin alpha failing: init(): database?down; next "
                     "try in 4 s\n"
                     "[-] last reload refused at 2026-09-21T14:13:20.123Z: "
                     "p.ini:3: no such key\nreadyz check passed\n");
    check_nothing_is_held();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(status_tells_of_reloads),
        RELOAD_TEST(plugin_that_does_not_start_is_failing),
        RELOAD_TEST(readiness_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
