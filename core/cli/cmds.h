/* core/cli/cmds.h: the commands, one file each.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CMDS_H
#define CORE_CMDS_H

#include "command.h"

/* Each returns an exit code; the table commands.c names them. */

int cmd_serve(const struct args *args);

int cmd_dev(const struct args *args);
extern const struct flag dev_flags[];

int cmd_check(const struct args *args);
extern const struct flag check_flags[];

int cmd_try(const struct args *args);
extern const struct flag try_flags[];

int cmd_plugins_list(const struct args *args);
int cmd_plugins_inspect(const struct args *args);

int cmd_help(const struct args *args);
int cmd_version(const struct args *args);

int cmd_trigger(const struct args *args);
extern const struct flag trigger_flags[];

int cmd_verify(const struct args *args);
extern const struct flag verify_flags[];

int cmd_secret(const struct args *args);
extern const struct flag secret_flags[];

#endif
