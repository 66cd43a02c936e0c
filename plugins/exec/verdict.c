/* plugins/exec/verdict.c: the lines with which a long-lived handler answers: as
 * much of JSON as that takes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <errno.h>
#include <pegboard/plugin.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64 /* of values that are passed over */

/* All functions that read return where they ended, or NULL: no JSON. */

static const char *
skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* ---- Strings -------------------------------------------------------- */

/* A text that takes what fits, and no half characters. */
struct room {
    char *text;
    size_t len, size;
};

static void
put(struct room *to, const char *bytes, size_t len)
{
    if (to != NULL && to->len + len < to->size) {
        memcpy(to->text + to->len, bytes, len);
        to->len += len;
        to->text[to->len] = '\0';
    } else if (to != NULL) {
        to->size = 0; /* full: nothing that is shorter follows */
    }
}

static const char *
read_hex(const char *at, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, at++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *found = *at == '\0' ? NULL : strchr(digits, *at);
        if (found == NULL) {
            return NULL;
        }
        unsigned value = (unsigned)(found - digits);
        *out = *out * 16 + (value > 15 ? value - 6 : value);
    }
    return at;
}

static void
put_code(struct room *to, unsigned code)
{
    char bytes[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, code >>= 6) {
        bytes[i] = (char)(0x80 | (code & 0x3f));
    }
    bytes[0] = (char)(marks[len] | code);
    put(to, bytes, len);
}

/* Behind "\u". What is no character, or NUL, becomes the one for that. */
static const char *
read_code(const char *at, struct room *to)
{
    unsigned code, low;
    at = read_hex(at, &code);
    if (at == NULL) {
        return NULL;
    }
    if (code >= 0xd800 && code < 0xdc00 && at[0] == '\\' && at[1] == 'u' &&
        read_hex(at + 2, &low) != NULL && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    } else if (code == 0 || (code >= 0xd800 && code < 0xe000)) {
        code = 0xfffd;
    }
    put_code(to, code);
    return at;
}

static const char *
read_escape(const char *at, struct room *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (*at == 'u') {
        return read_code(at + 1, to);
    }
    const char *found = *at == '\0' ? NULL : strchr(from, *at);
    if (found == NULL) {
        return NULL;
    }
    put(to, &into[found - from], 1);
    return at + 1;
}

/* `to` may be NULL: the text is passed over. */
static const char *
read_string(const char *at, struct room *to)
{
    if (*at++ != '"') {
        return NULL;
    }
    while (at != NULL && *at != '"') {
        if ((unsigned char)*at < ' ') {
            return NULL;
        }
        if (*at == '\\') {
            at = read_escape(at + 1, to);
            continue;
        }
        size_t len = 1; /* all bytes of a character */
        while (((unsigned char)at[len] & 0xc0) == 0x80) {
            len++;
        }
        put(to, at, len);
        at += len;
    }
    return at == NULL ? NULL : at + 1;
}

/* ---- Other values --------------------------------------------------- */

static const char *
read_word(const char *at, const char *word)
{
    size_t len = strlen(word);
    return strncmp(at, word, len) == 0 ? at + len : NULL;
}

/* Of a number passed over it only counts where it ends. */
static const char *
skip_plain(const char *at)
{
    const char *words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        const char *end = read_word(at, words[i]);
        if (end != NULL) {
            return end;
        }
    }
    size_t len = strspn(at, "+-0123456789.eE");
    return len == 0 ? NULL : at + len;
}

/* Brackets must match; what stands between them is not looked at closely. */
static const char *
skip_value(const char *at)
{
    char open[DEPTH_MAX];
    int depth = 0;
    do {
        at = skip_blanks(at);
        if (*at == '{' || *at == '[') {
            if (depth == DEPTH_MAX) {
                return NULL;
            }
            open[depth++] = *at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0 || (open[--depth] == '{') != (*at == '}')) {
                return NULL;
            }
            at++;
        } else if (*at == '"') {
            at = read_string(at, NULL);
        } else if (depth > 0 && (*at == ',' || *at == ':')) {
            at++;
        } else {
            at = skip_plain(at);
        }
    } while (at != NULL && depth > 0);
    return at;
}

static const char *
read_delay(const char *at, int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(at, &end, 10);
    if ((at[0] < '0' || at[0] > '9') || errno != 0) {
        return NULL;
    }
    *out = number;
    return end;
}

/* ---- The line ------------------------------------------------------- */

static const char *
read_code_name(const char *at, int32_t *out)
{
    static const char *const names[] = {"done", "skip", "retry", "fail"};
    static const int32_t codes[] = {PEG_DONE, PEG_SKIP, PEG_RETRY, PEG_FAIL};
    char text[16] = "";
    struct room room = {text, 0, sizeof(text)};
    at = read_string(at, &room);
    for (int i = 0; at != NULL && i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = codes[i];
            return at;
        }
    }
    return NULL;
}

/* One value, by the name of its member. */
static const char *
read_member(const char *at, const char *name, struct verdict *out,
            const char **wrong)
{
    struct room reason = {out->reason, 0, sizeof(out->reason)};
    struct room id = {out->id, 0, sizeof(out->id)};
    if (strncmp(at, "null", 4) == 0) {
        return at + 4; /* as if it were not there */
    }
    if (strcmp(name, "verdict") == 0) {
        *wrong = "its \"verdict\" is not \"done\", \"skip\", \"retry\" or "
                 "\"fail\"";
        return read_code_name(at, &out->code);
    }
    if (strcmp(name, "delay_ms") == 0) {
        *wrong = "its \"delay_ms\" is not a whole number from 0 on";
        return read_delay(at, &out->delay_ms);
    }
    if (strcmp(name, "ready") == 0) {
        *wrong = "its \"ready\" is not true or false";
        out->ready = *at == 't';
        return read_word(at, out->ready ? "true" : "false");
    }
    if (strcmp(name, "reason") == 0) {
        *wrong = "its \"reason\" is not a string";
        return read_string(at, &reason);
    }
    if (strcmp(name, "id") == 0) {
        *wrong = "its \"id\" is not a string";
        return read_string(at, &id);
    }
    return skip_value(at);
}

const char *
verdict_read(struct verdict *out, const char *line)
{
    static const char no_json[] = "it is no JSON object";
    const char *at = skip_blanks(line);
    *out = (struct verdict){.code = -1, .delay_ms = -1, .ready = -1};
    if (*at != '{') {
        return no_json;
    }
    at = skip_blanks(at + 1);
    int is_first = 1;
    while (*at != '}') {
        char name[16] = "";
        struct room room = {name, 0, sizeof(name)};
        const char *wrong = no_json;
        if (!is_first && *at++ != ',') {
            return no_json;
        }
        is_first = 0;
        at = read_string(skip_blanks(at), &room);
        if (at == NULL || *(at = skip_blanks(at)) != ':') {
            return no_json;
        }
        at = read_member(skip_blanks(at + 1), name, out, &wrong);
        if (at == NULL) {
            return wrong;
        }
        at = skip_blanks(at);
    }
    return *skip_blanks(at + 1) == '\0' ? NULL : no_json;
}
