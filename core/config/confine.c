/* core/config/confine.c: what a plugin may do, as far as it takes more than a
 * row of the table: its folder, its ports, its user.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/paths.h"
#include "error.h"
#include "plugin/confinement.h"
#include "value.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT_MAX 65535

/* A process that has only loaded its plugin takes about 2M; with less than this
 * it could not do a thing. */
#define MEMORY_MIN (INT64_C(8) << 20)

/* Entries of the user database are mostly under 200 bytes. */
#define PASSWD_ROOM 16384

static_assert(CONFIG_PORTS_MAX == CONFINEMENT_PORTS_MAX, "they travel");

/* ---- data_dir ------------------------------------------------------- */

static int
has_dots(const char *path)
{
    const char *at = path;
    while ((at = strstr(at, "..")) != NULL) {
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0')) {
            return 1;
        }
        at += 2;
    }
    return 0;
}

/* Whether what the daemon relies on is in it: then the plugin could write
 * that. */
static const char *
what_is_within(const struct config *config, const char *dir)
{
    const struct {
        const char *path, *what;
    } ours[] = {
        {config->state_dir, "state_dir"},
        {config->inbox_path, "the inbox"},
        {config->plugins_dir, "the plugins folder"},
        {config->dir, "this file"},
    };
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (ours[i].path != NULL && path_is_within(ours[i].path, dir)) {
            return ours[i].what;
        }
    }
    return NULL;
}

/* Folders of the daemon that stand in state_dir themselves. */
static int
is_taken(const struct config *config, const char *dir)
{
    static const char *const names[] = {"plugins", "generations"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *ours = path_join(config->state_dir, names[i]);
        int is_within = ours != NULL && path_is_within(dir, ours);
        free(ours);
        if (is_within) {
            return 1;
        }
    }
    return config->plugins_dir != NULL &&
           path_is_within(dir, config->plugins_dir);
}

static int
data_dir_acceptable(const struct value *value, const char *dir)
{
    const struct config *config = value->build->config;
    const char *what = what_is_within(config, dir);
    if (what != NULL) {
        value_error(value,
                    "%.256s has %s in it, which no plugin may write; write a "
                    "folder of its own",
                    dir, what);
        return 0;
    }
    if (is_taken(config, dir)) {
        value_error(value,
                    "%.256s is where code of plugins is; write a folder of its "
                    "own",
                    dir);
        return 0;
    }
    return 1;
}

void
read_data_dir(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    const struct config *config = value->build->config;
    if (value->text[0] == '\0' || value->text[0] == '~' ||
        has_dots(value->text)) {
        value_error(value,
                    "\"%.128s\" is no path for it; write one as %s-data, which "
                    "is in state_dir, or one that begins with /, without ..",
                    value->text, plugin->name);
        return;
    }
    if (config->state_dir == NULL) {
        return; /* that is reported already */
    }
    char *dir =
        build_check(value->build, path_join(config->state_dir, value->text));
    if (dir != NULL && data_dir_acceptable(value, dir)) {
        plugin->data_dir = dir;
    } else {
        free(dir);
    }
}

/* ---- tcp_connect ---------------------------------------------------- */

static void
push_port(const struct value *value, const char *text)
{
    struct config_plugin *plugin = value->target;
    int64_t port;
    if (value_parse_int(text, &port) != RC_OK || port < 1 || port > PORT_MAX) {
        value_error(value, "\"%.64s\" is no port; write numbers as 443, 5432",
                    text);
    } else if (plugin->tcp_port_count == CONFIG_PORTS_MAX) {
        value_error(value, "%s is one port too many: at most %d", text,
                    CONFIG_PORTS_MAX);
    } else {
        plugin->tcp_ports[plugin->tcp_port_count++] = (uint16_t)port;
    }
}

void
read_tcp_connect(const struct value *value)
{
    const struct config_plugin *plugin = value->target;
    if (value->text[0] == '\0') {
        value_error(value, "has no value; for any port take the line out, for "
                           "none at all write sandbox = strict");
        return;
    }
    if (plugin->sandbox != SANDBOX_FILES) {
        value_error(value, "is only for sandbox = files: the others allow any "
                           "port, and strict allows none; write that, or take "
                           "this line out");
        return;
    }
    struct list list;
    list_open(&list, value);
    const char *text;
    while ((text = list_next(&list)) != NULL) {
        push_port(value, text);
    }
    list_close(&list);
}

/* ---- user ----------------------------------------------------------- */

/* By name, else by number. @return 0 when there is none of that */
static int
look_up_user(const char *text, uint32_t *uid, uint32_t *gid)
{
    char room[PASSWD_ROOM];
    struct passwd entry, *found = NULL;
    int64_t number;
    (void)getpwnam_r(text, &entry, room, sizeof(room), &found);
    if (found == NULL && value_parse_int(text, &number) == RC_OK &&
        number >= 0 && number < UINT32_MAX) {
        (void)getpwuid_r((uid_t)number, &entry, room, sizeof(room), &found);
    }
    if (found == NULL) {
        return 0;
    }
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return 1;
}

void
read_user(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    uint32_t uid, gid;
    if (geteuid() != 0) {
        value_error(value,
                    "only a daemon that runs as root can give a plugin a user, "
                    "and this is user %u; start it as root, or take this line "
                    "out",
                    (unsigned)geteuid());
    } else if (value->text[0] == '\0' ||
               !look_up_user(value->text, &uid, &gid)) {
        value_error(value,
                    "there is no user \"%.64s\"; make one with useradd "
                    "--system, or write another",
                    value->text);
    } else if (uid == 0) {
        value_error(value, "root is what the daemon is; a user for a plugin "
                           "has to be another");
    } else {
        plugin->user = build_check(value->build, strdup(value->text));
        plugin->uid = uid;
        plugin->gid = gid;
    }
}

/* ---- Limits --------------------------------------------------------- */

void
read_memory(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    int64_t bytes;
    if (value_number(value, &bytes) != RC_OK) {
        return;
    }
    if (bytes > 0 && bytes < MEMORY_MIN) {
        char least[OPTION_AMOUNT_MAX];
        value_error(
            value,
            "%.64s is too little to work with; write 0 or %s "
            "at least",
            value->text,
            option_amount(OPTION_SIZE, MEMORY_MIN, least, sizeof(least)));
    } else if (strcmp(value->option->key, "limit_memory") == 0) {
        plugin->limit_memory = bytes;
    } else {
        plugin->recycle_memory = bytes;
    }
}

void
read_processes(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    if (value_number(value, &plugin->limit_processes) == RC_OK &&
        plugin->limit_processes > 0 && plugin->user == NULL) {
        value_warning(value, "counts all processes of the daemon's user, so "
                             "that other plugins may not start; give this one "
                             "a user of its own");
    }
}
