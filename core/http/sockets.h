/* core/http/sockets.h: CivetWeb's sockets, found among our descriptors, for it
 * gives no access to them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SOCKETS_H
#define CORE_SOCKETS_H

#include <netinet/in.h>

/** Looks at a descriptor that may be a socket. @return 1 if it is meant */
typedef int sockets_fn(void *arg, int fd);

/** Show `fn` every descriptor of ours.
 * @return how many it meant; -1 when they cannot be listed, as when we are out
 *         of descriptors */
int sockets_each(sockets_fn *fn, void *arg);

/** Connections that are open at an address, also those that wait for a thread;
 * with INADDR_ANY, at all with that port.
 * @return -1 when that cannot be told */
int sockets_open_at(const struct sockaddr_in *address);

/** Shut them down for reading: who waits for a request sees its end. */
void sockets_end_at(const struct sockaddr_in *address);

/** The socket that listens at exactly this address, or -1. */
int sockets_listening_at(const struct sockaddr_in *address);

/** Let a socket that listens get no connection more, without losing one that it
 * got: no handshake begins, and those that have begun may end. */
void sockets_refuse(int fd);

/** Connections of a socket that listens that wait to be accepted. */
unsigned sockets_waiting(int fd);

#endif
