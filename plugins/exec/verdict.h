/* exec/verdict.h: the lines with which a long-lived handler answers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_VERDICT_H
#define EXEC_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#define VERDICT_REASON_MAX 1000 /* as much as Pegboard keeps */
#define VERDICT_ID_MAX     255

/** What stood in a line; members that are not known are passed over. */
struct verdict {
    int32_t code;                        /* "verdict": PEG_*; -1: not there */
    int64_t delay_ms;                    /* "delay_ms"; -1: not there */
    int ready;                           /* "ready": 1, 0; -1: not there */
    char reason[VERDICT_REASON_MAX + 1]; /* "reason": cut; "": not there */
    char id[VERDICT_ID_MAX + 1];         /* "id": cut; "": not there */
};

/**
 * Read a JSON object.
 *
 * @param line  with a NUL behind it, and none in it
 * @return NULL, or what is wrong
 */
const char *verdict_read(struct verdict *out, const char *line);

#endif
