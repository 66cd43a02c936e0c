/* core/http/door.c: who may speak to the admin port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/door.h"

#include "admin/problem.h"
#include "clock.h"
#include "error.h"

#include <civetweb.h>

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Wrong tokens in a minute. */
#define TRIES_MAX 10
#define TRIES_MS  60000

void
door_init(struct door *door)
{
    memset(door, 0, sizeof(*door));
    pthread_mutex_init(&door->lock, NULL);
}

void
door_fini(struct door *door)
{
    OPENSSL_cleanse(door->token, sizeof(door->token));
    pthread_mutex_destroy(&door->lock);
}

const char *
door_header(const struct mg_connection *conn, const char *name)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    const char *value = NULL;
    for (int i = 0; i < info->num_headers; i++) {
        if (strcasecmp(info->http_headers[i].name, name) == 0) {
            value = value == NULL ? info->http_headers[i].value : "";
        }
    }
    return value;
}

/* Whether `host` is "127.0.0.x:PORT" or "localhost:PORT", PORT being ours. A
 * page on the web may make its own name lead to us, but it cannot choose what
 * the browser says here. */
static int
host_is_ours(const struct door *door, const char *host)
{
    char name[64];
    struct in_addr address;
    const char *colon = strchr(host, ':');
    char port[8];
    snprintf(port, sizeof(port), "%u", door->port);
    if (colon == NULL || strcmp(colon + 1, port) != 0 ||
        (size_t)(colon - host) >= sizeof(name)) {
        return 0;
    }
    memcpy(name, host, (size_t)(colon - host));
    name[colon - host] = '\0';
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET, name, &address) == 1 &&
            ntohl(address.s_addr) >> 8 == 0x7f0000);
}

int
door_check_origin(const struct door *door, struct mg_connection *conn,
                  struct problem *problem)
{
    const char *host = door_header(conn, "Host");
    const char *origin = door_header(conn, "Origin");
    const char *site = door_header(conn, "Sec-Fetch-Site");
    size_t scheme = strlen("http://");
    if (host == NULL || !host_is_ours(door, host)) {
        problem_set(problem, PROBLEM_HOST,
                    "the Host must be 127.0.0.1 or localhost, with the port");
        problem_hint(problem, "this port is at %s", door->url);
        return RC_INVALID;
    }
    if ((origin != NULL && (strncmp(origin, "http://", scheme) != 0 ||
                            !host_is_ours(door, origin + scheme))) ||
        (site != NULL && strcmp(site, "same-origin") != 0 &&
         strcmp(site, "none") != 0)) {
        return problem_set(problem, PROBLEM_ORIGIN,
                           "another site may not ask this");
    }
    return RC_OK;
}

/* Count a wrong token; whether there were too many. */
static int
too_many_tries(struct door *door)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&door->lock);
    if (now_ms >= door->tries_end_ms) {
        door->tries = 0;
        door->tries_end_ms = now_ms + TRIES_MS;
    }
    int many = door->tries >= TRIES_MAX;
    door->tries += !many;
    pthread_mutex_unlock(&door->lock);
    return many;
}

int
door_check_token(struct door *door, struct mg_connection *conn,
                 struct problem *problem)
{
    const char *value = door_header(conn, "Authorization");
    size_t scheme = strlen("Bearer ");
    if (value != NULL && strncasecmp(value, "Bearer ", scheme) == 0 &&
        token_matches(door->token, value + scheme)) {
        return RC_OK;
    }
    if (value != NULL && too_many_tries(door)) {
        return problem_set(problem, PROBLEM_TRIES,
                           "%d wrong tokens within a minute", TRIES_MAX);
    }
    problem_set(problem, PROBLEM_UNAUTHORIZED,
                value == NULL ? "send Authorization: Bearer TOKEN"
                              : "this is not the token");
    problem_hint(problem, "it is in the file operator.token in state_dir");
    return RC_INVALID;
}
