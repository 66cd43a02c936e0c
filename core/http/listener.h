/* core/http/listener.h: the addresses at which the webhook port listens, each
 * with a CivetWeb context and threads of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include "http/civet.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct config;
struct error;
struct server;

struct listener {
    struct listener *next;
    struct server *server;
    struct sockaddr_in asked; /* as configured: port 0 may be any */
    struct civet civet;       /* its real address, and its connections */
    atomic_int in_work;       /* requests being answered */
    atomic_int draining;      /* every answer ends its connection */
    int is_wanted;            /* by the configuration that is looked at */
};

/** Of one server. Changed by one thread at a time, looked at by any. */
struct listeners {
    pthread_mutex_t lock;   /* of the list */
    struct listener *first; /* in the order of the configuration */
    struct server *server;  /* of all of them */
    int64_t threads;        /* of each */
    int64_t timeout_ms;
    int (*on_request)(struct mg_connection *conn);
    int (*on_error)(struct mg_connection *conn, int status, const char *text);
};

/** The rest of `listeners` is set by the caller. */
void listeners_init(struct listeners *listeners);

/** Add those of config->listen that are not there yet. The same address is the
 * same listener, and keeps the port that port 0 has become.
 * @return RC_OK; RC_IO, RC_NOMEM, and then nothing has changed */
int listeners_widen(struct listeners *listeners, const struct config *config,
                    struct error *err);

/**
 * Take those away that are not in config->listen: they accept no more, and end
 * when no connection is left.
 *
 * @param wait_ms  ... or when this is over
 * @param hurry    when it becomes 1, idle connections are not waited for; with
 *                 2 nothing is; NULL for never
 */
void listeners_narrow(struct listeners *listeners, const struct config *config,
                      int64_t wait_ms, const atomic_int *hurry);

/** The real address of the first one. */
struct sockaddr_in listeners_first(struct listeners *listeners);

/** Requests being answered, by all. */
int listeners_in_work(struct listeners *listeners);

/** End all, whatever they do. */
void listeners_fini(struct listeners *listeners);

#endif
