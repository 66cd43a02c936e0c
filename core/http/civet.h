/* core/http/civet.h: one CivetWeb context at one address, with what both ports
 * have in common: its settings, its log, and an end that loses nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CIVET_H
#define CORE_CIVET_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct mg_connection;
struct mg_context;

struct civet_settings {
    struct sockaddr_in address; /* port 0: any free one */
    int64_t threads;            /* of its own: one for each connection */
    int64_t timeout_ms;         /* between two bytes of a request */
    const char *module;         /* for texts: "http"; static */
    const char *advice;         /* when the address cannot be had */
    int (*on_request)(struct mg_connection *conn);
    int (*on_error)(struct mg_connection *conn, int status, const char *text);
    void *owner; /* for civet_owner() */
};

struct civet {
    struct mg_context *context; /* NULL: not started */
    struct sockaddr_in address; /* with its real port */
    void *owner;
    atomic_int connections; /* open ones that have a thread */
    int listening;          /* CivetWeb's socket; then, when is_deaf, ... */
    int quiet;              /* ... this, an eventfd, stands in its place */
    int is_deaf;
};

/**
 * Listen and serve. `civet` must stay where it is until civet_stop().
 *
 * @return RC_OK; RC_IO (the text says which address), RC_NOMEM, and then there
 *         is nothing to stop
 */
int civet_start(struct civet *civet, const struct civet_settings *settings,
                struct error *err);

/** Who has the context that a connection belongs to. */
void *civet_owner(const struct mg_connection *conn);

/**
 * Accept no more connections; returns when that is so. Those that there are
 * live on. Whoever comes now is refused by the kernel.
 *
 * @param wait_ms  how long one that has come may wait to be accepted
 */
void civet_deafen(struct civet *civet, int64_t wait_ms);

/** Whether no connection is open, after civet_deafen(). */
int civet_is_idle(const struct civet *civet);

/** End its threads. What is not answered then will not be. Once is enough;
 * accepts one that was not started. */
void civet_stop(struct civet *civet);

/** Room for "255.255.255.255:65535". */
#define CIVET_ADDRESS_MAX 24

/** "127.0.0.1:4242". Returns `room`. */
const char *civet_address(const struct sockaddr_in *address,
                          char room[CIVET_ADDRESS_MAX]);

#endif
