/* sdk/testing/call.c: a call of the handler, and what the daemon would make of
 * it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* A handler that is overtaken more often has no end. */
#define RUNS_MAX 16

/* What host.c calls here in place of scratch_take(), for peg_scratch() alone:
 * what getters need they get. */
void *kit_scratch_take(struct scratch *scratch, size_t size);

void *
kit_scratch_take(struct scratch *scratch, size_t size)
{
    pegt_host *host = kit_running();
    if (host != NULL) {
        host->scratch_calls++;
        if (host->scratch_fail > 0 && --host->scratch_fail == 0) {
            return NULL;
        }
    }
    return scratch_take(scratch, size);
}

/* ---- The call ------------------------------------------------------- */

static int64_t
real_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A peg_handle_fn: the function in work, with what host.c does not tell. */
static int32_t
observe(peg_ctx *ctx, const peg_event *ev)
{
    pegt_host *host = kit_running();
    int64_t start_us = real_us();
    host->returned = host->function(ctx, ev);
    host->took_us = real_us() - start_us;
    return host->returned;
}

/* Why it is not the verdict that was returned, unless the plugin gave a reason
 * of its own. */
static int32_t retry_because(pegt_host *host, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int32_t
retry_because(pegt_host *host, const char *fmt, ...)
{
    struct host_verdict *verdict = &host->verdict;
    if (verdict->reason_len == 0) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, args);
        va_end(args);
        verdict->reason_len = strlen(verdict->reason);
    }
    return PEG_RETRY;
}

/* One run. @return the verdict; *again when another event was faster */
static int32_t
run(pegt_host *host, int *again)
{
    struct host_verdict *verdict = &host->verdict;
    pegt_host *before = kit_clock_of(host);
    int64_t start_us = host->now_us;
    host_handle(&host->host, observe, &host->sample.facts, verdict);
    kit_clock_of(before);

    *again = 0;
    int64_t passed_ms = (host->now_us - start_us) / 1000;
    if (passed_ms >= host->timeout_ms) {
        verdict->reason_len = 0; /* killed: nobody heard the plugin's */
        verdict->delay_ms = -1;
        return retry_because(host,
                             "timed out: %" PRId64 " ms of %" PRId64 " ms",
                             passed_ms, host->timeout_ms);
    }
    if (verdict->code < PEG_DONE || verdict->code > PEG_FAIL) {
        return retry_because(host, "handle() returned %d, which is no verdict",
                             verdict->code);
    }
    if (verdict->code != PEG_DONE) {
        return verdict->code;
    }
    if (kit_store_changed(host)) {
        *again = 1;
        return retry_because(host, "each time another event had changed what "
                                   "was read from the store");
    }
    if (shelf_keep(&host->shelf, &host->host.store) != RC_OK) {
        return retry_because(host, "the plugin's store is full");
    }
    return PEG_DONE;
}

int32_t
pegt_call(pegt_host *host, peg_handle_fn *function)
{
    if (kit_expect(host, KIT_READY) != PEGT_OK) {
        return PEGT_REFUSED;
    }
    struct wire_event *facts = &host->sample.facts;
    if (host->sample.body == NULL) {
        return kit_refuse(host, "no event yet: call pegt_set_event() first");
    }
    host->function = function;
    host->scratch_calls = 0;
    facts->timeout_ms = host->timeout_ms;

    int again = 1;
    for (int runs = 0; again && runs < RUNS_MAX; runs++) {
        host->verdict_code = run(host, &again);
    }
    facts->attempt += facts->attempt < UINT32_MAX;
    store_clear(&host->host.store);
    return host->verdict_code;
}

int32_t
pegt_handle(pegt_host *host)
{
    return pegt_call(host, host->plugin.handle);
}

/* ---- What it came to ------------------------------------------------ */

int32_t
pegt_returned(const pegt_host *host)
{
    return host->returned;
}

const char *
pegt_reason(const pegt_host *host)
{
    return host->verdict.reason;
}

int64_t
pegt_delay_ms(const pegt_host *host)
{
    return host->verdict.delay_ms;
}

int64_t
pegt_took_us(const pegt_host *host)
{
    return host->took_us;
}

void
pegt_fail_scratch(pegt_host *host, unsigned nth)
{
    host->scratch_fail = nth;
}

unsigned
pegt_scratch_calls(const pegt_host *host)
{
    return host->scratch_calls;
}
