/* core/http/halt.h: ending a CivetWeb context without its delay.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HALT_H
#define CORE_HALT_H

struct mg_context;
struct sockaddr_in;

/** As mg_stop(). @param address  where it listens */
void halt_civetweb(struct mg_context *context,
                   const struct sockaddr_in *address);

#endif
