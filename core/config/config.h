/* core/config/config.h: one configuration, read from an INI file and checked
 * whole.
 *
 * A file becomes a new struct config or a list of everything that is wrong with
 * it; nothing is ever half applied. What can be set stands in one table,
 * options.c; the annotated sample, `pegboard help config` and a test follow it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct config_report; /* report.h */
struct signature_keys;

#define CONFIG_NAME_MAX      32 /* of an endpoint or a plugin */
#define CONFIG_ENDPOINTS_MAX 32
#define CONFIG_PLUGINS_MAX   64
#define CONFIG_LISTEN_MAX    16
#define CONFIG_PORTS_MAX     16 /* of tcp_connect */

/** Which events pass, by their livemode. */
enum config_mode { CONFIG_ANY = 0, CONFIG_LIVE = 1, CONFIG_TEST = 2 };

/** A key and its text as they stood in the file. */
struct config_pair {
    char *key, *value;
    int line;
};

/** [endpoint NAME] */
struct config_endpoint {
    char name[CONFIG_NAME_MAX + 1];
    int line;                    /* of its section */
    char *path;                  /* "/webhook"; no slash at the end */
    struct signature_keys *keys; /* its secrets, named as they were referred to:
                                    "file:secrets/main", "env:NAME", "literal"*/
    char *first_secret_ref;      /* the first reference, for `trigger` */
    int64_t tolerance_s;
    enum config_mode livemode;
};

/** [plugin NAME] and [plugin NAME options] */
struct config_plugin {
    char name[CONFIG_NAME_MAX + 1];
    int line;    /* of its section; 0 when found by autoload */
    char *path;  /* absolute, or relative to the working directory */
    int pinned;  /* it is a pin's path, not that of the file */
    int refused; /* its file is missing or unsafe: it must not be loaded */
    int enabled;
    char **events; /* narrowing patterns; none: what the plugin declares */
    size_t event_count;
    char **endpoints; /* names; none: all */
    size_t endpoint_count;
    enum config_mode livemode;
    int64_t concurrency;
    int64_t timeout_ms;
    int order; /* enum inbox_order: none, object, strict */
    int collapse_twins;
    int64_t retry_first_ms, retry_max_ms;
    int64_t max_attempts;
    int64_t max_age_ms;
    int sandbox; /* enum sandbox_level: none, basic, files, strict */
    int sandbox_required;
    char *data_dir;                       /* as `path`; NULL: none */
    uint16_t tcp_ports[CONFIG_PORTS_MAX]; /* none: any */
    size_t tcp_port_count;
    char *user; /* as written; NULL: the daemon's */
    uint32_t uid, gid;
    int64_t limit_files;
    int64_t limit_file_size, limit_memory; /* bytes; memory 0: none */
    int64_t limit_processes;               /* 0: none */
    int core_dumps;
    int64_t recycle_events, recycle_age_ms, recycle_memory; /* 0: never */
    struct config_pair *options; /* unchecked: the plugin declares them */
    size_t option_count;
    struct config_pair *env; /* `env.NAME = value`; key without "env." */
    size_t env_count;
};

/** A plugin's file, given instead of looked for. */
struct config_pin {
    const char *name, *path;
};

/** Where a configuration comes from. */
struct config_source {
    const char *path; /* of the INI file, as it is named in messages; what is
                         relative in it starts from its folder */
    const char *text_path; /* read this file's text instead; NULL: path */
    /** Exactly these plugins have files, and no folder is looked through;
     * sections of others are passed over. NULL: as the file says. */
    const struct config_pin *pins;
    size_t pin_count;
};

struct config {
    char *file; /* path of the INI file, as given */
    char *text; /* its bytes, a NUL behind them; cleansed at the end; NULL when
                   it cannot be read */
    size_t text_len;
    char *dir; /* the folder it stands in; paths are relative to it */

    struct sockaddr_in listen[CONFIG_LISTEN_MAX]; /* port 0: any free one */
    size_t listen_count;
    struct in_addr *trusted_proxies;
    size_t trusted_proxy_count;
    int64_t threads;
    int64_t max_body;
    int64_t request_timeout_ms;
    int64_t drain_ms;
    char *state_dir;
    int state_dir_line; /* of its key */

    char *inbox_path; /* of the SQLite file, with state_dir in front */
    int64_t retention_ms;
    int64_t min_free_bytes;

    struct sockaddr_in admin; /* loopback; port 0: any free one */
    int admin_is_default;     /* nobody chose it: another port will do */

    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
    char *log_file; /* NULL: standard error */
    int log_file_line;

    char *plugins_dir;
    int autoload;

    struct config_endpoint *endpoints;
    size_t endpoint_count;
    struct config_plugin *plugins; /* with those that autoload found */
    size_t plugin_count;
};

/**
 * Read and check the file at `path`: syntax, every key, secrets, names, event
 * types, and that each plugin's file is there and safe to load. Plugins
 * themselves are not loaded.
 *
 * @param out     set on success only; the caller owns it: config_close()
 * @param report  gets every mistake and warning; initialised by the caller
 * @return RC_OK (perhaps with warnings), RC_INVALID when the report holds an
 *         error, RC_NOMEM
 */
int config_load(struct config **out, const char *path,
                struct config_report *report);

/**
 * As config_load(), but the object comes also when it has mistakes: good for
 * nothing then but to look for mistakes in its plugins too.
 *
 * @param out  not set only when the return value is RC_NOMEM
 */
int config_read(struct config **out, const char *path,
                struct config_report *report);

/** As config_read(), from elsewhere. */
int config_read_from(struct config **out, const struct config_source *source,
                     struct config_report *report);

/** Free it, cleansing secrets. Accepts NULL. */
void config_close(struct config *config);

/** The endpoint or plugin of that name, or NULL. */
const struct config_endpoint *config_endpoint(const struct config *config,
                                              const char *name);
const struct config_plugin *config_plugin(const struct config *config,
                                          const char *name);

/**
 * Where a command finds its file when -c was not given: $PEGBOARD_CONFIG,
 * ./pegboard.ini, the one of a running `pegboard dev` of this user, then
 * /etc/pegboard/pegboard.ini.
 *
 * @return a path that exists ($PEGBOARD_CONFIG: as it is, so that a wrong one
 *         is an error and not silence), or NULL; static storage
 */
const char *config_default_path(void);

/** Folder where `pegboard dev` of this user keeps its things: under
 * $XDG_RUNTIME_DIR or /tmp. Static storage. */
const char *config_dev_dir(void);

/** The file of the running `pegboard dev`, or NULL. */
const char *config_dev_path(void);

#endif
