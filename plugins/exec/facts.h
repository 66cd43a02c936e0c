/* exec/facts.h: what is told about an event: in the environment of a handler
 * that gets one event, in the line of one that gets many.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_FACTS_H
#define EXEC_FACTS_H

#include <pegboard/plugin.h>

/**
 * The environment of a handler: ours, which has the env. keys of the INI file,
 * a PATH if there is none, and the facts. Of ours, names that begin with
 * PEGBOARD_ are left out.
 *
 * @param ev       NULL: no facts
 * @param left_ms  until the handler is told to end
 * @return ends with NULL: facts_free_environment(); NULL when memory is out
 */
char **facts_environment(const peg_event *ev, int64_t left_ms);

void facts_free_environment(char **env);

/**
 * The line of an event, with its end: facts, and the event itself as it came,
 * but that no part of it can be taken for the end of a line: line breaks
 * between values are blanks here, and U+2028 and U+2029 are escaped.
 *
 * @param len  set to its length
 * @return malloc()ed; NULL when memory is out
 */
char *facts_line(const peg_event *ev, int64_t left_ms, size_t *len);

#endif
