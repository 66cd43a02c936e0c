/* core/plugin/elf.h: is this file a whole shared object for this machine?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ELF_H
#define CORE_ELF_H

#include <stddef.h>

struct error;

/**
 * Judge a file by its headers, without loading it: magic, class, byte order,
 * machine, type, and that every header table, segment and section lies inside
 * it.
 *
 * @param bytes  the whole file
 * @param name   how the error calls it
 * @return RC_OK or RC_INVALID with what is wrong and what to do
 */
int elf_check(const char *bytes, size_t len, const char *name,
              struct error *err);

/** What people call an ELF machine, EM_*.
 * @param room  for those without a name */
const char *elf_machine(unsigned number, char *room, size_t size);

#endif
