/* core/cli/wanted.h: which events and deliveries a command is about: one set
 * of flags for all commands, and what the API makes of it.
 *
 * Mistakes never widen it: an empty value, an unknown state or an empty list of
 * ids is an error, and not "all".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WANTED_H
#define CORE_WANTED_H

#include <stddef.h>

struct args;
struct cJSON;

/** For a command's flag table. */
#define WANTED_FLAGS                                                           \
    {"type", 0, "PATTERN", "of this type, or 'prefix.*'; may be repeated"},    \
        {"state", 0, "STATE",                                                  \
         "queued running retrying held orphaned done "                         \
         "skipped dead discarded unrouted pending"},                           \
        {"plugin", 0, "NAME", "with a delivery for this plugin"},              \
        {"object", 0, "ID", "about this object: pi_..., in_..."},              \
        {"customer", 0, "ID", "about this customer: cus_..."},                 \
        {"account", 0, "ID", "of this connected account: acct_..."},           \
        {"live", 0, NULL, "in live mode only"},                                \
        {"test", 0, NULL, "in test mode only"},                                \
        {"since", 0, "TIME", "received since: 2h ago, or RFC 3339"},           \
    {                                                                          \
        "until", 0, "TIME", "received before: 1h ago, or RFC 3339"             \
    }

#define WANTED_IDS_MAX   10000 /* operands, and those of standard input */
#define WANTED_IDS_ONCE  100   /* in one request */
#define WANTED_TYPES_MAX 16

/** What was asked for. Zero it to start; end with wanted_fini(). */
struct wanted {
    const char **ids;
    size_t id_count;
    const char *types[WANTED_TYPES_MAX];
    size_t type_count;
    const char *state, *plugin, *object, *customer, *account; /* or NULL */
    int livemode;              /* 1, 0; -1: any */
    char since[32], until[32]; /* RFC 3339; "" for no bound */

    char *input; /* of standard input; private */
};

/**
 * Read the flags, and the operands as ids ("-": they are read from standard
 * input, one a word). Mistakes are printed.
 *
 * @return 0, or EXIT_USAGE or EXIT_FAILED
 */
int wanted_read(struct wanted *wanted, const struct args *args);

void wanted_fini(struct wanted *wanted);

/** Whether it asks for nothing: all events pass. */
int wanted_is_empty(const struct wanted *wanted);

/**
 * A list's path with it as the query: "/events?type=a&type=b". More ids than
 * WANTED_IDS_ONCE are a mistake, which is printed.
 *
 * @param out  the caller's, to free
 * @return 0, or an exit code
 */
int wanted_path(const struct wanted *wanted, const struct args *args,
                const char *list, char **out);

/**
 * As the "filter" of a request's body, with `count` ids from number `first`.
 *
 * @return the caller's; NULL when out of memory
 */
struct cJSON *wanted_json(const struct wanted *wanted, size_t first,
                          size_t count);

/** A word as it stands in a path or query: "%2F" for a slash.
 * @return the caller's, to free; NULL when out of memory */
char *wanted_encode(const char *text);

#endif
