/* core/http/checkup.h: GET /livez, /readyz and /healthz of the admin port.
 *
 * /healthz is /readyz by another name. With ?verbose each part has a line:
 *
 *   [+] store ok
 *   [-] plugin receipts failing: init(): database down; next try in 4 s
 *   readyz check passed
 *
 * A plugin that fails is said, but does not make us unready.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CHECKUP_H
#define CORE_CHECKUP_H

#include "http/server.h"

struct api;
struct mg_connection;
struct request;

struct checkup {
    server_health_fn *is_live, *is_ready;
    void *arg;
    struct api *api; /* for the lines; borrowed */
};

/** Whether a request is about health. */
int checkup_is_meant(const struct request *request);

/** Whether it is, and shows no more than everybody may see. */
int checkup_is_open(const struct mg_connection *conn,
                    const struct request *request);

/** Answer one that is about health. */
void checkup_serve(const struct checkup *checkup, struct mg_connection *conn,
                   const struct request *request);

#endif
