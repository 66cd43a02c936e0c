/* tests/plugins/poison.c: dies of events that are poison, and writes down all
 * others. SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POISON_ID "pi_poison"

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "where to write"},
};

static int
is_poison(const peg_event *ev)
{
    peg_str id, mark;
    return peg_get_str(ev, "data.object.metadata.poison", &mark) == PEG_OK ||
           (peg_get_str(ev, "data.object.id", &id) == PEG_OK &&
            strncmp(id.ptr, POISON_ID, strlen(POISON_ID)) == 0);
}

/* Lines are "ID ATTEMPT". */
static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str file, id;
    int64_t attempt;
    char line[512];
    if (is_poison(ev)) {
        peg_warn(ctx, "this tastes odd");
        raise(SIGSEGV);
    }
    if (peg_option_str(ctx, "file", &file) != PEG_OK ||
        peg_meta_str(ev, PEG_META_ID, &id) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK) {
        peg_reason(ev, "an option or a fact is missing");
        return PEG_FAIL;
    }
    int len = snprintf(line, sizeof(line), "%s %" PRId64 "\n", id.ptr, attempt);
    int fd = open(file.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ssize_t written = fd < 0 ? -1 : write(fd, line, (size_t)len);
    if (fd >= 0) {
        close(fd);
    }
    if (written != len) {
        peg_reason(ev, "%s: %s", file.ptr, strerror(errno));
        return PEG_RETRY;
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "poison", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
