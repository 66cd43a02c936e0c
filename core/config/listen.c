/* core/config/listen.c: addresses: where to listen, and whom to believe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "error.h"
#include "value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PROXIES_MAX 64 /* each request is compared with all of them */

static int
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "443s" is how CivetWeb's own option asks for TLS. */
static int
asks_for_tls(const char *item)
{
    size_t len = strlen(item);
    return begins(item, "https:") || begins(item, "tls:") ||
           begins(item, "ssl:") ||
           (len > 1 && item[len - 1] == 's' &&
            isdigit((unsigned char)item[len - 2]));
}

/* What is asked for that cannot be had, and what to do; NULL if nothing. */
static const char *
unsupported(const char *item)
{
    const char *colon = strchr(item, ':');
    if (begins(item, "unix:") || item[0] == '/' || item[0] == '@') {
        return "Unix sockets are not supported; listen on IPv4, as "
               "127.0.0.1:4242";
    }
    if (asks_for_tls(item)) {
        return "TLS ends in front of pegboard: listen on a plain address, as "
               "127.0.0.1:4242, and see etc/nginx.conf";
    }
    if (begins(item, "http:")) {
        return "write address:port only, as 127.0.0.1:4242";
    }
    if (item[0] == '[' || (colon != NULL && strchr(colon + 1, ':') != NULL)) {
        return "only IPv4 is supported, not IPv6; let a proxy in front listen "
               "there, see etc/nginx.conf";
    }
    if (colon == item || begins(item, "*:")) {
        return "for every address write 0.0.0.0:PORT";
    }
    if (colon == NULL) {
        return "write address and port, as 127.0.0.1:4242";
    }
    return NULL;
}

/* Returns what is wrong with it, or NULL when `out` is set. */
static const char *
parse_address(const char *item, struct sockaddr_in *out)
{
    const char *why = unsupported(item);
    if (why != NULL) {
        return why;
    }
    const char *colon = strchr(item, ':');
    char host[INET_ADDRSTRLEN];
    size_t len = (size_t)(colon - item);
    if (len >= sizeof(host)) {
        return "write an IPv4 address; host names are not looked up";
    }
    memcpy(host, item, len);
    host[len] = '\0';

    struct sockaddr_in address = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return "write an IPv4 address; host names are not looked up";
    }
    int64_t port;
    if (value_parse_int(colon + 1, &port) != RC_OK || port < 0 ||
        port > UINT16_MAX) {
        return "a port is 0 to 65535 (0: any free one)";
    }
    address.sin_port = htons((uint16_t)port);
    *out = address;
    return NULL;
}

/* Both cannot be bound: the same, or one is every address of the machine. */
static int
collide(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port == b->sin_port && a->sin_port != 0 &&
           (a->sin_addr.s_addr == b->sin_addr.s_addr ||
            a->sin_addr.s_addr == INADDR_ANY ||
            b->sin_addr.s_addr == INADDR_ANY);
}

static void
add_listen(const struct value *value, const char *item)
{
    struct config *config = value->target;
    struct sockaddr_in address;
    const char *why = parse_address(item, &address);
    if (why != NULL) {
        value_error(value, "cannot listen on \"%.64s\": %s", item, why);
        return;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        if (collide(&config->listen[i], &address)) {
            value_error(value,
                        "%.64s is covered twice; take one of the addresses out",
                        item);
            return;
        }
    }
    if (config->listen_count == CONFIG_LISTEN_MAX) {
        value_error(value, "more than %d addresses; listen on 0.0.0.0:PORT",
                    CONFIG_LISTEN_MAX);
        return;
    }
    config->listen[config->listen_count++] = address;
}

void
read_listen(const struct value *value)
{
    if (value->text[0] == '\0') {
        value_error(value, "has no value; write an address, as 127.0.0.1:4242");
        return;
    }
    struct list list;
    list_open(&list, value);
    const char *item;
    while ((item = list_next(&list)) != NULL) {
        add_listen(value, item);
    }
    list_close(&list);
}

/* Its token crosses the wire in clear: loopback only. */
void
read_admin_listen(const struct value *value)
{
    struct config *config = value->target;
    struct sockaddr_in address;
    const char *why = strchr(value->text, ',') != NULL
                          ? "there is one address for the admin API"
                          : parse_address(value->text, &address);
    if (why != NULL) {
        value_error(value, "cannot listen on \"%.64s\": %s", value->text, why);
    } else if (ntohl(address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) {
        value_error(value,
                    "%.64s is not on this machine alone; write an address of "
                    "127.0.0.0/8, and reach it through ssh -L",
                    value->text);
    } else {
        config->admin = address;
        config->admin_is_default = value->is_default;
    }
}

static void
add_proxy(const struct value *value, const char *item)
{
    struct config *config = value->target;
    struct in_addr address;
    if (inet_pton(AF_INET, item, &address) != 1) {
        value_error(value,
                    "\"%.64s\" is not an IPv4 address; write single addresses, "
                    "as 127.0.0.1 (no names, no networks)",
                    item);
    } else if (config->trusted_proxy_count == PROXIES_MAX) {
        value_error(value, "more than %d addresses", PROXIES_MAX);
    } else {
        config->trusted_proxies[config->trusted_proxy_count++] = address;
    }
}

/* A blank value is good: nobody is believed. */
void
read_trusted_proxies(const struct value *value)
{
    struct config *config = value->target;
    config->trusted_proxies = build_check(
        value->build, calloc(PROXIES_MAX, sizeof(*config->trusted_proxies)));
    if (config->trusted_proxies == NULL) {
        return;
    }
    struct list list;
    list_open(&list, value);
    const char *item;
    while ((item = list_next(&list)) != NULL) {
        add_proxy(value, item);
    }
    list_close(&list);
}
