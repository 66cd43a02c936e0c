/* tests/fuzz/fuzz_signature.c: signature_check() against a slow and obvious
 * second implementation, for any header, body and clock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/signature.h"

#include "error.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An input is one byte of settings, the header up to a line feed, and the
 * body. Bits 0 and 1 of the settings choose the number of fields, bits 2 to 4
 * the age. As no fuzzer guesses a MAC, '@' and '~' in the header stand
 * for the right one by the first and by the second secret. */
#define CLOCK_S     1790000000 /* when the header has no time */
#define TOLERANCE_S 300
#define HEADER_MAX  2048 /* an item of ours takes twice as much */

static const char *const secrets[] = {"whsec_fuzz_one", "whsec_fuzz_two"};
static const int64_t ages_s[] = {0,    300, 301,       -300,
                                 -301, 5,   INT32_MIN, INT32_MAX};

/* ---- The second implementation -------------------------------------- */

/* HMAC as RFC 2104 writes it down, over one copied message. */
static void
plain_hmac(const char *key, const char *message, size_t len, char *hex)
{
    unsigned char inner[64], outer[64 + SHA256_DIGEST_LENGTH];
    memset(inner, 0x36, 64);
    memset(outer, 0x5c, 64);
    for (size_t i = 0; i < strlen(key); i++) {
        inner[i] ^= (unsigned char)key[i];
        outer[i] ^= (unsigned char)key[i];
    }
    unsigned char *text = malloc(64 + len);
    if (text == NULL) {
        abort();
    }
    memcpy(text, inner, 64);
    memcpy(text + 64, message, len);
    SHA256(text, 64 + len, outer + 64);
    free(text);

    unsigned char mac[SHA256_DIGEST_LENGTH];
    SHA256(outer, sizeof(outer), mac);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        sprintf(hex + 2 * i, "%02x", mac[i]);
    }
}

/* An item of the header, as text; `keyed` if it has an equals sign. */
struct item {
    char key[HEADER_MAX + 1], value[HEADER_MAX + 1];
    size_t value_len;
    int keyed;
};

struct parsed {
    struct item *items;
    size_t count;
};

static void
plain_item(struct item *item, const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    memset(item, 0, sizeof(*item));
    size_t at = 0;
    while (at < len && text[at] != '=') {
        /* A NUL must not end the key early: any other byte will do. */
        item->key[at] = (char)(text[at] == '\0' ? '?' : text[at]);
        at++;
    }
    if (at < len) {
        item->keyed = 1;
        item->value_len = len - at - 1;
        memcpy(item->value, text + at + 1, item->value_len);
    }
}

static void
plain_parse(struct parsed *parsed, const char *header, size_t len)
{
    parsed->count = 1;
    for (size_t i = 0; i < len; i++) {
        parsed->count += header[i] == ',';
    }
    parsed->items = calloc(parsed->count, sizeof(struct item));
    if (parsed->items == NULL) {
        abort();
    }
    size_t start = 0;
    for (size_t n = 0; n < parsed->count; n++) {
        size_t end = start;
        while (end < len && header[end] != ',') {
            end++;
        }
        plain_item(&parsed->items[n], header + start, end - start);
        start = end + 1;
    }
}

/* The first item of that key, or NULL. */
static const struct item *
plain_find(const struct parsed *parsed, const char *key)
{
    for (size_t i = 0; i < parsed->count; i++) {
        if (parsed->items[i].keyed && strcmp(parsed->items[i].key, key) == 0) {
            return &parsed->items[i];
        }
    }
    return NULL;
}

static int
plain_same(const struct item *a, const struct item *b)
{
    return a->value_len == b->value_len &&
           memcmp(a->value, b->value, a->value_len) == 0;
}

/* A number is a timestamp if it prints as it was written. */
static int
plain_timestamp(const struct item *t, long long *seconds)
{
    char printed[32];
    if (t->value_len < 1 || t->value_len > 12) {
        return 0;
    }
    *seconds = strtoll(t->value, NULL, 10);
    int len = snprintf(printed, sizeof(printed), "%lld", *seconds);
    return *seconds >= 0 && (size_t)len == t->value_len &&
           memcmp(printed, t->value, t->value_len) == 0;
}

static void
plain_mac(const char *secret, const char *t, size_t t_len, const char *body,
          size_t body_len, char *hex)
{
    char *message = malloc(t_len + 1 + body_len);
    if (message == NULL) {
        abort();
    }
    memcpy(message, t, t_len);
    message[t_len] = '.';
    memcpy(message + t_len + 1, body, body_len);
    plain_hmac(secret, message, t_len + 1 + body_len, hex);
    free(message);
}

static int
plain_signed(const struct parsed *parsed, const char *hex)
{
    for (size_t i = 0; i < parsed->count; i++) {
        const struct item *item = &parsed->items[i];
        if (item->keyed && strcmp(item->key, "v1") == 0 &&
            item->value_len == strlen(hex) && strcmp(item->value, hex) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What the verdict should be; `secret` is the index of the one that matches. */
static enum signature_verdict
plain_check(const struct parsed *parsed, unsigned fields, int blank,
            const char *body, size_t body_len, int64_t now_s, int *secret)
{
    if (fields > 1) {
        return SIGNATURE_HEADER_MALFORMED;
    }
    if (fields == 0 || blank) {
        return SIGNATURE_HEADER_MISSING;
    }
    const struct item *t = plain_find(parsed, "t");
    for (size_t i = 0; i < parsed->count; i++) {
        const struct item *item = &parsed->items[i];
        if (item->keyed && strcmp(item->key, "t") == 0 &&
            !plain_same(item, t)) {
            return SIGNATURE_HEADER_MALFORMED;
        }
    }
    long long seconds = 0;
    if (t == NULL) {
        return SIGNATURE_TIMESTAMP_MISSING;
    }
    if (!plain_timestamp(t, &seconds)) {
        return SIGNATURE_TIMESTAMP_INVALID;
    }
    if (plain_find(parsed, "v1") == NULL) {
        return SIGNATURE_NO_V1;
    }
    *secret = -1;
    for (int i = 1; i >= 0; i--) {
        char hex[SIGNATURE_HEX_LEN + 1];
        plain_mac(secrets[i], t->value, t->value_len, body, body_len, hex);
        if (plain_signed(parsed, hex)) {
            *secret = i;
        }
    }
    if (*secret < 0) {
        return SIGNATURE_MISMATCH;
    }
    if (now_s - seconds > TOLERANCE_S) {
        return SIGNATURE_TOO_OLD;
    }
    return seconds - now_s > TOLERANCE_S ? SIGNATURE_AHEAD : SIGNATURE_OK;
}

/* ---- The comparison ------------------------------------------------- */

/* Copy the header with every '@' and '~' replaced. `time_s` gets its time. */
static size_t
fill_header(char *out, const char *header, size_t len, const char *body,
            size_t body_len, int64_t *time_s)
{
    /* The MACs are over the text of the first t, whatever it is. */
    struct parsed parsed;
    plain_parse(&parsed, header, len);
    const struct item *t = plain_find(&parsed, "t");
    char hex[2][SIGNATURE_HEX_LEN + 1];
    for (int i = 0; i < 2; i++) {
        plain_mac(secrets[i], t == NULL ? "" : t->value,
                  t == NULL ? 0 : t->value_len, body, body_len, hex[i]);
    }
    long long seconds;
    *time_s = t != NULL && plain_timestamp(t, &seconds) ? seconds : CLOCK_S;
    free(parsed.items);

    size_t n = 0;
    for (size_t i = 0; i < len && n + SIGNATURE_HEX_LEN < HEADER_MAX; i++) {
        if (header[i] == '@' || header[i] == '~') {
            memcpy(out + n, hex[header[i] == '~'], SIGNATURE_HEX_LEN);
            n += SIGNATURE_HEX_LEN;
        } else {
            out[n++] = header[i];
        }
    }
    return n;
}

static void
expect(int good, const char *what, const char *header, size_t len)
{
    if (!good) {
        fprintf(stderr, "%s differs for header: %.*s\n", what, (int)len,
                header);
        abort();
    }
}

static void
compare(const char *header, size_t len, unsigned fields, const char *body,
        size_t body_len, int64_t now_s)
{
    static struct signature_keys *keys;
    if (keys == NULL) {
        int rc = signature_keys_open(&keys, NULL);
        for (int i = 0; i < 2 && rc == RC_OK; i++) {
            rc = signature_keys_add(keys, secrets[i], secrets[i],
                                    strlen(secrets[i]), NULL);
        }
        if (rc != RC_OK) {
            abort();
        }
    }
    struct signature_result result;
    enum signature_verdict got = signature_check(
        keys, header, len, fields, body, body_len, now_s, TOLERANCE_S, &result);

    struct parsed parsed;
    plain_parse(&parsed, header, len);
    int secret = -1;
    int blank = parsed.count == 1 && !parsed.items[0].keyed &&
                parsed.items[0].key[0] == '\0';
    enum signature_verdict want =
        plain_check(&parsed, fields, blank, body, body_len, now_s, &secret);
    unsigned v1_count = 0;
    for (size_t i = 0; i < parsed.count; i++) {
        v1_count +=
            parsed.items[i].keyed && strcmp(parsed.items[i].key, "v1") == 0;
    }
    free(parsed.items);

    expect(got == want, "verdict", header, len);
    if (got == SIGNATURE_OK || got == SIGNATURE_MISMATCH) {
        expect(result.v1_count == v1_count, "number of v1", header, len);
        expect(result.tried == 2, "number of secrets", header, len);
        expect(result.age_s == now_s - result.timestamp_s, "age", header, len);
    }
    expect(secret < 0 ? result.secret == NULL
                      : strcmp(result.secret, secrets[secret]) == 0,
           "secret", header, len);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    const char *header = (const char *)data + 1;
    const char *end = memchr(header, '\n', len - 1);
    size_t header_len = end == NULL ? len - 1 : (size_t)(end - header);
    const char *body = end == NULL ? header + header_len : end + 1;
    size_t body_len = len - 1 - (size_t)(body - header);
    unsigned fields = data[0] & 3u;
    if (header_len > HEADER_MAX / 8) {
        return 0; /* a longer one only costs time */
    }

    /* Exactly as long as it is, for the sanitizer to see one byte too far. */
    char filled[HEADER_MAX];
    int64_t time_s;
    size_t n = fill_header(filled, header, header_len, body, body_len, &time_s);
    int64_t now_s = time_s + ages_s[data[0] >> 2 & 7];
    char *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, filled, n);
    compare(exact, n, fields == 0 ? 1 : fields - 1, body, body_len, now_s);
    free(exact);
    return 0;
}
