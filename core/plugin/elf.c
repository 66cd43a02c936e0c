/* core/plugin/elf.c: is this file a whole shared object for this machine?
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf.h"

#include "error.h"

#include <elf.h>
#include <link.h>
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

static int
check_kind(const elf_header *header, const char *name, struct error *err)
{
    const int bits = (int)sizeof(void *) * 8;
    if (header->e_ident[EI_CLASS] != (bits == 64 ? ELFCLASS64 : ELFCLASS32)) {
        return error_set(err, RC_INVALID,
                         "%s: not built for %d-bit programs, as this is one: "
                         "build it here",
                         name, bits);
    }
    if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != OUR_MACHINE) {
        return error_set(err, RC_INVALID,
                         "%s: built for another machine (ELF machine %u, this "
                         "one is %u): build it here",
                         name, header->e_machine, OUR_MACHINE);
    }
    if (header->e_type != ET_DYN) {
        return error_set(err, RC_INVALID,
                         "%s: not a shared object: link it with -shared", name);
    }
    return RC_OK;
}

int
elf_check(const char *bytes, size_t len, const char *name, struct error *err)
{
    elf_header header;
    if (len < sizeof(header) || memcmp(bytes, ELFMAG, SELFMAG) != 0) {
        return error_set(err, RC_INVALID,
                         len == 0 ? "%s: the file is empty"
                                  : "%s: not a shared object (no ELF header)",
                         name);
    }
    memcpy(&header, bytes, sizeof(header));
    int rc = check_kind(&header, name, err);
    if (rc == RC_OK) {
        rc = check_parts(bytes, len, &header, name, err);
    }
    return rc == RC_OK ? check_segments(bytes, len, &header, name, err) : rc;
}
