/* core/http/remote.h: who sent a request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REMOTE_H
#define CORE_REMOTE_H

#include <stddef.h>

struct config;

/** Room for an address, or for as much of a forged one. */
#define REMOTE_MAX 64

/**
 * The peer, or behind trusted proxies the last address that is not one of them.
 * For the log only: what a header says is not proven.
 *
 * @param peer  address of the connection's other end
 * @param list  the X-Forwarded-For field, or NULL
 * @param out   room for `size` bytes
 */
void remote_find(const struct config *config, const char *peer,
                 const char *list, char *out, size_t size);

#endif
