/* tests/unit/test_compare.c: two configurations compared: every key by what it
 * means, and nothing secret shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config/compare.h"

/* Each difference as a line: "~ server.threads 1 -> 2 restart". */
static char told[4096];
static size_t told_count;
static struct compare_item last; /* but for its texts */

static void
tell(void *arg, const struct compare_item *item)
{
    (void)arg;
    static const char kinds[] = "+-~";
    static const char *const applies[] = {"reload", "roll", "restart"};
    size_t len = strlen(told);
    snprintf(told + len, sizeof(told) - len, "%c %s%s%s%s%s %s -> %s %s\n",
             kinds[item->kind], option_section_name(item->option->section),
             item->name != NULL ? " " : "",
             item->name != NULL ? item->name : "", item->key != NULL ? "." : "",
             item->key != NULL ? item->key : "",
             item->was != NULL ? item->was : "?",
             item->is != NULL ? item->is : "?", applies[item->option->apply]);
    last = *item;
    told_count++;
}

static void
compare(const char *was, const char *is)
{
    struct config *a = assert_loads(was), *b = assert_loads(is);
    told[0] = '\0';
    told_count = 0;
    config_compare(a, b, tell, NULL);
    config_close(a);
    config_close(b);
}

static void
assert_told(const char *was, const char *is, const char *expected)
{
    compare(was, is);
    assert_string_equal(told, expected);
}

/* ---- Every option --------------------------------------------------- */

/** One value, the same in other words (NULL: there are none), another one, and
 * how the two that differ are shown (NULL: not at all). */
static const struct sample {
    enum option_section section;
    const char *key;
    const char *one, *same, *other;
    const char *shown, *other_shown;
} samples[] = {
    {OPTION_SERVER, "listen", "127.0.0.1:4242, 127.0.0.2:80",
     "127.0.0.2:080,127.0.0.1:4242", "127.0.0.1:4242",
     "127.0.0.1:4242, 127.0.0.2:80", "127.0.0.1:4242"},
    {OPTION_SERVER, "trusted_proxies", "10.0.0.1,10.0.0.2",
     "10.0.0.2 , 10.0.0.1", "", "10.0.0.1, 10.0.0.2", "none"},
    {OPTION_SERVER, "threads", "128", "0128", "129", "128", "129"},
    {OPTION_SERVER, "max_body", "1M", "1024K", "2M", "1M", "2M"},
    {OPTION_SERVER, "request_timeout", "60s", "1m", "1500ms", "1m", "1500ms"},
    {OPTION_SERVER, "drain", "0s", "0ms", "25s", "0s", "25s"},
    {OPTION_SERVER, "state_dir", "state", "./state/", "/state", "state",
     "/state"},
    {OPTION_INBOX, "store", "sqlite:a/inbox.db", "sqlite:a/./inbox.db",
     "sqlite:/b.db", "sqlite:a/inbox.db", "sqlite:/b.db"},
    {OPTION_INBOX, "retention", "35d", "840h", "36d", "35d", "36d"},
    {OPTION_INBOX, "min_free", "64M", "65536K", "0", "64M", "0"},
    {OPTION_ADMIN, "listen", "127.0.0.1:4243", "127.0.0.1:04243",
     "127.0.0.1:4244", "127.0.0.1:4243", "127.0.0.1:4244"},
    {OPTION_LOG, "level", "info", NULL, "debug", "info", "debug"},
    {OPTION_LOG, "format", "auto", NULL, "json", "auto", "json"},
    {OPTION_LOG, "file", "a.log", ".//a.log", "b.log", "a.log", "b.log"},
    {OPTION_PLUGINS, "dir", "plugins", "./plugins/", "other", "plugins",
     "other"},
    {OPTION_PLUGINS, "autoload", "yes", "on", "no", "yes", "no"},
    {OPTION_ENDPOINT, "path", "/a", "/a/", "/b", "/a", "/b"},
    {OPTION_ENDPOINT, "secrets", "file:secret, file:next",
     "file:copy, file:secret", "file:secret", NULL, NULL},
    {OPTION_ENDPOINT, "tolerance", "300s", "5m", "301s", "5m", "301s"},
    {OPTION_ENDPOINT, "livemode", "any", NULL, "test", "any", "test"},
    {OPTION_PLUGIN, "path", "p.so", "./p.so", "q.so", "p.so", "q.so"},
    {OPTION_PLUGIN, "enabled", "yes", "1", "no", NULL, NULL},
    {OPTION_PLUGIN, "events", "charge.*, invoice.paid", "invoice.paid,charge.*",
     "charge.*", "charge.*, invoice.paid", "charge.*"},
    {OPTION_PLUGIN, "endpoints", "main,second", "second, main", "second",
     "main, second", "second"},
    {OPTION_PLUGIN, "livemode", "live", NULL, "any", "live", "any"},
    {OPTION_PLUGIN, "concurrency", "1", "01", "2", "1", "2"},
    {OPTION_PLUGIN, "timeout", "30s", "30000ms", "31s", "30s", "31s"},
    {OPTION_PLUGIN, "order", "object", NULL, "strict", "object", "strict"},
    {OPTION_PLUGIN, "collapse_twins", "no", "false", "yes", "no", "yes"},
    {OPTION_PLUGIN, "retry", "5s..4h", "5000ms..240m", "5s..5h", "5s..4h",
     "5s..5h"},
    {OPTION_PLUGIN, "max_attempts", "25", "025", "26", "25", "26"},
    {OPTION_PLUGIN, "max_age", "72h", "3d", "1h", "3d", "1h"},
    {OPTION_PLUGIN, "sandbox", "basic", NULL, "strict", "basic", "strict"},
    {OPTION_PLUGIN, "sandbox_required", "no", "0", "yes", "no", "yes"},
    {OPTION_PLUGIN, "data_dir", "/a/data", "/a//./data/", "/b", "/a/data",
     "/b"},
    {OPTION_PLUGIN, "tcp_connect", "443, 5432", "5432,0443", "443", "443, 5432",
     "443"},
    {OPTION_PLUGIN, "user", "nobody", NULL, "daemon", "nobody", "daemon"},
    {OPTION_PLUGIN, "limit_files", "256", "0256", "32", "256", "32"},
    {OPTION_PLUGIN, "limit_file_size", "64M", "65536K", "1K", "64M", "1K"},
    {OPTION_PLUGIN, "limit_memory", "0", "0K", "8M", "0", "8M"},
    {OPTION_PLUGIN, "limit_processes", "0", "00", "7", "0", "7"},
    {OPTION_PLUGIN, "core_dumps", "no", "off", "yes", "no", "yes"},
    {OPTION_PLUGIN, "recycle_events", "10000", "010000", "0", "10000", "0"},
    {OPTION_PLUGIN, "recycle_age", "24h", "1d", "0s", "1d", "0s"},
    {OPTION_PLUGIN, "recycle_memory", "0", "0K", "1G", "0", "1G"},
    {OPTION_PLUGIN, "env.NAME", "x", NULL, "y", NULL, NULL},
};

/* What has to stand beside a key. */
static const char *
beside(const char *key)
{
    return strcmp(key, "tcp_connect") == 0       ? "sandbox = files\n"
           : strcmp(key, "limit_processes") == 0 ? "user = nobody\n"
                                                 : "";
}

/* Only a daemon of root can give users to plugins. */
static int
is_for_root(const char *key)
{
    return strcmp(key, "user") == 0 || strcmp(key, "limit_processes") == 0;
}

/* A file in which that key has that value, and all else is as ever. */
static void
compose(char *room, size_t size, const struct sample *sample, const char *value)
{
    static const char *const headers[] = {"server",  "inbox",   "admin",
                                          "log",     "plugins", "endpoint main",
                                          "plugin p"};
    size_t n = 0;
    for (int i = OPTION_SERVER; i <= OPTION_PLUGIN; i++) {
        n += (size_t)snprintf(room + n, size - n, "[%s]\n", headers[i]);
        int is_secrets = strcmp(sample->key, "secrets") == 0;
        if (i == OPTION_ENDPOINT && !is_secrets) {
            n +=
                (size_t)snprintf(room + n, size - n, "secrets = file:secret\n");
        }
        if (i == (int)sample->section) {
            n += (size_t)snprintf(room + n, size - n, "%s%s = %s\n",
                                  beside(sample->key), sample->key, value);
        }
    }
    snprintf(room + n, size - n,
             "[endpoint second]\npath = /second\nsecrets = file:secret\n");
}

static void
prepare_files(void)
{
    write_file("next", 0600, "whsec_next\n");
    write_file("copy", 0600, "whsec_next");
    write_file("p.so", 0644, "");
    write_file("q.so", 0644, "");
    assert_int_equal(mkdir("other", 0755), 0);
}

/* One item, of that key; but a plugin that is not enabled is not there. */
static void
assert_one_item(const struct sample *sample, const struct option *option)
{
    if (told_count != 1) {
        fail_msg("%s: %zu differences:\n%s", sample->key, told_count, told);
    }
    if (strcmp(sample->key, "enabled") == 0) {
        assert_int_equal(last.kind, COMPARE_REMOVED);
        assert_null(last.key);
        return;
    }
    assert_int_equal(last.kind, COMPARE_CHANGED);
    assert_ptr_equal(last.option, option);
    char expected[256];
    const char *name = sample->section == OPTION_ENDPOINT ? " main"
                       : sample->section == OPTION_PLUGIN ? " p"
                                                          : "";
    static const char *const applies[] = {"reload", "roll", "restart"};
    snprintf(expected, sizeof(expected), "~ %s%s.%s %s -> %s %s\n",
             option_section_name(sample->section), name, sample->key,
             sample->shown != NULL ? sample->shown : "?",
             sample->other_shown != NULL ? sample->other_shown : "?",
             applies[option->apply]);
    assert_string_equal(told, expected);
}

static void
every_option_is_compared_by_what_it_means(void **state)
{
    (void)state;
    prepare_files();
    size_t count;
    const struct option *options = options_all(&count);
    assert_int_equal(count, sizeof(samples) / sizeof(samples[0]));
    for (size_t i = 0; i < count; i++) {
        const struct sample *sample = &samples[i];
        assert_int_equal(sample->section, options[i].section);
        assert_string_equal(sample->key, options[i].key);
        if (is_for_root(sample->key) && geteuid() != 0) {
            continue;
        }
        char one[1024], same[1024], other[1024];
        compose(one, sizeof(one), sample, sample->one);
        compose(other, sizeof(other), sample, sample->other);
        compare(one, other);
        assert_one_item(sample, &options[i]);
        assert_told(one, one, "");
        if (sample->same != NULL) {
            compose(same, sizeof(same), sample, sample->same);
            assert_told(one, same, "");
        }
    }
}

/* ---- What is special ------------------------------------------------ */

static void
default_written_out_is_no_difference(void **state)
{
    (void)state;
    write_file("p.so", 0644, "");
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        const char *fallback = options[i].fallback;
        if (fallback == NULL || fallback[0] == '\0' ||
            is_for_root(options[i].key)) {
            continue;
        }
        const struct sample sample = {.section = options[i].section,
                                      .key = options[i].key};
        char written[1024];
        compose(written, sizeof(written), &sample,
                strcmp(fallback, "NAME.so") == 0 ? "p.so" : fallback);
        assert_told(
            written,
            "[endpoint main]\nsecrets = file:secret\n[plugin p]\n"
            "[endpoint second]\npath = /second\nsecrets = file:secret\n",
            "");
    }
}

static void
unset_values_are_called_so(void **state)
{
    (void)state;
    write_file("p.so", 0644, "");
    assert_told(ENDPOINT "[plugin p]\n",
                ENDPOINT "[log]\nfile = x\n"
                         "[plugin p]\nevents = *\nendpoints = main\n",
                "~ log.file not set -> x reload\n"
                "~ plugin NAME p.events not set -> * reload\n"
                "~ plugin NAME p.endpoints not set -> main reload\n");
}

static void
store_follows_the_state_folder(void **state)
{
    (void)state;
    assert_told("[server]\nstate_dir = a/\n" ENDPOINT,
                "[server]\nstate_dir = b\n" ENDPOINT,
                "~ server.state_dir a/ -> b restart\n");
    /* The same file, with its whole path. */
    assert_told(
        "[server]\nstate_dir = /a\n[inbox]\nstore = sqlite:i.db\n" ENDPOINT,
        "[server]\nstate_dir = /a\n[inbox]\nstore = sqlite:/a/i.db\n" ENDPOINT,
        "");
}

static void
secrets_are_compared_by_value_and_never_shown(void **state)
{
    (void)state;
    write_file("s", 0600, "whsec_one\n");
    struct config *was = assert_loads("[endpoint main]\nsecrets = file:s\n");
    write_file("s", 0600, "whsec_two\n"); /* the text of the file is the same */
    struct config *is = assert_loads("[endpoint main]\nsecrets = file:s\n");
    told[0] = '\0';
    config_compare(was, is, tell, NULL);
    assert_string_equal(told, "~ endpoint NAME main.secrets ? -> ? reload\n");
    assert_null(last.was);
    assert_null(last.is);
    config_close(was);
    config_close(is);
}

static void
variables_and_options_are_told_by_name(void **state)
{
    (void)state;
    write_file("p.so", 0644, "");
    assert_told(ENDPOINT
                "[plugin p]\nenv.A = 1\nenv.B = hidden\nenv.C = 3\n"
                "[plugin p options]\nkey = hidden\nold = 1\nsame = s\n",
                ENDPOINT "[plugin p]\nenv.C = 3\nenv.B = other\nenv.D =\n"
                         "[plugin p options]\nsame = s\nkey = other\nnew =\n",
                "~ plugin NAME p.env.A ? -> ? roll\n"
                "~ plugin NAME p.env.B ? -> ? roll\n"
                "~ plugin NAME p.env.D ? -> ? roll\n"
                "~ plugin NAME p.options.key ? -> ? roll\n"
                "~ plugin NAME p.options.old ? -> ? roll\n"
                "~ plugin NAME p.options.new ? -> ? roll\n");
}

static void
sections_come_and_go_by_name(void **state)
{
    (void)state;
    write_file("p.so", 0644, "");
    assert_told(
        "[endpoint a]\npath = /a\nsecrets = file:secret\n"
        "[endpoint b]\npath = /b\nsecrets = file:secret\n"
        "[plugin x]\npath = p.so\n[plugin y]\npath = p.so\n"
        "[plugin off]\npath = p.so\nenabled = no\n",
        "[plugin z]\npath = p.so\n[plugin y]\npath = p.so\nmax_attempts = 1\n"
        "[plugin off]\npath = p.so\nenabled = no\nmax_attempts = 1\n"
        "[endpoint c]\npath = /a\nsecrets = file:secret\n"
        "[endpoint b]\npath = /b\nsecrets = file:secret\n",
        "- endpoint NAME a ? -> ? reload\n"
        "+ endpoint NAME c ? -> ? reload\n"
        "- plugin NAME x ? -> ? reload\n"
        "~ plugin NAME y.max_attempts 25 -> 1 reload\n"
        "+ plugin NAME z ? -> ? reload\n");
    assert_int_equal(last.kind, COMPARE_ADDED);
    assert_ptr_equal(last.option, options_find(OPTION_PLUGIN, "path"));
    assert_null(last.key);
}

static void
plugins_that_are_found_count_too(void **state)
{
    (void)state;
    write_file("plugins/found.so", 0644, "");
    assert_told("[plugins]\nautoload = no\n" ENDPOINT, ENDPOINT,
                "~ plugins.autoload no -> yes reload\n"
                "+ plugin NAME found ? -> ? reload\n");
}

static void
pin_is_no_other_path(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    write_file("kept.so", 0644, "");
    struct config *was = assert_loads(ENDPOINT "[plugin p]\n"), *is = NULL;
    const struct config_pin pin = {"p", "kept.so"};
    const struct config_source source = {
        .path = "t.ini", .pins = &pin, .pin_count = 1};
    struct config_report report = {0};
    assert_int_equal(config_read_from(&is, &source, &report), RC_OK);
    told[0] = '\0';
    config_compare(was, is, tell, NULL);
    config_compare(is, was, tell, NULL);
    assert_string_equal(told, "");
    config_close(was);
    config_close(is);
    report_fini(&report);
}

static void
long_value_is_cut(void **state)
{
    (void)state;
    char was[4096] = ENDPOINT "[plugin p]\nevents = charge.refunded";
    write_file("p.so", 0644, "");
    for (int i = 0; i < 40; i++) {
        strcat(was, ",\n  charge.refunded");
    }
    strcat(was, "\n");
    compare(was, ENDPOINT "[plugin p]\nevents = charge.refunded\n");
    assert_int_equal(told_count, 1);
    const char *end = strstr(told, "... -> charge.refunded reload\n");
    assert_non_null(end);
    assert_int_equal(end + 3 - told, strlen("~ plugin NAME p.events ") + 255);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(every_option_is_compared_by_what_it_means),
        FOLDER_TEST(default_written_out_is_no_difference),
        FOLDER_TEST(unset_values_are_called_so),
        FOLDER_TEST(store_follows_the_state_folder),
        FOLDER_TEST(secrets_are_compared_by_value_and_never_shown),
        FOLDER_TEST(variables_and_options_are_told_by_name),
        FOLDER_TEST(sections_come_and_go_by_name),
        FOLDER_TEST(plugins_that_are_found_count_too),
        FOLDER_TEST(pin_is_no_other_path),
        FOLDER_TEST(long_value_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
