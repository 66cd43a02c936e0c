/* core/plugin/held.c: is somebody writing a file?
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/held.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

/* The kernel gives a read lease only while nobody has the file open for
 * writing. Who opens it while we have the lease waits until we give it back,
 * which is at once, and makes the kernel send us a signal: SIGIO unless another
 * is chosen, of which a process dies; SIGURG it does not notice.
 * Source: fcntl(2), sections "Leases" and "Signal-driven I/O". */
int
held_for_writing(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) != 0) {
        return 0;
    }
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) {
        return errno == EAGAIN;
    }
    fcntl(fd, F_SETLEASE, F_UNLCK); /* closing would do it as well */
    return 0;
}
