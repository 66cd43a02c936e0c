/* core/cli/target.c: where test events are posted, and what signs them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config/config.h"
#include "error.h"
#include "input.h"
#include "stripe/signature.h"

#define NEW_SECRET_ROOM 39 /* what signature_new_secret() writes */

int
target_endpoint(const struct args *args, const struct config *config,
                const struct config_endpoint **out)
{
    const char *name = args_value(args, "endpoint");
    if (name != NULL) {
        *out = config_endpoint(config, name);
        if (*out == NULL) {
            return command_error(EXIT_MISSING, "no endpoint \"%s\" in %s", name,
                                 config->file);
        }
        return 0;
    }
    if (config->endpoint_count == 0) {
        return command_error(EXIT_CONFIG, "%s has no endpoint", config->file);
    }
    *out = &config->endpoints[0];
    return 0;
}

/* The URL of an endpoint as seen from this machine. */
static int
url_from_config(char **url, const struct config *config,
                const struct config_endpoint *endpoint)
{
    struct sockaddr_in address = config->listen[0];
    if (config->listen_count == 0 || address.sin_port == 0) {
        return command_error(EXIT_CONFIG,
                             "%s does not fix the port: name the place with "
                             "--url",
                             config->file);
    }
    if (address.sin_addr.s_addr == htonl(INADDR_ANY)) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    if (asprintf(url, "http://%s:%u%s", host, ntohs(address.sin_port),
                 endpoint->path) < 0) {
        *url = NULL;
        return command_error(EXIT_FAILED, "out of memory");
    }
    return 0;
}

/* "localhost:4242/webhook" is understood without its "http://". */
static int
url_from_flag(char **url, const char *given)
{
    const char *scheme = strstr(given, "://") == NULL ? "http://" : "";
    if (asprintf(url, "%s%s", scheme, given) < 0) {
        *url = NULL;
        return command_error(EXIT_FAILED, "out of memory");
    }
    return 0;
}

static int
fill_from_config(struct target *target, const struct args *args, int need_url,
                 int need_secret)
{
    const char *found = config_default_path();
    if (args_value(args, "config") == NULL && found != NULL &&
        strncmp(found, "/etc/", 5) == 0) {
        return command_error(EXIT_REFUSED,
                             "no `pegboard dev` runs here; to send test events "
                             "to the daemon of %s say so: -c %s",
                             found, found);
    }
    const char *dev = config_dev_path();
    if (args_value(args, "config") == NULL && found != NULL && dev != NULL &&
        strcmp(found, dev) != 0 && args_count(args, "quiet") == 0) {
        fprintf(stderr,
                "note: this is for the daemon of %s; for the `pegboard dev` "
                "that runs, too, say -c %s\n",
                found, dev);
    }
    struct config *config;
    int code = args_config(args, &config);
    if (code != 0) {
        return code;
    }
    const struct config_endpoint *endpoint;
    code = target_endpoint(args, config, &endpoint);
    if (code == 0) {
        target->tolerance_s = endpoint->tolerance_s;
    }
    if (code == 0 && need_url) {
        code = url_from_config(&target->url, config, endpoint);
    }
    struct error err;
    if (code == 0 && need_secret &&
        secret_read(&target->secret, endpoint->first_secret_ref, config->dir,
                    &err) != RC_OK) {
        code = command_error(EXIT_CONFIG, "%s", err.text);
    }
    config_close(config);
    return code;
}

static int
make_secret(struct secret *secret)
{
    struct error err;
    char text[NEW_SECRET_ROOM];
    if (signature_new_secret(text, &err) != RC_OK ||
        secret_read(secret, text, ".", &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    fprintf(stderr, "signed with a secret made for this run: %s\n", text);
    return 0;
}

int
target_find(struct target *target, const struct args *args, int offline)
{
    const char *url = args_value(args, "url");
    const char *secret_file = args_value(args, "secret-file");
    target->tolerance_s = TARGET_TOLERANCE_S;
    int code = 0;
    if (url != NULL) {
        code = url_from_flag(&target->url, url);
    }
    struct error err;
    int rc;
    if (code == 0 && secret_file != NULL &&
        (rc = input_secret(&target->secret, secret_file, &err)) != RC_OK) {
        code = command_error(rc == RC_NOT_FOUND ? EXIT_MISSING : EXIT_CONFIG,
                             "%s", err.text);
    }
    int need_url = url == NULL && !offline;
    int need_secret = secret_file == NULL;
    int named = args_value(args, "config") != NULL ||
                args_value(args, "endpoint") != NULL;
    if (code != 0 || (!need_url && !need_secret && !named)) {
        return code;
    }
    if (offline && !named && config_default_path() == NULL) {
        return make_secret(&target->secret);
    }
    return fill_from_config(target, args, need_url, need_secret);
}

void
target_fini(struct target *target)
{
    free(target->url);
    target->url = NULL;
    secret_fini(&target->secret);
}
