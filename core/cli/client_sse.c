/* core/cli/client_sse.c: takes a stream of server-sent events apart.
 *
 * Source: HTML standard, "Server-sent events", 9.2.6. Ours have one data line
 * each; of several the last counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client_parts.h"

#include <stdio.h>
#include <string.h>

/* The value of a field, without the one blank that may stand before it. */
static const char *
field_value(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(line, name, len) != 0 || line[len] != ':') {
        return NULL;
    }
    line += len + 1;
    return line + (*line == ' ');
}

static int
end_event(struct sse *sse)
{
    int code = 0;
    if (sse->has_data) {
        code = sse->fn(sse->arg, sse->name, sse->data);
    }
    sse->has_data = 0;
    sse->name[0] = '\0';
    return code;
}

/* A comment has no name. Fields that we do not know are passed over. */
static int
take_line(struct sse *sse)
{
    if (sse->len > 0 && sse->line[sse->len - 1] == '\r') {
        sse->len--;
    }
    sse->line[sse->len] = '\0';
    if (sse->len == 0) {
        return end_event(sse);
    }
    if (sse->line[0] == ':') {
        return sse->fn(sse->arg, ":", field_value(sse->line, ""));
    }
    const char *name = field_value(sse->line, "event");
    const char *data = field_value(sse->line, "data");
    if (name != NULL) {
        snprintf(sse->name, sizeof(sse->name), "%s", name);
    }
    if (data != NULL) {
        snprintf(sse->data, sizeof(sse->data), "%s", data);
        sse->has_data = 1;
    }
    return 0;
}

int
sse_feed(struct sse *sse, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            int code = sse->is_long ? 0 : take_line(sse);
            sse->len = 0;
            sse->is_long = 0;
            if (code != 0) {
                return code;
            }
        } else if (sse->len + 1 == sizeof(sse->line)) {
            sse->is_long = 1;
        } else {
            sse->line[sse->len++] = bytes[i];
        }
    }
    return 0;
}
