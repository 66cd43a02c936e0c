/* core/notify.h: telling the service manager how we are.
 *
 * systemd's protocol: datagrams of KEY=VALUE lines to the socket that the
 * environment names. Without one nothing is sent. It is small and stable enough
 * to need no library.
 * Source: sd_notify(3), sections "Well-known assignments" and "Notes".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

#include <stdint.h>

struct notify {
    int socket;          /* -1: nobody listens */
    int64_t watchdog_ms; /* a sign of life is due this often; 0: none is */
    int64_t next_ms;     /* monotonic: the next one */
};

/** Read what the service manager wants from the environment, and take it out
 * of there. What cannot be used is logged and ignored. */
void notify_init(struct notify *notify);

/* Whatever sends never blocks, and may be called from any thread between
 * notify_init() and notify_fini(); what cannot be sent is lost. */

/** Send lines such as "STOPPING=1\nEXTEND_TIMEOUT_USEC=1". */
void notify_send(const struct notify *notify, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** How we are, in one line of ASCII for people, cut at NOTIFY_STATUS_MAX. */
#define NOTIFY_STATUS_MAX 160
void notify_status(const struct notify *notify, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** We serve: after the start, and after every reload, however it ended. With a
 * status, as notify_status(). */
void notify_ready(const struct notify *notify, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** A reload begins; notify_ready() ends it. */
void notify_reloading(const struct notify *notify);

/** Give a sign of life if one is due and we live.
 * @return monotonic time of the next; INT64_MAX for none */
int64_t notify_turn(struct notify *notify, int is_live);

void notify_fini(struct notify *notify);

#endif
