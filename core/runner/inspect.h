/* core/runner/inspect.h: what a plugin's file needs and has, and whether its
 * libraries provide it. For `pegboard plugins inspect`, which runs this as a
 * process of its own: libraries are loaded to look into them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INSPECT_H
#define CORE_INSPECT_H

/**
 * Print the facts, a line each, a word and its value:
 *
 *   machine TEXT         relro, now, stack, textrel, program, stripped 0|1
 *   runpath TEXT         needed 0|1|- NAME (found, or not looked for)
 *   imports COUNT        missing NAME (an import that nothing has)
 *   export NAME          sanitizer TEXT
 *
 * @param path    of the bytes to look at
 * @param folder  what $ORIGIN stands for
 * @return an exit status: 0, or 3 when it is no shared object (said on
 *         stderr)
 */
int inspect_run(const char *path, const char *folder);

#endif
