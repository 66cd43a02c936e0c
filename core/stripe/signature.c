/* core/stripe/signature.c: the Stripe-Signature header, made and checked.
 * The header is never copied and never cut at a NUL: it is walked by index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/signature.h"

#include "error.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_NAME_MAX   64
#define SIGNATURE_MAC_BYTES  32
#define SIGNATURE_DIGITS_MAX 12 /* of t: enough for 30,000 years */
#define SIGNATURE_RANDOM_LEN 32 /* characters behind "whsec_" */

/* ---- The set of secrets --------------------------------------------- */

struct key {
    char name[SIGNATURE_NAME_MAX + 1];
    EVP_MAC_CTX *mac; /* keyed, nothing fed yet; only ever duplicated */
};

struct signature_keys {
    size_t count;
    struct key list[SIGNATURE_SECRETS_MAX];
};

/* A context keyed with `secret`, or NULL. */
static EVP_MAC_CTX *
mac_open(const char *secret, size_t len)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context holds a reference of its own */
    if (mac != NULL &&
        EVP_MAC_init(mac, (const unsigned char *)secret, len, params) != 1) {
        EVP_MAC_CTX_free(mac);
        mac = NULL;
    }
    return mac;
}

int
signature_keys_open(struct signature_keys **out, struct error *err)
{
    struct signature_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        return error_set(err, RC_NOMEM, "signature: out of memory");
    }
    *out = keys;
    return RC_OK;
}

void
signature_keys_close(struct signature_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        EVP_MAC_CTX_free(keys->list[i].mac); /* OpenSSL cleanses the key */
    }
    free(keys);
}

static int
is_blank_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || strchr(" \t\r\n\v\f", text[i]) == NULL) {
            return 0;
        }
    }
    return 1;
}

/* What is wrong with a secret, or NULL. Its text never gets into a message. */
static const char *
secret_fault(const char *secret, size_t len)
{
    static const char *const api_keys[] = {"sk_", "pk_", "rk_"};
    if (is_blank_text(secret, len)) {
        /* An empty key would let anybody sign. */
        return "is blank";
    }
    if (len > SIGNATURE_SECRET_MAX) {
        return "is longer than 255 bytes";
    }
    for (size_t i = 0; i < sizeof(api_keys) / sizeof(api_keys[0]); i++) {
        if (len >= 3 && memcmp(secret, api_keys[i], 3) == 0) {
            return "is an API key; the endpoint's signing secret (whsec_...) "
                   "is needed";
        }
    }
    return NULL;
}

int
signature_keys_add(struct signature_keys *keys, const char *name,
                   const char *secret, size_t len, struct error *err)
{
    const char *fault = secret_fault(secret, len);
    if (fault != NULL) {
        return error_set(err, RC_INVALID, "secret %s: %s", name, fault);
    }
    if (keys->count == SIGNATURE_SECRETS_MAX) {
        return error_set(err, RC_FULL,
                         "secret %s: an endpoint takes at most %d secrets",
                         name, SIGNATURE_SECRETS_MAX);
    }
    EVP_MAC_CTX *mac = mac_open(secret, len);
    if (mac == NULL) {
        return error_set(err, RC_IO, "secret %s: OpenSSL cannot do HMAC", name);
    }
    struct key *key = &keys->list[keys->count];
    snprintf(key->name, sizeof(key->name), "%s", name);
    key->mac = mac;
    keys->count++;
    return RC_OK;
}

size_t
signature_keys_count(const struct signature_keys *keys)
{
    return keys->count;
}

/* ---- The header ----------------------------------------------------- */

/* Some bytes of the header; never NUL-terminated. */
struct slice {
    const char *ptr;
    size_t len;
};

struct item {
    struct slice key, value;
};

/* Rules R4 and R5: a blank is a space or a tab, nothing else. */
static struct slice
trim(struct slice text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

static int
slice_is(struct slice slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.ptr, text, slice.len) == 0;
}

/* Cut the next `key=value` off the front of `rest` (rules R5 and R6); an item
 * that is empty or without '=' is passed over. 0 when none is left. */
static int
next_item(struct slice *rest, struct item *item)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
        struct slice text = trim((struct slice){rest->ptr, len});
        size_t used = comma == NULL ? len : len + 1;
        rest->ptr += used;
        rest->len -= used;

        const char *equals =
            text.len == 0 ? NULL : memchr(text.ptr, '=', text.len);
        if (equals != NULL) {
            size_t key_len = (size_t)(equals - text.ptr);
            item->key = (struct slice){text.ptr, key_len};
            item->value = (struct slice){equals + 1, text.len - key_len - 1};
            return 1;
        }
    }
    return 0;
}

/* Rule R10. Digits and length are checked before the number is made, so it
 * cannot wrap. */
static int
read_timestamp(struct slice text, int64_t *out)
{
    if (text.len == 0 || text.len > SIGNATURE_DIGITS_MAX ||
        (text.ptr[0] == '0' && text.len > 1)) {
        return RC_INVALID;
    }
    int64_t seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return RC_INVALID;
        }
        seconds = seconds * 10 + (text.ptr[i] - '0');
    }
    *out = seconds;
    return RC_OK;
}

/* Rules R5 to R11. `t` is the one text that is both signed and aged. */
static enum signature_verdict
read_header(struct slice header, struct slice *t,
            struct signature_result *result)
{
    struct item item;
    int doubled = 0;
    *t = (struct slice){NULL, 0};
    while (next_item(&header, &item)) {
        if (slice_is(item.key, "v1")) {
            result->v1_count++;
        } else if (!slice_is(item.key, "t")) {
            continue;
        } else if (t->ptr == NULL) {
            *t = item.value;
        } else if (t->len != item.value.len ||
                   memcmp(t->ptr, item.value.ptr, t->len) != 0) {
            doubled = 1;
        }
    }
    if (doubled) {
        return SIGNATURE_HEADER_MALFORMED;
    }
    if (t->ptr == NULL) {
        return SIGNATURE_TIMESTAMP_MISSING;
    }
    if (read_timestamp(*t, &result->timestamp_s) != RC_OK) {
        return SIGNATURE_TIMESTAMP_INVALID;
    }
    return result->v1_count == 0 ? SIGNATURE_NO_V1 : SIGNATURE_OK;
}

/* ---- The MAC -------------------------------------------------------- */

/* The lower-case hex of the MAC over `t`, a dot and the body. Spends `mac`. */
static int
mac_hex(EVP_MAC_CTX *mac, struct slice t, const char *body, size_t body_len,
        char hex[SIGNATURE_HEX_LEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[SIGNATURE_MAC_BYTES];
    size_t len = 0;
    if (EVP_MAC_update(mac, (const unsigned char *)t.ptr, t.len) != 1 ||
        EVP_MAC_update(mac, (const unsigned char *)".", 1) != 1 ||
        EVP_MAC_update(mac, (const unsigned char *)body, body_len) != 1 ||
        EVP_MAC_final(mac, bytes, &len, sizeof(bytes)) != 1 ||
        len != sizeof(bytes)) {
        return RC_IO;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    return RC_OK;
}

/* Two keys are the same when they sign alike; their texts are not kept. */
static int
key_mark(const struct key *key, char hex[SIGNATURE_HEX_LEN])
{
    static const struct slice t = {"pegboard", 8}; /* no event has this */
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(key->mac);
    int rc = mac == NULL ? RC_IO : mac_hex(mac, t, "", 0, hex);
    EVP_MAC_CTX_free(mac);
    return rc;
}

/* Whether each of these is among those. */
static int
marks_cover(char these[][SIGNATURE_HEX_LEN], size_t count,
            char those[][SIGNATURE_HEX_LEN], size_t among)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < among &&
               memcmp(these[i], those[at], SIGNATURE_HEX_LEN) != 0) {
            at++;
        }
        if (at == among) {
            return 0;
        }
    }
    return 1;
}

int
signature_keys_same(const struct signature_keys *a,
                    const struct signature_keys *b)
{
    char marks[2][SIGNATURE_SECRETS_MAX][SIGNATURE_HEX_LEN];
    const struct signature_keys *const sets[] = {a, b};
    for (size_t set = 0; set < 2; set++) {
        for (size_t i = 0; i < sets[set]->count; i++) {
            if (key_mark(&sets[set]->list[i], marks[set][i]) != RC_OK) {
                return 0;
            }
        }
    }
    return marks_cover(marks[0], a->count, marks[1], b->count) &&
           marks_cover(marks[1], b->count, marks[0], a->count);
}

/* Whether one of the header's v1 values is `hex`. Every value is compared and
 * every comparison takes the same time; one that is not 64 lower-case hex
 * digits (rule R12) cannot be equal. */
static int
header_holds(struct slice header, const char hex[SIGNATURE_HEX_LEN])
{
    struct item item;
    int found = 0;
    while (next_item(&header, &item)) {
        if (slice_is(item.key, "v1") && item.value.len == SIGNATURE_HEX_LEN) {
            found |= CRYPTO_memcmp(item.value.ptr, hex, SIGNATURE_HEX_LEN) == 0;
        }
    }
    return found;
}

/* Rules R13 to R16: every secret against every v1, to the end. */
static enum signature_verdict
try_secrets(const struct signature_keys *keys, struct slice header,
            struct slice t, const char *body, size_t body_len,
            struct signature_result *result)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = &keys->list[i];
        char hex[SIGNATURE_HEX_LEN];
        EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(key->mac);
        int rc = mac == NULL ? RC_IO : mac_hex(mac, t, body, body_len, hex);
        EVP_MAC_CTX_free(mac);
        if (rc != RC_OK) {
            result->secret = NULL;
            return SIGNATURE_FAILED;
        }
        result->tried++;
        if (header_holds(header, hex) && result->secret == NULL) {
            result->secret = key->name;
        }
    }
    return result->secret != NULL ? SIGNATURE_OK : SIGNATURE_MISMATCH;
}

enum signature_verdict
signature_check(const struct signature_keys *keys, const char *header,
                size_t header_len, unsigned fields, const char *body,
                size_t body_len, int64_t now_s, int64_t tolerance_s,
                struct signature_result *result)
{
    assert(tolerance_s > 0);
    *result = (struct signature_result){0};
    if (fields > 1) {
        return SIGNATURE_HEADER_MALFORMED;
    }
    struct slice text = {header, header == NULL ? 0 : header_len};
    text = trim(text);
    if (fields == 0 || text.len == 0) {
        return SIGNATURE_HEADER_MISSING;
    }

    struct slice t;
    enum signature_verdict verdict = read_header(text, &t, result);
    if (verdict != SIGNATURE_OK) {
        return verdict;
    }
    /* No overflow: t has 12 digits and no clock is near the ends of int64. */
    result->age_s = now_s - result->timestamp_s;

    verdict = try_secrets(keys, text, t, body, body_len, result);
    if (verdict != SIGNATURE_OK) {
        return verdict;
    }
    if (result->age_s > tolerance_s) {
        return SIGNATURE_TOO_OLD;
    }
    return result->age_s < -tolerance_s ? SIGNATURE_AHEAD : SIGNATURE_OK;
}

/* ---- Making --------------------------------------------------------- */

int
signature_make(const char *secret, size_t secret_len, int64_t timestamp_s,
               const char *body, size_t body_len, char *out, struct error *err)
{
    char t[24];
    int t_len = snprintf(t, sizeof(t), "%" PRId64, timestamp_s);
    char hex[SIGNATURE_HEX_LEN];
    EVP_MAC_CTX *mac = mac_open(secret, secret_len);
    int rc = mac == NULL ? RC_IO
                         : mac_hex(mac, (struct slice){t, (size_t)t_len}, body,
                                   body_len, hex);
    EVP_MAC_CTX_free(mac);
    if (rc != RC_OK) {
        return error_set(err, rc, "signature: OpenSSL cannot do HMAC");
    }
    snprintf(out, SIGNATURE_HEADER_MAX, "t=%s,v1=%.*s", t, SIGNATURE_HEX_LEN,
             hex);
    return RC_OK;
}

int
signature_new_secret(char *out, struct error *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789";
    const size_t letter_count = sizeof(letters) - 1;
    /* The largest multiple that fits into a byte: above it, a remainder would
     * favour the first letters. */
    const size_t fair = 256 / letter_count * letter_count;

    char secret[sizeof("whsec_") + SIGNATURE_RANDOM_LEN] = "whsec_";
    size_t len = sizeof("whsec_") - 1;
    while (len < sizeof(secret) - 1) {
        unsigned char byte;
        if (RAND_bytes(&byte, 1) != 1) {
            OPENSSL_cleanse(secret, sizeof(secret));
            return error_set(err, RC_IO, "secret: no random bytes");
        }
        if (byte < fair) {
            secret[len++] = letters[byte % letter_count];
        }
    }
    memcpy(out, secret, sizeof(secret));
    OPENSSL_cleanse(secret, sizeof(secret));
    return RC_OK;
}
