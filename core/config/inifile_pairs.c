/* core/config/inifile_pairs.c: keys and values from inih's handler: kept,
 * joined when indented lines continue them, refused when given twice or cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/inifile_parser.h"

#include "config/inifile.h"
#include "config/report.h"
#include "value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* These bound the work that a wrong file can cause. */
#define ENTRIES_MAX 1000 /* in one section */

/* What somebody who indents keys would write; inih would swallow it. */
static int
looks_misplaced(const char *text, size_t len)
{
    if (text[0] == '[' && text[len - 1] == ']') {
        return 1;
    }
    size_t key = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    return key > 0 && text[key + strspn(text + key, " \t")] == '=';
}

/* inih (r55) leaves a comment behind a continued value in it. */
static size_t
without_comment(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0' &&
           !(text[len] == ';' && len > 0 &&
             (text[len - 1] == ' ' || text[len - 1] == '\t'))) {
        len++;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    return len;
}

static void
extend_value(struct parser *p, const char *text)
{
    struct inifile_entry *entry = p->entry;
    if (entry == NULL) {
        return;
    }
    size_t len = without_comment(text);
    if (looks_misplaced(text, len)) {
        PARSE_ERROR(p,
                    "this indented line continues the value of \"%s\"; "
                    "if it is not meant to, remove the blanks before it, "
                    "else join it to the line above",
                    entry->key);
        entry->broken = 1;
        return;
    }
    size_t old = strlen(entry->value);
    if (old + len > VALUE_MAX) {
        PARSE_ERROR(p, "the value of \"%s\" has more than %d characters",
                    entry->key, VALUE_MAX);
        entry->broken = 1;
        p->entry = NULL; /* say so once */
        return;
    }
    /* Not realloc(), which may leave a copy of a secret behind. */
    char *joined = malloc(old + len + 2);
    if (joined == NULL) {
        p->out_of_memory = 1;
        return;
    }
    memcpy(joined, entry->value, old);
    joined[old] = ' ';
    memcpy(joined + old + (old > 0), text, len);
    joined[old + (old > 0) + len] = '\0';
    explicit_bzero(entry->value, old);
    free(entry->value);
    entry->value = joined;
    entry->broken |= p->broken;
}

/* Whether a key can be kept; if not, that is reported. */
static int
check_key(struct parser *p, const char *key)
{
    if (p->lost) {
        return 0;
    }
    if (key[0] == '\0') {
        PARSE_ERROR(p, "no key in front of =; write key = value");
        return 0;
    }
    if (p->section == NULL) {
        PARSE_ERROR(p,
                    "key \"%s\" is above the first section; put a line "
                    "such as [server] above it",
                    key);
        return 0;
    }
    if (strlen(key) > NAME_BYTES_MAX) {
        PARSE_ERROR(p, "the key has %zu characters; at most %d are read",
                    strlen(key), NAME_BYTES_MAX);
        return 0;
    }
    const struct inifile_entry *first = inifile_entry(p->section, key);
    if (first != NULL) {
        PARSE_ERROR(p,
                    "\"%s\" is given twice in [%s], first on line %d; "
                    "keep one",
                    key, p->section->name, first->line);
        return 0;
    }
    if (p->section->count == ENTRIES_MAX) {
        PARSE_ERROR(p, "more than %d keys in [%s]", ENTRIES_MAX,
                    p->section->name);
        p->lost = 1; /* say so once */
        return 0;
    }
    return 1;
}

static void
add_entry(struct parser *p, const char *key, const char *value)
{
    p->continues = key[0] != '\0';
    p->entry = NULL;
    if (!check_key(p, key)) {
        return;
    }
    p->entry = inifile_add_entry(p->section, key, value, p->number);
    if (p->entry == NULL) {
        p->out_of_memory = 1;
        return;
    }
    p->entry->broken = p->broken;
}

int
parser_take_pair(void *user, const char *section, const char *key,
                 const char *value)
{
    (void)section;
    struct parser *p = user;
    p->taken = 1;
    if (p->continues && isspace((unsigned char)p->line[0])) {
        extend_value(p, value);
    } else {
        add_entry(p, key, value);
    }
    return 1;
}
