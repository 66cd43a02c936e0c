/* tests/unit/test_sse.c: server-sent events, whole and in pieces.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/client_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char told[1024];
static int end_after; /* events; 0: never */

static int
tell(void *arg, const char *name, const char *json)
{
    int *count = arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s=%s;", name, json);
    return end_after > 0 && ++*count >= end_after;
}

static struct sse *
start(int *count)
{
    struct sse *sse = calloc(1, sizeof(*sse));
    assert_non_null(sse);
    sse->fn = tell;
    sse->arg = count;
    *count = 0;
    told[0] = '\0';
    end_after = 0;
    return sse;
}

static const char stream[] = ": hello\n\nevent: arrived\ndata: {\"a\":1}\n\n"
                             "id: 7\r\nevent:answered\r\ndata:{}\r\n\r\n"
                             "event: nothing\n\ndata: 1\n\n";

static void
events_have_a_name_and_data(void **state)
{
    (void)state;
    int count;
    struct sse *sse = start(&count);
    assert_int_equal(sse_feed(sse, stream, strlen(stream)), 0);
    assert_string_equal(told, ":=hello;arrived={\"a\":1};answered={};=1;");
    free(sse);
}

static void
pieces_of_any_size_are_the_same(void **state)
{
    (void)state;
    int count;
    for (size_t step = 1; step < 9; step++) {
        struct sse *sse = start(&count);
        for (size_t at = 0; at < strlen(stream); at += step) {
            size_t left = strlen(stream) - at;
            assert_int_equal(
                sse_feed(sse, stream + at, left < step ? left : step), 0);
        }
        assert_string_equal(told, ":=hello;arrived={\"a\":1};answered={};=1;");
        free(sse);
    }
}

static void
listener_can_end_it(void **state)
{
    (void)state;
    int count;
    struct sse *sse = start(&count);
    end_after = 2;
    assert_int_equal(sse_feed(sse, stream, strlen(stream)), 1);
    assert_string_equal(told, ":=hello;arrived={\"a\":1};");
    free(sse);
}

static void
line_over_the_limit_is_passed_over(void **state)
{
    (void)state;
    int count;
    struct sse *sse = start(&count);
    char *line = malloc(SSE_LINE_MAX + 16);
    assert_non_null(line);
    memset(line, 'x', SSE_LINE_MAX + 16);
    memcpy(line, "data:", 5);
    assert_int_equal(sse_feed(sse, line, SSE_LINE_MAX), 0);
    assert_int_equal(sse_feed(sse, "\n\n", 2), 0);
    assert_string_equal(told, "");
    assert_int_equal(sse_feed(sse, line, SSE_LINE_MAX - 1), 0);
    assert_int_equal(sse_feed(sse, "\n\n", 2), 0);
    assert_memory_equal(told, "=xxxxx", 6);
    free(line);
    free(sse);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_a_name_and_data),
        cmocka_unit_test(pieces_of_any_size_are_the_same),
        cmocka_unit_test(listener_can_end_it),
        cmocka_unit_test(line_over_the_limit_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
