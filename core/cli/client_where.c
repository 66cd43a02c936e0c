/* core/cli/client_where.c: where the running daemon is, and what opens it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client_parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config/config.h"
#include "config/inifile.h"
#include "config/report.h"
#include "error.h"

/* ---- The configuration ---------------------------------------------- */

/* Whether a section cannot change where the state folder and the inbox are. */
static int
is_elsewhere(const char *name)
{
    return strncmp(name, "plugin ", 7) == 0 ||
           strncmp(name, "endpoint ", 9) == 0 || strcmp(name, "plugins") == 0 ||
           strcmp(name, "log") == 0;
}

/* The section that a line stands in, or NULL. */
static const struct inifile_section *
section_of(const struct inifile *ini, int line)
{
    const struct inifile_section *found = NULL;
    for (size_t i = 0; i < ini->count; i++) {
        const struct inifile_section *one = &ini->sections[i];
        if (one->line <= line && (found == NULL || one->line > found->line)) {
            found = one;
        }
    }
    return found;
}

/* Plugins may be broken, and secrets unreadable to this user, and the daemon
 * still be there to be asked. But a mistake where the folders are named could
 * lead to somebody else's inbox. */
static int
has_mistakes(const struct config_report *report, const char *path)
{
    struct inifile ini = {0};
    struct config_report again = {0};
    int found = inifile_read(&ini, path, &again) != RC_OK;
    for (size_t i = 0; i < report->count && !found; i++) {
        const struct config_finding *finding = &report->findings[i];
        const struct inifile_section *section = section_of(&ini, finding->line);
        found = !finding->is_warning && finding->line > 0 &&
                (section == NULL || !is_elsewhere(section->name));
    }
    report_fini(&again);
    inifile_fini(&ini);
    return found;
}

int
where_config(struct config **out, const struct args *args)
{
    const char *path = args_config_path(args);
    if (path == NULL) {
        return EXIT_CONFIG;
    }
    struct config_report report = {0};
    struct config *config = NULL;
    int rc = config_read(&config, path, &report);
    int code = 0;
    if (rc == RC_NOMEM) {
        code = command_error(EXIT_FAILED, "out of memory");
    } else if (config->state_dir == NULL || config->inbox_path == NULL ||
               (rc != RC_OK && has_mistakes(&report, path))) {
        report_print(&report, stderr);
        code = EXIT_CONFIG;
    }
    report_fini(&report);
    if (code != 0) {
        config_close(config);
        return code;
    }
    *out = config;
    return 0;
}

/* ---- Address -------------------------------------------------------- */

/* A name that only begins like an address ("127.0.0.1.example.com") is none. */
static int
is_loopback(const char *url)
{
    const char *host = url + strlen("http://");
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    size_t len = strcspn(host, ":/?#");
    snprintf(text, sizeof(text), "%.*s", (int)len, host);
    if (len >= sizeof(text)) {
        return 0;
    }
    return strcmp(text, "localhost") == 0 ||
           (inet_pton(AF_INET, text, &address) == 1 &&
            ntohl(address.s_addr) >> 24 == 127);
}

/* A token never leaves this machine in clear text. "127.0.0.1:4243" is
 * understood without its "http://". */
static int
take_url(struct where *where, const char *given)
{
    const char *scheme = strstr(given, "://") == NULL ? "http://" : "";
    if (asprintf(&where->url, "%s%s", scheme, given) < 0) {
        where->url = NULL;
        return command_error(EXIT_FAILED, "out of memory");
    }
    size_t len = strlen(where->url);
    while (len > 0 && where->url[len - 1] == '/') {
        where->url[--len] = '\0';
    }
    int is_http = strncmp(where->url, "http://", 7) == 0;
    if ((!is_http && strncmp(where->url, "https://", 8) != 0) ||
        strchr(where->url, '@') != NULL) {
        return command_error(EXIT_USAGE,
                             "--url: \"%s\" is not a URL such as "
                             "http://127.0.0.1:4243",
                             given);
    }
    if (is_http && !is_loopback(where->url)) {
        return command_error(EXIT_USAGE,
                             "--url: %s would send the token in clear text; "
                             "use https, or a tunnel (ssh -L)",
                             where->url);
    }
    return 0;
}

static int
find_url(struct where *where, const struct config *config)
{
    char url[TOKEN_URL_MAX];
    struct error err = {0};
    int rc = token_where(config->state_dir, url, &err);
    if (rc == RC_NOT_FOUND) {
        return command_error(EXIT_NO_DAEMON,
                             "no daemon runs on %s: %s (if state_dir has just "
                             "been changed: that takes a restart)",
                             config->state_dir, where->start_hint);
    }
    if (rc != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    return take_url(where, url);
}

/* ---- Token ---------------------------------------------------------- */

/* @return the file to read, or NULL for the one in the state folder */
static const char *
token_file(const struct args *args)
{
    const char *path = args_value(args, "token-file");
    if (path == NULL) {
        path = getenv("PEGBOARD_TOKEN_FILE");
    }
    return path != NULL && path[0] != '\0' ? path : NULL;
}

static int
find_token(struct where *where, const char *path, const struct config *config)
{
    struct error err = {0};
    int rc = path != NULL
                 ? token_read(path, where->token, &err)
                 : token_load(config->state_dir, 0, where->token, &err);
    switch (rc) {
    case RC_OK:
        return 0;
    case RC_NOT_FOUND:
        return command_error(path != NULL ? EXIT_MISSING : EXIT_NO_DAEMON,
                             "%s%s%s", err.text, path != NULL ? "" : ": ",
                             path != NULL ? "" : where->start_hint);
    default:
        return command_error(EXIT_REFUSED,
                             "%s (run this as the daemon's user, or name a "
                             "token with --token-file)",
                             err.text);
    }
}

/* What to do when nobody is there. */
static int
make_hint(struct where *where, const struct config *config)
{
    int made = config == NULL
                   ? asprintf(&where->start_hint, "is the address right?")
                   : asprintf(&where->start_hint,
                              "start it with `pegboard serve -c %s`, or use "
                              "--offline",
                              config->file);
    if (made < 0) {
        where->start_hint = NULL;
        return command_error(EXIT_FAILED, "out of memory");
    }
    return 0;
}

int
where_find(struct where *where, const struct args *args)
{
    const char *url = args_value(args, "url");
    const char *path = token_file(args);
    struct config *config = NULL;
    int code = 0;
    if (url == NULL || path == NULL) {
        code = where_config(&config, args);
    }
    if (code == 0) {
        code = make_hint(where, url != NULL ? NULL : config);
    }
    if (code == 0) {
        code = url != NULL ? take_url(where, url) : find_url(where, config);
    }
    if (code == 0) {
        code = find_token(where, path, config);
    }
    config_close(config);
    return code;
}

void
where_fini(struct where *where)
{
    free(where->url);
    free(where->start_hint);
    explicit_bzero(where->token, sizeof(where->token));
    where->url = where->start_hint = NULL;
}
