/* core/plugin/generation.h: one configuration with its plugins, checked and
 * ready to serve. Read-only once it serves, so that any thread may use it, and
 * freed by the last that holds it. Which one serves is said by serving.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_GENERATION_H
#define CORE_GENERATION_H

#include "inbox/inbox.h"
#include "plugin/manifest.h"
#include "plugin/snapshot.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_endpoint;
struct config_plugin;
struct config_report;
struct error;

/** An option's checked value, as it goes to the runner. */
struct plugin_option {
    const char *name; /* borrowed from the manifest */
    uint32_t type;    /* PEG_OPTION_* */
    char *value;
};

#define PLUGIN_FINGERPRINT_BYTES 32

/** One plugin of a generation. */
struct plugin {
    const struct config_plugin *config; /* name, limits, filters */
    uint32_t id;                        /* in the inbox */
    struct inbox_plugin stored;         /* as it was when registered */
    struct snapshot snapshot;
    struct manifest manifest;
    char **events; /* what it gets: borrowed from config or manifest */
    size_t event_count;
    struct plugin_option *options;
    size_t option_count;
    /** Of all that reaches its runners: the bytes of its file, options with
     * their values, environment, concurrency, timeout, what confines them
     * and when they are recycled. The same in two generations: its runners
     * go on. */
    unsigned char fingerprint[PLUGIN_FINGERPRINT_BYTES];
};

struct generation {
    atomic_uint holders;
    unsigned number; /* never given twice in one inbox; 0 until committed */
    struct config *config;
    struct plugin *plugins; /* the enabled ones */
    size_t plugin_count;
};

/**
 * Make a generation: snapshot every enabled plugin, load it in a throw-away
 * runner, and check options and events against what it declares.
 *
 * @param config  taken over on success only; one with mistakes, which the
 *                report holds already, is looked through for more of them
 * @param dir     where snapshots go
 * @param stop_fd when readable, give up; -1 for none
 * @param report  gets every mistake, with file and line
 * @param out     set on success only; end with generation_drop()
 * @return RC_OK, RC_INVALID when the report holds errors, RC_CLOSED when told
 *         to give up, RC_IO, RC_NOMEM
 */
int generation_make(struct generation **out, struct config *config,
                    const char *dir, int stop_fd, struct config_report *report);

/**
 * Record it in the inbox as the one that serves, and give it and its plugins
 * their numbers, in one transaction.
 *
 * @param record  what is recorded; its `number` is set
 */
int generation_enrol(struct generation *generation, struct inbox *inbox,
                     struct inbox_generation *record, struct error *err);

/** Record once more one that serves, after another was, or may have been,
 * enrolled in vain. It keeps the number it had; its record gets a new one. */
int generation_restore(const struct generation *generation, struct inbox *inbox,
                       struct inbox_generation *record, struct error *err);

/** One more holder. Returns `generation`. */
struct generation *generation_hold(struct generation *generation);

/** One holder less; the last frees it, with its configuration. Whoever makes a
 * generation holds it. From any thread. Accepts NULL. */
void generation_drop(struct generation *generation);

/** Whether the runners of one may go on as runners of the other. */
int plugin_is_same(const struct plugin *a, const struct plugin *b);

/** The plugin of that name, or NULL. */
const struct plugin *generation_find(const struct generation *generation,
                                     const char *name);

/**
 * Who gets an event.
 *
 * @param ids  room for generation->plugin_count ids
 * @return how many were written
 */
size_t generation_route(const struct generation *generation,
                        const struct config_endpoint *endpoint,
                        const char *type, int livemode, uint32_t *ids);

/** Whether one plugin gets an event, as far as that plugin's own filters say.
 */
int generation_passes(const struct plugin *plugin, const char *endpoint,
                      const char *type, int livemode);

/** Whether the endpoint takes events of that mode at all; others are stored and
 * go to nobody. */
int generation_mode_passes(const struct config_endpoint *endpoint,
                           int livemode);

/** The plugin with that number, or NULL. */
const struct plugin *generation_plugin(const struct generation *generation,
                                       uint32_t id);

#endif
