/* tests/unit/test_options.c: the table of options, and that the sample and the
 * printed table agree with it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config/inifile.h"
#include "config/options.h"

static void
every_option_is_found_by_section_and_key(void **state)
{
    (void)state;
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &options[i];
        assert_ptr_equal(options_find(option->section, option->key), option);
        assert_true(option->min <= option->max);
        assert_true(option->help[0] != '\0');
    }
    assert_non_null(options_find(OPTION_PLUGIN, "env.TZ"));
    assert_null(options_find(OPTION_ENDPOINT, "env.TZ"));
    assert_null(options_find(OPTION_SERVER, "level"));
}

static void
what_is_not_built_yet_is_not_in_the_table(void **state)
{
    (void)state;
    assert_null(options_find(OPTION_PLUGIN, "since"));
}

static void
bounds_are_printed_with_the_largest_unit(void **state)
{
    (void)state;
    char room[OPTION_BOUNDS_MAX];
    assert_string_equal(option_bounds(options_find(OPTION_PLUGIN, "timeout"),
                                      room, sizeof(room)),
                        "100ms to 1h");
    assert_string_equal(
        option_bounds(options_find(OPTION_SERVER, "drain"), room, sizeof(room)),
        "0s to 1h");
    assert_string_equal(option_bounds(options_find(OPTION_SERVER, "max_body"),
                                      room, sizeof(room)),
                        "1K to 16M");
    assert_string_equal(
        option_bounds(options_find(OPTION_PLUGIN, "concurrency"), room,
                      sizeof(room)),
        "1 to 64");
}

/* All others: at a reload. */
static void
options_say_how_they_apply(void **state)
{
    (void)state;
    static const struct {
        enum option_section section;
        const char *key;
        enum option_apply apply;
    } expected[] = {
        {OPTION_SERVER, "threads", OPTION_AT_RESTART},
        {OPTION_SERVER, "request_timeout", OPTION_AT_RESTART},
        {OPTION_SERVER, "state_dir", OPTION_AT_RESTART},
        {OPTION_INBOX, "store", OPTION_AT_RESTART},
        {OPTION_ADMIN, "listen", OPTION_AT_RESTART},
        {OPTION_PLUGIN, "concurrency", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "timeout", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "sandbox", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "sandbox_required", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "data_dir", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "tcp_connect", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "user", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "limit_files", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "limit_file_size", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "limit_memory", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "limit_processes", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "core_dumps", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "recycle_events", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "recycle_age", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "recycle_memory", OPTION_BY_ROLL},
        {OPTION_PLUGIN, "env.NAME", OPTION_BY_ROLL},
    };
    const size_t expected_count = sizeof(expected) / sizeof(expected[0]);
    size_t count, special = 0;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (options[i].apply != OPTION_AT_RELOAD) {
            assert_true(special < expected_count);
            assert_int_equal(options[i].section, expected[special].section);
            assert_string_equal(options[i].key, expected[special].key);
            assert_int_equal(options[i].apply, expected[special].apply);
            special++;
        }
    }
    assert_int_equal(special, expected_count);
}

static void
amounts_are_written_with_the_largest_unit(void **state)
{
    (void)state;
    static const struct {
        enum option_type type;
        int64_t value;
        const char *text;
    } amounts[] = {
        {OPTION_DURATION, 0, "0s"},         {OPTION_DURATION, 1500, "1500ms"},
        {OPTION_DURATION, 60000, "1m"},     {OPTION_DURATION, 61000, "61s"},
        {OPTION_DURATION, 172800000, "2d"}, {OPTION_SIZE, 0, "0"},
        {OPTION_SIZE, 1025, "1025"},        {OPTION_SIZE, 2048, "2K"},
        {OPTION_SIZE, 1048576, "1M"},       {OPTION_INT, 1024, "1024"},
    };
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        char room[OPTION_AMOUNT_MAX];
        assert_string_equal(option_amount(amounts[i].type, amounts[i].value,
                                          room, sizeof(room)),
                            amounts[i].text);
    }
}

/* ---- The sample and the printed table ------------------------------- */

/* The text with keys that are commented out, as ";key =", put in. Comments for
 * people begin with "; ". */
static void
uncomment(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        int at_start = from == text || from[-1] == '\n';
        if (!(at_start && from[0] == ';' && from[1] >= 'a' && from[1] <= 'z')) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static void
parse_uncommented(struct inifile *ini, char *text)
{
    uncomment(text);
    struct config_report report = {0};
    assert_int_equal(inifile_parse(ini, "sample", text, strlen(text), &report),
                     RC_OK);
    assert_int_equal(report.count, 0);
    report_fini(&report);
}

/* Which rows of the table a section has; NULL for a plugin's options. */
static int
section_kind(const char *name, enum option_section *kind)
{
    for (int i = OPTION_SERVER; i <= OPTION_PLUGIN; i++) {
        const char *known = option_section_name((enum option_section)i);
        size_t len = strcspn(known, " ");
        if (strncmp(name, known, len) == 0 &&
            (name[len] == '\0' || name[len] == ' ')) {
            *kind = (enum option_section)i;
            return strstr(name, " options") == NULL;
        }
    }
    fail_msg("section [%s] is not in the table", name);
    return 0;
}

/* All keys of all sections are in the table, in its order; none is missing. */
static void
assert_follows_table(const struct inifile *ini)
{
    size_t count;
    const struct option *options = options_all(&count);
    size_t next = 0;
    for (size_t i = 0; i < ini->count; i++) {
        const struct inifile_section *section = &ini->sections[i];
        enum option_section kind;
        if (!section_kind(section->name, &kind)) {
            continue;
        }
        for (size_t k = 0; k < section->count; k++, next++) {
            const struct inifile_entry *entry = &section->entries[k];
            if (next == count || options[next].section != kind ||
                strcmp(options[next].key, entry->key) != 0) {
                fail_msg("line %d: \"%s\" is not what the table has next",
                         entry->line, entry->key);
            }
        }
    }
    assert_int_equal(next, count);
}

/* Where the table has a default, it stands in the text. */
static void
assert_has_defaults(const struct inifile *ini, const char *plugin_file)
{
    size_t count;
    const struct option *option = options_all(&count);
    for (size_t i = 0; i < ini->count; i++) {
        const struct inifile_section *section = &ini->sections[i];
        enum option_section kind;
        if (!section_kind(section->name, &kind)) {
            continue;
        }
        for (size_t k = 0; k < section->count; k++, option++) {
            const char *fallback = option->fallback;
            if (fallback == NULL || fallback[0] == '\0') {
                continue;
            }
            if (strcmp(fallback, "NAME.so") == 0) {
                fallback = plugin_file;
            }
            assert_string_equal(section->entries[k].value, fallback);
        }
    }
}

static char *
read_sample(const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/../../etc/%s", fixture_origin, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s is not there; run this in tests/unit", path);
    }
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

/* The comment above the key that begins at `at`, into `room`. */
static void
comment_above(char *room, size_t size, const char *text, const char *at)
{
    const char *start = at;
    while (start > text) {
        const char *line = start - 1;
        while (line > text && line[-1] != '\n') {
            line--;
        }
        if (line[0] != ';' || line[1] != ' ') {
            break;
        }
        start = line;
    }
    snprintf(room, size, "%.*s", (int)(at - start), start);
}

/* Each key has the mark that the table gives it, and no other. */
static void
assert_has_marks(const char *text)
{
    static const char *const marks[] = {"", "(rolls the plugin)\n",
                                        "(restart)\n"};
    size_t count;
    const struct option *options = options_all(&count);
    const char *at = text;
    for (size_t i = 0; i < count; i++) {
        char line[64], comment[1024];
        snprintf(line, sizeof(line), "\n%s =", options[i].key);
        const char *found = strstr(at, line);
        snprintf(line, sizeof(line), "\n;%s =", options[i].key);
        const char *commented = strstr(at, line);
        at = found == NULL || (commented != NULL && commented < found)
                 ? commented
                 : found;
        assert_non_null(at);
        comment_above(comment, sizeof(comment), text, at + 1);
        for (size_t k = 1; k < 3; k++) {
            if ((strstr(comment, marks[k]) != NULL) !=
                (options[i].apply == (enum option_apply)k)) {
                fail_msg("%s is not marked as in the table:\n%s",
                         options[i].key, comment);
            }
        }
    }
}

static void
printed_table_is_the_table(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    options_print(stream);
    fclose(stream);

    assert_has_marks(text);
    struct inifile ini = {0};
    parse_uncommented(&ini, text);
    assert_follows_table(&ini);
    assert_has_defaults(&ini, "NAME.so");
    inifile_fini(&ini);
    free(text);
}

static void
sample_has_every_key_and_its_default(void **state)
{
    (void)state;
    char *text = read_sample("pegboard.ini");
    assert_has_marks(text);
    struct inifile ini = {0};
    parse_uncommented(&ini, text);
    assert_follows_table(&ini);
    assert_has_defaults(&ini, "receipts.so");
    inifile_fini(&ini);
    free(text);
}

/* So that people read the bounds that hold. */
static void
sample_tells_the_bounds(void **state)
{
    (void)state;
    char *text = read_sample("pegboard.ini");
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        char bounds[OPTION_BOUNDS_MAX];
        if (options[i].max == 0 || options[i].type == OPTION_CUSTOM) {
            continue;
        }
        option_bounds(&options[i], bounds, sizeof(bounds));
        if (strstr(text, bounds) == NULL) {
            fail_msg("%s: no \"%s\" in the sample", options[i].key, bounds);
        }
    }
    free(text);
}

static void
prepare_for_samples(void)
{
    assert_int_equal(mkdir("secrets", 0700), 0);
    write_file("secrets/main", 0600, "whsec_main\n");
    write_file("plugins/receipts.so", 0644, "not loaded here");
    setenv("STRIPE_WEBHOOK_SECRET", "whsec_env", 1);
}

/* With something as long. */
static void
replace(char *text, const char *was, const char *is)
{
    char *at = strstr(text, was);
    assert_non_null(at);
    memcpy(at, is, strlen(was));
}

static void
annotated_sample_loads(void **state)
{
    (void)state;
    prepare_for_samples();
    char *text = read_sample("pegboard.ini");
    struct config *config = assert_loads(text);
    assert_int_equal(config->plugin_count, 1);
    assert_int_equal(config->plugins[0].event_count, 0);
    config_close(config);

    /* And also with what is commented out. Ports go with a sandbox, and users
     * are for root: there may be no such one here. */
    uncomment(text);
    replace(text, "sandbox = basic", "sandbox = files");
    replace(text, "\nuser =", "\n;ser =");
    config = assert_loads(text);
    assert_int_equal(config->plugins[0].event_count, 2);
    assert_string_equal(config->plugins[0].endpoints[0], "main");
    assert_string_equal(config->plugins[0].options[0].value, "hello");
    config_close(config);
    free(text);
    unsetenv("STRIPE_WEBHOOK_SECRET");
}

static void
minimal_sample_loads(void **state)
{
    (void)state;
    prepare_for_samples();
    char *text = read_sample("minimal.ini");
    struct config *config = assert_loads(text);
    assert_int_equal(config->endpoint_count, 1);
    assert_int_equal(config->plugin_count, 1); /* found in the folder */
    config_close(config);
    free(text);
    unsetenv("STRIPE_WEBHOOK_SECRET");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_found_by_section_and_key),
        cmocka_unit_test(what_is_not_built_yet_is_not_in_the_table),
        cmocka_unit_test(options_say_how_they_apply),
        cmocka_unit_test(amounts_are_written_with_the_largest_unit),
        cmocka_unit_test(bounds_are_printed_with_the_largest_unit),
        cmocka_unit_test(printed_table_is_the_table),
        FOLDER_TEST(sample_has_every_key_and_its_default),
        FOLDER_TEST(sample_tells_the_bounds),
        FOLDER_TEST(annotated_sample_loads),
        FOLDER_TEST(minimal_sample_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
