/* core/http/admin.h: the admin port: a CivetWeb context of its own, on
 * loopback.
 *
 * Every request but GET /livez, /readyz and /healthz without detail needs
 * `Authorization: Bearer` with the token, a Host of ours (a web page cannot
 * have it: DNS rebinding), and, if there is one, an Origin of ours; unsafe
 * methods need JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HTTP_ADMIN_H
#define CORE_HTTP_ADMIN_H

#include "http/server.h"

struct admin; /* opaque */
struct api;
struct config;
struct error;

struct admin_settings {
    const struct config *config; /* borrowed until admin_start() returns */
    struct api *api;             /* borrowed */
    server_health_fn *is_live, *is_ready;
    void *health_arg;
};

/** Listen at config->admin; if that is the default and taken, at any free port.
 * Publishes its address in the state folder.
 * @return RC_OK, RC_IO, RC_NOMEM */
int admin_start(struct admin **out, const struct admin_settings *settings,
                struct error *err);

/** "http://127.0.0.1:4243" */
const char *admin_url(const struct admin *admin);

/** End streams, close the listener, and free all. Accepts NULL. */
void admin_stop(struct admin *admin);

#endif
