/* core/notify.c: telling the service manager how we are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include "clock.h"
#include "error.h"
#include "log.h"
#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINES_MAX 512

/* Signs of life are given twice as often as they are wanted, and no faster. */
#define WATCHDOG_LEAST_MS 10

/* A datagram socket connected to `name`, or -1. "@name" has no file. */
static int
connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    if (len < 2 || len >= sizeof(address.sun_path) ||
        (name[0] != '/' && name[0] != '@')) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, size) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* How often a sign of life is due; 0 when none is wanted, or not from us. */
static int64_t
watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    int64_t number;
    if (usec == NULL || value_parse_int(usec, &number) != RC_OK ||
        number <= 0) {
        return 0;
    }
    int64_t every_ms = number / 1000 / 2;
    if (pid != NULL &&
        (value_parse_int(pid, &number) != RC_OK || number != getpid())) {
        return 0;
    }
    return every_ms > WATCHDOG_LEAST_MS ? every_ms : WATCHDOG_LEAST_MS;
}

void
notify_init(struct notify *notify)
{
    *notify = (struct notify){.socket = -1};
    const char *name = getenv("NOTIFY_SOCKET");
    if (name != NULL) {
        notify->socket = connect_to(name);
        if (notify->socket >= 0) {
            notify->watchdog_ms = watchdog_ms();
        } else {
            log_write(LOG_WARN, "daemon", "cannot reach the service manager",
                      "errno=%d action=go_on_without", errno);
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void
notify_send(const struct notify *notify, const char *fmt, ...)
{
    if (notify->socket < 0) {
        return;
    }
    char lines[LINES_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(lines, sizeof(lines), fmt, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof(lines)) {
        (void)send(notify->socket, lines, (size_t)len, MSG_NOSIGNAL);
    }
}

/* Send `before` and a status. An error's text in it may hold anything, and what
 * is not UTF-8, as after a cut, systemd ignores. */
__attribute__((format(printf, 3, 0))) static void
send_status(const struct notify *notify, const char *before, const char *fmt,
            va_list args)
{
    char text[NOTIFY_STATUS_MAX + 1];
    vsnprintf(text, sizeof(text), fmt, args);
    for (char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = *c == '\n' ? ' ' : '?';
        }
    }
    notify_send(notify, "%sSTATUS=%s", before, text);
}

void
notify_status(const struct notify *notify, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    send_status(notify, "", fmt, args);
    va_end(args);
}

void
notify_ready(const struct notify *notify, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    send_status(notify, "READY=1\n", fmt, args);
    va_end(args);
}

void
notify_reloading(const struct notify *notify)
{
    notify_send(notify,
                "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reloading",
                clock_mono_us());
}

int64_t
notify_turn(struct notify *notify, int is_live)
{
    if (notify->watchdog_ms == 0) {
        return INT64_MAX;
    }
    int64_t now_ms = clock_mono_ms();
    if (notify->next_ms <= now_ms) {
        if (is_live) {
            notify_send(notify, "WATCHDOG=1");
        }
        notify->next_ms = now_ms + notify->watchdog_ms;
    }
    return notify->next_ms;
}

void
notify_fini(struct notify *notify)
{
    if (notify->socket >= 0) {
        close(notify->socket);
    }
}
