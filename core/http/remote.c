/* core/http/remote.c: who sent a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/remote.h"

#include "config/config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int
is_trusted_proxy(const struct config *config, const char *address)
{
    struct in_addr in;
    if (inet_pton(AF_INET, address, &in) != 1) {
        return 0;
    }
    for (size_t i = 0; i < config->trusted_proxy_count; i++) {
        if (config->trusted_proxies[i].s_addr == in.s_addr) {
            return 1;
        }
    }
    return 0;
}

void
remote_find(const struct config *config, const char *peer, const char *list,
            char *out, size_t size)
{
    snprintf(out, size, "%s", peer);
    size_t end = list != NULL ? strlen(list) : 0;
    while (end > 0 && is_trusted_proxy(config, out)) {
        size_t start = end;
        while (start > 0 && list[start - 1] != ',') {
            start--;
        }
        const char *item = list + start;
        size_t len = end - start;
        while (len > 0 && (*item == ' ' || *item == '\t')) {
            item++;
            len--;
        }
        while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t')) {
            len--;
        }
        if (len == 0 || len >= size) {
            return;
        }
        snprintf(out, size, "%.*s", (int)len, item);
        end = start > 0 ? start - 1 : 0;
    }
}
