/* tests/unit/test_snapshot.c: private copies, and what is no shared object.
 * The victim is this very program's C library.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "plugin/elf.h"
#include "plugin/snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/pegboard-test-XXXXXX";
static char source[64], copies[64];
static char *bytes; /* of a whole shared object */
static size_t len;

static void
write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Any shared object will do; the smallest that is always there. */
static int
setup(void **state)
{
    (void)state;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], path[256] = "";
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *name = strstr(line, "/");
        if (name != NULL && strstr(name, "libcmocka") != NULL) {
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(name, "\n"),
                     name);
        }
    }
    fclose(maps);
    FILE *file = fopen(path, "r");
    if (file == NULL || mkdtemp(dir) == NULL) {
        return -1;
    }
    bytes = malloc(4U << 20);
    len = fread(bytes, 1, 4U << 20, file);
    fclose(file);
    snprintf(source, sizeof(source), "%s/p.so", dir);
    snprintf(copies, sizeof(copies), "%s/copies", dir);
    write_file(source, bytes, len);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    free(bytes);
    return system(command);
}

static void
whole_object_is_accepted(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(elf_check(bytes, len, "p.so", &err), RC_OK);
}

static void
object_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    for (size_t cut = 0; cut < len; cut += 512) {
        /* An exact copy, so that a sanitizer sees a look behind the end. */
        char *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        char *exact = realloc(part, cut > 0 ? cut : 1);
        if (elf_check(exact, cut, "p.so", &err) != RC_INVALID) {
            fail_msg("cut at %zu of %zu was accepted", cut, len);
        }
        free(exact);
    }
    assert_int_equal(elf_check(bytes, len - 1, "p.so", &err), RC_INVALID);
}

static void
every_header_byte_may_be_anything(void **state)
{
    (void)state;
    char *copy = malloc(len);
    for (size_t at = 0; at < 64; at++) {
        for (int value = 0; value < 256; value += 5) {
            memcpy(copy, bytes, len);
            copy[at] = (char)value;
            (void)elf_check(copy, len, "p.so", NULL); /* must only return */
        }
    }
    free(copy);
}

static void
other_machines_and_kinds_are_named(void **state)
{
    (void)state;
    struct error err = {0};
    char *copy = malloc(len);
    memcpy(copy, bytes, len);
    copy[18] ^= 1; /* e_machine */
    assert_int_equal(elf_check(copy, len, "p.so", &err), RC_INVALID);
    assert_non_null(strstr(err.text, "another machine"));
    memcpy(copy, bytes, len);
    copy[16] = 2; /* e_type: a program */
    assert_int_equal(elf_check(copy, len, "p.so", &err), RC_INVALID);
    assert_non_null(strstr(err.text, "-shared"));
    free(copy);
    assert_int_equal(elf_check("hello", 5, "p.so", &err), RC_INVALID);
    assert_non_null(strstr(err.text, "no ELF header"));
    assert_int_equal(elf_check("", 0, "p.so", &err), RC_INVALID);
    assert_non_null(strstr(err.text, "empty"));
}

static void
copy_is_named_by_its_bytes_and_read_only(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    struct stat st;
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    assert_string_equal(a.path, b.path);
    assert_int_equal(strlen(a.digest), 64);
    assert_non_null(strstr(a.path, a.digest));
    assert_int_equal(stat(a.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    assert_int_equal(st.st_size, (off_t)len);
    assert_int_equal(stat(copies, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snapshot_fini(&a);
    snapshot_fini(&b);
}

static void
copy_outlives_a_rewrite_of_its_source(void **state)
{
    (void)state;
    struct snapshot before = {0}, after = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&before, source, copies, &err), RC_OK);
    char *longer = malloc(len + 1);
    memcpy(longer, bytes, len);
    longer[len] = 'x'; /* behind all that the headers speak of */
    write_file(source, longer, len + 1);
    assert_int_equal(snapshot_make(&after, source, copies, &err), RC_OK);
    assert_string_not_equal(before.digest, after.digest);
    struct stat st;
    assert_int_equal(stat(before.path, &st), 0);
    assert_int_equal(st.st_size, (off_t)len);
    write_file(source, bytes, len);
    free(longer);
    snapshot_fini(&before);
    snapshot_fini(&after);
}

static void
damaged_copy_of_the_same_name_is_replaced(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(unlink(a.path), 0);
    write_file(a.path, bytes, len / 2);
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    struct stat st;
    assert_int_equal(stat(b.path, &st), 0);
    assert_int_equal(st.st_size, (off_t)len);
    snapshot_fini(&a);
    snapshot_fini(&b);
}

static void
missing_files_and_folders_are_refused(void **state)
{
    (void)state;
    struct snapshot made = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&made, "/nowhere.so", copies, &err),
                     RC_NOT_FOUND);
    assert_int_equal(snapshot_make(&made, dir, copies, &err), RC_INVALID);
    assert_null(made.path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_object_is_accepted),
        cmocka_unit_test(object_cut_anywhere_is_refused),
        cmocka_unit_test(every_header_byte_may_be_anything),
        cmocka_unit_test(other_machines_and_kinds_are_named),
        cmocka_unit_test(copy_is_named_by_its_bytes_and_read_only),
        cmocka_unit_test(copy_outlives_a_rewrite_of_its_source),
        cmocka_unit_test(damaged_copy_of_the_same_name_is_replaced),
        cmocka_unit_test(missing_files_and_folders_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
