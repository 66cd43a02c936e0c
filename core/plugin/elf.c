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

static int
inside(size_t len, size_t offset, size_t size)
{
    return offset <= len && size <= len - offset;
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
            return error_set(err, RC_INVALID,
                             "%s: cut short: %zu bytes are there, a segment "
                             "goes on (is it still being copied?)",
                             name, len);
        }
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
    int class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    if (header.e_ident[EI_CLASS] != class ||
        header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != OUR_MACHINE) {
        return error_set(err, RC_INVALID,
                         "%s: built for another machine (ELF machine %u, this "
                         "one is %u): build it here",
                         name, header.e_machine, OUR_MACHINE);
    }
    if (header.e_type != ET_DYN) {
        return error_set(err, RC_INVALID,
                         "%s: not a shared object: link it with -shared", name);
    }
    /* The section table is the last thing in what linkers write: if it is
     * whole, so is the file. A stripped file has none. */
    if (header.e_shoff != 0 &&
        !inside(len, header.e_shoff,
                (size_t)header.e_shnum * header.e_shentsize)) {
        return error_set(err, RC_INVALID,
                         "%s: cut short: %zu bytes are there, more are "
                         "announced (is it still being copied?)",
                         name, len);
    }
    return check_segments(bytes, len, &header, name, err);
}
