/* sdk/testing/kit.h: what the files of the test kit share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SDK_KIT_H
#define SDK_KIT_H

#include "error.h"
#include "plugin/manifest.h"
#include "runner/host.h"
#include "runner/sample.h"
#include "runner/scratch.h"
#include "runner/shelf.h"

#include <pegboard/testing.h>
#include <pthread.h>

#define KIT_FACTS_MAX 16 /* more than there are PEG_META_* */

struct kit_line {
    int32_t level;
    char *text; /* owned */
};

enum kit_state {
    KIT_REFUSED = 0, /* the descriptor is bad */
    KIT_OPEN = 1,
    KIT_READY = 2,
    KIT_OVER = 3, /* init() failed, or shutdown() was called */
};

struct pegt_host {
    struct host host;         /* first: its log_arg and ask_arg are this */
    struct peg_plugin plugin; /* the judged copy */
    struct manifest manifest;
    enum kit_state state;
    struct error err;

    struct sample sample;       /* the event at hand; no body: there is none */
    char *facts[KIT_FACTS_MAX]; /* texts that the test set, by PEG_META_* */

    int64_t now_us;  /* the test's clock */
    int64_t step_ms; /* for each look at it */
    int64_t timeout_ms;

    unsigned scratch_calls, scratch_fail; /* countdown; 0 for none */
    unsigned store_fail;
    struct shelf shelf;
    struct scratch shown; /* what pegt_store_get() gave */

    struct host_verdict verdict;
    peg_handle_fn *function; /* in work */
    int32_t verdict_code;    /* what pegt_call() returned */
    int32_t returned;
    int64_t took_us;

    pthread_mutex_t lock; /* guards the lines: plugin threads log */
    struct kit_line *lines;
    size_t line_count;
};

/** Note why a call is refused. @return PEGT_REFUSED */
int kit_refuse(pegt_host *host, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Forget the last refusal, and refuse if the host is not in that state. */
int kit_expect(pegt_host *host, enum kit_state state);

/** For what must not fail: abort when `memory` is NULL. @return memory */
void *kit_need(void *memory);

/** Give each option a value that has none, or refuse. */
int kit_complete_options(pegt_host *host);

/** A host_log_fn. */
void kit_log(void *arg, int32_t level, const char *text, size_t len);

/** The last error line, "" for none. Valid until the next line. */
const char *kit_last_error(pegt_host *host);

/** A store_ask_fn. */
int kit_ask(void *arg, const char *key, size_t key_len, struct scratch *scratch,
            struct store_value *out);

/** Whether a key that the handler read is another by now. */
int kit_store_changed(pegt_host *host);

/** From here on clock_mono_ms() is that host's; NULL for none.
 * @return whose it was */
pegt_host *kit_clock_of(pegt_host *host);

/** The host whose handler runs on this thread. */
pegt_host *kit_running(void);

#endif
