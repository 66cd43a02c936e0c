/* plugins/publish/tests/slow_names.c: not a plugin: preloaded by a test, so
 * that the name server is silent.
 * SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <unistd.h>

#define SILENT_S 30

__attribute__((visibility("default"))) int
getaddrinfo(const char *restrict name, const char *restrict service,
            const struct addrinfo *restrict hints,
            struct addrinfo **restrict out)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)out;
    sleep(SILENT_S);
    return EAI_AGAIN;
}
