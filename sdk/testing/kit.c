/* sdk/testing/kit.c: a host for one plugin, from pegt_open() to pegt_close().
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include "runner/descriptor.h"
#include "stripe/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 30000 /* the daemon's default */

int
kit_refuse(pegt_host *host, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(host->err.text, sizeof(host->err.text), fmt, args);
    va_end(args);
    return PEGT_REFUSED;
}

int
kit_expect(pegt_host *host, enum kit_state state)
{
    if (host->state == KIT_REFUSED) {
        return PEGT_REFUSED; /* and what pegt_open() said stands */
    }
    host->err.text[0] = '\0';
    if (host->state == state) {
        return PEGT_OK;
    }
    switch (host->state) {
    case KIT_OPEN:
        return kit_refuse(host, "call pegt_init() first");
    case KIT_READY:
        return kit_refuse(host, "too late: pegt_init() was called");
    case KIT_REFUSED:
    case KIT_OVER:
        break;
    }
    return kit_refuse(host, "too late: init() failed, or pegt_shutdown() was "
                            "called");
}

void *
kit_need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "pegboard-testing: out of memory\n");
        abort();
    }
    return memory;
}

/* ---- Life ----------------------------------------------------------- */

pegt_host *
pegt_open(const struct peg_plugin *plugin)
{
    pegt_host *host = kit_need(calloc(1, sizeof(*host)));
    pthread_mutex_init(&host->lock, NULL);
    host_init(&host->host, kit_log, kit_ask, host);
    host->timeout_ms = TIMEOUT_MS;
    host->verdict.delay_ms = -1;
    if (plugin == NULL) {
        kit_refuse(host, "no descriptor: pass &pegboard_plugin_v1");
        return host;
    }
    if (descriptor_judge(&host->plugin, plugin, 0, &host->err) == RC_OK &&
        descriptor_manifest(&host->manifest, &host->plugin, &host->err) ==
            RC_OK) {
        host->state = KIT_OPEN;
    }
    return host;
}

int
pegt_init(pegt_host *host)
{
    if (kit_expect(host, KIT_OPEN) != PEGT_OK ||
        kit_complete_options(host) != PEGT_OK) {
        return PEGT_REFUSED;
    }
    host->state = KIT_OVER;
    int32_t code =
        host->plugin.init == NULL ? 0 : host->plugin.init(&host->host.ctx);
    if (code != 0) {
        const char *why = kit_last_error(host);
        return kit_refuse(host, "init() returned %d: %s", code,
                          why[0] == '\0' ? "it did not say why: use peg_error()"
                                         : why);
    }
    host->state = KIT_READY;
    return PEGT_OK;
}

int
pegt_self_test(pegt_host *host)
{
    if (kit_expect(host, KIT_READY) != PEGT_OK) {
        return PEGT_REFUSED;
    }
    int32_t code = host->plugin.self_test == NULL
                       ? 0
                       : host->plugin.self_test(&host->host.ctx);
    return code == 0 ? PEGT_OK
                     : kit_refuse(host, "self_test() returned %d: %s", code,
                                  kit_last_error(host));
}

void
pegt_shutdown(pegt_host *host)
{
    if (host->state == KIT_READY) {
        host->state = KIT_OVER;
        if (host->plugin.shutdown != NULL) {
            host->plugin.shutdown(&host->host.ctx);
        }
    }
}

void
pegt_close(pegt_host *host)
{
    if (host == NULL) {
        return;
    }
    pegt_shutdown(host);
    pegt_log_clear(host);
    sample_fini(&host->sample);
    for (size_t i = 0; i < KIT_FACTS_MAX; i++) {
        free(host->facts[i]);
    }
    shelf_fini(&host->shelf);
    scratch_fini(&host->shown);
    manifest_fini(&host->manifest);
    host_fini(&host->host);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

/* ---- Questions ------------------------------------------------------ */

const char *
pegt_error(const pegt_host *host)
{
    return host->err.text;
}

peg_ctx *
pegt_ctx(pegt_host *host)
{
    return &host->host.ctx;
}

int
pegt_wants(pegt_host *host, const char *type)
{
    for (size_t i = 0; i < host->manifest.event_count; i++) {
        if (event_type_matches(host->manifest.events[i], type)) {
            return 1;
        }
    }
    return 0;
}

/* ---- When a test fails ---------------------------------------------- */

void
pegt_dump(pegt_host *host, FILE *out)
{
    static const char *const verdicts[] = {"done", "skip", "retry", "fail"};
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    if (host->err.text[0] != '\0') {
        fprintf(out, "refused: %s\n", host->err.text);
    }
    if (host->function != NULL) {
        fprintf(out, "verdict: %s", verdicts[host->verdict_code]);
        if (host->returned != host->verdict_code) {
            fprintf(out, " (%d was returned)", host->returned);
        }
        if (host->verdict.delay_ms >= 0) {
            fprintf(out, " in %" PRId64 " ms", host->verdict.delay_ms);
        }
        fprintf(out, "%s%s\n", host->verdict.reason_len > 0 ? ": " : "",
                host->verdict.reason);
    }
    for (size_t i = 0; i < pegt_log_count(host); i++) {
        fprintf(out, "%s: %s\n", levels[pegt_log_level(host, i)],
                pegt_log_text(host, i));
    }
}

void
pegt_fail(pegt_host *host, const char *file, int line, const char *condition)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    pegt_dump(host, stderr);
    fflush(stderr);
    abort();
}
