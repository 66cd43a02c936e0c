/* core/runner/landlock.c: files and ports that plugin code cannot reach.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/landlock.h"

#include "error.h"
#include "plugin/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the kernel's ABI, where the installed headers may be older. */
#define FS_REFER     (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define NET_BIND     (1ULL << 0)  /* ABI 4 */
#define NET_CONNECT  (1ULL << 1)
#define SCOPE_SOCKET (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)
#define RULE_PORT    2

#define ABI_NETWORK 4
#define ABI_SCOPES  6

struct ruleset {
    uint64_t fs, net, scoped;
};

struct port_rule {
    uint64_t access, port;
};

#define FS_FIRST_ABI                                                           \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |              \
     LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |              \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |          \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |              \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |              \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |            \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN  (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define USE  (READ | LANDLOCK_ACCESS_FS_WRITE_FILE)

/* What programs, libraries and name lookups need. */
static const struct {
    const char *path;
    uint64_t access;
} opened[] = {
    {"/usr", RUN},
    {"/bin", RUN},
    {"/sbin", RUN},
    {"/lib", RUN},
    {"/lib32", RUN},
    {"/lib64", RUN},
    {"/etc/ld.so.cache", READ},
    {"/etc/ssl", READ},
    {"/etc/ca-certificates", READ},
    {"/etc/pki/ca-trust", READ},
    {"/etc/pki/tls/certs", READ},
    {"/etc/resolv.conf", READ},
    {"/run/systemd/resolve", READ},
    {"/etc/hosts", READ},
    {"/etc/host.conf", READ},
    {"/etc/nsswitch.conf", READ},
    {"/etc/gai.conf", READ},
    {"/etc/services", READ},
    {"/etc/protocols", READ},
    {"/etc/passwd", READ},
    {"/etc/group", READ},
    {"/etc/localtime", READ},
    {"/etc/timezone", READ},
    {"/etc/locale.alias", READ},
    {"/dev/null", USE},
    {"/dev/zero", USE},
    {"/dev/random", READ},
    {"/dev/urandom", READ},
    {"/proc/self", READ},
    {"/proc/meminfo", READ},
    {"/proc/cpuinfo", READ},
    {"/proc/sys/kernel", READ},
    {"/proc/sys/vm", READ},
    {"/sys/devices/system/cpu", READ},
    {"/sys/kernel/mm/transparent_hugepage", READ},
};

static struct ruleset
choose(int abi, int has_ports)
{
    struct ruleset rules = {.fs = FS_FIRST_ABI};
    rules.fs |= abi >= 2 ? FS_REFER : 0;
    rules.fs |= abi >= 3 ? FS_TRUNCATE : 0;
    rules.fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
    if (has_ports && abi >= ABI_NETWORK) {
        rules.net = NET_BIND | NET_CONNECT;
    }
    if (abi >= ABI_SCOPES) {
        rules.scoped = SCOPE_SOCKET | SCOPE_SIGNAL;
    }
    return rules;
}

static size_t
size_for(int abi)
{
    if (abi >= ABI_SCOPES) {
        return sizeof(struct ruleset);
    }
    return abi >= ABI_NETWORK ? offsetof(struct ruleset, scoped)
                              : offsetof(struct ruleset, net);
}

static void
tell_lacking(int abi, int has_ports, char *lacking, size_t size)
{
    snprintf(lacking, size, "%s%s%s%s", abi < 3 ? "truncation; " : "",
             abi < ABI_NETWORK && has_ports ? "TCP ports; " : "",
             abi < 5 ? "ioctl on devices; " : "",
             abi < ABI_SCOPES ? "signals and abstract sockets; " : "");
    size_t len = strlen(lacking);
    if (len > 2) {
        lacking[len - 2] = '\0';
    }
}

/* Rights that make sense for a file are fewer than those for a folder. */
static int
allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rule.parent_fd = fd;
    long rc = syscall(SYS_landlock_add_rule, ruleset,
                      LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    if (rc != 0 && errno == EINVAL) {
        rule.allowed_access &= LANDLOCK_ACCESS_FS_EXECUTE |
                               LANDLOCK_ACCESS_FS_WRITE_FILE |
                               LANDLOCK_ACCESS_FS_READ_FILE;
        rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
                     &rule, 0);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return rc == 0 ? 0 : -1;
}

static int
allow_all(int ruleset, const struct ruleset *rules,
          const struct confinement *confinement, const char *plugin,
          struct error *err)
{
    for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++) {
        if (allow(ruleset, opened[i].path, opened[i].access) != 0 &&
            errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
            return error_errno(err, RC_IO, errno, "landlock: %s",
                               opened[i].path);
        }
    }
    if (allow(ruleset, plugin, RUN) != 0) {
        return error_errno(err, RC_IO, errno, "landlock: %s", plugin);
    }
    if (confinement->data_dir[0] != '\0' &&
        allow(ruleset, confinement->data_dir, rules->fs) != 0) {
        return error_errno(err, RC_INVALID, errno, "data_dir %s",
                           confinement->data_dir);
    }
    for (uint32_t i = 0; i < confinement->port_count && rules->net != 0; i++) {
        const struct port_rule rule = {.access = NET_CONNECT,
                                       .port = confinement->ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) != 0) {
            return error_errno(err, RC_IO, errno, "landlock: port %u",
                               confinement->ports[i]);
        }
    }
    return RC_OK;
}

int
landlock_deny(const struct confinement *confinement, const char *plugin,
              char *lacking, size_t size, struct error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return error_errno(err, RC_NOT_FOUND, errno, "files (landlock)");
    }
    int has_ports = confinement->port_count > 0;
    struct ruleset rules = choose(abi, has_ports);
    tell_lacking(abi, has_ports, lacking, size);
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &rules, size_for(abi), 0);
    if (ruleset < 0) {
        return error_errno(err, RC_IO, errno, "landlock");
    }
    int rc = allow_all(ruleset, &rules, confinement, plugin, err);
    if (rc == RC_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        rc = error_errno(err, RC_IO, errno, "landlock");
    }
    close(ruleset);
    return rc;
}
