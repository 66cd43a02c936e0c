/* tests/unit/test_log.c: lines of the log, in each form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "log.h"

#include <cjson/cJSON.h>

#include <string.h>
#include <unistd.h>

static const char hostile[] = "a \"b\" \\ \n\x1b[31m \x7f\xff end";

static char line[4096];

/* What log_write() puts on standard error, into `line`. */
static void
capture(enum log_format format, enum log_level level, const char *value,
        size_t len)
{
    int ends[2];
    struct log_value quoted;
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_setup(LOG_INFO, format);
    log_write(level, "http", "fixed text", "count=%d detail=%s last=x", 7,
              log_quote(&quoted, value, len));
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
}

static void
hostile_text_stays_in_its_line(void **state)
{
    (void)state;
    const enum log_format formats[] = {LOG_TEXT, LOG_LOGFMT, LOG_JSON};
    for (size_t i = 0; i < 3; i++) {
        capture(formats[i], LOG_WARN, hostile, sizeof(hostile) - 1);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        for (const char *at = line; at[1] != '\0'; at++) {
            assert_in_range((unsigned char)*at, 0x20, 0x7e);
        }
    }
}

static void
json_line_parses_and_holds_the_fields(void **state)
{
    (void)state;
    capture(LOG_JSON, LOG_ERROR, "say \"hi\"\n", 9);
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    static const struct {
        const char *key, *value;
    } fields[] = {{"level", "error"},         {"module", "http"},
                  {"msg", "fixed text"},      {"count", "7"},
                  {"detail", "say \"hi\"\n"}, {"last", "x"}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const cJSON *item = cJSON_GetObjectItem(json, fields[i].key);
        assert_true(cJSON_IsString(item));
        assert_string_equal(item->valuestring, fields[i].value);
    }
    cJSON_Delete(json);
}

static void
long_value_is_cut(void **state)
{
    (void)state;
    static char text[10000];
    memset(text, '\x01', sizeof(text)); /* six characters each when escaped */
    capture(LOG_JSON, LOG_WARN, text, sizeof(text));
    assert_true(strlen(line) < 600);
    assert_non_null(strstr(line, "..."));
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    cJSON_Delete(json);
}

static void
level_hides_what_is_below(void **state)
{
    (void)state;
    capture(LOG_TEXT, LOG_DEBUG, "x", 1);
    assert_string_equal(line, "");
    capture(LOG_TEXT, LOG_INFO, "x", 1);
    assert_string_not_equal(line, "");
}

static void
limit_counts_what_it_drops(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    unsigned dropped = 0, passed = 0;
    for (int i = 0; i < 3 * LOG_LIMIT_PER_S; i++) {
        passed += (unsigned)log_limit_pass(&limit, &dropped);
    }
    /* The second may have changed once on the way. */
    assert_in_range(passed, LOG_LIMIT_PER_S, 2 * LOG_LIMIT_PER_S);
    assert_true(atomic_load(&limit.dropped) + dropped >= LOG_LIMIT_PER_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_stays_in_its_line),
        cmocka_unit_test(json_line_parses_and_holds_the_fields),
        cmocka_unit_test(long_value_is_cut),
        cmocka_unit_test(level_hides_what_is_below),
        cmocka_unit_test(limit_counts_what_it_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
