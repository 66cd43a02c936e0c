/* plugins/publish/subject.c: templates of subjects.
 * SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TEMPLATE_MAX 255
#define NOTHING      "none" /* in place of an empty token */

static const char *const names[] = {"{type}", "{account}", "{livemode}"};

enum { NAME_TYPE, NAME_ACCOUNT, NAME_LIVEMODE, NAME_COUNT };

struct text {
    char *bytes; /* SUBJECT_MAX */
    size_t len;
    int full;
};

/* Which placeholder starts here, or NAME_COUNT. */
static int
name_at(const char *at)
{
    int i = 0;
    while (i < NAME_COUNT && strncmp(at, names[i], strlen(names[i])) != 0) {
        i++;
    }
    return i;
}

/* Bytes that mean something in a subject, and those that no line of the
 * protocol can hold. '$' begins the subjects of servers. */
static int
is_special(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte <= ' ' || byte == 0x7f || strchr("*>$", c) != NULL;
}

const char *
subject_check(const char *template)
{
    size_t len = strlen(template);
    if (len == 0 || len > TEMPLATE_MAX) {
        return "it must have 1 to 255 letters";
    }
    if (template[0] == '.' || template[len - 1] == '.' ||
        strstr(template, "..") != NULL) {
        return "it has an empty token: dots stand between words";
    }
    for (const char *at = template; *at != '\0'; at++) {
        if (is_special(*at)) {
            return "blanks, wildcards (* and >) and $ cannot stand in it";
        }
        int name = *at == '{' || *at == '}' ? name_at(at) : -1;
        if (name == NAME_COUNT) {
            return "of what stands in braces, {type}, {account} and "
                   "{livemode} are known";
        }
        at += name < 0 ? 0 : strlen(names[name]) - 1;
    }
    return NULL;
}

static void
put_byte(struct text *text, char c)
{
    if (text->len + 1 >= SUBJECT_MAX) {
        text->full = 1;
        return;
    }
    text->bytes[text->len++] = c;
    text->bytes[text->len] = '\0';
}

/* End a token; an empty one gets a word. */
static void
end_token(struct text *text)
{
    if (text->len == 0 || text->bytes[text->len - 1] == '.') {
        for (const char *at = NOTHING; *at != '\0'; at++) {
            put_byte(text, *at);
        }
    }
}

static void
put_value(struct text *text, const char *value, int keep_dots)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '.' && keep_dots) {
            end_token(text);
            put_byte(text, '.');
        } else {
            put_byte(text, *at == '.' || is_special(*at) ? '_' : *at);
        }
    }
}

int
subject_make(char out[SUBJECT_MAX], const char *template,
             const struct subject_values *values)
{
    struct text text = {.bytes = out};
    for (const char *at = template; *at != '\0'; at++) {
        int name = name_at(at);
        if (name == NAME_TYPE) {
            put_value(&text, values->type, 1);
        } else if (name == NAME_ACCOUNT) {
            put_value(&text, values->account, 0);
        } else if (name == NAME_LIVEMODE) {
            put_value(&text, values->live ? "live" : "test", 0);
        } else {
            if (*at == '.') {
                end_token(&text);
            }
            put_byte(&text, *at);
        }
        at += name == NAME_COUNT ? 0 : strlen(names[name]) - 1;
    }
    end_token(&text);
    return text.full ? -1 : 0;
}

int
subject_cover(char out[SUBJECT_MAX], const char *template)
{
    size_t fixed = strcspn(template, "{");
    if (template[fixed] == '\0') {
        snprintf(out, SUBJECT_MAX, "%s", template);
        return 0;
    }
    while (fixed > 0 && template[fixed - 1] != '.') {
        fixed--; /* a wildcard is a whole token */
    }
    snprintf(out, SUBJECT_MAX, "%.*s>", (int)fixed, template);
    return fixed > 0 ? 0 : -1;
}
