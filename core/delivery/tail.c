/* core/delivery/tail.c: the running commentary.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/tail.h"

#include "clock.h"
#include "log.h"
#include "plain.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAIL_LINE_MAX 1024

static int tail_color;
static atomic_int tail_on; /* set last, so that the rest is seen with it */

static struct {
    atomic_int followers;
    pthread_mutex_t lock;
    pthread_cond_t news;
    /* Guarded by lock. */
    uint64_t newest; /* number of the newest record; 0: none yet */
    struct tail_record records[TAIL_RECORDS]; /* number N is at N modulo size */
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};

/* ---- The ring ------------------------------------------------------- */

/* Copy what fits, and no half of a character. */
static void
copy_text(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

/* The next place, with the lock held, or NULL when nobody follows. */
static struct tail_record *
next_record(enum tail_kind kind, const char *event_id)
{
    if (atomic_load(&ring.followers) == 0) {
        return NULL;
    }
    pthread_mutex_lock(&ring.lock);
    ring.newest++;
    struct tail_record *record = &ring.records[ring.newest % TAIL_RECORDS];
    *record = (struct tail_record){
        .number = ring.newest, .at_ms = clock_wall_ms(), .kind = kind};
    copy_text(record->event_id, sizeof(record->event_id), event_id);
    return record;
}

static void
publish(void)
{
    pthread_cond_broadcast(&ring.news);
    pthread_mutex_unlock(&ring.lock);
}

uint64_t
tail_listen(int change)
{
    pthread_mutex_lock(&ring.lock);
    atomic_fetch_add(&ring.followers, change);
    uint64_t newest = ring.newest;
    pthread_mutex_unlock(&ring.lock);
    return newest;
}

size_t
tail_read(uint64_t after, struct tail_record *out, size_t max, uint64_t *lost)
{
    size_t count = 0;
    *lost = 0;
    pthread_mutex_lock(&ring.lock);
    if (ring.newest > TAIL_RECORDS && after < ring.newest - TAIL_RECORDS) {
        *lost = ring.newest - TAIL_RECORDS - after;
        after += *lost;
    }
    while (count < max && after < ring.newest) {
        out[count++] = ring.records[++after % TAIL_RECORDS];
    }
    pthread_mutex_unlock(&ring.lock);
    return count;
}

int
tail_wait(uint64_t after, int64_t deadline_ms)
{
    struct timespec deadline = {.tv_sec = deadline_ms / 1000,
                                .tv_nsec = deadline_ms % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&ring.lock);
    while (ring.newest <= after && rc == 0) {
        rc = pthread_cond_clockwait(&ring.news, &ring.lock, CLOCK_MONOTONIC,
                                    &deadline);
    }
    int news = ring.newest > after;
    pthread_mutex_unlock(&ring.lock);
    return news;
}

/* ---- Lines on a terminal -------------------------------------------- */

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

/* ---- What happened -------------------------------------------------- */

void
tail_arrived(const char *type, const char *event_id, const char *account)
{
    struct tail_record *record = next_record(TAIL_ARRIVED, event_id);
    if (record != NULL) {
        copy_text(record->type, sizeof(record->type), type);
        copy_text(record->account, sizeof(record->account), account);
        publish();
    }
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
    struct tail_record *record = next_record(TAIL_ANSWERED, event_id);
    if (record != NULL) {
        record->status = status;
        record->took_ms = took_ms;
        record->duplicate = duplicate;
        copy_text(record->path, sizeof(record->path), path);
        publish();
    }
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
    struct tail_record *record = next_record(TAIL_DELIVERED, event_id);
    if (record != NULL) {
        record->took_ms = took_ms;
        copy_text(record->plugin, sizeof(record->plugin), plugin);
        copy_text(record->verdict, sizeof(record->verdict), verdict);
        copy_text(record->detail, sizeof(record->detail), detail);
        publish();
    }
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
