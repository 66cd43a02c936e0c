/* tests/unit/test_elf_facts.c: what a shared object says of itself, and that
 * wrong ones cannot make us look outside of their bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "object_fixture.h"

#include "plugin/elf_facts.h"

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

static int
has_export(const struct elf_facts *facts, const char *name)
{
    struct elf_symbol symbol;
    for (size_t i = 0; elf_import(facts, i, &symbol); i++) {
        if (elf_is_export(&symbol) && strcmp(symbol.name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void
libraries_and_symbols_are_listed(void **state)
{
    (void)state;
    struct elf_facts facts;
    struct elf_symbol symbol;
    int needs_libc = 0, imports = 0;
    const char *name;
    elf_facts_read(&facts, bytes, len);
    for (size_t i = 0; (name = elf_needed(&facts, i)) != NULL; i++) {
        needs_libc |= strncmp(name, "libc.so", 7) == 0;
    }
    for (size_t i = 0; elf_import(&facts, i, &symbol); i++) {
        imports += !symbol.is_defined && symbol.is_versioned;
    }
    assert_true(needs_libc);
    assert_true(imports > 0);
    assert_true(has_export(&facts, "_cmocka_run_group_tests"));
    assert_false(has_export(&facts, "malloc"));
}

static void
linking_is_told(void **state)
{
    (void)state;
    struct elf_facts facts;
    struct elf_sanitizer sanitizer;
    elf_facts_read(&facts, bytes, len);
    assert_true(facts.has_relro);
    assert_false(facts.has_executable_stack);
    assert_false(facts.has_text_relocations);
    assert_false(facts.is_program);
    assert_false(elf_sanitizer(&facts, &sanitizer));
}

/* Look at everything, as far as it is there. */
static void
walk(const char *copy, size_t size)
{
    struct elf_facts facts;
    struct elf_symbol symbol;
    struct elf_sanitizer sanitizer;
    size_t letters = 0;
    const char *name;
    elf_facts_read(&facts, copy, size);
    for (size_t i = 0; (name = elf_needed(&facts, i)) != NULL; i++) {
        letters += strlen(name);
    }
    for (size_t i = 0; elf_import(&facts, i, &symbol); i++) {
        letters += strlen(symbol.name);
    }
    for (size_t i = 0; elf_local(&facts, i, &symbol); i++) {
        letters += strlen(symbol.name);
    }
    letters += facts.run_path == NULL ? 0 : strlen(facts.run_path);
    (void)elf_sanitizer(&facts, &sanitizer);
    assert_true(letters < 64 * size + 1);
}

/* An exact copy of `size` bytes, so that a sanitizer sees a look behind it. */
static char *
copy_of(size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    return copy;
}

static void
files_cut_anywhere_are_read(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < len; cut += 97) {
        char *copy = copy_of(cut);
        walk(copy, cut);
        free(copy);
    }
}

static void
headers_of_sections_may_be_anything(void **state)
{
    (void)state;
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    size_t table = header.e_shnum * sizeof(ElfW(Shdr));
    static const unsigned char values[] = {0, 1, 3, 11, 0x7f, 0xff};
    char *copy = copy_of(len);
    for (size_t at = 0; at < table; at++) {
        char before = copy[header.e_shoff + at];
        for (size_t i = 0; i < sizeof(values); i++) {
            copy[header.e_shoff + at] = (char)values[i];
            walk(copy, len);
        }
        copy[header.e_shoff + at] = before;
    }
    for (size_t at = 0; at < sizeof(header); at++) {
        char before = copy[at];
        copy[at] = (char)0xff;
        walk(copy, len);
        copy[at] = before;
    }
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_and_symbols_are_listed),
        cmocka_unit_test(linking_is_told),
        cmocka_unit_test(files_cut_anywhere_are_read),
        cmocka_unit_test(headers_of_sections_may_be_anything),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
