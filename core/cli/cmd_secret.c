/* core/cli/cmd_secret.c: `pegboard secret`: a fresh signing secret.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "error.h"
#include "stripe/signature.h"

#define SECRET_ROOM 40 /* what signature_new_secret() writes, and a newline */

const struct flag secret_flags[] = {
    {"file", 0, "PATH", "write it to a new file that only you can read"},
    {NULL, 0, NULL, NULL},
};

/* One short write to a new file either takes everything or fails. */
static int
write_new_file(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST) {
            return command_error(EXIT_REFUSED,
                                 "%s is there already; a secret in use is "
                                 "never overwritten",
                                 path);
        }
        return command_error(EXIT_FAILED, "cannot create %s: %s", path,
                             strerror(errno));
    }
    size_t len = strlen(line);
    int failed = write(fd, line, len) != (ssize_t)len || fsync(fd) != 0;
    int errnum = errno;
    failed |= close(fd) != 0;
    if (failed) {
        unlink(path);
        return command_error(EXIT_FAILED, "cannot write %s: %s", path,
                             strerror(errnum));
    }
    return EXIT_OK;
}

int
cmd_secret(const struct args *args)
{
    char line[SECRET_ROOM];
    struct error err;
    if (signature_new_secret(line, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    strcat(line, "\n");
    const char *path = args_value(args, "file");
    int code = EXIT_OK;
    if (path == NULL) {
        fputs(line, stdout);
    } else {
        code = write_new_file(path, line);
        if (code == EXIT_OK && args_count(args, "quiet") == 0) {
            fprintf(stderr, "wrote a new secret to %s\n", path);
        }
    }
    explicit_bzero(line, sizeof(line));
    return code;
}
