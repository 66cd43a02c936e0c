/* core/runner/host.h: the host's side of pegboard/plugin.h: the functions that
 * a plugin may call, and the calls into the plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "runner/settings.h"
#include "runner/store.h"

#include <pegboard/plugin.h>
#include <stddef.h>
#include <stdint.h>

struct wire_event; /* plugin/wire.h */

/** Longest reason that is passed on; a longer one is cut. */
#define HOST_REASON_MAX 1000

/**
 * Takes a log line of the plugin, from any of its threads.
 *
 * @param text  `len` bytes, at most PEG_TEXT_MAX, without a NUL in them
 */
typedef void host_log_fn(void *arg, int32_t level, const char *text,
                         size_t len);

/** What the plugin sees as its peg_ctx. */
struct host {
    peg_ctx ctx; /* first: a pointer to it is a pointer to the host */
    struct settings settings; /* complete before the plugin is called */
    host_log_fn *log;
    void *log_arg;
    int64_t deadline_ms; /* of the event in work; monotonic */
    struct store store;  /* what it touched, until the next one */
};

/** What one call of handle() came to. */
struct host_verdict {
    int32_t code;     /* as returned: PEG_DONE ..., or anything */
    int64_t delay_ms; /* from peg_retry_after(), or -1 */
    int64_t took_us;
    size_t reason_len;
    char reason[HOST_REASON_MAX + 1];
};

/** @param arg  for `log` and `ask` */
void host_init(struct host *host, host_log_fn *log, store_ask_fn *ask,
               void *arg);
void host_fini(struct host *host);

/**
 * Call handle() with one event. What it wrote to the store counts only when
 * the verdict is PEG_DONE.
 *
 * @param facts  borrowed; its body is text that json_check() accepted, with a
 *               NUL behind it
 */
void host_handle(struct host *host, peg_handle_fn *handle,
                 const struct wire_event *facts, struct host_verdict *out);

#endif
