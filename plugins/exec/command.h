/* exec/command.h: from the option `command` to a program that can be started.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_COMMAND_H
#define EXEC_COMMAND_H

#include "keeper.h"

#include <stddef.h>

/** What children get as PATH when env.PATH is not set. */
#define COMMAND_PATH "/usr/local/bin:/usr/bin:/bin"

/**
 * Split a command into words, without a shell: at blanks. 'text'
 * is as it stands; in "text" a backslash makes \" and \\; outside of quotes it
 * makes any character plain. Nothing else is special.
 *
 * @param out  words, ending with NULL: command_free_words()
 * @param why  says what is wrong, or NULL when memory is out; of a failure only
 * @return 0 or -1
 */
int command_split(char ***out, const char *text, const char **why);

void command_free_words(char **words);

/**
 * Fill in what is to be run: find the program, as a file below `dir` if its
 * name has a slash, else in `search`.
 *
 * @param command  the option's value
 * @param shell    1: it is given to /bin/sh -c as it stands
 * @param dir      where it starts, absolute
 * @param search   as PATH
 * @param why      `size` bytes for what is wrong
 * @return 0 or -1; to be ended with command_fini() either way
 */
int command_init(struct program *program, const char *command, int shell,
                 const char *dir, const char *search, char *why, size_t size);

void command_fini(struct program *program);

#endif
