/* core/config/secret.c: references to secrets, and what they lead to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/secret.h"

#include "config/paths.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every secret gets this much, so that white space around one of SECRET_MAX
 * bytes can be cut off. */
#define SECRET_ROOM (SECRET_MAX + 64)

/* Where a secret comes from, as messages name it. Never its text. */
#define LITERAL_NAME "the secret that stands in the file itself"

static int
is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int
too_long(const char *name, struct error *err)
{
    return error_set(err, RC_INVALID,
                     "%.300s is longer than %d bytes; is this a secret?", name,
                     SECRET_MAX);
}

static int
copy_text(struct secret *secret, const char *text, const char *name,
          struct error *err)
{
    size_t len = strlen(text);
    if (len >= SECRET_ROOM) {
        return too_long(name, err);
    }
    memcpy(secret->text, text, len);
    secret->len = len;
    return RC_OK;
}

/* Pasted in the wrong place: it must not be shown. */
static int
looks_secret(const char *name)
{
    return strstr(name, "whsec_") != NULL || strstr(name, "sk_") != NULL ||
           strstr(name, "rk_") != NULL;
}

static int
read_env(struct secret *secret, const char *reference, struct error *err)
{
    const char *name = reference + strlen("env:");
    if (*name == '\0') {
        return error_set(err, RC_INVALID,
                         "env: needs the name of a variable: env:NAME");
    }
    const char *text = getenv(name);
    if (text == NULL && looks_secret(name)) {
        return error_set(err, RC_INVALID,
                         "behind env: stands what looks like a secret, where "
                         "its variable's name belongs");
    }
    if (text == NULL) {
        return error_set(err, RC_INVALID,
                         "environment variable %.128s is not set; set it, or "
                         "use file:PATH",
                         name);
    }
    return copy_text(secret, text, reference, err);
}

/* Judged on the open file, so that nobody can swap it in between. */
static int
judge_file(int fd, const char *reference, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return error_errno(err, RC_IO, errno, "%.300s", reference);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, RC_INVALID, "%.300s is not a regular file",
                         reference);
    }
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return error_set(err, RC_INVALID,
                         "%.300s is open to every user (mode %04o); run "
                         "chmod o= on it",
                         reference, (unsigned)(st.st_mode & 07777));
    }
    return RC_OK;
}

static int
read_all(struct secret *secret, int fd, const char *reference,
         struct error *err)
{
    for (;;) {
        ssize_t n =
            read(fd, secret->text + secret->len, SECRET_ROOM - secret->len);
        if (n == 0) {
            return RC_OK;
        }
        if (n < 0 && errno != EINTR) {
            return error_errno(err, RC_IO, errno, "%.300s", reference);
        }
        secret->len += n > 0 ? (size_t)n : 0;
        if (secret->len == SECRET_ROOM) {
            return too_long(reference, err);
        }
    }
}

static int
read_file(struct secret *secret, const char *reference, const char *dir,
          struct error *err)
{
    const char *name = reference + strlen("file:");
    if (*name == '\0') {
        return error_set(err, RC_INVALID, "file: needs a path: file:PATH");
    }
    char *path = path_join(dir, name);
    if (path == NULL) {
        return error_set(err, RC_NOMEM, "secret: out of memory");
    }
    /* O_NONBLOCK: to open a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int errnum = errno;
    free(path);
    if (fd < 0 && looks_secret(name)) {
        return error_set(err, RC_INVALID,
                         "behind file: stands what looks like a secret, where "
                         "its file's path belongs");
    }
    if (fd < 0) {
        return error_errno(err, RC_IO, errnum, "%.300s cannot be read",
                           reference);
    }
    int rc = judge_file(fd, reference, err);
    if (rc == RC_OK) {
        rc = read_all(secret, fd, reference, err);
    }
    close(fd);
    return rc;
}

/* A text file's last line ends with a newline: that one is no mistake. */
static size_t
without_newline(const struct secret *secret)
{
    size_t len = secret->len;
    if (len > 0 && secret->text[len - 1] == '\n') {
        len--;
        len -= len > 0 && secret->text[len - 1] == '\r';
    }
    return len;
}

static void
trim(struct secret *secret, size_t len)
{
    size_t start = 0;
    size_t end = len;
    while (end > 0 && is_white(secret->text[end - 1])) {
        end--;
    }
    while (start < end && is_white(secret->text[start])) {
        start++;
    }
    secret->trimmed = start > 0 || end < len;
    secret->len = end - start;
    memmove(secret->text, secret->text + start, secret->len);
    explicit_bzero(secret->text + secret->len, SECRET_ROOM - secret->len);
}

static int
judge_text(const struct secret *secret, const char *name, int has_words,
           struct error *err)
{
    if (secret->len == 0) {
        return error_set(err, RC_INVALID, "%.300s is blank; put a secret there",
                         name);
    }
    if (secret->len > SECRET_MAX) {
        return too_long(name, err);
    }
    for (size_t i = 0; i < secret->len; i++) {
        unsigned char byte = (unsigned char)secret->text[i];
        if (byte < ' ' || (byte == ' ' && !has_words) || byte == 0x7f) {
            return error_set(err, RC_INVALID,
                             "%.300s has %sa control character inside; it must "
                             "be one %s",
                             name, has_words ? "" : "white space or ",
                             has_words ? "line" : "word");
        }
    }
    return RC_OK;
}

static int
read_any(struct secret *secret, const char *reference, const char *dir,
         int has_words, struct error *err)
{
    struct secret found = {.text = calloc(1, SECRET_ROOM)};
    if (found.text == NULL) {
        return error_set(err, RC_NOMEM, "secret: out of memory");
    }
    const char *name = reference;
    int is_file = strncmp(reference, "file:", 5) == 0;
    int rc;
    if (is_file) {
        rc = read_file(&found, reference, dir, err);
    } else if (strncmp(reference, "env:", 4) == 0) {
        rc = read_env(&found, reference, err);
    } else {
        found.literal = 1;
        name = LITERAL_NAME;
        rc = copy_text(&found, reference, name, err);
    }
    if (rc == RC_OK) {
        trim(&found, is_file ? without_newline(&found) : found.len);
        rc = judge_text(&found, name, has_words, err);
    }
    if (rc != RC_OK) {
        secret_fini(&found);
        return rc;
    }
    *secret = found;
    return RC_OK;
}

int
secret_read(struct secret *secret, const char *reference, const char *dir,
            struct error *err)
{
    return read_any(secret, reference, dir, 0, err);
}

int
secret_read_line(struct secret *secret, const char *reference, const char *dir,
                 struct error *err)
{
    return read_any(secret, reference, dir, 1, err);
}

void
secret_fini(struct secret *secret)
{
    if (secret->text != NULL) {
        explicit_bzero(secret->text, secret->len);
        free(secret->text);
    }
    memset(secret, 0, sizeof(*secret));
}
