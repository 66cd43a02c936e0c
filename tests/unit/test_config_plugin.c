/* tests/unit/test_config_plugin.c: plugins: their files, found and safe to
 * load, autoload, and the lists among their keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

static void
file_is_looked_for_in_the_plugins_folder_first(void **state)
{
    (void)state;
    write_file("a.so", 0644, "");
    write_file("plugins/a.so", 0644, "");
    write_file("b.so", 0644, "");
    assert_int_equal(mkdir("plugins/deep", 0755), 0);
    write_file("plugins/deep/c.so", 0644, "");
    write_file("d.so", 0644, "");
    char text[1024];
    snprintf(text, sizeof(text),
             ENDPOINT "[plugin a]\n[plugin b]\n[plugin c]\npath = deep/c.so\n"
                      "[plugin d]\npath = %s/d.so\n[plugin e]\npath = ./b.so\n",
             fixture_folder);
    struct config *config = assert_loads(text);
    assert_int_equal(config->plugin_count, 5);
    assert_string_equal(config_plugin(config, "a")->path, "./plugins/a.so");
    assert_string_equal(config_plugin(config, "b")->path, "./b.so");
    assert_string_equal(config_plugin(config, "c")->path,
                        "./plugins/deep/c.so");
    char absolute[128];
    snprintf(absolute, sizeof(absolute), "%s/d.so", fixture_folder);
    assert_string_equal(config_plugin(config, "d")->path, absolute);
    config_close(config);
}

static void
missing_file_is_told_with_both_places(void **state)
{
    (void)state;
    assert_refused(
        ENDPOINT "[plugin a]\n[plugin b]\npath = x/b.so\n"
                 "[plugin c]\npath = /absent/c.so\n[plugin d]\npath =\n",
        "t.ini:3: the file of plugin a is missing: there is neither "
        "./plugins/a.so nor ./a.so\n"
        "t.ini:5: the file of plugin b is missing: there is neither "
        "./plugins/x/b.so nor ./x/b.so\n"
        "t.ini:7: the file of plugin c is missing: there is no /absent/c.so\n"
        "t.ini:9: path: \"\" is no path; write one as d.so\n");
}

static void
file_that_others_can_write_is_refused(void **state)
{
    (void)state;
    write_file("plugins/a.so", 0646, "");
    write_file("plugins/b.so", 0644, "");
    assert_int_equal(mkdir("plugins/c.so", 0755), 0);
    write_file("plugins/d.so", 0664, ""); /* our group, or root's */
    assert_refused(ENDPOINT "[plugin b]\n[plugin a]\n",
                   "t.ini: plugin file ./plugins/c.so is not a regular file; "
                   "name a .so\n"
                   "t.ini:4: plugin file ./plugins/a.so can be written by "
                   "every user; run chmod o-w on it\n");
}

static void
file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    write_file("plugins/a.so", 0644, "");
    write_file("plugins/b.so", 0664, "");
    assert_int_equal(chown("plugins/a.so", 65534, 0), 0);
    assert_int_equal(chown("plugins/b.so", 0, 65534), 0);
    assert_int_equal(chmod("plugins/b.so", 0664), 0);
    assert_refused(ENDPOINT "[plugin a]\n[plugin b]\n",
                   "t.ini:3: plugin file ./plugins/a.so belongs to user 65534; "
                   "give it to root or to user 0 with chown\n"
                   "t.ini:4: plugin file ./plugins/b.so can be written by "
                   "group 65534; run chmod g-w on it\n");
}

static void
disabled_plugin_needs_no_file(void **state)
{
    (void)state;
    write_file("plugins/b.so", 0666, "");
    struct config *config = assert_loads(
        ENDPOINT "[plugin a]\nenabled = no\n[plugin b]\nenabled = no\n");
    assert_int_equal(config->plugin_count, 2); /* nor is b.so autoloaded */
    assert_int_equal(config_plugin(config, "b")->enabled, 0);
    config_close(config);
}

static void
autoload_takes_what_no_section_has(void **state)
{
    (void)state;
    static const char *const files[] = {"z.so", "b.so",    "a.so",  "m.so",
                                        "n.so", ".hid.so", "x.txt", "y.so.tmp"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "plugins/%s", files[i]);
        write_file(path, 0644, "");
    }
    write_file("far.so", 0644, "");
    struct config *config = assert_loads(
        ENDPOINT "[plugin other]\npath = m.so\n[plugin n]\npath = far.so\n"
                 "[plugin z]\n[plugin a options]\ngreeting = hello\n");
    static const char *const expected[] = {"other", "n", "z", "a", "b"};
    assert_int_equal(config->plugin_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(config->plugins[i].name, expected[i]);
    }
    assert_int_equal(config->plugins[0].line, 3);
    assert_int_equal(config->plugins[3].line, 0);
    assert_string_equal(config->plugins[3].options[0].value, "hello");
    config_close(config);

    config = assert_loads(ENDPOINT "[plugins]\nautoload = off\n");
    assert_int_equal(config->plugin_count, 0);
    config_close(config);
}

static void
autoload_refuses_bad_names(void **state)
{
    (void)state;
    write_file("plugins/Big!.so", 0644, "");
    write_file("plugins/.so", 0644, "");
    assert_refused(ENDPOINT,
                   "t.ini: plugin file ./plugins/Big!.so has no good name: "
                   "names are 1 to 32 of a-z 0-9 - _; rename it, or give it a "
                   "section [plugin NAME] with path = Big!.so\n");
    struct config *config =
        assert_loads(ENDPOINT "[plugin big]\npath = Big!.so\n"
                              "[plugins]\nautoload = no\n");
    config_close(config);
}

static void
plugins_folder_must_be_there_if_it_is_set(void **state)
{
    (void)state;
    assert_int_equal(rmdir("plugins"), 0);
    config_close(assert_loads(ENDPOINT));
    assert_refused(ENDPOINT "[plugins]\nautoload = no\ndir = plugins\n",
                   "t.ini:5: dir: plugins folder ./plugins cannot be read: No "
                   "such file or directory; make it, or change this line\n");
    write_file("plugins", 0600, "");
    assert_refused(ENDPOINT,
                   "t.ini: dir: plugins folder ./plugins cannot be read: Not a "
                   "directory; make it, or change this line\n");
    assert_refused(ENDPOINT "[plugins]\ndir =\n",
                   "t.ini:4: dir: \"\" is no path; write one as plugins\n");
}

static void
sixty_four_plugins_are_the_most(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++) {
        char path[64];
        snprintf(path, sizeof(path), "plugins/p%02d.so", i);
        write_file(path, 0644, "");
    }
    struct config *config = assert_loads(ENDPOINT);
    assert_int_equal(config->plugin_count, 64);
    config_close(config);
    write_file("plugins/q.so", 0644, "");
    assert_refused(ENDPOINT, "t.ini: plugin q is one too many: at most 64\n");
}

static void
event_types_are_checked_against_the_catalogue(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    struct config *config = assert_loads_with(
        ENDPOINT "[plugin p]\n"
                 "events = *, charge.*, chrage.*, invoice.payed, zzz.zzzzzzz\n",
        "t.ini:4: warning: events: Stripe's catalogue has no event type "
        "\"chrage.*\"; did you mean \"charge.*\"?\n"
        "t.ini:4: warning: events: Stripe's catalogue has no event type "
        "\"invoice.payed\"; did you mean \"invoice.paid\"?\n"
        "t.ini:4: warning: events: Stripe's catalogue has no event type "
        "\"zzz.zzzzzzz\"\n");
    assert_int_equal(config->plugins[0].event_count, 5);
    config_close(config);

    assert_refused(
        ENDPOINT "[plugin p]\nevents = charge*, *.created, ,charge refunded\n",
        "t.ini:4: events: \"charge*\" is no event type; write a type as "
        "charge.refunded, a prefix as charge.*, or *\n"
        "t.ini:4: events: \"*.created\" is no event type; write a type as "
        "charge.refunded, a prefix as charge.*, or *\n"
        "t.ini:4: events: \"\" is no event type; write a type as "
        "charge.refunded, a prefix as charge.*, or *\n"
        "t.ini:4: events: \"charge refunded\" is no event type; write a type "
        "as charge.refunded, a prefix as charge.*, or *\n");
    assert_refused(ENDPOINT "[plugin p]\nevents =\n",
                   "t.ini:4: events: has no value; for all that the plugin "
                   "declares take the line out\n");
}

static void
endpoints_must_exist(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    /* The endpoint may stand below the plugin. */
    config_close(assert_loads("[plugin p]\nendpoints = main\n" ENDPOINT));
    assert_refused(
        "[plugin p]\nendpoints = mian, elsewhere,,main\n" ENDPOINT,
        "t.ini:2: endpoints: there is no [endpoint mian]; did you mean "
        "\"main\"?\n"
        "t.ini:2: endpoints: there is no [endpoint elsewhere]; add that "
        "section or take the name out\n"
        "t.ini:2: endpoints: there is nothing between two commas\n");
    assert_refused("[plugin p]\nendpoints =\n" ENDPOINT,
                   "t.ini:2: endpoints: has no value; for all endpoints take "
                   "the line out\n");
}

static void
retry_has_two_ends(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    static const char *const bad[] = {"",        "5s",    "5s..",
                                      "..4h",    "5s.4h", "5..4h",
                                      "5s...4h", "a..b",  "5s .. 4h"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        char finding[256];
        snprintf(text, sizeof(text), ENDPOINT "[plugin p]\nretry = %s\n",
                 bad[i]);
        snprintf(finding, sizeof(finding),
                 "t.ini:4: retry: \"%s\" is not the first and the largest "
                 "delay; write them as 5s..4h\n",
                 bad[i]);
        assert_refused(text, finding);
    }
    config_close(assert_loads(ENDPOINT "[plugin p]\nretry = 1m..60s\n"));
    assert_refused(ENDPOINT "[plugin p]\nretry = 4h..5s\n",
                   "t.ini:4: retry: the first delay is larger than the largest "
                   "one; swap them\n");
}

static void
variables_need_good_names(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    assert_refused(
        ENDPOINT "[plugin p]\nenv. = 1\nenv.1A = 1\nenv.A-B = 1\nenv.A1 = 1\n",
        "t.ini:4: env.: is not the name of a variable; write env.NAME, of "
        "letters, digits and _\n"
        "t.ini:5: env.1A: is not the name of a variable; write env.NAME, of "
        "letters, digits and _\n"
        "t.ini:6: env.A-B: is not the name of a variable; write env.NAME, of "
        "letters, digits and _\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(file_is_looked_for_in_the_plugins_folder_first),
        FOLDER_TEST(missing_file_is_told_with_both_places),
        FOLDER_TEST(file_that_others_can_write_is_refused),
        FOLDER_TEST(file_of_another_user_is_refused),
        FOLDER_TEST(disabled_plugin_needs_no_file),
        FOLDER_TEST(autoload_takes_what_no_section_has),
        FOLDER_TEST(autoload_refuses_bad_names),
        FOLDER_TEST(plugins_folder_must_be_there_if_it_is_set),
        FOLDER_TEST(sixty_four_plugins_are_the_most),
        FOLDER_TEST(event_types_are_checked_against_the_catalogue),
        FOLDER_TEST(endpoints_must_exist),
        FOLDER_TEST(retry_has_two_ends),
        FOLDER_TEST(variables_need_good_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
