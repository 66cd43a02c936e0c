/* core/http/server.h: the webhook port.
 *
 * The one place that knows CivetWeb, with its settings chosen for a webhook
 * receiver and its own pages and leniencies taken away (see README.md here).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVER_H
#define CORE_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct config;
struct serving;
struct inbox;
struct server; /* opaque */

/** Longest request line and headers together. */
#define SERVER_HEAD_MAX 16384

/** What /livez and /readyz ask. */
typedef int server_health_fn(void *arg);

struct server_settings {
    struct serving *serving;    /* borrowed; somebody serves in it */
    struct inbox *inbox;        /* borrowed */
    server_health_fn *is_live;  /* do the loops turn? */
    server_health_fn *is_ready; /* would a post be stored? */
    void *health_arg;
};

/**
 * Listen and serve.
 *
 * @param out  set on success only; the caller owns it: server_stop()
 * @return RC_OK, RC_IO (an address cannot be bound: the text says which),
 *         RC_NOMEM
 */
int server_start(struct server **out, const struct server_settings *settings,
                 struct error *err);

/** "http://127.0.0.1:4242", of the first listener, with the real port. Returns
 * `room`. From any thread. */
#define SERVER_URL_MAX 64
const char *server_url(struct server *server, char room[SERVER_URL_MAX]);

/**
 * Listen also where `config` says and we do not yet: these serve at once, what
 * the others serve. From one thread at a time.
 *
 * @return RC_OK; RC_IO when an address cannot be bound (the text says which),
 *         RC_NOMEM: then nothing has changed
 */
int server_widen(struct server *server, const struct config *config,
                 struct error *err);

/** Listen only where `config` says: the others accept no more, finish what is
 * in work, within `wait_ms`, and close. Returns when they have. As
 * server_widen(). */
void server_narrow(struct server *server, const struct config *config,
                   int64_t wait_ms);

/** Answer 503 to everything new from now on. Accepts NULL. */
void server_refuse(struct server *server);

/** After server_refuse(): wait no more for requests in work, in
 * server_narrow(). Accepts NULL. */
void server_hurry(struct server *server);

/** Requests being answered. CivetWeb loses answers that are not out when
 * server_stop() is called, so after server_refuse() wait for 0. NULL has 0. */
int server_in_work(struct server *server);

/** Close the listeners and free all. Accepts NULL. */
void server_stop(struct server *server);

#endif
