/* core/plugin/durable.c: bytes that are still there after a power cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
durable_write(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return fsync(fd);
}

int
durable_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return failed ? -1 : 0;
}
