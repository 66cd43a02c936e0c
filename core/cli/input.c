/* core/cli/input.c: files and secrets that a command line names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/secret.h"
#include "error.h"

#define FIRST_ROOM 16384

static int
no_memory(struct error *err)
{
    return error_set(err, RC_NOMEM, "input: out of memory");
}

static int
read_stream(FILE *from, const char *path, size_t max, char **bytes, size_t *len,
            struct error *err)
{
    char *text = NULL;
    size_t room = 0;
    size_t got = 0;
    for (;;) {
        if (got + 1 >= room) { /* the last byte is for the NUL */
            room = room == 0 ? FIRST_ROOM : room * 2;
            char *larger = realloc(text, room);
            if (larger == NULL) {
                free(text);
                return no_memory(err);
            }
            text = larger;
        }
        size_t n = fread(text + got, 1, room - 1 - got, from);
        got += n;
        if (got > max) {
            free(text);
            return error_set(err, RC_FULL, "%.200s is over %zu bytes", path,
                             max);
        }
        if (n == 0) {
            break;
        }
    }
    if (ferror(from)) {
        free(text);
        return error_errno(err, RC_IO, errno, "cannot read %.200s", path);
    }
    text[got] = '\0';
    *bytes = text;
    *len = got;
    return RC_OK;
}

int
input_read(const char *path, size_t max, char **bytes, size_t *len,
           struct error *err)
{
    if (strcmp(path, "-") == 0) {
        return read_stream(stdin, "standard input", max, bytes, len, err);
    }
    FILE *from = fopen(path, "re");
    if (from == NULL) {
        return error_errno(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno,
                           "cannot open %.200s", path);
    }
    int rc = read_stream(from, path, max, bytes, len, err);
    fclose(from);
    return rc;
}

/* From standard input, whose last line ends as lines do. */
static int
read_stdin_secret(struct secret *secret, struct error *err)
{
    char *text;
    size_t len;
    int rc = input_read("-", SECRET_MAX, &text, &len, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (len > 0 && text[len - 1] == '\n') {
        text[len - 1] = '\0';
    }
    rc = secret_read(secret, text, ".", err);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

int
input_secret(struct secret *secret, const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        return read_stdin_secret(secret, err);
    }
    char *reference;
    if (asprintf(&reference, "file:%s", path) < 0) {
        return no_memory(err);
    }
    int rc = secret_read(secret, reference, ".", err);
    free(reference);
    return rc;
}
