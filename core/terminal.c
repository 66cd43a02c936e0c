/* core/terminal.c: whether our terminal is still there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* The kernel takes it from the whole session before it sends SIGHUP. */
static int
is_there(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    close(fd);
    return 1;
}

void
terminal_find(struct terminal *terminal)
{
    struct sigaction action;
    terminal->is_ours = sigaction(SIGHUP, NULL, &action) == 0 &&
                        action.sa_handler != SIG_IGN && is_there();
}

int
terminal_is_gone(const struct terminal *terminal)
{
    return terminal->is_ours && !is_there();
}
