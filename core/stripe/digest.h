/* core/stripe/digest.h: SHA-256 of bytes and of files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include <stddef.h>

struct error;

#define DIGEST_BYTES    32
#define DIGEST_HEX_ROOM (2 * DIGEST_BYTES + 1)

/** The digest of `len` bytes.
 * @return RC_OK, or RC_IO when OpenSSL fails */
int digest_sha256(const char *bytes, size_t len,
                  unsigned char out[DIGEST_BYTES], struct error *err);

/** The digest of what is left to read from `fd`, which is neither rewound nor
 * closed.
 * @return RC_OK, or RC_IO when reading or OpenSSL fails */
int digest_sha256_fd(int fd, unsigned char out[DIGEST_BYTES],
                     struct error *err);

/** A digest as lower-case text, NUL-terminated. Returns `out`. */
const char *digest_hex(const unsigned char digest[DIGEST_BYTES],
                       char out[DIGEST_HEX_ROOM]);

#endif
