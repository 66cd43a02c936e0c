/* core/config/build.h: what the files of this folder share while a file's text
 * becomes a struct config. Private to the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILD_H
#define CORE_BUILD_H

#include "config/options.h"

struct config;
struct config_pair;
struct config_pin;
struct config_plugin;
struct config_report;
struct inifile;
struct inifile_section;

struct build {
    struct config *config;
    struct config_report *report;
    int plugins_dir_line;          /* of [plugins] dir; 0: not set */
    const struct config_pin *pins; /* NULL: files are looked for */
    size_t pin_count;
};

/** One key with its text, on its way into a field. */
struct value {
    struct build *build;
    const struct option *option;
    const char *key;
    const char *text;
    int line;       /* of the key; of its section when it is the default */
    int is_default; /* it does not stand in the file */
    void *target;   /* struct config, config_endpoint or config_plugin */
};

/** Reads a value into its target, or reports why not. */
typedef void value_reader(const struct value *value);

/** Report a mistake (or a warning) at the value, as `key: message`. Never with
 * a secret in it. */
void value_error(const struct value *value, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void value_warning(const struct value *value, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** `made` itself; NULL is noted as the end of memory. */
void *build_check(struct build *build, void *made);

/** The items of a comma separated value. */
struct list {
    char *copy, *rest;
    size_t len; /* of copy */
};

void list_open(struct list *list, const struct value *value);

/** The next item without the blanks around it, perhaps ""; NULL at the end. A
 * blank value has no items at all. */
const char *list_next(struct list *list);

/** Ends it; the items are gone, and cleansed as they may be secrets. */
void list_close(struct list *list);

/** Read an INT, DURATION or SIZE within its option's bounds.
 * @return RC_OK, or RC_INVALID: reported */
int value_number(const struct value *value, int64_t *out);

/** Read a value into the field that its option has. */
void value_read(const struct value *value);

/**
 * Fill the fields of `target` from the keys of `section`, and the others with
 * their defaults. Keys that are not in the table are reported.
 *
 * @param section  NULL: there is none, all is default
 */
void section_fill(struct build *build, enum option_section kind,
                  const struct inifile_section *section, void *target);

/* Readers of what has a form or checks of its own. */
value_reader read_listen;
value_reader read_trusted_proxies;
value_reader read_state_dir;
value_reader read_store;
value_reader read_retention;
value_reader read_admin_listen;
value_reader read_log_file;
value_reader read_plugins_dir;
value_reader read_endpoint_path;
value_reader read_secrets;
value_reader read_plugin_path;
value_reader read_events;
value_reader read_endpoints;
value_reader read_retry;
value_reader read_data_dir;
value_reader read_tcp_connect;
value_reader read_user;
value_reader read_memory; /* limit_memory, recycle_memory */
value_reader read_processes;
value_reader read_env;

/** Put a key and its value at the end of an array of pairs. */
void pairs_push(struct build *build, struct config_pair **pairs, size_t *count,
                const char *key, const char *text, int line);

/** Find the plugin's file, where `plugin->path` is as written or a default,
 * and check that it is safe to load. Sets the path to what was found, or to
 * that of its pin. */
void plugin_locate(struct build *build, struct config_plugin *plugin, int line);

/** Add a plugin to the configuration. NULL, and reported, when there are too
 * many. */
struct config_plugin *plugin_add(struct build *build, const char *name,
                                 int line);

/** Add a plugin for each .so in the plugins folder that has no section; or for
 * each pin. */
void autoload_plugins(struct build *build);

/** The pin of that name, or NULL. */
const struct config_pin *pin_find(const struct build *build, const char *name);

/** Whether there are pins, and none for this plugin: it is passed over. */
int pin_is_missing(const struct build *build, const char *name);

/** Turn the sections of a file, already without syntax, into the configuration
 * and check what holds between them. */
void sections_build(struct build *build, const struct inifile *ini);

/** Whether it is 1 to 32 of a-z 0-9 - _, as plugins and endpoints are named. */
int name_valid(const char *name);
#define NAME_RULE "1 to 32 of a-z 0-9 - _"

#endif
