/* core/http/door.h: who may speak to the admin port.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DOOR_H
#define CORE_DOOR_H

#include "admin/token.h"

#include <pthread.h>
#include <stdint.h>

struct mg_connection;
struct problem;

struct door {
    char token[TOKEN_MAX];
    const char *url; /* of the port, for hints; borrowed */
    unsigned port;
    pthread_mutex_t lock;
    unsigned tries;       /* wrong tokens in the minute; guarded by lock */
    int64_t tries_end_ms; /* of the minute; guarded by lock */
};

void door_init(struct door *door);

/** Cleanses the token. */
void door_fini(struct door *door);

/** The value of a header that may be there once: NULL when absent, "" when
 * there are several. */
const char *door_header(const struct mg_connection *conn, const char *name);

/** Whether Host, and Origin if there is one, are ours.
 * @return RC_OK, or RC_INVALID with a problem */
int door_check_origin(const struct door *door, struct mg_connection *conn,
                      struct problem *problem);

/** Whether the request has the token. Who has it is never locked out by one
 * who guesses.
 * @return RC_OK, or RC_INVALID with a problem */
int door_check_token(struct door *door, struct mg_connection *conn,
                     struct problem *problem);

#endif
