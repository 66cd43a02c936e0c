/* core/plugin/manifest.h: what a plugin's descriptor says, as plain data.
 *
 * The runner reads the descriptor out of the .so and sends it; the daemon,
 * which never loads plugin code, works with this copy.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_MANIFEST_H
#define CORE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

struct wire_reader; /* wire.h */
struct wire_writer;

#define MANIFEST_EVENTS_MAX      256
#define MANIFEST_OPTIONS_MAX     128
#define MANIFEST_NAME_MAX        32 /* of a plugin */
#define MANIFEST_OPTION_NAME_MAX 48

struct manifest_option {
    char *name;
    uint32_t type; /* PEG_OPTION_* */
    uint32_t flags;
    char *fallback; /* NULL for none */
    char *help;     /* never NULL */
};

struct manifest {
    uint32_t abi_major, needs_minor;
    char *name, *version, *summary; /* never NULL */
    char **events;
    size_t event_count;
    struct manifest_option *options;
    size_t option_count;
    uint32_t has_init, has_shutdown, has_self_test;
};

/** The fields of WIRE_MANIFEST, in the order of struct manifest. */
void manifest_put(struct wire_writer *writer, const struct manifest *manifest);

/**
 * Read them back, checking every bound.
 *
 * @param out  the caller owns what it points to: manifest_fini()
 * @return RC_OK, RC_INVALID or RC_NOMEM
 */
int manifest_get(struct wire_reader *reader, struct manifest *out);

/** Free what it points to and zero it. Accepts a zeroed one. */
void manifest_fini(struct manifest *manifest);

/** Whether `name` is 1 to `max` of a-z 0-9 - _. */
int manifest_name_valid(const char *name, size_t max);

/** The declared option of that name, or NULL. */
const struct manifest_option *
manifest_option_find(const struct manifest *manifest, const char *name);

#endif
