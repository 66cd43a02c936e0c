/* core/admin/token.c: the secret that opens the admin API, and where it is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/token.h"

#include "error.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_BYTES 32

#define TOKEN_FILE "operator.token"
#define URL_FILE   "admin.url"

/* ---- Files ---------------------------------------------------------- */

static int
write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd);
}

static int
write_line(int fd, const char *text)
{
    char line[TOKEN_MAX + TOKEN_URL_MAX];
    int len = snprintf(line, sizeof(line), "%s\n", text);
    int failed = write_all(fd, line, (size_t)len);
    OPENSSL_cleanse(line, sizeof(line));
    int code = errno;
    if (close(fd) != 0 && !failed) {
        return -1;
    }
    errno = code;
    return failed;
}

/* A new file of that name with a line in it, whole or not at all: made beside
 * it, then given its name. */
static int
replace(const char *path, const char *text, int keep, struct error *err)
{
    char made[PATH_MAX];
    snprintf(made, sizeof(made), "%s.XXXXXX", path);
    int fd = mkostemp(made, O_CLOEXEC); /* O_EXCL, mode 0600 */
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "cannot make %.300s", path);
    }
    int failed = write_line(fd, text);
    if (!failed) {
        /* A link fails where there is a file: the first maker wins. */
        failed = keep ? link(made, path) : rename(made, path);
    }
    int code = errno;
    if (failed || keep) {
        (void)unlink(made); /* gone, or under its own name by now */
    }
    if (failed && !(keep && code == EEXIST)) {
        return error_errno(err, RC_IO, code, "cannot make %.300s", path);
    }
    return RC_OK;
}

/* The first line of a file, of `size` bytes with its NUL at most. */
static int
read_line(int fd, const char *path, char *out, size_t size, struct error *err)
{
    char line[TOKEN_MAX + TOKEN_URL_MAX];
    ssize_t n;
    do {
        n = read(fd, line, sizeof(line) - 1);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return error_errno(err, RC_IO, errno, "cannot read %.300s", path);
    }
    line[n] = '\0';
    size_t len = strcspn(line, "\r\n");
    int good = len > 0 && len < size && (size_t)n < sizeof(line) - 1;
    if (good) {
        memcpy(out, line, len);
        out[len] = '\0';
    }
    OPENSSL_cleanse(line, sizeof(line));
    return good ? RC_OK
                : error_set(err, RC_INVALID, "%.300s does not hold one line",
                            path);
}

static int
join(char *out, size_t size, const char *dir, const char *name,
     struct error *err)
{
    int len = snprintf(out, size, "%s/%s", dir, name);
    return len > 0 && (size_t)len < size - 8
               ? RC_OK
               : error_set(err, RC_INVALID, "the path %.100s... is too long",
                           dir);
}

/* ---- The token ------------------------------------------------------ */

/* Judged on the open file, so that nobody can swap it in between. */
static int
judge_file(int fd, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return error_errno(err, RC_IO, errno, "%.300s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, RC_INVALID, "%.300s is not a regular file", path);
    }
    if ((st.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
        return error_set(err, RC_INVALID,
                         "%.300s is open to other users (mode %04o); remove "
                         "it, and a restart of the daemon makes a new one",
                         path, (unsigned)(st.st_mode & 07777));
    }
    return RC_OK;
}

static int
judge_text(const char *path, const char *text, struct error *err)
{
    size_t prefix = strlen(TOKEN_PREFIX);
    if (strncmp(text, TOKEN_PREFIX, prefix) == 0 &&
        strspn(text + prefix, "0123456789abcdef") == 2 * RANDOM_BYTES &&
        text[prefix + 2 * RANDOM_BYTES] == '\0') {
        return RC_OK;
    }
    return error_set(err, RC_INVALID,
                     "%.300s holds no token (%s and 64 hex digits)", path,
                     TOKEN_PREFIX);
}

int
token_read(const char *path, char *out, struct error *err)
{
    char text[TOKEN_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int rc = errno == ENOENT ? RC_NOT_FOUND : RC_IO;
        return error_errno(err, rc, errno, "cannot read %.300s", path);
    }
    int rc = judge_file(fd, path, err);
    if (rc == RC_OK) {
        rc = read_line(fd, path, text, sizeof(text), err);
    }
    close(fd);
    if (rc == RC_OK) {
        rc = judge_text(path, text, err);
    }
    if (rc == RC_OK) {
        memcpy(out, text, sizeof(text));
    }
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

static int
make_token(const char *path, struct error *err)
{
    unsigned char random[RANDOM_BYTES];
    char text[TOKEN_MAX] = TOKEN_PREFIX;
    size_t len = strlen(text);
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return error_errno(err, RC_IO, errno, "no randomness for a token");
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%02x", random[i]);
    }
    int rc = replace(path, text, 1, err);
    OPENSSL_cleanse(random, sizeof(random));
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

int
token_load(const char *state_dir, int make, char *out, struct error *err)
{
    char path[PATH_MAX];
    int rc = join(path, sizeof(path), state_dir, TOKEN_FILE, err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = token_read(path, out, err);
    if (rc != RC_NOT_FOUND || !make) {
        return rc;
    }
    rc = make_token(path, err);
    return rc == RC_OK ? token_read(path, out, err) : rc;
}

int
token_matches(const char *token, const char *given)
{
    size_t len = strlen(token);
    return strlen(given) == len && CRYPTO_memcmp(token, given, len) == 0;
}

/* ---- Where it is ---------------------------------------------------- */

int
token_publish(int *held, const char *state_dir, const char *url,
              struct error *err)
{
    char path[PATH_MAX];
    int rc = join(path, sizeof(path), state_dir, URL_FILE, err);
    if (rc == RC_OK) {
        rc = replace(path, url, 0, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) { /* who looks holds it briefly */
        int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        return error_errno(err, RC_IO, code, "cannot lock %.300s", path);
    }
    *held = fd;
    return RC_OK;
}

int
token_withdraw(int held, const char *state_dir, struct error *err)
{
    char path[PATH_MAX];
    close(held);
    int rc = join(path, sizeof(path), state_dir, URL_FILE, err);
    if (rc != RC_OK) {
        return rc;
    }
    return unlink(path) == 0 || errno == ENOENT
               ? RC_OK
               : error_errno(err, RC_IO, errno, "cannot remove %.300s", path);
}

int
token_where(const char *state_dir, char *url, struct error *err)
{
    char path[PATH_MAX];
    int rc = join(path, sizeof(path), state_dir, URL_FILE, err);
    if (rc != RC_OK) {
        return rc;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return error_errno(err, RC_NOT_FOUND, errno, "no admin API in %.300s",
                           state_dir);
    }
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        close(fd);
        return error_set(err, RC_NOT_FOUND,
                         "the daemon that served %.300s has died", state_dir);
    }
    rc = read_line(fd, path, url, TOKEN_URL_MAX, err);
    close(fd);
    return rc == RC_OK ? RC_OK : RC_NOT_FOUND;
}
