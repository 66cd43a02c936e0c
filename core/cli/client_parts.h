/* core/cli/client_parts.h: the two ways to the admin API; private to client*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLIENT_PARTS_H
#define CORE_CLIENT_PARTS_H

#include "cli/client.h"

#include "admin/token.h"

struct config;

/** What came back. Zero it before; reply_fini() after. */
struct reply {
    long status; /* of HTTP */
    struct cJSON *json;
    char *bytes; /* what is not JSON of ours; with a NUL behind */
    size_t len;
};

void reply_fini(struct reply *reply);

/* ---- Where it is: client_where.c ------------------------------------ */

/** Read the configuration for the sake of its state folder and inbox. Mistakes
 * in plugins and endpoints do not matter here; others are printed.
 * @return 0 and *out, or the exit code */
int where_config(struct config **out, const struct args *args);

/** A daemon's address and token. */
struct where {
    char *url; /* "http://127.0.0.1:4243"; no slash at the end */
    char token[TOKEN_MAX];
    char *start_hint; /* what to type when nobody answers */
};

int where_find(struct where *where, const struct args *args);
void where_fini(struct where *where);

/* ---- Over HTTP: client_http.c --------------------------------------- */

struct http_way; /* opaque */

/** @param where  borrowed until http_way_close() */
int http_way_open(struct http_way **out, const struct where *where,
                  int64_t timeout_ms);
void http_way_close(struct http_way *way); /* accepts NULL */

/** Wait so long for the answer of each later call. */
void http_way_limit(struct http_way *way, int64_t timeout_ms);

/** Say nothing of failures from now on. */
void http_way_hush(struct http_way *way);

/** @param body  text, or NULL. @return 0, or the exit code after saying why */
int http_way_call(struct http_way *way, const char *method, const char *path,
                  const char *body, struct reply *reply);

int http_way_stream(struct http_way *way, const char *path,
                    client_stream_fn *fn, void *arg, struct reply *reply);

/* ---- In this process: client_offline.c ------------------------------ */

struct offline; /* opaque */

int offline_open(struct offline **out, const struct args *args);
void offline_close(struct offline *offline); /* accepts NULL */
int offline_call(struct offline *offline, const char *method, const char *path,
                 const char *body, struct reply *reply);
int64_t offline_turn(struct offline *offline);

/* ---- Server-sent events: client_sse.c ------------------------------- */

#define SSE_LINE_MAX 65536

/** Takes a stream apart. Zero it to start, but for fn and arg. */
struct sse {
    client_stream_fn *fn;
    void *arg;
    char line[SSE_LINE_MAX]; /* what of a line has come */
    size_t len;
    int is_long; /* the line is over: it is passed over */
    char name[64];
    char data[SSE_LINE_MAX];
    int has_data;
};

/** Take bytes in. @return 0, or what the function returned to end it */
int sse_feed(struct sse *sse, const char *bytes, size_t len);

#endif
