/* core/reload/change_host.c: what all changes of one reload share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/change.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int
change_host_init(struct change_host *host,
                 const struct reload_settings *settings, struct error *err)
{
    *host = (struct change_host){.settings = settings};
    struct epoll_event event = {.events = EPOLLIN};
    host->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    host->give_up_fd = epoll_create1(EPOLL_CLOEXEC);
    host->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (host->stop_fd < 0 || host->timer_fd < 0 || host->give_up_fd < 0 ||
        host->news_fd < 0 ||
        epoll_ctl(host->give_up_fd, EPOLL_CTL_ADD, host->stop_fd, &event) !=
            0 ||
        epoll_ctl(host->give_up_fd, EPOLL_CTL_ADD, host->timer_fd, &event) !=
            0) {
        return error_errno(err, RC_IO, errno, "reload: no descriptors");
    }
    return RC_OK;
}

void
change_host_stop(struct change_host *host)
{
    uint64_t one = 1;
    (void)!write(host->stop_fd, &one, sizeof(one));
}

void
change_host_fini(struct change_host *host)
{
    const int fds[] = {host->stop_fd, host->timer_fd, host->give_up_fd,
                       host->news_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}
