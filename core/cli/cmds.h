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

int cmd_new(const struct args *args);
extern const struct flag new_flags[];

int cmd_try(const struct args *args);
extern const struct flag try_flags[];

int cmd_events_list(const struct args *args);
extern const struct flag events_list_flags[];

int cmd_events_show(const struct args *args);
extern const struct flag events_show_flags[];

int cmd_events_tail(const struct args *args);
extern const struct flag events_tail_flags[];

int cmd_events_export(const struct args *args);
extern const struct flag events_export_flags[];

int cmd_dead(const struct args *args);
extern const struct flag dead_flags[];

int cmd_replay(const struct args *args);
extern const struct flag replay_flags[];

int cmd_discard(const struct args *args);
extern const struct flag discard_flags[];

int cmd_jobs_list(const struct args *args);
int cmd_jobs_show(const struct args *args);
int cmd_jobs_cancel(const struct args *args);
extern const struct flag jobs_flags[]; /* of all three */

int cmd_plugins_list(const struct args *args);
int cmd_plugins_inspect(const struct args *args);
int cmd_plugins_show(const struct args *args);
int cmd_plugins_pause(const struct args *args);
int cmd_plugins_resume(const struct args *args);
extern const struct flag plugins_pause_flags[];
extern const struct flag plugins_flags[]; /* of show and resume */

int cmd_reload(const struct args *args);
extern const struct flag reload_flags[];

int cmd_rollback(const struct args *args);
extern const struct flag rollback_flags[];

int cmd_status(const struct args *args);
extern const struct flag status_flags[];

int cmd_help(const struct args *args);
int cmd_version(const struct args *args);

int cmd_trigger(const struct args *args);
extern const struct flag trigger_flags[];

int cmd_verify(const struct args *args);
extern const struct flag verify_flags[];

int cmd_secret(const struct args *args);
extern const struct flag secret_flags[];

#endif
