/* tests/plugins/clockshim.c: no plugin but a library for LD_PRELOAD: the wall
 * clock of a process, set from outside while it runs.
 *
 * $PEGBOARD_CLOCK names a file of 8 bytes, the offset in milliseconds as an
 * int64_t; it is mapped once, and read at each call. The other clocks, and the
 * wall clock without that variable, are as always.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static volatile const int64_t *offset_ms;

/* A call that comes before this constructor gets the true time. */
__attribute__((constructor)) static void
map_offset(void)
{
    const char *path = getenv("PEGBOARD_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof(*offset_ms), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        offset_ms = map;
    }
}

static int
is_wall(clockid_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

EXPORT int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);
    if (rc == 0 && is_wall(id) && offset_ms != NULL) {
        int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec +
                     *offset_ms * 1000000;
        ts->tv_sec = (time_t)(ns / 1000000000);
        ts->tv_nsec = (long)(ns % 1000000000);
    }
    return rc;
}

EXPORT time_t
time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL) {
        *out = ts.tv_sec;
    }
    return ts.tv_sec;
}

EXPORT int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
