/* core/runner/steps.h: says which of the plugin's functions ended the process,
 * when `try` runs it without a daemon that would notice.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STEPS_H
#define CORE_STEPS_H

/**
 * From now on a deadly signal and exit() are explained on stderr. Handlers that
 * are there already, such as a sanitizer's, are left alone; and a debugger gets
 * the signal first.
 */
void steps_watch(void);

/** The plugin is called now; `function` must stay: "init()". */
void steps_enter(const char *function);

/** It came back. */
void steps_leave(void);

#endif
