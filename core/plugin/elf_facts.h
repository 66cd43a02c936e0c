/* core/plugin/elf_facts.h: what a shared object says of itself: the libraries
 * it needs, its symbols, how it is linked. Read out of its bytes; nothing is
 * loaded, and every offset is checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ELF_FACTS_H
#define CORE_ELF_FACTS_H

#include <stddef.h>

/** A table of symbols, or of other entries, with the names they refer to. */
struct elf_table {
    const char *entries, *names;
    size_t count, names_len;
};

/** Of one file. All that it points to is borrowed from the file's bytes. */
struct elf_facts {
    unsigned machine;          /* EM_* */
    struct elf_table dynamic;  /* what the loader is told */
    struct elf_table imports;  /* symbols for the loader: .dynsym */
    struct elf_table locals;   /* all symbols, unless stripped: .symtab */
    struct elf_table versions; /* one for each of `imports`; no names */
    const char *run_path;      /* RUNPATH or RPATH; NULL for none */
    int has_relro;             /* relocations become read-only ... */
    int binds_now;             /* ... all of them */
    int has_executable_stack;
    int has_text_relocations;
    int is_program; /* linked with -pie, not with -shared */
};

struct elf_symbol {
    const char *name; /* never NULL */
    int is_defined;
    int is_weak;
    int is_local;     /* static, or made so by the linker */
    int is_hidden;    /* its visibility keeps it inside of the file */
    int is_versioned; /* bound to a version of the library that has it */
};

/**
 * Look into a file that elf_check() has accepted. Tables that it does not have,
 * or that are not whole, are empty.
 */
void elf_facts_read(struct elf_facts *facts, const char *bytes, size_t len);

/** The needed library number `index`, from 0: "libc.so.6"; NULL behind the
 * last. */
const char *elf_needed(const struct elf_facts *facts, size_t index);

/** The symbol number `index` of `imports`. 0 behind the last. */
int elf_import(const struct elf_facts *facts, size_t index,
               struct elf_symbol *out);

/** Likewise of `locals`. */
int elf_local(const struct elf_facts *facts, size_t index,
              struct elf_symbol *out);

/** Whether it is for others to use: defined, and to be found by the loader. */
int elf_is_export(const struct elf_symbol *symbol);

/** A sanitizer that refuses to work when it is not there first. */
struct elf_sanitizer {
    const char *name;    /* "AddressSanitizer" */
    const char *symbol;  /* one that its runtime has */
    const char *library; /* that the file needs it from; NULL: the program must
                            have it */
};

/** The one that the file is built with. 0 for none. */
int elf_sanitizer(const struct elf_facts *facts, struct elf_sanitizer *out);

#endif
