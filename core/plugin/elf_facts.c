/* core/plugin/elf_facts.c: what a shared object says of itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf_facts.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_part;
typedef ElfW(Dyn) elf_entry;
typedef ElfW(Sym) elf_raw_symbol;

#define VERSION_HIDDEN 0x8000U /* a bit beside a symbol's version */

/* A file being read. */
struct file {
    const char *bytes;
    size_t len;
    elf_header header;
};

static int
inside(size_t len, size_t offset, size_t size)
{
    return offset <= len && size <= len - offset;
}

/* ---- Tables --------------------------------------------------------- */

/* The section number `index`, if it is there with all its bytes. */
static int
get_part(const struct file *file, size_t index, elf_part *out)
{
    const elf_header *header = &file->header;
    size_t at = header->e_shoff + index * sizeof(*out);
    if (header->e_shoff == 0 || index >= header->e_shnum ||
        header->e_shentsize != sizeof(*out) ||
        !inside(file->len, at, sizeof(*out))) {
        return 0;
    }
    memcpy(out, file->bytes + at, sizeof(*out));
    return out->sh_type == SHT_NOBITS ||
           inside(file->len, out->sh_offset, out->sh_size);
}

/* A section of entries of `size` bytes, with its names if it has any. */
static struct elf_table
get_table(const struct file *file, const elf_part *part, size_t size)
{
    elf_part names;
    struct elf_table table = {
        .entries = file->bytes + part->sh_offset,
        .count = part->sh_size / size,
    };
    if (get_part(file, part->sh_link, &names) && names.sh_type == SHT_STRTAB) {
        table.names = file->bytes + names.sh_offset;
        table.names_len = names.sh_size;
    }
    return table;
}

static const char *
name_at(const struct elf_table *table, size_t offset)
{
    if (offset >= table->names_len ||
        memchr(table->names + offset, '\0', table->names_len - offset) ==
            NULL) {
        return "";
    }
    return table->names + offset;
}

static int
get_entry(const struct elf_facts *facts, size_t index, elf_entry *out)
{
    if (index >= facts->dynamic.count) {
        return 0;
    }
    memcpy(out, facts->dynamic.entries + index * sizeof(*out), sizeof(*out));
    return out->d_tag != DT_NULL;
}

static void
read_tables(struct elf_facts *facts, const struct file *file)
{
    elf_part part;
    for (size_t i = 0; i < file->header.e_shnum; i++) {
        if (!get_part(file, i, &part)) {
            continue;
        }
        if (part.sh_type == SHT_DYNSYM) {
            facts->imports = get_table(file, &part, sizeof(elf_raw_symbol));
        } else if (part.sh_type == SHT_SYMTAB) {
            facts->locals = get_table(file, &part, sizeof(elf_raw_symbol));
        } else if (part.sh_type == SHT_DYNAMIC) {
            facts->dynamic = get_table(file, &part, sizeof(elf_entry));
        } else if (part.sh_type == SHT_GNU_versym) {
            facts->versions = get_table(file, &part, sizeof(uint16_t));
        }
    }
}

/* ---- How it is linked ----------------------------------------------- */

static void
read_segments(struct elf_facts *facts, const struct file *file)
{
    /* Without a word about it the stack is made executable. */
    facts->has_executable_stack = 1;
    for (size_t i = 0; i < file->header.e_phnum; i++) {
        elf_segment segment;
        size_t at = file->header.e_phoff + i * sizeof(segment);
        if (!inside(file->len, at, sizeof(segment))) {
            return;
        }
        memcpy(&segment, file->bytes + at, sizeof(segment));
        if (segment.p_type == PT_GNU_RELRO) {
            facts->has_relro = 1;
        } else if (segment.p_type == PT_GNU_STACK) {
            facts->has_executable_stack = (segment.p_flags & PF_X) != 0;
        }
    }
}

static void
read_flags(struct elf_facts *facts)
{
    elf_entry entry;
    for (size_t i = 0; get_entry(facts, i, &entry); i++) {
        size_t value = entry.d_un.d_val;
        if (entry.d_tag == DT_BIND_NOW ||
            (entry.d_tag == DT_FLAGS && (value & DF_BIND_NOW) != 0) ||
            (entry.d_tag == DT_FLAGS_1 && (value & DF_1_NOW) != 0)) {
            facts->binds_now = 1;
        }
        if (entry.d_tag == DT_TEXTREL ||
            (entry.d_tag == DT_FLAGS && (value & DF_TEXTREL) != 0)) {
            facts->has_text_relocations = 1;
        }
        if (entry.d_tag == DT_FLAGS_1 && (value & DF_1_PIE) != 0) {
            facts->is_program = 1;
        }
        if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) {
            facts->run_path = name_at(&facts->dynamic, value);
        }
    }
}

void
elf_facts_read(struct elf_facts *facts, const char *bytes, size_t len)
{
    struct file file = {.bytes = bytes, .len = len};
    *facts = (struct elf_facts){0};
    if (len < sizeof(file.header)) {
        return;
    }
    memcpy(&file.header, bytes, sizeof(file.header));
    facts->machine = file.header.e_machine;
    read_tables(facts, &file);
    read_segments(facts, &file);
    read_flags(facts);
}

/* ---- Libraries and symbols ------------------------------------------ */

const char *
elf_needed(const struct elf_facts *facts, size_t index)
{
    elf_entry entry;
    for (size_t i = 0; get_entry(facts, i, &entry); i++) {
        if (entry.d_tag == DT_NEEDED && index-- == 0) {
            return name_at(&facts->dynamic, entry.d_un.d_val);
        }
    }
    return NULL;
}

static int
get_symbol(const struct elf_table *table, size_t index, struct elf_symbol *out)
{
    elf_raw_symbol raw;
    if (index >= table->count) {
        return 0;
    }
    memcpy(&raw, table->entries + index * sizeof(raw), sizeof(raw));
    unsigned binding = ELF64_ST_BIND(raw.st_info);
    unsigned visibility = ELF64_ST_VISIBILITY(raw.st_other);
    *out = (struct elf_symbol){
        .name = name_at(table, raw.st_name),
        .is_defined = raw.st_shndx != SHN_UNDEF,
        .is_weak = binding == STB_WEAK,
        .is_local = binding == STB_LOCAL,
        .is_hidden = visibility == STV_HIDDEN || visibility == STV_INTERNAL,
    };
    return 1;
}

int
elf_import(const struct elf_facts *facts, size_t index, struct elf_symbol *out)
{
    uint16_t version = VER_NDX_LOCAL;
    if (index < facts->versions.count) {
        memcpy(&version, facts->versions.entries + index * sizeof(version),
               sizeof(version));
    }
    if (!get_symbol(&facts->imports, index, out)) {
        return 0;
    }
    out->is_versioned = (version & ~VERSION_HIDDEN) > VER_NDX_GLOBAL;
    return 1;
}

int
elf_local(const struct elf_facts *facts, size_t index, struct elf_symbol *out)
{
    return get_symbol(&facts->locals, index, out);
}

int
elf_is_export(const struct elf_symbol *symbol)
{
    return symbol->is_defined && !symbol->is_local && !symbol->is_hidden &&
           symbol->name[0] != '\0';
}

/* ---- Sanitizers ----------------------------------------------------- */

/* Those that refuse to work when they come late. GCC puts each into a library
 * of its own; Clang, unless it is told -shared-libasan, into the program. */
static const struct {
    const char *name, *gcc_library, *clang_library, *symbol;
} sanitizers[] = {
    {"AddressSanitizer", "libasan.so", "libclang_rt.asan", "__asan_init"},
    {"ThreadSanitizer", "libtsan.so", "libclang_rt.tsan", "__tsan_init"},
    {"MemorySanitizer", "libmsan.so", "libclang_rt.msan", "__msan_init"},
    {"HWAddressSanitizer", "libhwasan.so", "libclang_rt.hwasan",
     "__hwasan_init"},
};

static const char *
needed_like(const struct elf_facts *facts, const char *beginning)
{
    const char *name;
    for (size_t i = 0; (name = elf_needed(facts, i)) != NULL; i++) {
        if (strncmp(name, beginning, strlen(beginning)) == 0) {
            return name;
        }
    }
    return NULL;
}

static int
is_missing(const struct elf_facts *facts, const char *name)
{
    struct elf_symbol symbol;
    for (size_t i = 0; elf_import(facts, i, &symbol); i++) {
        if (!symbol.is_defined && strcmp(symbol.name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

int
elf_sanitizer(const struct elf_facts *facts, struct elf_sanitizer *out)
{
    for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++) {
        const char *library = needed_like(facts, sanitizers[i].gcc_library);
        if (library == NULL) {
            library = needed_like(facts, sanitizers[i].clang_library);
        }
        if (library != NULL || is_missing(facts, sanitizers[i].symbol)) {
            *out = (struct elf_sanitizer){.name = sanitizers[i].name,
                                          .symbol = sanitizers[i].symbol,
                                          .library = library};
            return 1;
        }
    }
    return 0;
}
