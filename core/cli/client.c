/* core/cli/client.c: how a command reaches the admin API.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_parts.h"
#include "command.h"
#include "error.h"
#include "field.h"
#include "plain.h"
#include "template/document.h"
#include "wanted.h"

#define TIMEOUT_MS     30000
#define TIMEOUT_MAX_MS (24LL * 3600 * 1000)
#define TEXT_MAX       1024 /* bytes shown of a problem's text */
#define PEEK_MS        2000 /* what would only be nice to know */

struct client {
    struct where where;
    struct http_way *http;   /* or */
    struct offline *offline; /* ... this one */
};

void
reply_fini(struct reply *reply)
{
    cJSON_Delete(reply->json);
    free(reply->bytes);
    reply->json = NULL;
    reply->bytes = NULL;
}

static int
open_http(struct client *client, const struct args *args)
{
    int64_t timeout_ms = TIMEOUT_MS;
    int code = args_duration(args, "timeout", &timeout_ms);
    if (code == 0 && (timeout_ms < 1 || timeout_ms > TIMEOUT_MAX_MS)) {
        code = args_error(args, "--timeout: from 1ms to 24h");
    }
    if (code == 0) {
        code = where_find(&client->where, args);
    }
    if (code == 0) {
        code = http_way_open(&client->http, &client->where, timeout_ms);
    }
    return code;
}

int
client_open(struct client **out, const struct args *args)
{
    int offline = args_count(args, "offline") > 0;
    if (offline && args_value(args, "url") != NULL) {
        return args_error(args, "--offline and --url exclude each other");
    }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    int code = offline ? offline_open(&client->offline, args)
                       : open_http(client, args);
    if (code != 0) {
        client_close(client);
        return code;
    }
    *out = client;
    return 0;
}

void
client_close(struct client *client)
{
    if (client == NULL) {
        return;
    }
    http_way_close(client->http);
    offline_close(client->offline);
    where_fini(&client->where);
    free(client);
}

void
client_limit(struct client *client, int64_t timeout_ms)
{
    if (client->http != NULL) {
        http_way_limit(client->http, timeout_ms);
    }
}

int
client_is_offline(const struct client *client)
{
    return client->offline != NULL;
}

/* ---- Problems ------------------------------------------------------- */

static int
exit_code_of(long status)
{
    switch (status) {
    case 400:
    case 422:
        return EXIT_USAGE;
    case 401:
    case 403:
    case 409:
        return EXIT_REFUSED;
    case 404:
        return EXIT_MISSING;
    default:
        return EXIT_FAILED;
    }
}

/* A text from the other side; without one, what HTTP has to say. */
int
client_problem(long status, const cJSON *problem)
{
    char text[TEXT_MAX];
    char hint[TEXT_MAX];
    int code = exit_code_of(status);
    const char *detail = field_text(problem, "detail");
    if (detail[0] == '\0') {
        detail = field_text(problem, "title");
    }
    if (detail[0] == '\0') {
        return command_error(code, "the admin API answered %ld", status);
    }
    command_error(code, "%s", plain(detail, text, sizeof(text)));
    plain(field_text(problem, "hint"), hint, sizeof(hint));
    if (hint[0] != '\0') {
        fprintf(stderr, "  hint: %s\n", hint);
    }
    return code;
}

/* ---- Calls ---------------------------------------------------------- */

static int
exchange(struct client *client, const char *method, const char *path,
         const char *body, struct reply *reply)
{
    return client->offline != NULL
               ? offline_call(client->offline, method, path, body, reply)
               : http_way_call(client->http, method, path, body, reply);
}

/* Numbers keep their digits; an answer that is not as strict as we are is still
 * an answer. */
static void
read_json(struct reply *reply)
{
    if (reply->json == NULL && reply->bytes != NULL &&
        document_parse(&reply->json, reply->bytes, reply->len, NULL) != RC_OK) {
        reply->json = cJSON_ParseWithLength(reply->bytes, reply->len);
    }
}

static int
is_good(long status)
{
    return status >= 200 && status < 300;
}

static int
print_body(cJSON *body, char **text)
{
    *text = NULL;
    if (body != NULL) {
        *text = cJSON_PrintUnformatted(body);
        cJSON_Delete(body);
        if (*text == NULL) {
            return command_error(EXIT_FAILED, "out of memory");
        }
    }
    return 0;
}

int
client_ask(struct client *client, const char *method, const char *path,
           cJSON *body, long *status, cJSON **out)
{
    struct reply reply = {0};
    char *text;
    int code = print_body(body, &text);
    if (code == 0) {
        code = exchange(client, method, path, text, &reply);
    }
    cJSON_free(text);
    if (code == 0) {
        read_json(&reply);
        if (is_good(reply.status) && reply.json == NULL && reply.len > 0) {
            code = command_error(EXIT_FAILED, "the answer is not JSON: is "
                                              "that the admin API?");
        }
    }
    if (code == 0) {
        *status = reply.status;
        *out = reply.json;
        reply.json = NULL;
    }
    reply_fini(&reply);
    return code;
}

int
client_call(struct client *client, const char *method, const char *path,
            cJSON *body, cJSON **out)
{
    cJSON *json = NULL;
    long status = 0;
    int code = client_ask(client, method, path, body, &status, &json);
    if (code == 0 && !is_good(status)) {
        code = client_problem(status, json);
    }
    if (code == 0 && out != NULL) {
        *out = json;
        json = NULL;
    }
    cJSON_Delete(json);
    return code;
}

int
client_bytes(struct client *client, const char *path, char **out, size_t *len)
{
    struct reply reply = {0};
    int code = exchange(client, "GET", path, NULL, &reply);
    if (code == 0 && !is_good(reply.status)) {
        read_json(&reply);
        code = client_problem(reply.status, reply.json);
    } else if (code == 0 && reply.bytes == NULL) {
        code = command_error(EXIT_FAILED, "the answer is empty");
    }
    if (code == 0) {
        *out = reply.bytes;
        *len = reply.len;
        reply.bytes = NULL;
    }
    reply_fini(&reply);
    return code;
}

int
client_stream(struct client *client, const char *path, client_stream_fn *fn,
              void *arg)
{
    if (client->offline != NULL) {
        return command_error(EXIT_USAGE, "with --offline nothing happens that "
                                         "could be shown");
    }
    struct reply reply = {0};
    int code = http_way_stream(client->http, path, fn, arg, &reply);
    if (code == 0 && !is_good(reply.status)) {
        read_json(&reply);
        code = client_problem(reply.status, reply.json);
    }
    reply_fini(&reply);
    return code;
}

int64_t
client_turn(struct client *client)
{
    return client->offline != NULL ? offline_turn(client->offline) : INT64_MAX;
}

cJSON *
client_peek(const char *state_dir, const char *path)
{
    char url[TOKEN_URL_MAX];
    struct where where = {.url = url};
    struct http_way *way = NULL;
    struct reply reply = {0};
    if (token_where(state_dir, url, NULL) == RC_OK &&
        token_load(state_dir, 0, where.token, NULL) == RC_OK &&
        http_way_open(&way, &where, PEEK_MS) == 0) {
        http_way_hush(way);
        if (http_way_call(way, "GET", path, NULL, &reply) == 0 &&
            is_good(reply.status)) {
            read_json(&reply);
        }
    }
    http_way_close(way);
    explicit_bzero(where.token, sizeof(where.token));
    cJSON *json = reply.json;
    reply.json = NULL;
    reply_fini(&reply);
    return json;
}

char *
client_path(const char *folder, const char *name, const char *behind)
{
    char *safe = wanted_encode(name);
    char *path = NULL;
    if (safe == NULL || asprintf(&path, "%s%s%s", folder, safe, behind) < 0) {
        path = NULL;
    }
    free(safe);
    return path;
}
