/* core/http/listener.c: the addresses at which the webhook port listens.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/listener.h"

#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "log.h"

#include <stdlib.h>
#include <time.h>

/* How often it is looked whether a listener is idle. */
#define LOOK_MS 10

/* What has come to listeners that are taken back at once gets so long. */
#define UNDO_MS 6000

/* ---- One listener --------------------------------------------------- */

static int
is_at(const struct listener *listener, const struct sockaddr_in *address)
{
    const struct sockaddr_in *asked = &listener->asked,
                             *real = &listener->civet.address;
    return address->sin_addr.s_addr == asked->sin_addr.s_addr &&
           (address->sin_port == asked->sin_port ||
            address->sin_port == real->sin_port);
}

/* Both cannot be bound: one is every address of the machine. */
static int
is_in_the_way(const struct listener *listener,
              const struct sockaddr_in *address)
{
    const struct sockaddr_in *real = &listener->civet.address;
    return address->sin_port == real->sin_port &&
           (address->sin_addr.s_addr == htonl(INADDR_ANY) ||
            real->sin_addr.s_addr == htonl(INADDR_ANY));
}

static int
open_listener(struct listener **out, const struct listeners *listeners,
              const struct sockaddr_in *address, struct error *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    const struct civet_settings settings = {
        .address = *address,
        .threads = listeners->threads,
        .timeout_ms = listeners->timeout_ms,
        .module = "http",
        .advice = "is another program, or another pegboard, using the port? "
                  "choose one with `listen`, in dev with --listen",
        .on_request = listeners->on_request,
        .on_error = listeners->on_error,
        .owner = listener,
    };
    if (listener == NULL) {
        return error_set(err, RC_NOMEM, "http: out of memory");
    }
    listener->server = listeners->server;
    listener->asked = *address;
    int rc = civet_start(&listener->civet, &settings, err);
    if (rc != RC_OK) {
        free(listener);
        return rc;
    }
    *out = listener;
    return RC_OK;
}

static void
close_listener(struct listener *listener)
{
    civet_stop(&listener->civet);
    free(listener);
}

/* ---- The list ------------------------------------------------------- */

void
listeners_init(struct listeners *listeners)
{
    pthread_mutex_init(&listeners->lock, NULL);
    listeners->first = NULL;
}

static void
append(struct listener **list, struct listener *listener)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    listener->next = NULL;
    *list = listener;
}

/* The first at that address that is not wanted yet: twice 127.0.0.1:0 is two
 * listeners. */
static struct listener *
find_unwanted(struct listener *list, const struct sockaddr_in *address)
{
    while (list != NULL && (list->is_wanted || !is_at(list, address))) {
        list = list->next;
    }
    return list;
}

/* Which listener is at which address of the configuration; NULL for none. */
static void
match(struct listeners *listeners, const struct config *config,
      struct listener *at[CONFIG_LISTEN_MAX])
{
    for (struct listener *l = listeners->first; l != NULL; l = l->next) {
        l->is_wanted = 0;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        at[i] = find_unwanted(listeners->first, &config->listen[i]);
        if (at[i] != NULL) {
            at[i]->is_wanted = 1;
        }
    }
}

/* Put the list in the order of the configuration. Returns the first of those
 * that it does not want: they stand behind. */
static struct listener *
sort(struct listeners *listeners, const struct config *config)
{
    struct listener *at[CONFIG_LISTEN_MAX];
    struct listener *wanted = NULL, *rest = NULL, *next;
    match(listeners, config, at);
    pthread_mutex_lock(&listeners->lock);
    for (struct listener *l = listeners->first; l != NULL; l = next) {
        next = l->next;
        if (!l->is_wanted) {
            append(&rest, l);
        }
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        if (at[i] != NULL) {
            append(&wanted, at[i]);
        }
    }
    struct listener **end = &wanted;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = rest;
    listeners->first = wanted;
    pthread_mutex_unlock(&listeners->lock);
    return rest;
}

struct sockaddr_in
listeners_first(struct listeners *listeners)
{
    pthread_mutex_lock(&listeners->lock);
    struct sockaddr_in address = listeners->first->civet.address;
    pthread_mutex_unlock(&listeners->lock);
    return address;
}

int
listeners_in_work(struct listeners *listeners)
{
    int sum = 0;
    pthread_mutex_lock(&listeners->lock);
    for (struct listener *l = listeners->first; l != NULL; l = l->next) {
        sum += atomic_load(&l->in_work);
    }
    pthread_mutex_unlock(&listeners->lock);
    return sum;
}

/* ---- Less ----------------------------------------------------------- */

/* Nothing that is under way would be cut off. */
static int
is_idle(const struct listener *listener, const atomic_int *hurry)
{
    return atomic_load(&listener->in_work) == 0 &&
           ((hurry != NULL && atomic_load(hurry)) ||
            civet_is_idle(&listener->civet));
}

static int
are_idle(const struct listener *list, const atomic_int *hurry)
{
    while (list != NULL && is_idle(list, hurry)) {
        list = list->next;
    }
    return list == NULL;
}

static void
log_cut(const struct listener *listener)
{
    char where[CIVET_ADDRESS_MAX];
    log_write(LOG_WARN, "http", "listener closed in use",
              "address=%s connections=%d requests=%d action=cut",
              civet_address(&listener->civet.address, where),
              atomic_load(&listener->civet.connections),
              atomic_load(&listener->in_work));
}

/* Take the end of the list away, from `first` on. */
static void
retire(struct listeners *listeners, struct listener *first, int64_t wait_ms,
       const atomic_int *hurry)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    int64_t end_ms = clock_mono_ms() + wait_ms;
    struct listener *next;
    for (struct listener *l = first; l != NULL; l = l->next) {
        atomic_store(&l->draining, 1);
        civet_deafen(&l->civet, end_ms - clock_mono_ms());
    }
    while (!are_idle(first, hurry) && clock_mono_ms() < end_ms &&
           (hurry == NULL || atomic_load(hurry) < 2)) {
        nanosleep(&pause, NULL);
    }

    pthread_mutex_lock(&listeners->lock);
    struct listener **end = &listeners->first;
    while (*end != first) {
        end = &(*end)->next;
    }
    *end = NULL;
    pthread_mutex_unlock(&listeners->lock);
    for (struct listener *l = first; l != NULL; l = next) {
        next = l->next;
        if (!is_idle(l, hurry)) {
            log_cut(l);
        }
        close_listener(l);
    }
}

void
listeners_narrow(struct listeners *listeners, const struct config *config,
                 int64_t wait_ms, const atomic_int *hurry)
{
    struct listener *rest = sort(listeners, config);
    if (rest != NULL) {
        retire(listeners, rest, wait_ms, hurry);
    }
}

void
listeners_fini(struct listeners *listeners)
{
    struct listener *next;
    for (struct listener *l = listeners->first; l != NULL; l = next) {
        next = l->next;
        close_listener(l);
    }
    listeners->first = NULL;
    pthread_mutex_destroy(&listeners->lock);
}

/* ---- More ----------------------------------------------------------- */

/* CivetWeb binds by itself and cannot be given a socket, so that no two
 * listeners overlap, not even for a moment. */
static int
check_way(const struct listeners *listeners, const struct sockaddr_in *address,
          struct error *err)
{
    char where[CIVET_ADDRESS_MAX], taken[CIVET_ADDRESS_MAX];
    for (struct listener *l = listeners->first; l != NULL; l = l->next) {
        if (is_in_the_way(l, address)) {
            return error_set(
                err, RC_IO,
                "http: cannot listen on %s while listening on %s: the port is "
                "taken until that one is closed, and then nobody would be "
                "there (choose another port too, or restart)",
                civet_address(address, where),
                civet_address(&l->civet.address, taken));
        }
    }
    return RC_OK;
}

int
listeners_widen(struct listeners *listeners, const struct config *config,
                struct error *err)
{
    struct listener *at[CONFIG_LISTEN_MAX], *added = NULL;
    int rc = RC_OK;
    match(listeners, config, at);
    for (size_t i = 0; i < config->listen_count && rc == RC_OK; i++) {
        if (at[i] != NULL) {
            continue;
        }
        struct listener *one = NULL;
        rc = check_way(listeners, &config->listen[i], err);
        if (rc == RC_OK) {
            rc = open_listener(&one, listeners, &config->listen[i], err);
        }
        if (rc == RC_OK) {
            pthread_mutex_lock(&listeners->lock);
            append(&listeners->first, one);
            pthread_mutex_unlock(&listeners->lock);
            added = added != NULL ? added : one;
        }
    }
    if (rc != RC_OK && added != NULL) {
        retire(listeners, added, UNDO_MS, NULL);
    }
    return rc;
}
