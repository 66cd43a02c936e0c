/* tests/fuzz/fuzz_api.c: any request at the admin API, on an inbox with a few
 * events: it is answered with a status it has words for, and never with 500.
 * The first line is "METHOD PATH?QUERY", the rest is the body.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/api.h"
#include "config/config.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"
#include "stripe/event.h"

#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_BYTES 4096
#define EVENTS         8

static struct inbox *inbox;
static struct api *api;
static char folder[] = "/tmp/pegboard-fuzz-XXXXXX";

static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* An event each for two plugins, one of which lets none in. */
static void
fill(const uint32_t *plugins)
{
    static const char body[] = "{\"id\":\"evt_1\",\"type\":\"invoice.paid\"}";
    for (int i = 0; i < EVENTS; i++) {
        struct event event = {.created_s = 1700000000 + i};
        snprintf(event.id, sizeof(event.id), "evt_%d", i);
        snprintf(event.type, sizeof(event.type), "invoice.%s",
                 i % 2 ? "paid" : "voided");
        snprintf(event.object_id, sizeof(event.object_id), "in_%d", i / 2);
        struct inbox_put put = {
            .event = &event,
            .body = body,
            .body_len = sizeof(body) - 1,
            .endpoint = "main",
            .secret = "literal",
            .signature = "",
            .received_ms = 1700000000000 + i,
            .plugins = plugins,
            .plugin_count = (size_t)i % 3,
        };
        require(inbox_put(inbox, &put, 10000) == RC_OK);
    }
}

static void
clean_up(void)
{
    static const char *const names[] = {"inbox.db", "inbox.db-wal",
                                        "inbox.db-shm", "inbox.db.lock"};
    api_close(api);
    inbox_close(inbox);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(names[i]); /* whichever are there */
    }
    (void)rmdir(folder);
}

static void
set_up(void)
{
    static char state_dir[] = ".", path[] = "inbox.db";
    static struct config config = {.state_dir = state_dir, .inbox_path = path};
    const struct inbox_settings inbox_settings = {.path = path};
    static const char *const names[] = {"ledger", "mailer"};
    uint32_t plugins[2];
    log_setup(LOG_ERROR, LOG_LOGFMT);
    require(mkdtemp(folder) != NULL && chdir(folder) == 0);
    require(inbox_open(&inbox, &inbox_settings, NULL) == RC_OK);
    for (size_t i = 0; i < 2; i++) {
        const struct inbox_policy policy = {
            .name = names[i], .order = INBOX_OBJECT, .digest = ""};
        struct inbox_plugin plugin;
        struct inbox_generation generation = {.inputs = ""};
        struct inbox_enrolment enrolment = {.policies = &policy,
                                            .count = 1,
                                            .plugins = &plugin,
                                            .generation = &generation};
        require(inbox_enrol(inbox, &enrolment, NULL) == RC_OK);
        plugins[i] = plugin.id;
    }
    fill(plugins);
    const struct api_settings settings = {
        .inbox = inbox, .config = &config, .inbox_path = path};
    require(api_open(&api, &settings, NULL) == RC_OK);
    atexit(clean_up);
}

static void
ask(char *line, const char *body, size_t len)
{
    char *path = strchr(line, ' ');
    if (path == NULL) {
        return;
    }
    *path++ = '\0';
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    const struct api_request request = {.method = line,
                                        .path = path,
                                        .query = query,
                                        .body = len > 0 ? body : NULL,
                                        .body_len = len};
    struct api_answer answer = {0};
    api_handle(api, &request, &answer);
    require(answer.status >= 200 && answer.status < 500);
    require((answer.json != NULL) + (answer.bytes != NULL) <= 1);
    api_answer_fini(&answer);
    api_turn(api);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (api == NULL) {
        set_up();
    }
    const uint8_t *end = memchr(data, '\n', size);
    size_t head = end != NULL ? (size_t)(end - data) : size;
    char line[LINE_MAX_BYTES];
    if (size == 0 || head >= sizeof(line) || memchr(data, 0, head) != NULL) {
        return 0;
    }
    memcpy(line, data, head);
    line[head] = '\0';
    size_t len = end != NULL ? size - head - 1 : 0;
    char *body = malloc(len + 1);
    require(body != NULL);
    if (len > 0) {
        memcpy(body, data + head + 1, len);
    }
    body[len] = '\0';
    ask(line, body, len);
    free(body);
    return 0;
}
