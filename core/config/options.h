/* core/config/options.h: the table of everything that can be set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_section {
    OPTION_SERVER = 0,
    OPTION_INBOX = 1,
    OPTION_ADMIN = 2,
    OPTION_LOG = 3,
    OPTION_PLUGINS = 4,
    OPTION_ENDPOINT = 5, /* [endpoint NAME] */
    OPTION_PLUGIN = 6,   /* [plugin NAME] */
};

enum option_type {
    OPTION_INT = 0,
    OPTION_BOOL = 1,     /* yes no true false on off 1 0 */
    OPTION_DURATION = 2, /* 250ms 30s 5m 4h 35d: stored in ms (or s) */
    OPTION_SIZE = 3,     /* 4096 64K 1M 1G: bytes */
    OPTION_TEXT = 4,
    OPTION_PATH = 5,   /* made relative to the file's folder */
    OPTION_CHOICE = 6, /* one of `choices` */
    OPTION_CUSTOM = 7, /* lists and forms with a parser of their own */
};

/** When a changed value begins to hold. */
enum option_apply {
    OPTION_AT_RELOAD = 0,  /* at a reload, and nothing is restarted for it */
    OPTION_BY_ROLL = 1,    /* at a reload: new runners of that plugin */
    OPTION_AT_RESTART = 2, /* when the daemon starts: a reload refuses it */
};

struct option {
    enum option_section section;
    const char *key;
    enum option_type type;
    const char *fallback; /* the default, as in the file; NULL: required */
    int64_t min, max;     /* of INT, DURATION (ms) and SIZE */
    const char *choices;  /* "any live test" for CHOICE */
    enum option_apply apply;
    const char *help; /* one line */
};

/** The table. */
const struct option *options_all(size_t *count);

/** The option of that section and key, or NULL. */
const struct option *options_find(enum option_section section, const char *key);

/** How a section is headed: "server", "endpoint NAME". */
const char *option_section_name(enum option_section section);

#define OPTION_BOUNDS_MAX 64

/** The bounds as people write them: "1 to 64", "100ms to 1h". Returns `room`,
 * OPTION_BOUNDS_MAX bytes. Only for options that have bounds (max > 0). */
const char *option_bounds(const struct option *option, char *room, size_t size);

#define OPTION_AMOUNT_MAX 32

/** A number, duration (ms) or size (bytes) as people write it, with the largest
 * unit that says it exactly: "25", "4h", "64M". Returns `room`,
 * OPTION_AMOUNT_MAX bytes. */
const char *option_amount(enum option_type type, int64_t value, char *room,
                          size_t size);

/** Print the table for people, as `pegboard help config` does. */
void options_print(FILE *to);

#endif
