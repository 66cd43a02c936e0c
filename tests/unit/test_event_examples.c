/* tests/unit/test_event_examples.c: a folder of whole events, when there is
 * one, is read as its manifest says. PEGBOARD_SHARED names the folder above it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event_fixture.h"

/* The text of a file, or NULL. The caller frees it. */
static char *
read_file(const char *folder, const char *name, size_t *len)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/events/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long end = ftell(file);
    assert_true(end >= 0);
    rewind(file);
    char *text = malloc((size_t)end + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)end, file), (size_t)end);
    text[end] = '\0';
    *len = (size_t)end;
    fclose(file);
    return text;
}

/* Column `index` of a line of the manifest: what counts of "first / last" is
 * the last, and "-" stands for none. */
static void
manifest_column(const char *line, int index, char *out, size_t room)
{
    for (; index > 0; index--) {
        line = strchr(line, '\t');
        assert_non_null(line);
        line++;
    }
    size_t len = strcspn(line, "\t\n");
    const char *last = memmem(line, len, " / ", 3);
    if (last != NULL) {
        len -= (size_t)(last + 3 - line);
        line = last + 3;
    }
    const char *note = memmem(line, len, " (", 2);
    len = note != NULL ? (size_t)(note - line) : len;
    snprintf(out, room, "%.*s", (int)len, len == 1 && *line == '-' ? "" : line);
}

static void
check_example(const char *folder, const char *line)
{
    char name[256], id[256], type[256], object_id[256], kind[16];
    manifest_column(line, 0, name, sizeof(name));
    manifest_column(line, 3, kind, sizeof(kind));
    manifest_column(line, 4, type, sizeof(type));
    manifest_column(line, 5, id, sizeof(id));
    manifest_column(line, 7, object_id, sizeof(object_id));

    size_t len;
    char *body = read_file(folder, name, &len);
    assert_non_null(body);
    struct event event;
    struct error err = {0};
    if (event_read(&event, body, len, &err) != RC_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    free(body);
    assert_string_equal(event.id, id);
    assert_string_equal(event.type, type);
    assert_string_equal(event.object_id, object_id);
    assert_int_equal(event.family == EVENT_THIN, strcmp(kind, "thin") == 0);
    assert_true(event.created_s > 0);
}

static void
examples_are_read_as_their_manifest_says(void **state)
{
    (void)state;
    const char *folder = getenv("PEGBOARD_SHARED");
    folder = folder != NULL ? folder : "../../../shared";
    size_t len;
    char *manifest = read_file(folder, "MANIFEST.tsv", &len);
    if (manifest == NULL) {
        print_message("no example events in %s/events\n", folder);
        skip();
    }
    int count = 0;
    char *line = strchr(manifest, '\n'); /* behind the column names */
    while (line != NULL && line[1] != '\0') {
        check_example(folder, line + 1);
        count++;
        line = strchr(line + 1, '\n');
    }
    assert_true(count > 0);
    free(manifest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_read_as_their_manifest_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
