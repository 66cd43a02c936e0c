/* tests/unit/test_config.c: whole files: defaults, every kind of value, and all
 * mistakes told at once; and where a file is looked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "inbox/inbox.h"
#include "log.h"

#include <arpa/inet.h>

static void
least_file_gets_all_defaults(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    struct config *config = assert_loads(ENDPOINT);
    assert_string_equal(config->file, "t.ini");
    assert_string_equal(config->dir, ".");
    assert_int_equal(config->listen_count, 1);
    assert_int_equal(ntohl(config->listen[0].sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(ntohs(config->listen[0].sin_port), 4242);
    assert_int_equal(config->trusted_proxy_count, 1);
    assert_int_equal(config->threads, 128);
    assert_int_equal(config->max_body, 1048576);
    assert_int_equal(config->request_timeout_ms, 10000);
    assert_int_equal(config->drain_ms, 25000);
    assert_string_equal(config->state_dir, "/var/lib/pegboard");
    assert_string_equal(config->inbox_path, "/var/lib/pegboard/inbox.db");
    assert_int_equal(config->retention_ms, INT64_C(3024000000));
    assert_int_equal(config->min_free_bytes, 67108864);
    assert_int_equal(ntohl(config->admin.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(ntohs(config->admin.sin_port), 4243);
    assert_int_equal(config->admin_is_default, 1);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_AUTO);
    assert_null(config->log_file);
    assert_string_equal(config->plugins_dir, "./plugins");
    assert_int_equal(config->autoload, 1);

    const struct config_endpoint *endpoint = config_endpoint(config, "main");
    assert_int_equal(endpoint->line, 1);
    assert_string_equal(endpoint->path, "/webhook");
    assert_int_equal(endpoint->tolerance_s, 300);
    assert_int_equal(endpoint->livemode, CONFIG_ANY);

    const struct config_plugin *plugin = config_plugin(config, "p");
    assert_int_equal(plugin->line, 0);
    assert_string_equal(plugin->path, "./plugins/p.so");
    assert_int_equal(plugin->enabled, 1);
    assert_int_equal(plugin->event_count, 0);
    assert_int_equal(plugin->endpoint_count, 0);
    assert_int_equal(plugin->livemode, CONFIG_ANY);
    assert_int_equal(plugin->concurrency, 1);
    assert_int_equal(plugin->timeout_ms, 30000);
    assert_int_equal(plugin->order, INBOX_OBJECT);
    assert_int_equal(plugin->collapse_twins, 0);
    assert_int_equal(plugin->retry_first_ms, 5000);
    assert_int_equal(plugin->retry_max_ms, 14400000);
    assert_int_equal(plugin->max_attempts, 25);
    assert_int_equal(plugin->max_age_ms, 259200000);
    assert_null(config_plugin(config, "main"));
    assert_null(config_endpoint(config, "p"));
    config_close(config);
}

static void
every_key_reaches_its_field(void **state)
{
    (void)state;
    write_file("p.so", 0644, "");
    assert_int_equal(mkdir("other", 0755), 0);
    struct config *config = assert_loads(
        "[server]\nthreads = 7\nmax_body = 16M\nrequest_timeout = 5m\n"
        "drain = 0s\nstate_dir = /state\n[inbox]\nretention = 4d\n"
        "min_free = 0\n[admin]\nlisten = 127.1.2.3:0\n[log]\nlevel = debug\nformat = json\n"
        "file = lines.log\n[plugins]\ndir = other\nautoload = no\n" ENDPOINT
        "tolerance = 10s\nlivemode = live\n"
        "[plugin p]\nenabled = yes\nevents = charge.*, invoice.paid\n"
        "endpoints = main\nlivemode = test\nconcurrency = 64\n"
        "timeout = 100ms\norder = strict\ncollapse_twins = yes\nretry = 10ms..30d\nmax_attempts = 1000\n"
        "max_age = 365d\nenv.TZ = UTC\nenv.NAME = x\nenv.EMPTY =\n"
        "[plugin p options]\ngreeting = hello,\n  you\nempty =\n");
    assert_int_equal(config->threads, 7);
    assert_int_equal(config->max_body, 16777216);
    assert_int_equal(config->request_timeout_ms, 300000);
    assert_int_equal(config->drain_ms, 0);
    assert_string_equal(config->state_dir, "/state");
    assert_int_equal(config->retention_ms, 345600000);
    assert_int_equal(config->min_free_bytes, 0);
    assert_int_equal(ntohl(config->admin.sin_addr.s_addr), 0x7f010203);
    assert_int_equal(ntohs(config->admin.sin_port), 0);
    assert_int_equal(config->admin_is_default, 0);
    assert_int_equal(config->log_level, LOG_DEBUG);
    assert_int_equal(config->log_format, LOG_JSON);
    assert_string_equal(config->log_file, "./lines.log");
    assert_int_equal(config->log_file_line, 15);
    assert_int_equal(config->state_dir_line, 6);
    assert_string_equal(config->plugins_dir, "./other");
    assert_int_equal(config->autoload, 0);
    assert_int_equal(config->endpoints[0].tolerance_s, 10);
    assert_int_equal(config->endpoints[0].livemode, CONFIG_LIVE);

    const struct config_plugin *plugin = config_plugin(config, "p");
    assert_string_equal(plugin->path, "./p.so");
    assert_int_equal(plugin->event_count, 2);
    assert_string_equal(plugin->events[0], "charge.*");
    assert_string_equal(plugin->events[1], "invoice.paid");
    assert_int_equal(plugin->endpoint_count, 1);
    assert_string_equal(plugin->endpoints[0], "main");
    assert_int_equal(plugin->livemode, CONFIG_TEST);
    assert_int_equal(plugin->concurrency, 64);
    assert_int_equal(plugin->timeout_ms, 100);
    assert_int_equal(plugin->order, INBOX_STRICT);
    assert_int_equal(plugin->collapse_twins, 1);
    assert_int_equal(plugin->retry_first_ms, 10);
    assert_int_equal(plugin->retry_max_ms, INT64_C(2592000000));
    assert_int_equal(plugin->max_attempts, 1000);
    assert_int_equal(plugin->max_age_ms, INT64_C(31536000000));
    assert_int_equal(plugin->env_count, 3);
    assert_string_equal(plugin->env[0].key, "TZ");
    assert_string_equal(plugin->env[0].value, "UTC");
    assert_string_equal(plugin->env[1].key, "NAME");
    assert_string_equal(plugin->env[2].value, "");
    assert_int_equal(plugin->option_count, 2);
    assert_string_equal(plugin->options[0].key, "greeting");
    assert_string_equal(plugin->options[0].value, "hello, you");
    assert_int_equal(plugin->options[0].line, 39);
    assert_string_equal(plugin->options[1].value, "");
    config_close(config);
}

static void
unknown_words_get_a_suggestion(void **state)
{
    (void)state;
    assert_refused(
        "[sever]\nthreads = 1\n[server]\nthread = 1\nlevel = info\nzzzzzz = 1\n"
        "[log]\nlevel = inof\nformat = yaml\n[console]\nlisten = 127.0.0.1:1\n"
        "[inbox]\nretain = 35d\n" ENDPOINT "livemod = any\n",
        "t.ini:1: unknown section [sever]; did you mean \"server\"?\n"
        "t.ini:4: unknown key \"thread\" in [server]; did you mean "
        "\"threads\"?\n"
        "t.ini:5: unknown key \"level\" in [server]; it belongs in [log]\n"
        "t.ini:6: unknown key \"zzzzzz\" in [server]; see pegboard help "
        "config\n"
        "t.ini:8: level: \"inof\" is not one of: error warn info debug; did "
        "you mean \"info\"?\n"
        "t.ini:9: format: \"yaml\" is not one of: auto text logfmt json\n"
        "t.ini:10: unknown section [console]; there are server, inbox, admin, "
        "log, plugins, endpoint NAME, plugin NAME and plugin NAME options\n"
        "t.ini:13: unknown key \"retain\" in [inbox]; see pegboard help config\n"
        "t.ini:16: unknown key \"livemod\" in [endpoint main]; did you mean "
        "\"livemode\"?\n");
}

static void
bad_headers_are_refused(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0600, "");
    assert_refused(
        "[server main]\n[endpoint]\n[endpoint a b]\n[plugin]\n"
        "[plugin p option]\n[plugin p options more]\n[endpoint Main]\n"
        "secrets = file:secret\n[plugin my.plugin]\n"
        "[plugin abcdefghijklmnopqrstuvwxyz0123456]\n[plugin X options]\n"
        "[plugin q options]\n[plugin pp options]\n",
        "t.ini:1: [server main] has a name too many; write [server]\n"
        "t.ini:2: [endpoint] is not [endpoint NAME]; a NAME is 1 to 32 of a-z "
        "0-9 - _\n"
        "t.ini:3: [endpoint a b] is not [endpoint NAME]; a NAME is 1 to 32 of "
        "a-z 0-9 - _\n"
        "t.ini:4: [plugin] is neither [plugin NAME] nor [plugin NAME options]; "
        "a NAME is 1 to 32 of a-z 0-9 - _\n"
        "t.ini:5: [plugin p option] is neither [plugin NAME] nor [plugin NAME "
        "options]; a NAME is 1 to 32 of a-z 0-9 - _\n"
        "t.ini:6: [plugin p options more] is neither [plugin NAME] nor [plugin "
        "NAME options]; a NAME is 1 to 32 of a-z 0-9 - _\n"
        "t.ini:7: \"Main\" is no name for an endpoint; names are 1 to 32 of "
        "a-z 0-9 - _\n"
        "t.ini:9: \"my.plugin\" is no name for a plugin; names are 1 to 32 of "
        "a-z 0-9 - _\n"
        "t.ini:10: \"abcdefghijklmnopqrstuvwxyz0123456\" is no name for a "
        "plugin; names are 1 to 32 of a-z 0-9 - _\n"
        "t.ini:11: \"X\" is no name for a plugin; names are 1 to 32 of a-z 0-9 "
        "- _\n"
        "t.ini:12: there is no [plugin q] for these options; did you mean "
        "\"p\"?\n"
        "t.ini:13: there is no [plugin pp] for these options; did you mean "
        "\"p\"?\n");
}

static void
bounds_are_named_and_kept(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0600, "");
    assert_refused(
        "[server]\nthreads = 0\nmax_body = 1023\nrequest_timeout = 99ms\n"
        "drain = 3601s\n" ENDPOINT
        "[plugin p]\nconcurrency = 65\ntimeout = 99ms\nmax_attempts = 1001\n"
        "max_age = 366d\nretry = 9ms..1s\n",
        "t.ini:2: threads: 0 is out of bounds; write 1 to 4096\n"
        "t.ini:3: max_body: 1023 is out of bounds; write 1K to 16M\n"
        "t.ini:4: request_timeout: 99ms is out of bounds; write 100ms to 5m\n"
        "t.ini:5: drain: 3601s is out of bounds; write 0s to 1h\n"
        "t.ini:9: concurrency: 65 is out of bounds; write 1 to 64\n"
        "t.ini:10: timeout: 99ms is out of bounds; write 100ms to 1h\n"
        "t.ini:11: max_attempts: 1001 is out of bounds; write 1 to 1000\n"
        "t.ini:12: max_age: 366d is out of bounds; write 1s to 365d\n"
        "t.ini:13: retry: 9ms..1s is out of bounds; delays are 10ms to 30d\n");
    assert_refused(
        "[server]\nthreads = 4097\nmax_body = 16777217\n" ENDPOINT
        "[plugin p]\nconcurrency = 0\ntimeout = 3601s\nmax_attempts = 0\n"
        "max_age = 999ms\nretry = 1s..31d\n",
        "t.ini:2: threads: 4097 is out of bounds; write 1 to 4096\n"
        "t.ini:3: max_body: 16777217 is out of bounds; write 1K to 16M\n"
        "t.ini:7: concurrency: 0 is out of bounds; write 1 to 64\n"
        "t.ini:8: timeout: 3601s is out of bounds; write 100ms to 1h\n"
        "t.ini:9: max_attempts: 0 is out of bounds; write 1 to 1000\n"
        "t.ini:10: max_age: 999ms is out of bounds; write 1s to 365d\n"
        "t.ini:11: retry: 1s..31d is out of bounds; delays are 10ms to 30d\n");
}

static void
forms_are_explained(void **state)
{
    (void)state;
    assert_refused(
        "[server]\nthreads = many\nmax_body = 1MB\ndrain = 25\n"
        "request_timeout =\n[log]\nlevel = \"info\"\nformat = text # plain\n"
        "[plugins]\nautoload = maybe\n" ENDPOINT,
        "t.ini:2: threads: \"many\" is not a whole number: write one, 1 to "
        "4096\n"
        "t.ini:3: max_body: \"1MB\" is not a size: write a number of bytes, or "
        "one with K, M or G, 1K to 16M\n"
        "t.ini:4: drain: \"25\" is not a duration: write a number with ms, s, "
        "m, h or d behind it, 0s to 1h\n"
        "t.ini:5: request_timeout: has no value; give one or take the line "
        "out\n"
        "t.ini:7: level: \"\"info\"\" is not one of: error warn info debug; "
        "did you mean \"info\"? (quotes count as part of a value: leave them "
        "out)\n"
        "t.ini:8: format: \"text # plain\" is not one of: auto text logfmt "
        "json (a comment behind a value begins with ;)\n"
        "t.ini:10: autoload: \"maybe\" is neither yes nor no\n");
}

static void
nothing_is_closed_twice_or_at_all(void **state)
{
    (void)state;
    config_close(NULL);
}

/* ---- Where a file is looked for ------------------------------------- */

static void
dev_folder_follows_the_session(void **state)
{
    (void)state;
    char expected[64];
    snprintf(expected, sizeof(expected), "/tmp/pegboard-dev-%u",
             (unsigned)geteuid());
    setenv("XDG_RUNTIME_DIR", "/run/user/77", 1);
    assert_string_equal(config_dev_dir(), "/run/user/77/pegboard-dev");
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    assert_string_equal(config_dev_dir(), expected);
    unsetenv("XDG_RUNTIME_DIR");
    assert_string_equal(config_dev_dir(), expected);
}

/* Whether the dev file is what is chosen now. */
static int
dev_file_is_chosen(void)
{
    const char *path = config_default_path();
    return path != NULL && strstr(path, "/pegboard-dev/dev.ini") != NULL;
}

static void
files_are_looked_for_in_order(void **state)
{
    (void)state;
    setenv("XDG_RUNTIME_DIR", fixture_folder, 1);
    unsetenv("PEGBOARD_CONFIG");
    assert_int_equal(mkdir("pegboard-dev", 0700), 0);
    assert_false(dev_file_is_chosen());
    write_file("pegboard-dev/dev.ini", 0600, "");
    assert_true(dev_file_is_chosen());

    write_file("pegboard.ini", 0600, "");
    assert_string_equal(config_default_path(), "pegboard.ini");
    setenv("PEGBOARD_CONFIG", "elsewhere.ini", 1);
    assert_string_equal(config_default_path(), "elsewhere.ini");
    setenv("PEGBOARD_CONFIG", "", 1);
    assert_string_equal(config_default_path(), "pegboard.ini");
    unsetenv("PEGBOARD_CONFIG");
}

static void
dev_file_of_others_is_not_trusted(void **state)
{
    (void)state;
    setenv("XDG_RUNTIME_DIR", fixture_folder, 1);
    unsetenv("PEGBOARD_CONFIG");
    assert_int_equal(mkdir("pegboard-dev", 0700), 0);
    write_file("pegboard-dev/dev.ini", 0600, "");
    assert_true(dev_file_is_chosen());

    static const mode_t loose[] = {0701, 0710, 0755, 0777, 0500};
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
        assert_int_equal(chmod("pegboard-dev", loose[i]), 0);
        assert_false(dev_file_is_chosen());
    }
    assert_int_equal(chmod("pegboard-dev", 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown("pegboard-dev", 65534, 65534), 0);
        assert_false(dev_file_is_chosen());
        assert_int_equal(chown("pegboard-dev", 0, 0), 0);
    }
    assert_int_equal(rename("pegboard-dev", "mine"), 0);
    assert_int_equal(symlink("mine", "pegboard-dev"), 0);
    assert_false(dev_file_is_chosen());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(least_file_gets_all_defaults),
        FOLDER_TEST(every_key_reaches_its_field),
        FOLDER_TEST(unknown_words_get_a_suggestion),
        FOLDER_TEST(bad_headers_are_refused),
        FOLDER_TEST(bounds_are_named_and_kept),
        FOLDER_TEST(forms_are_explained),
        cmocka_unit_test(nothing_is_closed_twice_or_at_all),
        cmocka_unit_test(dev_folder_follows_the_session),
        FOLDER_TEST(files_are_looked_for_in_order),
        FOLDER_TEST(dev_file_of_others_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
