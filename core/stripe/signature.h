/* core/stripe/signature.h: the Stripe-Signature header, made and checked.
 *
 * The rules R1 to R20 are in README.md beside this file. Only scheme v1 counts:
 * HMAC-SHA-256 over the text of `t`, a dot, and the body; the key is the whole
 * secret text, "whsec_" included.
 * Source: Stripe docs, "Verify webhook signatures manually"; the seven official
 * libraries.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SIGNATURE_H
#define CORE_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define SIGNATURE_HEX_LEN     64  /* of one v1 value */
#define SIGNATURE_HEADER_MAX  128 /* of one that we make, with its NUL */
#define SIGNATURE_SECRETS_MAX 16  /* live at once on one endpoint */
#define SIGNATURE_SECRET_MAX  255 /* bytes of one secret */

/** Why a header was refused; the sender sees none of them. */
enum signature_verdict {
    SIGNATURE_OK = 0,
    SIGNATURE_HEADER_MISSING = 1,
    SIGNATURE_HEADER_MALFORMED = 2, /* several fields, or two different t */
    SIGNATURE_TIMESTAMP_MISSING = 3,
    SIGNATURE_TIMESTAMP_INVALID = 4,
    SIGNATURE_NO_V1 = 5,
    SIGNATURE_MISMATCH = 6,
    SIGNATURE_TOO_OLD = 7,
    SIGNATURE_AHEAD = 8,
    SIGNATURE_FAILED = 9, /* the MAC could not be computed: answer 500 */
};

/** The verdict's stable code, as in logs: "no_v1", "timestamp_too_old". */
const char *signature_verdict_name(enum signature_verdict verdict);

/** A sentence for people: which rule failed and what usually causes it. */
const char *signature_verdict_help(enum signature_verdict verdict);

/**
 * A set of named secrets, keyed once at load and read-only afterwards. Safe to
 * share between threads: each check works on its own duplicate.
 */
struct signature_keys;

/** An empty set; the caller owns it: signature_keys_close(). */
int signature_keys_open(struct signature_keys **out, struct error *err);

/**
 * Add one secret. Blank, too long, or one that is not a signing secret
 * (sk_, pk_, rk_) is RC_INVALID; more than SIGNATURE_SECRETS_MAX RC_FULL.
 *
 * @param name    how logs call it; copied, at most 64 bytes
 * @param secret  `len` bytes; copied into the MAC, not kept as text
 */
int signature_keys_add(struct signature_keys *keys, const char *name,
                       const char *secret, size_t len, struct error *err);

/** Cleanse and free. Accepts NULL. */
void signature_keys_close(struct signature_keys *keys);

/** Number of secrets in the set. */
size_t signature_keys_count(const struct signature_keys *keys);

/** Whether both sets accept the same signatures: the same secrets, under
 * whatever names and in any order. 0 also when OpenSSL fails. */
int signature_keys_same(const struct signature_keys *a,
                        const struct signature_keys *b);

/** What a check found out; valid as far as the check came. */
struct signature_result {
    int64_t timestamp_s; /* `t`, seconds since 1970 UTC */
    int64_t age_s;       /* now - t; negative when ahead */
    unsigned v1_count;   /* v1 items in the header, usable or not */
    unsigned tried;      /* secrets tried */
    const char *secret;  /* name of the one that matched; borrowed from keys */
};

/**
 * Check one request.
 *
 * @param header       the field's value, `header_len` bytes; NULL if absent
 * @param fields       how many Stripe-Signature fields the request had
 * @param body         the exact bytes after transfer coding
 * @param now_s        when the request's head was complete
 * @param tolerance_s  both ways; exactly this much is accepted; must be > 0
 * @param result       filled in every case
 */
enum signature_verdict signature_check(const struct signature_keys *keys,
                                       const char *header, size_t header_len,
                                       unsigned fields, const char *body,
                                       size_t body_len, int64_t now_s,
                                       int64_t tolerance_s,
                                       struct signature_result *result);

/**
 * Make the header value that Stripe would send: "t=...,v1=...".
 *
 * @param out  room for SIGNATURE_HEADER_MAX bytes
 * @return RC_OK or RC_IO when OpenSSL fails
 */
int signature_make(const char *secret, size_t secret_len, int64_t timestamp_s,
                   const char *body, size_t body_len, char *out,
                   struct error *err);

/** A new secret: "whsec_" and 32 random letters and digits, NUL-terminated.
 * @param out  room for 39 bytes */
int signature_new_secret(char *out, struct error *err);

#endif
