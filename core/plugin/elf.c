/* core/plugin/elf.c: is this file a whole shared object for this machine?
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf.h"

#include "error.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#else
#error "name this machine's EM_* constant"
#endif

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_part; /* ELF calls it a section */

static int
inside(size_t len, size_t offset, size_t size)
{
    return offset <= len && size <= len - offset;
}

static int
cut_short(struct error *err, const char *name, size_t len)
{
    return error_set(err, RC_INVALID,
                     "%s: cut short: %zu bytes are there, more are announced "
                     "(is it still being copied?)",
                     name, len);
}

static int
check_segments(const char *bytes, size_t len, const elf_header *header,
               const char *name, struct error *err)
{
    size_t table = (size_t)header->e_phnum * sizeof(elf_segment);
    if (header->e_phentsize != sizeof(elf_segment) || header->e_phnum == 0 ||
        !inside(len, header->e_phoff, table)) {
        return error_set(err, RC_INVALID,
                         "%s: cut short: its header table is not all there "
                         "(is it still being copied?)",
                         name);
    }
    for (size_t i = 0; i < header->e_phnum; i++) {
        elf_segment segment;
        memcpy(&segment, bytes + header->e_phoff + i * sizeof(segment),
               sizeof(segment));
        if (!inside(len, segment.p_offset, segment.p_filesz)) {
            return cut_short(err, name, len);
        }
    }
    return RC_OK;
}

/* The section table is the last thing in what linkers write: if it is whole, so
 * is the file. A stripped file has none. Where room was made before copying,
 * what has not come yet is zeros: then the table names no sections. */
static int
check_parts(const char *bytes, size_t len, const elf_header *header,
            const char *name, struct error *err)
{
    if (header->e_shoff == 0) {
        return RC_OK;
    }
    if ((header->e_shnum > 0 && header->e_shentsize != sizeof(elf_part)) ||
        !inside(len, header->e_shoff, header->e_shnum * sizeof(elf_part))) {
        return cut_short(err, name, len);
    }
    for (size_t i = 0; i < header->e_shnum; i++) {
        elf_part part;
        memcpy(&part, bytes + header->e_shoff + i * sizeof(part), sizeof(part));
        if (part.sh_type != SHT_NULL && part.sh_type != SHT_NOBITS &&
            !inside(len, part.sh_offset, part.sh_size)) {
            return cut_short(err, name, len);
        }
        if (i > 0 && i == header->e_shstrndx && part.sh_type != SHT_STRTAB) {
            return error_set(err, RC_INVALID,
                             "%s: holes: its section table is not written (is "
                             "it still being copied?)",
                             name);
        }
    }
    return RC_OK;
}

/* ---- What it is instead --------------------------------------------- */

struct kind {
    unsigned number;
    const char *name;
};

static const struct kind machines[] = {
    {EM_X86_64, "x86-64"},
    {EM_386, "i386"},
    {EM_AARCH64, "aarch64 (64-bit ARM)"},
    {EM_ARM, "32-bit ARM"},
    {EM_RISCV, "RISC-V"},
    {EM_PPC64, "ppc64"},
    {EM_S390, "s390x"},
    {EM_MIPS, "MIPS"},
    {EM_LOONGARCH, "LoongArch"},
};

const char *
elf_machine(unsigned number, char *room, size_t size)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].number == number) {
            return machines[i].name;
        }
    }
    snprintf(room, size, "ELF machine %u", number);
    return room;
}

/* How other files begin that are taken for plugins, and what to do with them.
 */
static const struct {
    const char *magic, *what;
} others[] = {
    {"!<arch>\n", "an archive of object files (.a): link it, with gcc -shared "
                  "-Wl,--whole-archive"},
    {"BC\xc0\xde", "LLVM bitcode: link it, with clang -shared"},
    {"MZ", "made for Windows: build it here"},
    {"\xcf\xfa\xed\xfe", "made for macOS: build it here"},
    {"#!", "a script: the plugin exec runs those, with path = more/exec.so and "
           "the option command"},
};

static int
no_elf(const char *bytes, size_t len, const char *name, struct error *err)
{
    if (len == 0) {
        return error_set(err, RC_INVALID,
                         "%s: the file is empty: was it built, or is it still "
                         "being copied?",
                         name);
    }
    if (len >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0) {
        return cut_short(err, name, len);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        size_t magic_len = strlen(others[i].magic);
        if (len >= magic_len &&
            memcmp(bytes, others[i].magic, magic_len) == 0) {
            return error_set(err, RC_INVALID, "%s: not a shared object but %s",
                             name, others[i].what);
        }
    }
    return error_set(err, RC_INVALID,
                     "%s: not a shared object (no ELF header): a plugin is "
                     "the .so that gcc -shared makes; a script begins with #!",
                     name);
}

static int
check_machine(const elf_header *header, const char *name, struct error *err)
{
    const int bits = (int)sizeof(void *) * 8;
    const int is_64 = header->e_ident[EI_CLASS] == ELFCLASS64;
    char its[32], ours[32];
    elf_header native = *header;
    if (header->e_ident[EI_DATA] != ELFDATA2LSB) {
        native.e_machine = __builtin_bswap16(header->e_machine);
    }
    const char *machine = elf_machine(native.e_machine, its, sizeof(its));
    const char *own = elf_machine(OUR_MACHINE, ours, sizeof(ours));
    if (is_64 != (bits == 64)) {
        return error_set(err, RC_INVALID,
                         "%s: built for %d-bit programs (%s), this is a "
                         "%d-bit one (%s): build it here%s",
                         name, is_64 ? 64 : 32, machine, bits, own,
                         is_64 ? "" : ", without -m32");
    }
    if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != OUR_MACHINE) {
        return error_set(err, RC_INVALID,
                         "%s: built for another machine: for %s, this one is "
                         "%s: build it here, or with a cross compiler",
                         name, machine, own);
    }
    return RC_OK;
}

static int
check_kind(const elf_header *header, const char *name, struct error *err)
{
    switch (header->e_type) {
    case ET_DYN:
        return RC_OK;
    case ET_REL:
        return error_set(err, RC_INVALID,
                         "%s: an object file (.o), not a shared object: link "
                         "it with -shared",
                         name);
    case ET_EXEC:
        return error_set(err, RC_INVALID,
                         "%s: a program, not a shared object: link it with "
                         "-shared (and without -static)",
                         name);
    default:
        return error_set(err, RC_INVALID,
                         "%s: not a shared object: link it with -shared", name);
    }
}

int
elf_check(const char *bytes, size_t len, const char *name, struct error *err)
{
    elf_header header;
    if (len < sizeof(header) || memcmp(bytes, ELFMAG, SELFMAG) != 0) {
        return no_elf(bytes, len, name, err);
    }
    memcpy(&header, bytes, sizeof(header));
    int rc = check_machine(&header, name, err);
    if (rc == RC_OK) {
        rc = check_kind(&header, name, err);
    }
    if (rc == RC_OK) {
        rc = check_parts(bytes, len, &header, name, err);
    }
    return rc == RC_OK ? check_segments(bytes, len, &header, name, err) : rc;
}
