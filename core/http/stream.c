/* core/http/stream.c: the tail as server-sent events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/stream.h"

#include "admin/show.h"
#include "clock.h"
#include "delivery/tail.h"

#include <civetweb.h>
#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records that go out in one write. */
#define RECORDS_MAX 16

/* How soon a stream sees that it shall end. */
#define LOOK_MS 100

int
stream_enter(struct streams *streams)
{
    if (atomic_fetch_add(&streams->count, 1) < STREAMS_MAX) {
        return 1;
    }
    atomic_fetch_sub(&streams->count, 1);
    return 0;
}

static cJSON *
record_json(const struct tail_record *record)
{
    cJSON *json = cJSON_CreateObject();
    show_time(json, "at", record->at_ms);
    show_text(json, "event_id", record->event_id);
    switch (record->kind) {
    case TAIL_ARRIVED:
        show_text(json, "type", record->type);
        show_text(json, "account", record->account);
        return json;
    case TAIL_ANSWERED:
        show_text(json, "path", record->path);
        show_number(json, "status", record->status);
        cJSON_AddBoolToObject(json, "duplicate", record->duplicate);
        break;
    case TAIL_DELIVERED:
        show_text(json, "plugin", record->plugin);
        show_text(json, "verdict", record->verdict);
        show_text(json, "detail", record->detail);
        break;
    }
    show_seconds(json, "duration_seconds", record->took_ms * 1000);
    return json;
}

static int
write_text(struct mg_connection *conn, const char *text, size_t len)
{
    return mg_write(conn, text, len) == (int)len;
}

static int
write_event(struct mg_connection *conn, const char *name, cJSON *json)
{
    char *data = cJSON_PrintUnformatted(json);
    char *text = NULL;
    int len = data != NULL
                  ? asprintf(&text, "event: %s\ndata: %s\n\n", name, data)
                  : -1;
    int good = len > 0 && write_text(conn, text, (size_t)len);
    if (len >= 0) {
        free(text);
    }
    cJSON_free(data);
    cJSON_Delete(json);
    return good;
}

static int
write_lost(struct mg_connection *conn, uint64_t lost)
{
    cJSON *json = cJSON_CreateObject();
    show_number(json, "records", (int64_t)lost);
    return write_event(conn, "lost", json);
}

/* What came behind *after. Returns 0 when the listener is gone. */
static int
write_news(struct mg_connection *conn, struct tail_record *room,
           uint64_t *after)
{
    static const char *const names[] = {"arrived", "answered", "delivered"};
    uint64_t lost = 0;
    size_t count = tail_read(*after, room, RECORDS_MAX, &lost);
    if (lost > 0 && !write_lost(conn, lost)) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!write_event(conn, names[room[i].kind], record_json(&room[i]))) {
            return 0;
        }
        *after = room[i].number;
    }
    return 1;
}

static void
follow(struct streams *streams, struct mg_connection *conn,
       struct tail_record *room, uint64_t after)
{
    static const char alive[] = ": alive\n\n";
    int64_t alive_ms = clock_mono_ms() + STREAM_ALIVE_MS;
    int good = 1;
    while (good && !atomic_load(&streams->stopping)) {
        if (tail_wait(after, clock_mono_ms() + LOOK_MS)) {
            good = write_news(conn, room, &after);
            alive_ms = clock_mono_ms() + STREAM_ALIVE_MS;
        } else if (clock_mono_ms() >= alive_ms) {
            good = write_text(conn, alive, sizeof(alive) - 1);
            alive_ms = clock_mono_ms() + STREAM_ALIVE_MS;
        }
    }
}

void
stream_serve(struct streams *streams, struct mg_connection *conn)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/event-stream\r\n"
                               "Cache-Control: no-store\r\n"
                               "X-Content-Type-Options: nosniff\r\n"
                               "X-Accel-Buffering: no\r\n"
                               "Connection: close\r\n\r\n"
                               ": listening\n\n";
    struct tail_record *room = malloc(RECORDS_MAX * sizeof(*room));
    uint64_t after = tail_listen(1);
    mg_disable_connection_keep_alive(conn);
    if (room != NULL && write_text(conn, head, sizeof(head) - 1)) {
        follow(streams, conn, room, after);
    }
    tail_listen(-1);
    free(room);
    atomic_fetch_sub(&streams->count, 1);
}
