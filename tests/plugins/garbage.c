/* tests/plugins/garbage.c: writes nonsense to each socket it finds in its
 * process. SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    for (int fd = 0; fd < 1024; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) {
            char nonsense[4096];
            memset(nonsense, 0xa5, sizeof(nonsense));
            (void)!write(fd, nonsense, sizeof(nonsense));
        }
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "garbage", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
