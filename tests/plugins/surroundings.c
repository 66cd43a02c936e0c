/* tests/plugins/surroundings.c: tells what it finds around it: its environment,
 * and the descriptors that are open.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <fcntl.h>
#include <string.h>

extern char **environ;

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    char text[PEG_TEXT_MAX] = "env:";
    for (char **at = environ; *at != NULL; at++) {
        strncat(text, " ", sizeof(text) - strlen(text) - 1);
        strncat(text, *at, sizeof(text) - strlen(text) - 1);
    }
    int open = 0;
    for (int fd = 0; fd < 256; fd++) {
        open += fcntl(fd, F_GETFD) >= 0;
    }
    peg_reason(ev, "%s; open: %d", text, open);
    return PEG_FAIL;
}

PEG_PLUGIN(.name = "surroundings", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
