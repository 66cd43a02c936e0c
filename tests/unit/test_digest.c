/* tests/unit/test_digest.c: SHA-256 agrees with the published examples.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stripe/digest.h"

#include "error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* FIPS 180-4 example, and the digest of nothing. */
#define ABC_HEX                                                                \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING_HEX                                                            \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MILLION_HEX                                                            \
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void
known_bytes_have_their_digest(void **state)
{
    (void)state;
    unsigned char digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_ROOM];
    assert_int_equal(digest_sha256("abc", 3, digest, NULL), RC_OK);
    assert_string_equal(digest_hex(digest, hex), ABC_HEX);
    assert_int_equal(digest_sha256("", 0, digest, NULL), RC_OK);
    assert_string_equal(digest_hex(digest, hex), NOTHING_HEX);
}

static void
file_is_read_to_its_end(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    for (int i = 0; i < 1000000; i++) {
        fputc('a', file);
    }
    rewind(file);
    unsigned char digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_ROOM];
    assert_int_equal(digest_sha256_fd(fileno(file), digest, NULL), RC_OK);
    assert_string_equal(digest_hex(digest, hex), MILLION_HEX);
    assert_int_equal(digest_sha256_fd(fileno(file), digest, NULL), RC_OK);
    assert_string_equal(digest_hex(digest, hex), NOTHING_HEX);
    fclose(file);
}

static void
unreadable_file_is_an_error(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    unsigned char digest[DIGEST_BYTES];
    struct error err = {0};
    assert_int_equal(digest_sha256_fd(ends[1], digest, &err), RC_IO);
    assert_memory_equal(err.text, "digest: cannot read: ", 21);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_bytes_have_their_digest),
        cmocka_unit_test(file_is_read_to_its_end),
        cmocka_unit_test(unreadable_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
