/* plugins/publish/setup.c: the plugin's options.
 * SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MIN_MS 500
#define WINDOW_MIN_MS  1000 /* servers take 100 ms at least, and 0 for 2 min */
#define PORT_MAX       65535

/* The option's text, or NULL. */
static const char *
text_of(peg_ctx *ctx, const char *name)
{
    peg_str text;
    if (peg_option_str(ctx, name, &text) != PEG_OK || text.len == 0) {
        return NULL;
    }
    return text.ptr;
}

static int64_t
number_of(peg_ctx *ctx, const char *name)
{
    int64_t number = 0;
    (void)peg_option_i64(ctx, name, &number); /* all of them have a default */
    return number;
}

/* ---- Reading -------------------------------------------------------- */

/* @return what is wrong with HOST or HOST:PORT, or NULL */
static const char *
check_address(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == address || address[0] == '\0' ||
        strpbrk(address, " /") != NULL) {
        return "stands for no host";
    }
    if (colon != NULL && strchr(colon, ']') == NULL) { /* [::1] has no port */
        char *end;
        long port = strtol(colon + 1, &end, 10);
        if (*end != '\0' || port < 1 || port > PORT_MAX) {
            return "has a port that is none";
        }
    }
    return NULL;
}

/* What a URL says about TLS: 1 or 0; -1 when it is none. */
static int
url_is_tls(peg_ctx *ctx, const char *url)
{
    if (strchr(url, '@') != NULL) { /* not shown: a password may be in it */
        peg_error(ctx, "url: who logs in does not stand here, where all can "
                       "read it: set `user` and `password`, or `token`");
        return -1;
    }
    int tls = strncmp(url, "tls://", strlen("tls://")) == 0;
    const char *wrong = "begins neither with nats:// nor with tls://";
    if (tls || strncmp(url, "nats://", strlen("nats://")) == 0) {
        wrong = check_address(strstr(url, "://") + strlen("://"));
    }
    if (wrong != NULL) {
        peg_error(ctx, "url: %s %s", url, wrong);
        return -1;
    }
    return tls;
}

static int
read_urls(struct setup *setup, peg_ctx *ctx)
{
    unsigned count = 0;
    peg_str url;
    while (peg_option_item(ctx, "url", count, &url) == PEG_OK) {
        int tls = url_is_tls(ctx, url.ptr);
        if (tls < 0) {
            return -1;
        }
        if (count == SERVERS_MAX || (count > 0 && tls != setup->secure)) {
            peg_error(ctx, count == SERVERS_MAX
                               ? "url: more than 16"
                               : "url: all with tls://, or none");
            return -1;
        }
        setup->secure = tls;
        setup->broker.urls[count++] = url.ptr;
    }
    setup->broker.servers = count;
    if (count == 0) {
        peg_error(ctx, "url: there is none");
        return -1;
    }
    return 0;
}

/* Whether the file of an option can be read; one that is not set can. */
static int
can_read(peg_ctx *ctx, const char *name, const char *path)
{
    if (path != NULL && access(path, R_OK) != 0) {
        peg_error(ctx, "%s: %s: %s", name, path, strerror(errno));
        return 0;
    }
    return 1;
}

static int
read_login(struct setup *setup, peg_ctx *ctx)
{
    setup->ca = text_of(ctx, "ca");
    setup->credentials = text_of(ctx, "credentials");
    setup->token = text_of(ctx, "token");
    setup->user = text_of(ctx, "user");
    setup->password = text_of(ctx, "password");
    if ((setup->credentials != NULL) + (setup->token != NULL) +
            (setup->user != NULL) >
        1) {
        peg_error(ctx, "credentials, token and user: only one can be set");
        return -1;
    }
    if ((setup->user == NULL) != (setup->password == NULL)) {
        peg_error(ctx, "user and password: set both or none");
        return -1;
    }
    return can_read(ctx, "ca", setup->ca) &&
                   can_read(ctx, "credentials", setup->credentials)
               ? 0
               : -1;
}

static int
read_stream(struct setup *setup, peg_ctx *ctx)
{
    struct broker_setup *broker = &setup->broker;
    broker->stream = text_of(ctx, "stream");
    broker->window_ms = number_of(ctx, "window");
    if (!number_of(ctx, "create")) {
        return 0;
    }
    if (broker->stream == NULL) {
        peg_error(ctx, "create: name the `stream`");
        return -1;
    }
    if (broker->window_ms < WINDOW_MIN_MS) {
        peg_error(ctx, "window: at least %dms", WINDOW_MIN_MS);
        return -1;
    }
    if (subject_cover(setup->cover, setup->subject) != 0) {
        peg_error(ctx, "create: the stream would take every subject there is: "
                       "let `subject` begin with a word of its own, as in "
                       "stripe.{type}");
        return -1;
    }
    broker->create = setup->cover;
    return 0;
}

static int
read_message(struct setup *setup, peg_ctx *ctx)
{
    setup->subject = text_of(ctx, "subject");
    const char *wrong =
        subject_check(setup->subject == NULL ? "" : setup->subject);
    if (wrong != NULL) {
        peg_error(ctx, "subject: %s", wrong);
        return -1;
    }
    const char *id = text_of(ctx, "message_id");
    setup->id_is_key = id != NULL && strcmp(id, "key") == 0;
    if (!setup->id_is_key && (id == NULL || strcmp(id, "event") != 0)) {
        peg_error(ctx, "message_id: it is either event or key");
        return -1;
    }
    setup->timeout_ms = number_of(ctx, "timeout");
    if (setup->timeout_ms < TIMEOUT_MIN_MS) {
        peg_error(ctx, "timeout: at least %dms", TIMEOUT_MIN_MS);
        return -1;
    }
    return 0;
}

int
setup_read(struct setup *setup, peg_ctx *ctx)
{
    setup->broker.ctx = ctx;
    return read_urls(setup, ctx) == 0 && read_login(setup, ctx) == 0 &&
                   read_message(setup, ctx) == 0 && read_stream(setup, ctx) == 0
               ? 0
               : -1;
}

/* ---- For libnats ---------------------------------------------------- */

static natsStatus
set_tls(const struct setup *setup, natsOptions *options)
{
    natsStatus status = NATS_OK;
    if (setup->ca != NULL) {
        status = natsOptions_LoadCATrustedCertificates(options, setup->ca);
    }
    if (status == NATS_OK && setup->secure) {
        status = natsOptions_SetSecure(options, true);
    }
    return status;
}

static natsStatus
set_login(const struct setup *setup, natsOptions *options)
{
    if (setup->credentials != NULL) {
        return natsOptions_SetUserCredentialsFromFiles(
            options, setup->credentials, NULL);
    }
    if (setup->token != NULL) {
        return natsOptions_SetToken(options, setup->token);
    }
    if (setup->user != NULL) {
        return natsOptions_SetUserInfo(options, setup->user, setup->password);
    }
    return NATS_OK;
}

natsOptions *
setup_options(const struct setup *setup)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK) {
        status = natsOptions_SetName(options, "pegboard");
    }
    if (status == NATS_OK) {
        status = natsOptions_SetAllowReconnect(options, false); /* broker.c */
    }
    if (status == NATS_OK) {
        status = natsOptions_SetIgnoreDiscoveredServers(options, true);
    }
    if (status == NATS_OK) {
        status = set_tls(setup, options);
    }
    if (status == NATS_OK) {
        status = set_login(setup, options);
    }
    if (status != NATS_OK) {
        peg_error(setup->broker.ctx, "libnats does not take the options: %s",
                  broker_why(status));
        natsOptions_Destroy(options);
        return NULL;
    }
    return options;
}
