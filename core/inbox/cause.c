/* core/inbox/cause.c: a message without what differs from event to event. One
 * pass from left to right, one token at a time, until the output is full.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/cause.h"

#include <string.h>

#define HEX_MIN      8 /* a hex run this long, with a digit in it, is no word */
#define ID_MIXED_MIN 8 /* the same for letters of both cases behind a '_' */
#define UUID_LEN     36

struct cause {
    char *out;
    size_t len;
    int full;
    /* No such quote closes any more: keeps many open ones from being searched
     * to the end, each of them. */
    int no_double, no_single;
};

/* ---- Kinds of characters: of ASCII, whatever the locale ------------- */

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int
is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int
is_word(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c) || c == '_';
}

/* Letters of other scripts too: to tell an apostrophe from a quote. */
static int
is_letter(char c)
{
    return is_word(c) || (unsigned char)c >= 0x80;
}

static int
is_blank(char c)
{
    return (c > '\0' && c <= ' ') || c == '\x7f';
}

/* ---- Writing -------------------------------------------------------- */

/* All of it or nothing: tokens and UTF-8 sequences are not cut in half. */
static void
add(struct cause *cause, const char *text, size_t len)
{
    if (cause->full || len > CAUSE_MAX - cause->len) {
        cause->full = 1;
        return;
    }
    memcpy(cause->out + cause->len, text, len);
    cause->len += len;
}

static void
add_token(struct cause *cause, const char *token)
{
    add(cause, token, strlen(token));
}

/* A word with its numbers written as <n>. */
static void
add_word(struct cause *cause, const char *word, size_t len)
{
    for (size_t i = 0; i < len && !cause->full; i++) {
        if (!is_digit(word[i])) {
            add(cause, word + i, 1);
        } else if (i == 0 || !is_digit(word[i - 1])) {
            add_token(cause, "<n>");
        }
    }
}

/* ---- Words ---------------------------------------------------------- */

/* As "pi_3QfX2e" or "cs_test_a1B2": small letters, '_', and an end that no name
 * in a program has. */
static int
is_id(const char *word, size_t len)
{
    size_t prefix = 0, end = len;
    int digits = 0, lower = 0, upper = 0;
    while (prefix < len && is_lower(word[prefix])) {
        prefix++;
    }
    if (prefix < 2 || prefix == len || word[prefix] != '_') {
        return 0;
    }
    for (; word[end - 1] != '_'; end--) {
        digits |= is_digit(word[end - 1]);
        lower |= is_lower(word[end - 1]);
        upper |= is_upper(word[end - 1]);
    }
    return (digits && (lower || upper)) ||
           (len - end >= ID_MIXED_MIN && lower && upper);
}

static int
is_hex_run(const char *word, size_t len)
{
    int digits = 0, letters = 0, prefixed = 0;
    if (len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
        word += 2;
        len -= 2;
        prefixed = 1;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_hex(word[i])) {
            return 0;
        }
        digits |= is_digit(word[i]);
        letters |= !is_digit(word[i]);
    }
    return prefixed || (len >= HEX_MIN && digits && letters);
}

/* As 123e4567-e89b-12d3-a456-426614174000, and nothing behind it. */
static int
is_uuid(const char *text)
{
    for (size_t i = 0; i < UUID_LEN; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i])) {
            return 0; /* also at the end of the text */
        }
    }
    return !is_word(text[UUID_LEN]);
}

static const char *
read_word(struct cause *cause, const char *at)
{
    size_t len = 0;
    if (is_uuid(at)) {
        add_token(cause, "<hex>");
        return at + UUID_LEN;
    }
    while (is_word(at[len])) {
        len++;
    }
    if (is_id(at, len)) {
        add_token(cause, "<id>");
    } else if (is_hex_run(at, len)) {
        add_token(cause, "<hex>");
    } else {
        add_word(cause, at, len);
    }
    return at + len;
}

/* ---- The rest ------------------------------------------------------- */

/* The quote that ends what one at `at` begins; NULL when none does. */
static const char *
closing_quote(struct cause *cause, const char *message, const char *at)
{
    int *none = *at == '"' ? &cause->no_double : &cause->no_single;
    if (*none || (*at == '\'' && at > message && is_letter(at[-1]))) {
        return NULL; /* or an apostrophe */
    }
    for (const char *end = at + 1; *end != '\0'; end++) {
        if (*end == *at && (*at == '"' || !is_letter(end[1]))) {
            return end;
        }
    }
    *none = 1;
    return NULL;
}

/* One character that stands for itself; a byte that is not UTF-8 as '?'. */
static const char *
read_other(struct cause *cause, const char *at)
{
    unsigned char lead = (unsigned char)*at;
    size_t want = lead < 0x80                   ? 1
                  : lead >= 0xc2 && lead < 0xe0 ? 2
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                  : lead >= 0xf0 && lead < 0xf5 ? 4
                                                : 0;
    size_t len = want > 0;
    while (len < want && ((unsigned char)at[len] & 0xc0) == 0x80) {
        len++;
    }
    if (want == 0 || len < want) {
        add(cause, "?", 1);
        return at + 1;
    }
    add(cause, at, len);
    return at + len;
}

static const char *
read_blanks(struct cause *cause, const char *at)
{
    while (is_blank(*at)) {
        at++;
    }
    if (cause->len > 0 && *at != '\0') {
        add(cause, " ", 1);
    }
    return at;
}

static const char *
read_token(struct cause *cause, const char *message, const char *at)
{
    if (is_blank(*at)) {
        return read_blanks(cause, at);
    }
    if (is_word(*at)) {
        return read_word(cause, at);
    }
    if (*at == '"' || *at == '\'') {
        const char *end = closing_quote(cause, message, at);
        if (end != NULL) {
            add_token(cause, "<text>");
            return end + 1;
        }
    }
    return read_other(cause, at);
}

void
cause_of(char *out, const char *message)
{
    struct cause cause = {.out = out};
    for (const char *at = message; *at != '\0' && !cause.full;) {
        at = read_token(&cause, message, at);
    }
    while (cause.len > 0 && out[cause.len - 1] == ' ') {
        cause.len--; /* the cut fell behind a blank */
    }
    out[cause.len] = '\0';
}
