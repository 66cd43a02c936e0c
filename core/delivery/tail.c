/* core/delivery/tail.c: the running commentary in a developer's terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/tail.h"

#include "clock.h"
#include "log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAIL_LINE_MAX 1024

static int tail_color;
static atomic_int tail_on; /* set last, so that the rest is seen with it */

void
tail_start(int color)
{
    tail_color = color;
    atomic_store(&tail_on, 1);
}

static void
now_text(char *out, size_t size)
{
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    localtime_r(&now_s, &tm);
    strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
}

static void
write_line(char *line, int len)
{
    size_t size = len < TAIL_LINE_MAX ? (size_t)len : TAIL_LINE_MAX - 1;
    line[size++] = '\n';
    log_put(STDOUT_FILENO, line, size);
}

static const char *
paint(const char *code)
{
    return tail_color ? code : "";
}

static const char *
verdict_color(const char *verdict)
{
    switch (verdict[0]) {
    case 'd':
        return strncmp(verdict, "dead", 4) == 0 ? "\033[31m" : "\033[32m";
    case 's':
        return "\033[32m";
    default:
        return "\033[33m";
    }
}

/* Names and reasons come from outside: nothing may reach the terminal that it
 * would obey. */
static const char *
plain(const char *text, char *room, size_t size)
{
    snprintf(room, size, "%s", text);
    for (char *at = room; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f) {
            *at = '?';
        } else if (byte == 0xc2 && (unsigned char)at[1] < 0xa0) {
            *at = '?'; /* U+0080 to U+009F: controls too, in UTF-8 */
            at[1] = at[1] == '\0' ? '\0' : '?';
        }
    }
    return room;
}

void
tail_arrived(const char *type, const char *event_id, const char *account)
{
    if (!atomic_load(&tail_on)) {
        return;
    }
    char line[TAIL_LINE_MAX + 1], now[32], a[260], b[260], c[260];
    now_text(now, sizeof(now));
    write_line(line, snprintf(line, TAIL_LINE_MAX, "%s   --> %s%s [%s]%s%s",
                              now, account[0] != '\0' ? "connect " : "",
                              plain(type, a, sizeof(a)),
                              plain(event_id, b, sizeof(b)),
                              account[0] != '\0' ? " " : "",
                              plain(account, c, sizeof(c))));
}

void
tail_answered(int status, const char *path, int64_t took_ms, int duplicate,
              const char *event_id)
{
    if (!atomic_load(&tail_on)) {
        return;
    }
    char line[TAIL_LINE_MAX + 1], now[32], a[260], id[264] = "";
    now_text(now, sizeof(now));
    if (event_id[0] != '\0') {
        snprintf(id, sizeof(id), " [%.255s]", plain(event_id, a, sizeof(a)));
    }
    char b[260];
    write_line(line,
               snprintf(line, TAIL_LINE_MAX,
                        "%s  <--  %s[%d]%s POST %s %lld ms%s%s", now,
                        paint(status / 100 == 2 ? "\033[32m" : "\033[31m"),
                        status, paint("\033[0m"), plain(path, b, sizeof(b)),
                        (long long)took_ms, duplicate ? " duplicate" : "", id));
}

void
tail_delivered(const char *verdict, const char *plugin, int64_t took_ms,
               const char *detail, const char *event_id)
{
    if (!atomic_load(&tail_on)) {
        return;
    }
    char line[TAIL_LINE_MAX + 1], now[32], a[400], b[260];
    now_text(now, sizeof(now));
    write_line(
        line,
        snprintf(line, TAIL_LINE_MAX, "%s  <--  %s[%s]%s %s %lld ms%s%s [%s]",
                 now, paint(verdict_color(verdict)), verdict, paint("\033[0m"),
                 plugin, (long long)took_ms, detail[0] != '\0' ? "  " : "",
                 plain(detail, a, sizeof(a)), plain(event_id, b, sizeof(b))));
}
