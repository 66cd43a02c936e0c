/* core/http/watchdog.h: ends bodies that drip in.
 *
 * CivetWeb's time-out starts anew with every byte, so that a sender of one byte
 * every few seconds would keep a thread for ever, and it gives no access to the
 * socket. The watchdog finds the socket by its two addresses while its reader
 * is known to be waiting, and shuts it down for reading; the reader then sees a
 * short body.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WATCHDOG_H
#define CORE_WATCHDOG_H

#include <netinet/in.h>
#include <stdint.h>

struct error;
struct watchdog; /* opaque */

/** One read that is watched; on the reader's stack. */
struct watch {
    struct watch *next, **at; /* private */
    struct in_addr peer;
    uint16_t peer_port, local_port; /* host byte order */
    int64_t deadline_ms;            /* monotonic */
    int fired;                      /* out: it was shut down */
};

int watchdog_start(struct watchdog **out, struct error *err);
void watchdog_stop(struct watchdog *dog); /* accepts NULL */

/** Begin: the caller's thread is the one that reads from that connection. */
void watchdog_begin(struct watchdog *dog, struct watch *watch);

/** End. Until this returns the connection must not be closed. */
void watchdog_end(struct watchdog *dog, struct watch *watch);

#endif
