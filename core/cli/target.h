/* core/cli/target.h: where test events are posted, and what signs them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include "config/secret.h"

#include <stdint.h>

struct args;
struct config;
struct config_endpoint;

/** Tolerance of an endpoint that nothing is known of. */
#define TARGET_TOLERANCE_S 300

/** Zero it to start; end with target_fini(). */
struct target {
    char *url;
    struct secret secret;
    int64_t tolerance_s;
};

/**
 * Find both from --url, --endpoint, --secret-file, and for what these leave
 * open the configuration. Mistakes are printed.
 *
 * @param offline  nothing will be posted: no URL is needed, and without any
 *                 secret a new one is made, which is said on stderr
 * @return 0, or the exit code to leave with
 */
int target_find(struct target *target, const struct args *args, int offline);

void target_fini(struct target *target);

/** The endpoint that --endpoint names, or the first. Mistakes are printed.
 * @return 0, or the exit code to leave with */
int target_endpoint(const struct args *args, const struct config *config,
                    const struct config_endpoint **out);

#endif
