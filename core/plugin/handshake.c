/* core/plugin/handshake.c: the frames of a runner's start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/handshake.h"

#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/probe.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <signal.h>
#include <sys/wait.h>

static int
refused(struct wire_frame *frame, struct error *err)
{
    size_t len;
    uint32_t stage = wire_get_u32(&frame->payload);
    const char *why = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) != RC_OK) {
        return error_set(err, RC_INVALID, "the runner spoke nonsense");
    }
    (void)stage; /* the text says it */
    return error_set(err, RC_INVALID, "%s", why);
}

int
handshake_manifest(struct wire_frame *frame, struct manifest *out,
                   struct error *err)
{
    if (frame->header.type == WIRE_REFUSED) {
        return refused(frame, err);
    }
    if (frame->header.type != WIRE_MANIFEST) {
        return error_set(err, RC_INVALID, "the runner spoke nonsense");
    }
    int rc = manifest_get(&frame->payload, out);
    return rc == RC_OK ? rc
                       : error_set(err, rc, "the descriptor is unreadable");
}

int
handshake_init(struct runner *runner, const struct plugin *plugin)
{
    wire_begin(&runner->frame, WIRE_INIT, 0);
    wire_put_u32(&runner->frame, (uint32_t)plugin->option_count);
    for (size_t i = 0; i < plugin->option_count; i++) {
        wire_put_cstr(&runner->frame, plugin->options[i].name);
        wire_put_u32(&runner->frame, plugin->options[i].type);
        wire_put_cstr(&runner->frame, plugin->options[i].value);
    }
    return runner_send(runner);
}

int
handshake_ready(struct wire_frame *frame, struct error *err)
{
    if (frame->header.type == WIRE_REFUSED) {
        return refused(frame, err);
    }
    if (frame->header.type != WIRE_READY ||
        wire_done(&frame->payload) != RC_OK) {
        return error_set(err, RC_INVALID, "the runner spoke nonsense");
    }
    return RC_OK;
}

void
handshake_log(struct wire_frame *frame, const char *plugin)
{
    size_t len;
    struct log_value text;
    uint32_t level = wire_get_u32(&frame->payload);
    const char *line = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) == RC_OK) {
        log_write(level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level,
                  "plugin", "says", "plugin=%s text=%s", plugin,
                  log_quote(&text, line, len));
    }
}

/* What its author can do about it; SIGKILL is not of the plugin's making. */
static const char *
hint_at_end(int status)
{
    if (WIFEXITED(status)) {
        return ": return instead of exit()";
    }
    return WTERMSIG(status) == SIGKILL ? ""
                                       : " (pegboard try on its file tells "
                                         "more)";
}

int
handshake_explain(enum handshake_fault fault, const char *doing, int status,
                  struct error *err)
{
    char end[64];
    switch (fault) {
    case HANDSHAKE_LATE:
        return error_set(err, RC_INVALID,
                         "%s takes more than %d s: leave slow work to "
                         "handle(), or to a thread of its own",
                         doing, PROBE_TIMEOUT_MS / 1000);
    case HANDSHAKE_NONSENSE:
        return error_set(err, RC_INVALID,
                         "%s: the runner spoke nonsense (does the plugin "
                         "write to descriptor 3?)",
                         doing);
    case HANDSHAKE_CLOSED:
        return error_set(err, RC_INVALID, "%s: the runner closed its socket",
                         doing);
    case HANDSHAKE_ENDED:
        break;
    }
    runner_describe_end(status, end, sizeof(end));
    return error_set(err, RC_INVALID, "%s ends the process: %s%s", doing, end,
                     hint_at_end(status));
}
