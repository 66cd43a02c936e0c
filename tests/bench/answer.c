/* tests/bench/answer.c: reads one HTTP answer as it comes in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_AT    9 /* behind "HTTP/1.1 " */
#define STATUS_CHARS 3

void
answer_reset(struct answer *a)
{
    a->head_bytes = 0;
    a->head_done = false;
    a->status = 0;
    a->closing = false;
    a->until_close = false;
    a->body_left = 0;
}

/* The value of a header line that begins with `name` (colon included), or
 * NULL. */
static const char *
header_value(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0) {
        return NULL;
    }
    return line + length + strspn(line + length, " \t");
}

static bool
status_line_ok(struct answer *a)
{
    if (a->head_bytes < STATUS_AT + STATUS_CHARS ||
        strncmp(a->head, "HTTP/1.", strlen("HTTP/1.")) != 0) {
        return false;
    }
    a->closing = a->head[strlen("HTTP/1.")] == '0';
    a->status = atoi(a->head + STATUS_AT);
    return a->status >= 200 && a->status <= 599;
}

/* Reads the head, which ends with a NUL. */
static bool
head_ok(struct answer *a)
{
    if (!status_line_ok(a)) {
        return false;
    }
    bool has_length = false;
    const char *line = strstr(a->head, "\r\n");
    for (; line != NULL; line = strstr(line, "\r\n")) {
        line += strlen("\r\n");
        const char *value = header_value(line, "content-length:");
        if (value != NULL) {
            char *end = NULL;
            a->body_left = strtoul(value, &end, 10);
            has_length = end != value;
        }
        value = header_value(line, "connection:");
        if (value != NULL && strncasecmp(value, "close", 5) == 0) {
            a->closing = true;
        }
        if (header_value(line, "transfer-encoding:") != NULL) {
            return false;
        }
    }
    a->until_close = !has_length;
    return has_length || a->closing;
}

static enum answer_state
body_feed(struct answer *a, size_t count)
{
    if (a->until_close) {
        return ANSWER_MORE;
    }
    if (count > a->body_left) {
        return ANSWER_INVALID; /* more than was announced */
    }
    a->body_left -= count;
    return a->body_left == 0 ? ANSWER_WHOLE : ANSWER_MORE;
}

enum answer_state
answer_feed(struct answer *a, const char *bytes, size_t count)
{
    if (a->head_done) {
        return body_feed(a, count);
    }

    size_t room = ANSWER_HEAD_MAX - a->head_bytes;
    size_t taken = count < room ? count : room;
    memcpy(a->head + a->head_bytes, bytes, taken);
    char *end = memmem(a->head, a->head_bytes + taken, "\r\n\r\n", 4);
    if (end == NULL) {
        a->head_bytes += taken;
        return taken < count ? ANSWER_INVALID : ANSWER_MORE;
    }

    size_t head_bytes = (size_t)(end - a->head) + 4;
    size_t body_bytes = count - (head_bytes - a->head_bytes);
    *end = '\0';
    a->head_bytes = head_bytes;
    a->head_done = true;
    return head_ok(a) ? body_feed(a, body_bytes) : ANSWER_INVALID;
}

enum answer_state
answer_end(const struct answer *a)
{
    return a->head_done && a->until_close ? ANSWER_WHOLE : ANSWER_INVALID;
}
