/* tests/unit/test_wanted.c: filters on the command line, and that mistakes in
 * them never mean "all".
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"

#include "cli/wanted.h"

#include <cjson/cJSON.h>

static const struct flag flags[] = {WANTED_FLAGS, {NULL, 0, NULL, NULL}};

/* Prints what the API would be asked, in both forms. */
static int
show(const struct args *args)
{
    struct wanted wanted = {0};
    int code = wanted_read(&wanted, args);
    char *path = NULL;
    if (code == 0) {
        code = wanted_path(&wanted, args, "/events", &path);
    }
    if (code == 0) {
        size_t ids = wanted.id_count;
        cJSON *json =
            wanted_json(&wanted, ids > 1 ? 1 : 0, ids > 1 ? ids - 1 : ids);
        char *text = cJSON_PrintUnformatted(json);
        printf("%s\n%s\n%s\n", path, text,
               wanted_is_empty(&wanted) ? "empty" : "narrow");
        cJSON_free(text);
        cJSON_Delete(json);
    }
    free(path);
    wanted_fini(&wanted);
    return code;
}

static const struct command command = {.name = "show",
                                       .operands = "[ID...]",
                                       .flags = flags,
                                       .max_operands = -1,
                                       .run = show};

static void
assert_shown(const char *path, const char *json, const char *what)
{
    char wanted[2048];
    snprintf(wanted, sizeof(wanted), "%s\n%s\n%s\n", path, json, what);
    assert_string_equal(cli_out, wanted);
}

static void
nothing_given_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(cli_run(&command, (const char *const[]){NULL}), EXIT_OK);
    assert_shown("/events", "{}", "empty");
}

static void
each_flag_narrows(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"--type", "invoice.*"}, {"--state", "dead"}, {"--plugin", "p"},
        {"--object", "pi_1"},    {"--customer", "c"}, {"--account", "a"},
        {"--since", "2h"},       {"--until", "1h"},   {"evt_1", "evt_2"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(RUN(&command, words[i][0], words[i][1]), EXIT_OK);
        assert_contains(cli_out, "\nnarrow\n");
    }
    assert_int_equal(RUN(&command, "--live"), EXIT_OK);
    assert_shown("/events?livemode=true", "{\"livemode\":true}", "narrow");
    assert_int_equal(RUN(&command, "--test"), EXIT_OK);
    assert_shown("/events?livemode=false", "{\"livemode\":false}", "narrow");
}

static void
one_value_of_each_but_types(void **state)
{
    (void)state;
    static const char *const once[] = {"--state",    "--plugin",  "--object",
                                       "--customer", "--account", "--since",
                                       "--until"};
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
        assert_int_equal(RUN(&command, once[i], "2h", once[i], "3h"),
                         EXIT_USAGE);
        assert_contains(cli_err, "is given twice");
        assert_contains(cli_err, once[i]);
    }
}

static void
all_flags_make_one_filter(void **state)
{
    (void)state;
    assert_int_equal(RUN(&command, "--type", "invoice.*", "--type",
                         "v2.core.account[requirements].updated", "--state",
                         "pending", "--plugin", "ledger", "--object", "pi_1",
                         "--customer", "cus_1", "--account", "acct_1",
                         "--since", "2026-11-23T09:00:00+01:00", "--until",
                         "2026-11-23T09:00:00Z", "-q"),
                     EXIT_OK);
    assert_shown(
        "/events?type=invoice.%2A&type=v2.core.account%5Brequirements%5D."
        "updated&state=pending&plugin=ledger&object_id=pi_1&customer=cus_1&"
        "account=acct_1&received_after=2026-11-23T08%3A00%3A00.000Z&"
        "received_before=2026-11-23T09%3A00%3A00.000Z",
        "{\"type\":[\"invoice.*\",\"v2.core.account[requirements].updated\"],"
        "\"state\":\"pending\",\"plugin\":\"ledger\",\"object_id\":\"pi_1\","
        "\"customer\":\"cus_1\",\"account\":\"acct_1\",\"received_after\":"
        "\"2026-11-23T08:00:00.000Z\",\"received_before\":"
        "\"2026-11-23T09:00:00.000Z\"}",
        "narrow");
}

static void
ids_are_escaped_and_cut_into_parts(void **state)
{
    (void)state;
    assert_int_equal(RUN(&command, "evt_1", "a/b&c=d", "--", "-x"), EXIT_OK);
    assert_shown("/events?id=evt_1&id=a%2Fb%26c%3Dd&id=-x",
                 "{\"id\":[\"a/b&c=d\",\"-x\"]}", "narrow");
}

/* Give `text` to the command's standard input. */
static int
run_with_input(const char *text)
{
    write_file("ids", 0600, text);
    assert_non_null(freopen("ids", "r", stdin));
    return RUN(&command, "-");
}

static void
ids_come_from_standard_input(void **state)
{
    (void)state;
    assert_int_equal(run_with_input("evt_1\r\n\n evt_2\tevt_3"), EXIT_OK);
    assert_shown("/events?id=evt_1&id=evt_2&id=evt_3",
                 "{\"id\":[\"evt_2\",\"evt_3\"]}", "narrow");
}

static void
empty_input_is_not_all_events(void **state)
{
    (void)state;
    assert_int_equal(run_with_input(""), EXIT_USAGE);
    assert_contains(cli_err, "no ids on standard input");
    assert_int_equal(run_with_input(" \n\n"), EXIT_USAGE);
    assert_int_equal(RUN(&command, "-", "-"), EXIT_USAGE);
}

static void
empty_values_are_not_all_events(void **state)
{
    (void)state;
    static const char *const words[] = {"--type",   "--state",    "--plugin",
                                        "--object", "--customer", "--account",
                                        "--since",  "--until"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(RUN(&command, words[i], ""), EXIT_USAGE);
        assert_string_equal(cli_out, "");
    }
    assert_int_equal(RUN(&command, ""), EXIT_USAGE);
}

static void
mistakes_are_told_with_a_suggestion(void **state)
{
    (void)state;
    assert_int_equal(RUN(&command, "--state", "deaad"), EXIT_USAGE);
    assert_contains(cli_err, "did you mean dead?");
    assert_int_equal(RUN(&command, "--state", "zebra"), EXIT_USAGE);
    assert_int_equal(RUN(&command, "--type", "invoice*"), EXIT_USAGE);
    assert_contains(cli_err, "\"prefix.*\"");
    assert_int_equal(RUN(&command, "--type", "*.paid"), EXIT_USAGE);
    assert_int_equal(RUN(&command, "--type", "*"), EXIT_OK);
    assert_int_equal(RUN(&command, "--type", "invoice.pade"), EXIT_OK);
    assert_contains(cli_err, "did you mean invoice.paid?");
    assert_int_equal(RUN(&command, "--live", "--test"), EXIT_USAGE);
    assert_int_equal(RUN(&command, "--since", "1h", "--until", "2h"),
                     EXIT_USAGE);
    assert_contains(cli_err, "nothing is between");
    assert_int_equal(RUN(&command, "--since", "yesterday"), EXIT_USAGE);
}

static void
limits_hold(void **state)
{
    (void)state;
    const char *types[2 * (WANTED_TYPES_MAX + 1) + 1] = {NULL};
    for (int i = 0; i < WANTED_TYPES_MAX; i++) {
        types[2 * i] = "--type";
        types[2 * i + 1] = "*";
    }
    struct args args;
    char *argv[2 * (WANTED_TYPES_MAX + 1)];
    for (int i = 0; i < 2 * WANTED_TYPES_MAX; i++) {
        argv[i] = strdup(types[i]);
    }
    argv[2 * WANTED_TYPES_MAX] = argv[0];
    argv[2 * WANTED_TYPES_MAX + 1] = argv[1];
    struct wanted wanted = {0};
    assert_int_equal(args_parse(&args, &command, 2 * WANTED_TYPES_MAX, argv),
                     -1);
    assert_int_equal(wanted_read(&wanted, &args), 0);
    wanted_fini(&wanted);
    assert_int_equal(
        args_parse(&args, &command, 2 * WANTED_TYPES_MAX + 2, argv), -1);
    assert_int_equal(wanted_read(&wanted, &args), EXIT_USAGE);
    wanted_fini(&wanted);
    for (int i = 0; i < 2 * WANTED_TYPES_MAX; i++) {
        free(argv[i]);
    }

    char many[8 * (WANTED_IDS_ONCE + 1) + 1] = "";
    for (int i = 0; i < WANTED_IDS_ONCE; i++) {
        strcat(many, "evt_123\n");
    }
    assert_int_equal(run_with_input(many), EXIT_OK);
    strcat(many, "evt_123\n");
    assert_int_equal(run_with_input(many), EXIT_USAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(nothing_given_is_told_apart),
        FOLDER_TEST(each_flag_narrows),
        FOLDER_TEST(one_value_of_each_but_types),
        FOLDER_TEST(all_flags_make_one_filter),
        FOLDER_TEST(ids_are_escaped_and_cut_into_parts),
        FOLDER_TEST(ids_come_from_standard_input),
        FOLDER_TEST(empty_input_is_not_all_events),
        FOLDER_TEST(empty_values_are_not_all_events),
        FOLDER_TEST(mistakes_are_told_with_a_suggestion),
        FOLDER_TEST(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
