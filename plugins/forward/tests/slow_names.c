/* plugins/forward/tests/slow_names.c: not a plugin: preloaded by a test, so
 * that the name server knows no name that begins with "no-", knows those that
 * begin with "late-" when glibc has given up the server before it, and is
 * silent else. SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define SILENT_S 20
#define LATE_US  5200000L /* RES_TIMEOUT, and a little */

typedef int lookup(const char *, const char *, const struct addrinfo *,
                   struct addrinfo **);

__attribute__((visibility("default"))) int
getaddrinfo(const char *restrict name, const char *restrict service,
            const struct addrinfo *restrict hints,
            struct addrinfo **restrict out)
{
    if (strncmp(name, "no-", 3) == 0) {
        return EAI_NONAME;
    }
    if (strncmp(name, "late-", 5) == 0) {
        usleep(LATE_US);
        lookup *real;
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real("127.0.0.1", service, hints, out);
    }
    sleep(SILENT_S);
    return EAI_AGAIN;
}
