/* core/cli/client_offline.c: the admin API in this process, on an inbox that no
 * daemon has open.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client_parts.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/api.h"
#include "clock.h"
#include "command.h"
#include "config/config.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"

struct offline {
    struct config *config;
    struct inbox *inbox;
    struct api *api;
};

/* Opening would make it. */
static int
check_file(const struct config *config)
{
    if (access(config->inbox_path, F_OK) == 0) {
        return 0;
    }
    if (errno == ENOENT) {
        return command_error(EXIT_MISSING, "there is no inbox at %s",
                             config->inbox_path);
    }
    return command_error(EXIT_REFUSED, "cannot open %s: %s", config->inbox_path,
                         strerror(errno));
}

static int
open_inbox(struct offline *offline)
{
    /* Old events are the daemon's to remove, when it runs again. */
    struct inbox_settings settings = {.path = offline->config->inbox_path};
    struct error err = {0};
    switch (inbox_open(&offline->inbox, &settings, &err)) {
    case RC_OK:
        return 0;
    case RC_BUSY:
        return command_error(EXIT_REFUSED,
                             "%s is in use, so a daemon runs: leave out "
                             "--offline",
                             settings.path);
    case RC_INVALID:
        return command_error(EXIT_REFUSED, "%s", err.text);
    default:
        return command_error(EXIT_FAILED, "%s", err.text);
    }
}

int
offline_open(struct offline **out, const struct args *args)
{
    struct offline *offline = calloc(1, sizeof(*offline));
    if (offline == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    log_setup(args_count(args, "verbose") > 0 ? LOG_DEBUG : LOG_WARN, LOG_AUTO);
    int code = where_config(&offline->config, args);
    if (code == 0) {
        code = check_file(offline->config);
    }
    if (code == 0) {
        code = open_inbox(offline);
    }
    struct error err = {0};
    if (code == 0) {
        struct api_settings settings = {.inbox = offline->inbox,
                                        .config = offline->config,
                                        .inbox_path =
                                            offline->config->inbox_path};
        if (api_open(&offline->api, &settings, &err) != RC_OK) {
            code = command_error(EXIT_FAILED, "%s", err.text);
        }
    }
    if (code != 0) {
        offline_close(offline);
        return code;
    }
    *out = offline;
    return 0;
}

void
offline_close(struct offline *offline)
{
    if (offline == NULL) {
        return;
    }
    api_close(offline->api);
    inbox_close(offline->inbox);
    config_close(offline->config);
    free(offline);
}

int
offline_call(struct offline *offline, const char *method, const char *path,
             const char *body, struct reply *reply)
{
    char *whole;
    if (asprintf(&whole, API_PREFIX "%s", path) < 0) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    char *mark = strchr(whole, '?');
    if (mark != NULL) {
        *mark = '\0';
    }
    struct api_request request = {.method = method,
                                  .path = whole,
                                  .query = mark != NULL ? mark + 1 : NULL,
                                  .body = body,
                                  .body_len = body != NULL ? strlen(body) : 0};
    struct api_answer answer = {0};
    api_handle(offline->api, &request, &answer);
    free(whole);
    *reply = (struct reply){.status = answer.status,
                            .json = answer.json,
                            .bytes = answer.bytes,
                            .len = answer.len};
    answer.json = NULL; /* both are the reply's now */
    answer.bytes = NULL;
    api_answer_fini(&answer);
    return 0;
}

int64_t
offline_turn(struct offline *offline)
{
    int64_t at_ms = api_turn(offline->api);
    if (at_ms == INT64_MAX) {
        return INT64_MAX;
    }
    int64_t left_ms = at_ms - clock_mono_ms();
    return left_ms > 0 ? left_ms : 0;
}
