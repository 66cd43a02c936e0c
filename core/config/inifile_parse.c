/* core/config/inifile_parse.c: inih does the parsing; we feed it line by line,
 * and report what it would cut, join or pass over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/inifile.h"

#include "error.h"
#include "config/inifile_parser.h"
#include "config/report.h"
#include "utf8.h"

#include <ctype.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* It bounds the work that a wrong file can cause. */
#define SECTIONS_MAX 256

static int
is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static const char *
skip_blanks(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at)) {
        at++;
    }
    return at;
}

/* Nothing is left, or nothing but a comment. */
static int
is_comment(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    return at == end || *at == ';' || *at == '#';
}

/* ---- Section headers, which inih does not tell its handler ---------- */

/* Put one blank between words, so that a header has one spelling only. */
static void
squeeze(char *name, const char *from, const char *end)
{
    char *to = name;
    for (from = skip_blanks(from, end); from < end; from++) {
        if (!is_blank(*from)) {
            *to++ = *from;
        } else if (!is_blank(to[-1])) {
            *to++ = ' ';
        }
    }
    if (to > name && to[-1] == ' ') {
        to--;
    }
    *to = '\0';
}

static void
add_section(struct parser *p, const char *name)
{
    const struct inifile_section *first = inifile_section(p->ini, name);
    if (first != NULL) {
        PARSE_ERROR(p,
                    "[%s] is here for the second time; move its keys to "
                    "line %d",
                    name, first->line);
        /* Go on there, so that keys given twice are found too. */
        p->section = &p->ini->sections[first - p->ini->sections];
        p->lost = 0;
        return;
    }
    if (p->ini->count == SECTIONS_MAX) {
        PARSE_ERROR(p, "more than %d sections", SECTIONS_MAX);
        return;
    }
    p->section = inifile_add_section(p->ini, name, p->number);
    p->lost = 0;
    p->out_of_memory = p->section == NULL;
}

static void
open_section(struct parser *p, const char *from)
{
    p->section = NULL;
    p->entry = NULL;
    p->continues = 0;
    p->lost = 1;

    const char *close = memchr(from, ']', (size_t)(p->line_end - from));
    if (close == NULL || memchr(from, ';', (size_t)(close - from)) != NULL) {
        PARSE_ERROR(p, "[ without ]; write [section]");
        return;
    }
    if (!is_comment(close + 1, p->line_end)) {
        PARSE_ERROR(p, "there is text behind ]; put it on a line of its own");
    }
    if (close - from > NAME_BYTES_MAX) {
        PARSE_ERROR(p,
                    "the section's name has %d characters; at most %d are "
                    "read",
                    (int)(close - from), NAME_BYTES_MAX);
        return;
    }
    char name[NAME_BYTES_MAX + 1];
    squeeze(name, from, close);
    if (name[0] == '\0') {
        PARSE_ERROR(p, "[] has no name; write [section]");
        return;
    }
    add_section(p, name);
}

/* Once inih is done with a line: if it took nothing, say why not. */
static void
settle_line(struct parser *p)
{
    if (p->number == 0 || p->taken || is_comment(p->line, p->line_end)) {
        return;
    }
    const char *at = skip_blanks(p->line, p->line_end);
    if (*at == '[') {
        open_section(p, at + 1);
    } else if (!p->broken) {
        PARSE_ERROR(p, "no = in this line; write key = value, or begin a "
                       "comment with ;");
    }
}

/* ---- The reader: each line is looked at before inih gets it --------- */

static void
check_encoding(struct parser *p)
{
    uint32_t code;
    size_t bytes;
    for (const char *at = p->line; at < p->line_end; at += bytes) {
        bytes = utf8_char(at, (size_t)(p->line_end - at), &code);
        if (bytes == 0) {
            PARSE_ERROR(p,
                        "byte 0x%02x is no UTF-8; save the file as plain UTF-8 "
                        "text",
                        (unsigned char)*at);
            p->broken = 1;
            return;
        }
    }
}

static void
check_line(struct parser *p, size_t room)
{
    size_t len = (size_t)(p->line_end - p->line);
    for (const char *at = p->line; at < p->line_end; at++) {
        unsigned char byte = (unsigned char)*at;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            PARSE_ERROR(p,
                        "control character 0x%02x; save the file as plain "
                        "UTF-8 text",
                        byte);
            p->broken = 1;
            return;
        }
    }
    if (is_comment(p->line, p->line_end)) {
        return; /* it may be anything, and be cut: nothing of it is lost */
    }
    check_encoding(p);
    if (len > room) {
        PARSE_ERROR(p,
                    "the line has %zu characters; at most %zu are read: "
                    "continue it on an indented line",
                    len, room);
        p->broken = 1;
    }
}

static void
take_line(struct parser *p)
{
    p->line = p->at;
    p->line_end = memchr(p->at, '\n', (size_t)(p->end - p->at));
    if (p->line_end == NULL) {
        p->line_end = p->end;
        p->at = p->end;
    } else {
        p->at = p->line_end + 1;
    }
    if (p->line_end > p->line && p->line_end[-1] == '\r') {
        p->line_end--;
    }
    p->number++;
    p->taken = 0;
    p->broken = 0;
}

/* An ini_reader, as fgets(). */
static char *
feed_line(char *room, int size, void *stream)
{
    struct parser *p = stream;
    settle_line(p);
    if (p->at == p->end || p->out_of_memory) {
        explicit_bzero(room, (size_t)size); /* a secret may have been in it */
        return NULL;
    }
    take_line(p);
    check_line(p, (size_t)size - 1);
    size_t len = (size_t)(p->line_end - p->line);
    if (len > (size_t)size - 1) {
        len = (size_t)size - 1;
    }
    for (size_t i = 0; i < len; i++) {
        room[i] = p->line[i] != '\0' ? p->line[i] : '?';
    }
    room[len] = '\0';
    return room;
}

int
inifile_parse(struct inifile *ini, const char *path, const char *text,
              size_t len, struct config_report *report)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t start = len >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
    struct parser parser = {.ini = ini,
                            .report = report,
                            .path = path,
                            .at = text + start,
                            .end = text + len};
    /* Its result is the first bad line; settle_line() has found them all. */
    (void)ini_parse_stream(feed_line, &parser, parser_take_pair, &parser);
    if (parser.out_of_memory) {
        report->out_of_memory = 1;
        return RC_NOMEM;
    }
    return RC_OK;
}
