/* tests/plugins/does.c: does what its option says, and tells what came of it:
 * for each VERB:ARGUMENT "ok", or the name of an error, or a number.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const peg_option options[] = {
    {"do", PEG_OPTION_LIST, PEG_OPTION_REQUIRED, NULL, "VERB:ARGUMENT, ..."},
};

/* All of these return 0 or an errno value, but those that tell a number. */

static int
close_after(int fd)
{
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

static int
do_read(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, &byte, 1) < 0 && errno != EISDIR) {
        int saved = errno;
        close(fd);
        return saved;
    }
    return close_after(fd);
}

static int
do_write(const char *path)
{
    return close_after(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
do_truncate(const char *path)
{
    return truncate(path, 0) == 0 ? 0 : errno;
}

static int
do_connect(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int errnum =
        connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
    close(fd);
    return errnum;
}

static int
do_socket(const char *family)
{
    int number = strcmp(family, "unix") == 0 ? AF_UNIX : AF_INET;
    return close_after(socket(number, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int
do_pair(const char *unused)
{
    (void)unused;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    close(pair[0]);
    return close_after(pair[1]);
}

static int
do_fork(const char *unused)
{
    (void)unused;
    int status;
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return errno;
    }
    return status;
}

/* A program of the system, with its exit status. */
static int
do_run(const char *command)
{
    int status = system(command);
    return status < 0 ? errno : WEXITSTATUS(status) == 0 ? 0 : EACCES;
}

static int
do_malloc(const char *mebibytes)
{
    size_t size = (size_t)atoi(mebibytes) << 20;
    char *memory = malloc(size);
    if (memory == NULL) {
        return errno;
    }
    memset(memory, 1, size);
    free(memory);
    return 0;
}

static int
do_files(const char *count)
{
    int opened[1024], n = 0, errnum = 0;
    while (n < atoi(count) && n < 1024 && errnum == 0) {
        int fd = dup(0);
        errnum = fd < 0 ? errno : 0;
        if (fd >= 0) {
            opened[n++] = fd;
        }
    }
    while (n > 0) {
        close(opened[--n]);
    }
    return errnum;
}

static int
do_large(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    signal(SIGXFSZ, SIG_IGN);
    int errnum = pwrite(fd, "x", 1, 2 << 20) == 1 ? 0 : errno;
    close(fd);
    return errnum;
}

static int
do_kill(const char *whom)
{
    pid_t pid = strcmp(whom, "all") == 0    ? -1
                : strcmp(whom, "self") == 0 ? getpid()
                                            : getppid();
    return kill(pid, 0) == 0 ? 0 : errno;
}

static int
do_look_up(const char *name)
{
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(name, NULL, NULL, &found);
    if (rc == 0) {
        freeaddrinfo(found);
    }
    return rc == 0 ? 0 : EHOSTUNREACH;
}

static int
do_ids(const char *which)
{
    uid_t r, e, s;
    gid_t groups[1];
    if (strcmp(which, "groups") == 0) {
        return getgroups(0, groups);
    }
    int failed = strcmp(which, "gid") == 0 ? getresgid(&r, &e, &s)
                                           : getresuid(&r, &e, &s);
    return failed == 0 && r == e && e == s ? (int)r : -1;
}

static const struct {
    const char *verb;
    int (*function)(const char *argument);
    int is_number; /* what it returns */
} verbs[] = {
    {"read", do_read, 0},       {"write", do_write, 0},
    {"connect", do_connect, 0}, {"socket", do_socket, 0},
    {"pair", do_pair, 0},       {"fork", do_fork, 0},
    {"run", do_run, 0},         {"malloc", do_malloc, 0},
    {"files", do_files, 0},     {"large", do_large, 0},
    {"kill", do_kill, 0},       {"look_up", do_look_up, 0},
    {"ids", do_ids, 1},         {"truncate", do_truncate, 0},
};

static void
tell(char *text, size_t size, int is_number, int result)
{
    size_t len = strlen(text);
    const char *gap = len > 0 ? " " : "";
    const char *name = result == 0 ? "ok" : strerrorname_np(result);
    if (is_number || name == NULL) {
        snprintf(text + len, size - len, "%s%d", gap, result);
    } else {
        snprintf(text + len, size - len, "%s%s", gap, name);
    }
}

static void
do_one(const char *item, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        size_t len = strlen(verbs[i].verb);
        if (strncmp(item, verbs[i].verb, len) == 0 && item[len] == ':') {
            tell(text, size, verbs[i].is_number,
                 verbs[i].function(item + len + 1));
            return;
        }
    }
    tell(text, size, 1, -1);
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    char text[PEG_TEXT_MAX] = "";
    peg_str item;
    for (uint32_t i = 0; peg_option_item(ctx, "do", i, &item) == PEG_OK; i++) {
        do_one(item.ptr, text, sizeof(text));
    }
    peg_reason(ev, "%s", text);
    return PEG_FAIL;
}

PEG_PLUGIN(.name = "does", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
