/* core/cli/cmd_serve.c: `pegboard serve`: the daemon.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "daemon.h"

int
cmd_serve(const struct args *args)
{
    const char *path = args_config_path(args);
    if (path == NULL) {
        return EXIT_CONFIG;
    }
    struct daemon_settings settings = {
        .config_path = path,
        .quiet = args_count(args, "quiet") > 0,
        .verbose = args_count(args, "verbose") > 0,
    };
    return daemon_run(&settings);
}
