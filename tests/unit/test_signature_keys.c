/* tests/unit/test_signature_keys.c: the set of secrets, what happens when
 * OpenSSL fails, and the headers and secrets that we make ourselves.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signature_fixture.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

/* ---- OpenSSL, made to fail ------------------------------------------ */

enum fault {
    FAULT_NONE = 0,
    FAULT_INIT,
    FAULT_DUP,
    FAULT_UPDATE,
    FAULT_FINAL,
    FAULT_RANDOM
};

static enum fault fault;
static int updates_left;               /* until FAULT_UPDATE strikes */
static unsigned char random_bytes[64]; /* dealt first, then real ones */
static size_t random_count, random_at;

/* The real function behind one of ours, stored into a function pointer. */
static void
real(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    assert_non_null(symbol);
    memcpy(function, &symbol, sizeof(symbol));
}

int
EVP_MAC_init(EVP_MAC_CTX *ctx, const unsigned char *key, size_t len,
             const OSSL_PARAM params[])
{
    int (*next)(EVP_MAC_CTX *, const unsigned char *, size_t,
                const OSSL_PARAM *);
    real("EVP_MAC_init", &next);
    return fault == FAULT_INIT ? 0 : next(ctx, key, len, params);
}

EVP_MAC_CTX *
EVP_MAC_CTX_dup(const EVP_MAC_CTX *ctx)
{
    EVP_MAC_CTX *(*next)(const EVP_MAC_CTX *);
    real("EVP_MAC_CTX_dup", &next);
    return fault == FAULT_DUP ? NULL : next(ctx);
}

int
EVP_MAC_update(EVP_MAC_CTX *ctx, const unsigned char *data, size_t len)
{
    int (*next)(EVP_MAC_CTX *, const unsigned char *, size_t);
    real("EVP_MAC_update", &next);
    if (fault == FAULT_UPDATE && updates_left-- == 0) {
        return 0;
    }
    return next(ctx, data, len);
}

int
EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *len, size_t room)
{
    int (*next)(EVP_MAC_CTX *, unsigned char *, size_t *, size_t);
    real("EVP_MAC_final", &next);
    return fault == FAULT_FINAL ? 0 : next(ctx, out, len, room);
}

int
RAND_bytes(unsigned char *out, int len)
{
    int (*next)(unsigned char *, int);
    real("RAND_bytes", &next);
    if (fault == FAULT_RANDOM) {
        return 0;
    }
    for (int i = 0; i < len; i++) {
        if (random_at < random_count) {
            out[i] = random_bytes[random_at++];
        } else if (next(&out[i], 1) != 1) {
            return 0;
        }
    }
    return 1;
}

/* ---- Pairings ------------------------------------------------------- */

static void
every_signature_is_tried_with_every_secret(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int one, two; /* whether the secret signed it */
    } headers[] = {
        {"t=" T ",v1=" HEX, 1, 0},
        {"t=" T ",v1=" HEX_TWO, 0, 1},
        {"t=" T ",v1=" HEX ",v1=" HEX_TWO, 1, 1},
        {"t=" T ",v1=" HEX_TWO ",v1=" HEX, 1, 1},
        {"t=" T ",v1=" HEX_STRANGER ",v1=" HEX, 1, 0},
        {"t=" T ",v1=" HEX_STRANGER ",v1=" HEX_TWO, 0, 1},
        {"t=" T ",v1=" HEX_STRANGER, 0, 0},
    };
    static const char *const pairs[][2] = {
        {ONE, NULL}, {TWO, NULL}, {ONE, TWO}, {TWO, ONE}};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        for (size_t j = 0; j < sizeof(pairs) / sizeof(pairs[0]); j++) {
            struct signature_keys *keys = keys_of(pairs[j][0], pairs[j][1]);
            const char *want = NULL;
            for (size_t k = 2; k-- > 0;) {
                if (pairs[j][k] != NULL &&
                    ((headers[i].one && strcmp(pairs[j][k], ONE) == 0) ||
                     (headers[i].two && strcmp(pairs[j][k], TWO) == 0))) {
                    want = pairs[j][k];
                }
            }
            struct signature_result result;
            enum signature_verdict verdict =
                check(keys, headers[i].text, NOW, &result);
            assert_int_equal(verdict,
                             want != NULL ? SIGNATURE_OK : SIGNATURE_MISMATCH);
            if (want != NULL) {
                assert_string_equal(result.secret, want);
            } else {
                assert_null(result.secret);
            }
            /* Neither a right nor a wrong one ends the work early. */
            assert_int_equal(result.tried, signature_keys_count(keys));
            signature_keys_close(keys);
        }
    }
}

static void
nobody_can_sign_for_an_empty_set(void **state)
{
    (void)state;
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    struct signature_result result;
    assert_int_equal(check(keys, GOOD, NOW, &result), SIGNATURE_MISMATCH);
    signature_keys_close(keys);
    signature_keys_close(NULL);
}

/* ---- The set of secrets --------------------------------------------- */

static int
add(struct signature_keys *keys, const char *secret, size_t len)
{
    struct error err = {0};
    int rc = signature_keys_add(keys, "name", secret, len, &err);
    assert_int_equal(rc, err.rc);
    return rc;
}

static void
secret_that_cannot_be_one_is_refused(void **state)
{
    (void)state;
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    assert_int_equal(add(keys, "", 0), RC_INVALID);
    assert_int_equal(add(keys, " \t\r\n", 4), RC_INVALID);
    assert_int_equal(add(keys, "sk_test_unit", 12), RC_INVALID);
    assert_int_equal(add(keys, "pk_live_unit", 12), RC_INVALID);
    assert_int_equal(add(keys, "rk_live_unit", 12), RC_INVALID);

    char secret[SIGNATURE_SECRET_MAX + 1];
    memset(secret, 'k', sizeof(secret));
    assert_int_equal(add(keys, secret, SIGNATURE_SECRET_MAX + 1), RC_INVALID);
    assert_int_equal(signature_keys_count(keys), 0);
    assert_int_equal(add(keys, secret, SIGNATURE_SECRET_MAX), RC_OK);
    assert_int_equal(add(keys, "k", 1), RC_OK);
    assert_int_equal(signature_keys_count(keys), 2);
    signature_keys_close(keys);
}

static void
refusal_does_not_tell_the_secret(void **state)
{
    (void)state;
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    struct error err = {0};
    assert_int_equal(
        signature_keys_add(keys, "main.1", "sk_test_hidden", 14, &err),
        RC_INVALID);
    assert_non_null(strstr(err.text, "main.1"));
    assert_null(strstr(err.text, "hidden"));
    signature_keys_close(keys);
}

static void
set_holds_sixteen_secrets_and_tries_them_all(void **state)
{
    (void)state;
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    for (int i = 0; i < SIGNATURE_SECRETS_MAX - 1; i++) {
        assert_int_equal(add(keys, "whsec_other", 11), RC_OK);
    }
    assert_int_equal(signature_keys_add(keys, "last", ONE, strlen(ONE), NULL),
                     RC_OK);
    assert_int_equal(add(keys, "whsec_other", 11), RC_FULL);

    struct signature_result result;
    assert_int_equal(check(keys, GOOD, NOW, &result), SIGNATURE_OK);
    assert_int_equal(result.tried, SIGNATURE_SECRETS_MAX);
    assert_string_equal(result.secret, "last");
    signature_keys_close(keys);
}

static void
long_name_is_cut(void **state)
{
    (void)state;
    char name[100];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    assert_int_equal(signature_keys_add(keys, name, ONE, strlen(ONE), NULL),
                     RC_OK);
    struct signature_result result;
    assert_int_equal(check(keys, GOOD, NOW, &result), SIGNATURE_OK);
    assert_int_equal(strlen(result.secret), 64);
    signature_keys_close(keys);
}

/* ---- Failure -------------------------------------------------------- */

static void
failing_mac_is_never_a_comparison(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, TWO);
    static const enum fault faults[] = {FAULT_DUP, FAULT_FINAL, FAULT_UPDATE,
                                        FAULT_UPDATE, FAULT_UPDATE};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        fault = faults[i];
        updates_left = (int)i - 2; /* the time, the dot, the body */
        struct signature_result result;
        enum signature_verdict verdict = check(keys, GOOD, NOW, &result);
        fault = FAULT_NONE;
        assert_int_equal(verdict, SIGNATURE_FAILED);
        assert_null(result.secret);
        assert_int_equal(result.tried, 0);
    }
    signature_keys_close(keys);
}

static void
failing_openssl_is_an_error(void **state)
{
    (void)state;
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    char header[SIGNATURE_HEADER_MAX] = "untouched";
    char secret[39] = "untouched";
    fault = FAULT_INIT;
    int added = signature_keys_add(keys, "name", ONE, strlen(ONE), NULL);
    int made =
        signature_make(ONE, strlen(ONE), NOW, BODY, strlen(BODY), header, NULL);
    fault = FAULT_RANDOM;
    int drawn = signature_new_secret(secret, NULL);
    fault = FAULT_NONE;
    assert_int_equal(added, RC_IO);
    assert_int_equal(signature_keys_count(keys), 0);
    assert_int_equal(made, RC_IO);
    assert_string_equal(header, "untouched");
    assert_int_equal(drawn, RC_IO);
    assert_string_equal(secret, "untouched");
    signature_keys_close(keys);
}

/* ---- Making --------------------------------------------------------- */

static void
made_header_is_what_stripe_would_send(void **state)
{
    (void)state;
    char header[SIGNATURE_HEADER_MAX];
    assert_int_equal(
        signature_make(ONE, strlen(ONE), NOW, BODY, strlen(BODY), header, NULL),
        RC_OK);
    assert_string_equal(header, GOOD);
    assert_int_equal(
        signature_make(ONE, strlen(ONE), NOW, "{}\0tail", 7, header, NULL),
        RC_OK);
    assert_string_equal(header, "t=" T ",v1=" HEX_NUL);
    assert_int_equal(signature_make(ONE, strlen(ONE), INT64_MIN, BODY,
                                    strlen(BODY), header, NULL),
                     RC_OK);
    assert_true(strlen(header) < SIGNATURE_HEADER_MAX);
}

static void
new_secret_has_the_shape_of_stripes(void **state)
{
    (void)state;
    char first[39], second[39];
    assert_int_equal(signature_new_secret(first, NULL), RC_OK);
    assert_int_equal(signature_new_secret(second, NULL), RC_OK);
    assert_int_equal(strlen(first), 38);
    assert_int_equal(strncmp(first, "whsec_", 6), 0);
    assert_int_equal(strspn(first + 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "0123456789"),
                     32);
    assert_string_not_equal(first, second);
}

static void
new_secret_favours_no_letter(void **state)
{
    (void)state;
    /* 248 to 255 would be A to H once more. */
    for (size_t i = 0; i < 8; i++) {
        random_bytes[i] = (unsigned char)(248 + i);
    }
    for (size_t i = 8; i < 40; i++) {
        random_bytes[i] = 247;
    }
    random_count = 40;
    random_at = 0;
    char secret[39];
    int rc = signature_new_secret(secret, NULL);
    random_count = 0;
    assert_int_equal(rc, RC_OK);
    assert_string_equal(secret, "whsec_99999999999999999999999999999999");
}

/* ---- Words and threads ---------------------------------------------- */

static void
every_verdict_has_a_name_and_a_help_text(void **state)
{
    (void)state;
    for (int i = SIGNATURE_OK; i <= SIGNATURE_FAILED; i++) {
        const char *name = signature_verdict_name((enum signature_verdict)i);
        assert_true(strlen(name) > 1);
        assert_true(strlen(signature_verdict_help((enum signature_verdict)i)) >
                    strlen(name));
        for (int j = SIGNATURE_OK; j < i; j++) {
            assert_string_not_equal(
                name, signature_verdict_name((enum signature_verdict)j));
        }
    }
    assert_string_equal(signature_verdict_name(SIGNATURE_NO_V1), "no_v1");
    assert_string_equal(signature_verdict_name(SIGNATURE_TOO_OLD),
                        "timestamp_too_old");
}

static void *
check_often(void *arg)
{
    const struct signature_keys *keys = arg;
    uintptr_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        struct signature_result result;
        wrong += check(keys, GOOD, NOW, &result) != SIGNATURE_OK;
        wrong += signature_check(keys, GOOD, strlen(GOOD), 1, BODY " ",
                                 strlen(BODY) + 1, NOW, 300,
                                 &result) != SIGNATURE_MISMATCH;
    }
    return (void *)wrong;
}

static void
threads_share_one_set(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(TWO, ONE);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, keys),
                         0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    signature_keys_close(keys);
}

static int
are_same(const char *a_one, const char *a_two, const char *b_one,
         const char *b_two)
{
    struct signature_keys *a = keys_of(a_one, a_two);
    struct signature_keys *b = keys_of(b_one, b_two);
    int same = signature_keys_same(a, b);
    signature_keys_close(a);
    signature_keys_close(b);
    return same;
}

static void
sets_are_the_same_when_they_sign_alike(void **state)
{
    (void)state;
    assert_true(are_same(ONE, NULL, ONE, NULL));
    assert_true(are_same(ONE, TWO, TWO, ONE));
    assert_true(are_same(ONE, ONE, ONE, NULL));
    assert_false(are_same(ONE, NULL, TWO, NULL));
    assert_false(are_same(ONE, TWO, ONE, NULL));
    assert_false(are_same(ONE, NULL, ONE, TWO));

    static const enum fault faults[] = {FAULT_DUP, FAULT_UPDATE, FAULT_FINAL};
    for (size_t i = 0; i < 3; i++) {
        fault = faults[i];
        updates_left = 0;
        assert_false(are_same(ONE, NULL, ONE, NULL));
        fault = FAULT_NONE;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signature_is_tried_with_every_secret),
        cmocka_unit_test(nobody_can_sign_for_an_empty_set),
        cmocka_unit_test(secret_that_cannot_be_one_is_refused),
        cmocka_unit_test(refusal_does_not_tell_the_secret),
        cmocka_unit_test(set_holds_sixteen_secrets_and_tries_them_all),
        cmocka_unit_test(long_name_is_cut),
        cmocka_unit_test(failing_mac_is_never_a_comparison),
        cmocka_unit_test(failing_openssl_is_an_error),
        cmocka_unit_test(made_header_is_what_stripe_would_send),
        cmocka_unit_test(new_secret_has_the_shape_of_stripes),
        cmocka_unit_test(new_secret_favours_no_letter),
        cmocka_unit_test(every_verdict_has_a_name_and_a_help_text),
        cmocka_unit_test(threads_share_one_set),
        cmocka_unit_test(sets_are_the_same_when_they_sign_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
