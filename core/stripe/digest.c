/* core/stripe/digest.c: SHA-256 of bytes and of files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/digest.h"

#include "error.h"

#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

#define CHUNK_BYTES 16384 /* read at once; fits any thread's stack */

static int
openssl_failed(struct error *err)
{
    return error_set(err, RC_IO, "digest: OpenSSL could not compute SHA-256");
}

int
digest_sha256(const char *bytes, size_t len, unsigned char out[DIGEST_BYTES],
              struct error *err)
{
    if (EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) != 1) {
        return openssl_failed(err);
    }
    return RC_OK;
}

/* Feed everything that `fd` still gives. */
static int
feed_fd(EVP_MD_CTX *md, int fd, struct error *err)
{
    char chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0) {
            return RC_OK;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_errno(err, RC_IO, errno, "digest: cannot read");
        }
        if (EVP_DigestUpdate(md, chunk, (size_t)got) != 1) {
            return openssl_failed(err);
        }
    }
}

int
digest_sha256_fd(int fd, unsigned char out[DIGEST_BYTES], struct error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        return openssl_failed(err);
    }
    int rc = feed_fd(md, fd, err);
    if (rc == RC_OK && EVP_DigestFinal_ex(md, out, NULL) != 1) {
        rc = openssl_failed(err);
    }
    EVP_MD_CTX_free(md);
    return rc;
}

const char *
digest_hex(const unsigned char digest[DIGEST_BYTES], char out[DIGEST_HEX_ROOM])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * DIGEST_BYTES] = '\0';
    return out;
}
