/* core/cli/tryout.h: what `pegboard try` is asked for: the plugin with its
 * section, and the event.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRYOUT_H
#define CORE_TRYOUT_H

#include "script.h"

struct args;
struct config;
struct config_plugin;

#define TRYOUT_EVENT_MAX 4096

struct tryout {
    const char *path;             /* of the plugin's file */
    struct script script;         /* when that is exec, which runs this one */
    struct config *config;        /* NULL: none is needed */
    struct config_plugin *plugin; /* of it */
    char event[TRYOUT_EVENT_MAX]; /* path of the event, or "-" */
};

/**
 * Read the section that is named, or make one of defaults, and find or make the
 * event. Mistakes are printed.
 *
 * @param need_config  also without --config or --section
 * @return 0, or the exit code to leave with; either way tryout_fini() is due
 */
int tryout_open(struct tryout *tryout, const struct args *args,
                int need_config);

void tryout_fini(struct tryout *tryout);

#endif
