/* core/http/sockets.c: CivetWeb's sockets, found among our descriptors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/sockets.h"

#include <dirent.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

int
sockets_each(sockets_fn *fn, void *arg)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;
    if (dir == NULL) {
        return -1;
    }
    while ((entry = readdir(dir)) != NULL) {
        count += fn(arg, atoi(entry->d_name)); /* "." gives 0: no socket */
    }
    closedir(dir);
    return count;
}

static int
is_local(int fd, const struct sockaddr_in *address)
{
    struct sockaddr_in local;
    socklen_t len = sizeof(local);
    return getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
           local.sin_family == AF_INET && local.sin_port == address->sin_port &&
           (local.sin_addr.s_addr == address->sin_addr.s_addr ||
            address->sin_addr.s_addr == htonl(INADDR_ANY));
}

static int
is_listening(int fd)
{
    int is = 0;
    socklen_t len = sizeof(is);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &len) == 0 && is;
}

static int
is_open_at(void *arg, int fd)
{
    return is_local(fd, arg) && !is_listening(fd);
}

int
sockets_open_at(const struct sockaddr_in *address)
{
    struct sockaddr_in at = *address;
    return sockets_each(is_open_at, &at);
}

static int
shut_down(void *arg, int fd)
{
    return is_open_at(arg, fd) && shutdown(fd, SHUT_RD) == 0;
}

void
sockets_end_at(const struct sockaddr_in *address)
{
    struct sockaddr_in at = *address;
    (void)sockets_each(shut_down, &at); /* if not, they end by themselves */
}

struct search {
    struct sockaddr_in address;
    int found; /* -1: not yet */
};

static int
find_listening(void *arg, int fd)
{
    struct search *search = arg;
    int is_it = is_local(fd, &search->address) && is_listening(fd);
    if (is_it) {
        search->found = fd;
    }
    return is_it;
}

int
sockets_listening_at(const struct sockaddr_in *address)
{
    struct search search = {.address = *address, .found = -1};
    sockets_each(find_listening, &search);
    return search.found;
}

/* Where a segment has its flags. */
#define FLAGS_AT 13

void
sockets_refuse(int fd)
{
    struct sock_filter no_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),          /* dropped */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* taken whole */
    };
    const struct sock_fprog filter = {.len = sizeof(no_syn) / sizeof(no_syn[0]),
                                      .filter = no_syn};
    /* A kernel that cannot do it has a moment in which a connection may be
     * reset before it was served, as at every end of a server. */
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

unsigned
sockets_waiting(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0
               ? info.tcpi_unacked /* of one that listens: its queue */
               : 0;
}
