/* tests/unit/test_elf.c: what is no whole shared object for this machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "object_fixture.h"

#include "error.h"
#include "plugin/elf.h"

#include <elf.h>
#include <link.h>

static int
setup(void **state)
{
    (void)state;
    return read_object();
}

static int
teardown(void **state)
{
    (void)state;
    free(bytes);
    return 0;
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

/* Room was made for the file, and its end has not come yet. */
static void
object_with_zeros_behind_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    char *copy = malloc(len);
    for (size_t cut = 0; cut < len; cut += 512) {
        memcpy(copy, bytes, cut);
        memset(copy + cut, 0, len - cut);
        if (elf_check(copy, len, "p.so", &err) != RC_INVALID) {
            fail_msg("zeros from %zu of %zu were accepted", cut, len);
        }
    }
    free(copy);
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

/* The header, a segment and a section of a copy, to be spoilt. */
struct spoilt {
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    ElfW(Shdr) part;
};

static int
check_spoilt(const struct spoilt *spoilt, struct error *err)
{
    ElfW(Ehdr) whole;
    char *copy = malloc(len);
    memcpy(copy, bytes, len);
    memcpy(&whole, bytes, sizeof(whole));
    memcpy(copy, &spoilt->header, sizeof(spoilt->header));
    memcpy(copy + whole.e_phoff, &spoilt->segment, sizeof(spoilt->segment));
    memcpy(copy + whole.e_shoff + sizeof(spoilt->part), &spoilt->part,
           sizeof(spoilt->part));
    int rc = elf_check(copy, len, "p.so", err);
    free(copy);
    return rc;
}

static struct spoilt
unspoilt(void)
{
    struct spoilt whole;
    memcpy(&whole.header, bytes, sizeof(whole.header));
    memcpy(&whole.segment, bytes + whole.header.e_phoff, sizeof(whole.segment));
    memcpy(&whole.part, bytes + whole.header.e_shoff + sizeof(whole.part),
           sizeof(whole.part));
    return whole;
}

#define assert_spoilt(member, value)                                           \
    do {                                                                       \
        struct spoilt spoilt = unspoilt();                                     \
        assert_int_equal(check_spoilt(&spoilt, NULL), RC_OK);                  \
        spoilt.member = (value);                                               \
        struct error err = {0};                                                \
        assert_int_equal(check_spoilt(&spoilt, &err), RC_INVALID);             \
        assert_non_null(strstr(err.text, "p.so: cut short"));                  \
    } while (0)

static void
tables_and_what_they_name_lie_inside(void **state)
{
    (void)state;
    assert_spoilt(header.e_phoff, len - 1);
    assert_spoilt(header.e_phoff, UINT64_MAX - 16);
    assert_spoilt(header.e_phnum, UINT16_MAX);
    assert_spoilt(header.e_phnum, 0);
    assert_spoilt(header.e_phentsize, 8);
    assert_spoilt(segment.p_offset, len + 1);
    assert_spoilt(segment.p_offset, UINT64_MAX);
    assert_spoilt(segment.p_filesz, len + 1);
    assert_spoilt(segment.p_filesz, UINT64_MAX);
    assert_spoilt(header.e_shoff, len - 1);
    assert_spoilt(header.e_shoff, UINT64_MAX - 16);
    assert_spoilt(header.e_shnum, UINT16_MAX);
    assert_spoilt(header.e_shentsize, 8);
    assert_spoilt(part.sh_offset, len + 1);
    assert_spoilt(part.sh_size, len + 1);
    assert_spoilt(part.sh_size, UINT64_MAX);
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
    copy[4] ^= 3; /* the other class: 32 bits for 64 */
    assert_int_equal(elf_check(copy, len, "p.so", &err), RC_INVALID);
    assert_non_null(strstr(err.text, "-bit programs"));
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_object_is_accepted),
        cmocka_unit_test(object_cut_anywhere_is_refused),
        cmocka_unit_test(object_with_zeros_behind_is_refused),
        cmocka_unit_test(every_header_byte_may_be_anything),
        cmocka_unit_test(tables_and_what_they_name_lie_inside),
        cmocka_unit_test(other_machines_and_kinds_are_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
