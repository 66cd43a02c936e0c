/* core/plugin/probe.h: what is in a plugin's file, learned in a process that
 * may die of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROBE_H
#define CORE_PROBE_H

#include "plugin/manifest.h"

struct config_plugin;
struct error;
struct runner;

/** Time for loading a file, and again for init(). */
#define PROBE_TIMEOUT_MS 10000

/**
 * Load the .so at `path` in a runner of its own and read its descriptor; then
 * end that runner.
 *
 * @param config   for the name and environment of the runner
 * @param stop_fd  when readable, give up; -1 for none
 * @param out      set on success only; end with manifest_fini()
 * @return RC_OK; RC_INVALID when the file is no plugin of ours, crashes or
 *         hangs while it is loaded; RC_CLOSED when told to give up; RC_IO,
 *         RC_NOMEM
 */
int probe_load(const struct config_plugin *config, const char *path,
               int stop_fd, struct manifest *out, struct error *err);

/**
 * Why runner_await() brought no frame, and what that says about the plugin.
 * Ends the runner.
 *
 * @param rc     what it returned
 * @param doing  what the runner was at: "init()"
 * @return RC_INVALID, RC_CLOSED (given up) or RC_NOMEM
 */
int probe_explain(struct runner *runner, int rc, const char *doing,
                  struct error *err);

#endif
