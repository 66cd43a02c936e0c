/* tests/unit/signature_fixture.h: known answers and helpers that the tests of
 * signatures share. To be included after <cmocka.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIGNATURE_FIXTURE_H
#define TESTS_SIGNATURE_FIXTURE_H

#include "stripe/signature.h"

#include "error.h"

#include <string.h>

/* The known answers were computed with another program, as in
 *   printf '1790000000.{"id":...}' | openssl dgst -sha256 -hmac whsec_unit0One
 * Each is named after what is odd about the message or the key. */
#define ONE  "whsec_unit0One"
#define TWO  "whsec_unit0Two"
#define TWO  "whsec_unit0Two"
#define T    "1790000000"
#define NOW  INT64_C(1790000000)
#define BODY "{\"id\":\"evt_unit\",\"type\":\"charge.succeeded\"}"

#define HEX "fb82df18d205b53e123c634fa025eb54bf80d8c6f62b2c5c33aedec9357fd22c"
#define HEX_TWO                                                                \
    "81475e758be5557939fb0cd8be3437c9e5f9f146fec7b2b8910fe8078e6b8516"
#define HEX_STRANGER                                                           \
    "e4b751e1136714c307590732faee375fca2a92886ac8a6f4bac2ec90374c45b5"
#define HEX_BARE_KEY                                                           \
    "ef849d28553864fbe5fb8d902586de20a026feb27aa7df6efc48e3b65d436362"
#define HEX_NO_TIME                                                            \
    "daa90291bb00d6eb5df2b0da5426cac862b09fe28ea5df619bcdec7dd51422b3"
#define HEX_NO_DOT                                                             \
    "5c857a16adad9a4d08bfd48b2b0e28ce70718121d8b888d84119166e33f10b5d"
#define HEX_EMPTY_T                                                            \
    "4f2710ab47afd190871a23941e8b987a647d8cecfe604aa61276485ac6a278f3"
#define HEX_PLUS                                                               \
    "e0b4f1c84bba7105fb96dc25efbc2a94dcfcf11c24b37c0e9415a43672e7a0b5"
#define HEX_MINUS                                                              \
    "20059f8609376cfd9adb0bba61b5ccb69bdcdf3880b35679949d843fb1be5ad3"
#define HEX_ZERO                                                               \
    "b235a470230bc0cd92927449d046f9e4fe1a2dc30e8227928f20af8d83e1015b"
#define HEX_FRACTION                                                           \
    "a9b2aba1351ee13f7fcc05c802114ba00c21fcf3ed51f8dfd289aa7d82607668"
#define HEX_LETTERS                                                            \
    "f16bb14e521ea9746a4bd7e94ec66fca23901abf7cc9a040c3d52095bcd6149d"
#define HEX_0X                                                                 \
    "fa41703a8d06276d5e3ca70ae9709f034fce6240d1555166efaa17afeedab70f"
#define HEX_SCORE                                                              \
    "cdfc9f82a71b7180f5771bedb307744cf56f2f843e55046a1ffbea57bd6258e9"
#define HEX_BLANK                                                              \
    "7d03dd505164e667e71a4abc335c8e4fce69d193023bb102a068a4c128a128b0"
#define HEX_WORD                                                               \
    "21baf2960594f85657c92bd782ba3053b9d0636c5441ac04876b367da1f54dfa"
#define HEX_NAN                                                                \
    "b718bf9733ce547ca14c1e77e520672ace5fe7bfd43c3ddd895cbf5be5a37e58"
#define HEX_EXPONENT                                                           \
    "f233b925f883800a23408e710e42ec0662ac6cbfac9c61b4d75434466970634b"
#define HEX_EPOCH                                                              \
    "e93d6dbd23f6cffed5290f4a29b15cd760c1793ee6fa80b95a74f27f43d926d7"
#define HEX_12                                                                 \
    "14dfa5039a5f3bc9c9c2cd6f749f14a9ad115270d157c7b82964eda97b4a6fbb"
#define HEX_13                                                                 \
    "df938d29dd87a365647af5c4cf426de7f77a9ce12b0a8d5583700660596551eb"
#define HEX_2_32                                                               \
    "b00633bf84ff7bfac2853e9cd9effff4b6d968311f13289164390c9a0cf27edb"
#define HEX_2_64                                                               \
    "320ecf283e9cf914136c659438d9b0bb2ff089a8846bb8355352c7968d90ddb0"
#define HEX_400                                                                \
    "42efe128ecdc66a7b47532849dc0c1d454b6dae0f1b688c4ae787e5a1dc4b2ea"
#define HEX_YEAR                                                               \
    "b684eecf77eb8f3106fd871e0ca3ca688b745ae5247afd29c73928301787db16"
#define HEX_NO_BODY                                                            \
    "90f0d751352354bfbf1d3b1e8b53d07267a33a552c535cc49646556adf39715b"
#define HEX_NUL                                                                \
    "87ba7b7a914b77b9e93469cd891cea2a19ef3a4765ddf4783e7747d10374fe48"
#define HEX_NUL_CUT                                                            \
    "4cef168932a0149560680e1873e31b6a2ea674346c3f98e395bbfd10dc33689b"
#define HEX_UTF8                                                               \
    "2b1a3d39c8164f1266fcb70ed101065aa301fb37583c8e69537c77972d4e9cf3"
#define HEX_FF                                                                 \
    "47233cfb0d7ae997fb5778d2d88e1c96674284df64616750d1ff5ec350d9b527"
#define HEX_FFFD                                                               \
    "09782c39f3489678a0e729c462a45c7a9fd61cdc5700ccd89c373e073bdb7066"
#define HEX_CRLF                                                               \
    "7b3b670f1d4c82fe9ce23b3c9c1d4a2240a7e8017ec61d3bffd85e235016b0d1"
#define HEX_THIN                                                               \
    "e9b6366f141d213f55e1a21ca36553f46037d7285923f97db3fa35c7bf7e89a8"

#define GOOD "t=" T ",v1=" HEX

/* A set of one or two secrets, each named after itself. */
static inline struct signature_keys *
keys_of(const char *first, const char *second)
{
    struct signature_keys *keys = NULL;
    assert_int_equal(signature_keys_open(&keys, NULL), RC_OK);
    assert_int_equal(
        signature_keys_add(keys, first, first, strlen(first), NULL), RC_OK);
    if (second != NULL) {
        assert_int_equal(
            signature_keys_add(keys, second, second, strlen(second), NULL),
            RC_OK);
    }
    return keys;
}

/* Check BODY with the tolerance of 300 s. */
static inline enum signature_verdict
check(const struct signature_keys *keys, const char *header, int64_t now_s,
      struct signature_result *result)
{
    return signature_check(keys, header, strlen(header), 1, BODY, strlen(BODY),
                           now_s, 300, result);
}

/* Check BODY with the secret ONE at that time. */
static inline void
expect_at(const char *header, int64_t now_s, enum signature_verdict want)
{
    struct signature_keys *keys = keys_of(ONE, NULL);
    struct signature_result result;
    enum signature_verdict got = check(keys, header, now_s, &result);
    signature_keys_close(keys);
    if (got != want) {
        fail_msg("%s: %s instead of %s", header, signature_verdict_name(got),
                 signature_verdict_name(want));
    }
}

static inline void
expect(const char *header, enum signature_verdict want)
{
    expect_at(header, NOW, want);
}

#endif
