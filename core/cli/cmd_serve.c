/* core/cli/cmd_serve.c: `pegboard serve`: the daemon.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "config/config.h"
#include "daemon.h"

int
cmd_serve(const struct args *args)
{
    const char *path = args_value(args, "config");
    if (path == NULL) {
        path = config_default_path();
    }
    if (path == NULL) {
        return command_error(
            EXIT_CONFIG, "no configuration: name one with -c FILE "
                         "(etc/minimal.ini is a start)");
    }
    struct daemon_settings settings = {
        .config_path = path,
        .quiet = args_count(args, "quiet") > 0,
        .verbose = args_count(args, "verbose") > 0,
    };
    return daemon_run(&settings);
}
