/* tests/unit/test_delta.c: what a reload says that it changes. What differs
 * between two configurations is made up here, in config_compare()'s place.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/compare.h"
#include "config/config.h"
#include "error.h"
#include "plugin/delta.h"
#include "plugin/generation.h"

#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Generations made by hand --------------------------------------- */

#define DIGEST_A                                                               \
    "3f21a0b2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B                                                               \
    "9ab0c3d4bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char one_name[] = "greeting", secret_name[] = "api_key",
            third_name[] = "pause";
static char old_version[] = "1.4.1", new_version[] = "1.4.2";

struct made {
    struct generation generation;
    struct config config;
    struct config_endpoint endpoints[2];
    struct config_plugin sections[3];
    struct plugin plugins[3];
    struct plugin_option options[3][3];
    struct manifest_option declared[3];
};

/* With these plugins, all the same, and no endpoints. */
static void
make(struct made *made, const char *const *names)
{
    memset(made, 0, sizeof(*made));
    made->generation.config = &made->config;
    made->generation.plugins = made->plugins;
    made->config.endpoints = made->endpoints;
    made->declared[0] = (struct manifest_option){.name = one_name};
    made->declared[1] = (struct manifest_option){.name = secret_name,
                                                 .flags = PEG_OPTION_SECRET};
    made->declared[2] = (struct manifest_option){.name = third_name};
    for (; *names != NULL; names++) {
        size_t i = made->generation.plugin_count++;
        struct plugin *plugin = &made->plugins[i];
        snprintf(made->sections[i].name, sizeof(made->sections[i].name), "%s",
                 *names);
        plugin->config = &made->sections[i];
        plugin->options = made->options[i];
        plugin->manifest.version = old_version;
        plugin->manifest.options = made->declared;
        plugin->manifest.option_count = 3;
        strcpy(plugin->snapshot.digest, DIGEST_A);
    }
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
set_option(struct plugin *plugin, const char *name, char *value)
{
    plugin->options[plugin->option_count++] =
        (struct plugin_option){.name = name, .value = value};
    plugin->fingerprint[0]++;
}

/* ---- Standing in for compare.c -------------------------------------- */

static const struct option max_body = {.section = OPTION_SERVER,
                                       .key = "max_body"};
static const struct option state_dir = {
    .section = OPTION_SERVER, .key = "state_dir", .apply = OPTION_AT_RESTART};
static const struct option secrets = {.section = OPTION_ENDPOINT,
                                      .key = "secrets"};
static const struct option retry = {.section = OPTION_PLUGIN, .key = "retry"};
static const struct option concurrency = {
    .section = OPTION_PLUGIN, .key = "concurrency", .apply = OPTION_BY_ROLL};
static const struct option env = {
    .section = OPTION_PLUGIN, .key = "env.NAME", .apply = OPTION_BY_ROLL};

static struct compare_item differences[16];
static size_t difference_count;

void
config_compare(const struct config *was, const struct config *is,
               compare_fn *fn, void *arg)
{
    assert_non_null(was);
    assert_non_null(is);
    for (size_t i = 0; i < difference_count; i++) {
        fn(arg, &differences[i]);
    }
}

static void
differ(enum compare_kind kind, const struct option *option, const char *name,
       const char *key, const char *was, const char *is)
{
    differences[difference_count++] = (struct compare_item){
        .kind = kind,
        .option = option,
        .name = name,
        .key = key,
        .was = was,
        .is = is,
    };
}

static int
no_differences(void **state)
{
    (void)state;
    difference_count = 0;
    return 0;
}

/* ---- The delta as text ---------------------------------------------- */

static void
assert_delta(const struct made *was, const struct made *is, const char *text)
{
    struct delta delta;
    char all[4096] = "";
    size_t refused = 0;
    assert_int_equal(delta_make(&delta, was != NULL ? &was->generation : NULL,
                                &is->generation),
                     RC_OK);
    for (size_t i = 0; i < delta.count; i++) {
        const struct delta_item *item = &delta.items[i];
        size_t len = strlen(all);
        snprintf(all + len, sizeof(all) - len, "%s|%s|%s\n",
                 delta_kind_name(item->kind), item->what, item->detail);
        refused += item->kind == DELTA_REFUSED;
    }
    assert_string_equal(all, text);
    assert_int_equal(delta.refused, refused);
    delta_fini(&delta);
    assert_null(delta.items);
}

/* ---- Plugins -------------------------------------------------------- */

static void
two_that_are_the_same_have_none(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("a", "b"));
    make(&is, NAMES("b", "a"));
    assert_delta(&was, &is, "");
}

static void
first_one_adds_everything(void **state)
{
    (void)state;
    struct made is;
    make(&is, NAMES("a", "b"));
    is.config.endpoint_count = 1;
    strcpy(is.endpoints[0].name, "main");
    assert_delta(NULL, &is,
                 "added|plugin a|\nadded|plugin b|\nadded|endpoint main|\n");
}

static void
plugin_that_comes_or_goes_is_one_item(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("gone", "stays"));
    make(&is, NAMES("stays", "new"));
    differ(COMPARE_REMOVED, &concurrency, "gone", NULL, NULL, NULL);
    differ(COMPARE_ADDED, &concurrency, "new", NULL, NULL, NULL);
    assert_delta(&was, &is, "added|plugin new|\nremoved|plugin gone|\n");
}

static void
other_code_is_told_with_its_versions(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("receipts"));
    make(&is, NAMES("receipts"));
    strcpy(is.plugins[0].snapshot.digest, DIGEST_B);
    is.plugins[0].fingerprint[0] = 1;
    assert_delta(&was, &is,
                 "rolled|plugin receipts|code 3f21a0b2 -> 9ab0c3d4 "
                 "(still 1.4.1)\n");
    is.plugins[0].manifest.version = new_version;
    assert_delta(&was, &is,
                 "rolled|plugin receipts|code 3f21a0b2 -> 9ab0c3d4 "
                 "(1.4.1 -> 1.4.2)\n");
}

static void
all_reasons_of_a_roll_are_told(void **state)
{
    (void)state;
    struct made was, is;
    char hello[] = "hello", hi[] = "hi", ms[] = "250ms";
    make(&was, NAMES("a", "receipts"));
    make(&is, NAMES("a", "receipts"));
    strcpy(is.plugins[1].snapshot.digest, DIGEST_B);
    is.plugins[1].manifest.version = new_version;
    set_option(&was.plugins[1], one_name, hello);
    set_option(&is.plugins[1], one_name, hi);
    set_option(&is.plugins[1], third_name, ms);
    differ(COMPARE_CHANGED, &concurrency, "receipts", "concurrency", "1", "4");
    differ(COMPARE_CHANGED, &env, "receipts", "env.TZ", NULL, NULL);
    differ(COMPARE_CHANGED, &env, "receipts", "options.greeting", "hello",
           "hi");
    assert_delta(&was, &is,
                 "rolled|plugin receipts|code 3f21a0b2 -> 9ab0c3d4 (1.4.1 -> "
                 "1.4.2); option greeting hello -> hi; option pause (none) -> "
                 "250ms; concurrency 1 -> 4; env.TZ\n");
}

static void
option_that_is_gone_is_told(void **state)
{
    (void)state;
    struct made was, is;
    char hello[] = "hello";
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    set_option(&was.plugins[0], one_name, hello);
    assert_delta(&was, &is,
                 "rolled|plugin a|option greeting hello -> "
                 "(none)\n");
}

static void
secret_is_never_shown(void **state)
{
    (void)state;
    struct made was, is;
    char first[] = "sk_first", second[] = "sk_second";
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    set_option(&was.plugins[0], secret_name, first);
    set_option(&is.plugins[0], secret_name, second);
    is.plugins[0].fingerprint[0] = 9;
    assert_delta(&was, &is, "rolled|plugin a|option api_key\n");
    /* It was a secret; that the new one calls it otherwise shows nothing. */
    is.declared[1].flags = 0;
    assert_delta(&was, &is, "rolled|plugin a|option api_key\n");
    is.declared[1].flags = PEG_OPTION_SECRET;
    was.declared[1].flags = 0;
    assert_delta(&was, &is, "rolled|plugin a|option api_key\n");
    was.plugins[0].option_count = 0;
    assert_delta(&was, &is, "rolled|plugin a|option api_key\n");
}

static void
values_are_short_and_plain(void **state)
{
    (void)state;
    struct made was, is;
    char evil[] = "a\033[2J\nb";
    char longest[] = "0123456789012345678901234567890123456789";
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    set_option(&was.plugins[0], one_name, evil);
    set_option(&is.plugins[0], one_name, longest);
    is.plugins[0].fingerprint[0] = 9;
    assert_delta(&was, &is,
                 "rolled|plugin a|option greeting a?[2J?b -> "
                 "012345678901234567890123456789012345...\n");
}

static void
reasons_that_have_no_room_are_hinted_at(void **state)
{
    (void)state;
    struct made was, is;
    struct delta delta;
    char keys[12][48];
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    is.plugins[0].fingerprint[0] = 1;
    for (int i = 0; i < 12; i++) {
        snprintf(keys[i], sizeof(keys[i]), "env.A_LONG_NAME_OF_A_VARIABLE_%02d",
                 i);
        differ(COMPARE_CHANGED, &env, "a", keys[i], NULL, NULL);
    }
    assert_int_equal(delta_make(&delta, &was.generation, &is.generation),
                     RC_OK);
    assert_int_equal(delta.count, 1);
    const char *detail = delta.items[0].detail;
    assert_non_null(strstr(detail, keys[0]));
    assert_string_equal(detail + strlen(detail) - 5, "; ...");
    assert_null(strstr(detail, "...; ..."));
    delta_fini(&delta);
}

static void
roll_is_never_without_a_reason(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    is.plugins[0].fingerprint[0] = 1;
    assert_delta(&was, &is, "rolled|plugin a|the same in another order\n");
}

/* ---- Keys ----------------------------------------------------------- */

static void
other_keys_are_set(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("receipts"));
    make(&is, NAMES("receipts"));
    differ(COMPARE_CHANGED, &max_body, NULL, "max_body", "1M", "2M");
    differ(COMPARE_CHANGED, &secrets, "main", "secrets", NULL, NULL);
    differ(COMPARE_CHANGED, &retry, "receipts", "retry", "5s..4h", "1s..1h");
    /* Another path with the same bytes: nothing is restarted. */
    differ(COMPARE_CHANGED, &concurrency, "receipts", "path", "a.so", "b.so");
    assert_delta(&was, &is,
                 "set|server.max_body|1M -> 2M\n"
                 "set|endpoint main: secrets|\n"
                 "set|plugin receipts: retry|5s..4h -> 1s..1h\n"
                 "set|plugin receipts: path|a.so -> b.so\n");
}

static void
option_written_otherwise_is_no_change(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    differ(COMPARE_CHANGED, &env, "a", "options.api_key", NULL, NULL);
    assert_delta(&was, &is, "");
}

static void
keys_of_a_restart_are_refused_and_counted(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("a"));
    make(&is, NAMES("a"));
    differ(COMPARE_CHANGED, &state_dir, NULL, "state_dir", "/a", "/b");
    assert_delta(&was, &is, "refused|server.state_dir|/a -> /b\n");
}

static void
order_is_what_matters_most_first(void **state)
{
    (void)state;
    struct made was, is;
    make(&was, NAMES("gone", "b", "c"));
    make(&is, NAMES("c", "new", "b"));
    is.plugins[0].fingerprint[0] = is.plugins[2].fingerprint[0] = 1;
    differ(COMPARE_CHANGED, &max_body, NULL, "max_body", "1M", "2M");
    differ(COMPARE_CHANGED, &concurrency, "b", "concurrency", "1", "2");
    differ(COMPARE_ADDED, &secrets, "side", NULL, NULL, NULL);
    differ(COMPARE_REMOVED, &secrets, "main", NULL, NULL, NULL);
    differ(COMPARE_CHANGED, &concurrency, "c", "concurrency", "3", "4");
    differ(COMPARE_CHANGED, &state_dir, NULL, "state_dir", "/a", "/b");
    differ(COMPARE_CHANGED, &retry, "b", "retry", "5s..4h", "1s..1h");
    assert_delta(&was, &is,
                 "refused|server.state_dir|/a -> /b\n"
                 "added|plugin new|\n"
                 "added|endpoint side|\n"
                 "removed|plugin gone|\n"
                 "removed|endpoint main|\n"
                 "rolled|plugin c|concurrency 3 -> 4\n"
                 "rolled|plugin b|concurrency 1 -> 2\n"
                 "set|server.max_body|1M -> 2M\n"
                 "set|plugin b: retry|5s..4h -> 1s..1h\n");
}

#define DELTA_TEST(test) cmocka_unit_test_setup(test, no_differences)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DELTA_TEST(two_that_are_the_same_have_none),
        DELTA_TEST(first_one_adds_everything),
        DELTA_TEST(plugin_that_comes_or_goes_is_one_item),
        DELTA_TEST(other_code_is_told_with_its_versions),
        DELTA_TEST(all_reasons_of_a_roll_are_told),
        DELTA_TEST(option_that_is_gone_is_told),
        DELTA_TEST(secret_is_never_shown),
        DELTA_TEST(values_are_short_and_plain),
        DELTA_TEST(reasons_that_have_no_room_are_hinted_at),
        DELTA_TEST(roll_is_never_without_a_reason),
        DELTA_TEST(other_keys_are_set),
        DELTA_TEST(option_written_otherwise_is_no_change),
        DELTA_TEST(keys_of_a_restart_are_refused_and_counted),
        DELTA_TEST(order_is_what_matters_most_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
