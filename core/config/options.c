/* core/config/options.c: the table of everything that can be set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/options.h"

#include <inttypes.h>
#include <string.h>

#define K      INT64_C(1024)
#define M      (1024 * K)
#define G      (1024 * M)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* In the order of the annotated sample, etc/pegboard.ini. */
static const struct option table[] = {
    {OPTION_SERVER, "listen", OPTION_CUSTOM, "127.0.0.1:4242", 0, 0, NULL,
     OPTION_AT_RELOAD,
     "IPv4 address:port, one or more, comma separated; TLS ends in front"},
    {OPTION_SERVER, "trusted_proxies", OPTION_CUSTOM, "127.0.0.1", 0, 0, NULL,
     OPTION_AT_RELOAD,
     "IPv4 addresses whose X-Forwarded-For counts; may be empty"},
    {OPTION_SERVER, "threads", OPTION_INT, "128", 1, 4096, NULL,
     OPTION_AT_RESTART, "at least the expected keep-alive connections"},
    {OPTION_SERVER, "max_body", OPTION_SIZE, "1M", K, 16 * M, NULL,
     OPTION_AT_RELOAD, "largest event taken; larger: 413"},
    {OPTION_SERVER, "request_timeout", OPTION_DURATION, "10s", 100, 5 * MINUTE,
     NULL, OPTION_AT_RESTART, "a request must be complete within"},
    {OPTION_SERVER, "drain", OPTION_DURATION, "25s", 0, HOUR, NULL,
     OPTION_AT_RELOAD,
     "running attempts get this long to end when the daemon stops, or a reload "
     "replaces their plugin"},
    {OPTION_SERVER, "state_dir", OPTION_PATH, "/var/lib/pegboard", 0, 0, NULL,
     OPTION_AT_RESTART, "folder of the inbox and of the copies of plugins"},

    {OPTION_INBOX, "store", OPTION_CUSTOM, "sqlite:inbox.db", 0, 0, NULL,
     OPTION_AT_RESTART, "sqlite:PATH, relative to state_dir"},
    {OPTION_INBOX, "retention", OPTION_DURATION, "35d", SECOND, 3650 * DAY,
     NULL, OPTION_AT_RELOAD,
     "events with nothing owed are kept this long; dead ones until discarded"},
    {OPTION_INBOX, "min_free", OPTION_SIZE, "64M", 0, 1024 * G, NULL,
     OPTION_AT_RELOAD,
     "with less free on the disk (and less than a sixteenth of it) posts are "
     "answered 503"},

    {OPTION_ADMIN, "listen", OPTION_CUSTOM, "127.0.0.1:4243", 0, 0, NULL,
     OPTION_AT_RESTART, "loopback address:port of the admin API"},

    {OPTION_LOG, "level", OPTION_CHOICE, "info", 0, 0, "error warn info debug",
     OPTION_AT_RELOAD, "the least grave lines shown"},
    {OPTION_LOG, "format", OPTION_CHOICE, "auto", 0, 0, "auto text logfmt json",
     OPTION_AT_RELOAD, "auto: text on a terminal, else logfmt"},
    {OPTION_LOG, "file", OPTION_PATH, "", 0, 0, NULL, OPTION_AT_RELOAD,
     "lines are added to this file; default: standard error"},

    {OPTION_PLUGINS, "dir", OPTION_PATH, "plugins", 0, 0, NULL,
     OPTION_AT_RELOAD, "folder of plugins, relative to the ini file"},
    {OPTION_PLUGINS, "autoload", OPTION_BOOL, "yes", 0, 0, NULL,
     OPTION_AT_RELOAD, "a .so there without a section runs with defaults"},

    {OPTION_ENDPOINT, "path", OPTION_TEXT, "/webhook", 0, 0, NULL,
     OPTION_AT_RELOAD,
     "of the URL that Stripe posts to; each endpoint has its own"},
    {OPTION_ENDPOINT, "secrets", OPTION_CUSTOM, NULL, 0, 0, NULL,
     OPTION_AT_RELOAD,
     "signing secrets: file:PATH or env:NAME, one or more, comma separated"},
    {OPTION_ENDPOINT, "tolerance", OPTION_DURATION, "300s", SECOND, DAY, NULL,
     OPTION_AT_RELOAD, "how far a signature's time may be off, either way"},
    {OPTION_ENDPOINT, "livemode", OPTION_CHOICE, "any", 0, 0, "any live test",
     OPTION_AT_RELOAD,
     "which events go to plugins; others are kept and go to nobody"},

    {OPTION_PLUGIN, "path", OPTION_PATH, "NAME.so", 0, 0, NULL,
     OPTION_AT_RELOAD,
     "looked for in [plugins] dir, then from the ini file's folder"},
    {OPTION_PLUGIN, "enabled", OPTION_BOOL, "yes", 0, 0, NULL, OPTION_AT_RELOAD,
     "no: not loaded, and gets no new events"},
    {OPTION_PLUGIN, "events", OPTION_CUSTOM, "", 0, 0, NULL, OPTION_AT_RELOAD,
     "type, prefix.* or *, comma separated; default: what the plugin declares; "
     "may only narrow it"},
    {OPTION_PLUGIN, "endpoints", OPTION_CUSTOM, "", 0, 0, NULL,
     OPTION_AT_RELOAD, "names of endpoints, comma separated; default: all"},
    {OPTION_PLUGIN, "livemode", OPTION_CHOICE, "any", 0, 0, "any live test",
     OPTION_AT_RELOAD, "which events the plugin gets"},
    {OPTION_PLUGIN, "concurrency", OPTION_INT, "1", 1, 64, NULL, OPTION_BY_ROLL,
     "events handled at the same time, each in a process of its own"},
    {OPTION_PLUGIN, "timeout", OPTION_DURATION, "30s", 100, HOUR, NULL,
     OPTION_BY_ROLL,
     "an attempt that takes longer is killed and counts as failed"},
    {OPTION_PLUGIN, "order", OPTION_CHOICE, "object", 0, 0,
     "none object strict", OPTION_AT_RELOAD,
     "object: deliveries for one Stripe object one at a time, as they arrived; "
     "strict: and a failed one holds the next"},
    {OPTION_PLUGIN, "collapse_twins", OPTION_BOOL, "no", 0, 0, NULL,
     OPTION_AT_RELOAD,
     "yes: of two events that tell of one change only the first"},
    {OPTION_PLUGIN, "retry", OPTION_CUSTOM, "5s..4h", 10, 30 * DAY, NULL,
     OPTION_AT_RELOAD,
     "first and largest delay, times 3 each, jitter of a quarter either way"},
    {OPTION_PLUGIN, "max_attempts", OPTION_INT, "25", 1, 1000, NULL,
     OPTION_AT_RELOAD, "after this many a delivery is dead"},
    {OPTION_PLUGIN, "max_age", OPTION_DURATION, "72h", SECOND, 365 * DAY, NULL,
     OPTION_AT_RELOAD, "the first of the two limits makes it dead"},
    {OPTION_PLUGIN, "sandbox", OPTION_CHOICE, "basic", 0, 0,
     "none basic files strict", OPTION_BY_ROLL,
     "basic: no system call that no handler needs; files: and only the system's "
     "libraries and data_dir; strict: and no network"},
    {OPTION_PLUGIN, "sandbox_required", OPTION_BOOL, "no", 0, 0, NULL,
     OPTION_BY_ROLL,
     "yes: refused where the kernel cannot do all of that; no: a warning"},
    {OPTION_PLUGIN, "data_dir", OPTION_PATH, "", 0, 0, NULL, OPTION_BY_ROLL,
     "folder the plugin may write to, relative to state_dir; made if absent"},
    {OPTION_PLUGIN, "tcp_connect", OPTION_CUSTOM, "", 0, 0, NULL,
     OPTION_BY_ROLL,
     "with sandbox = files: TCP ports it may connect to, comma separated; "
     "default: any"},
    {OPTION_PLUGIN, "user", OPTION_CUSTOM, "", 0, 0, NULL, OPTION_BY_ROLL,
     "name or number of the user it runs as, when the daemon runs as root; "
     "default: the daemon's"},
    {OPTION_PLUGIN, "limit_files", OPTION_INT, "256", 32, 65536, NULL,
     OPTION_BY_ROLL, "descriptors a process of it may have open"},
    {OPTION_PLUGIN, "limit_file_size", OPTION_SIZE, "64M", K, 1024 * G, NULL,
     OPTION_BY_ROLL, "it is killed when it makes a file larger than this"},
    {OPTION_PLUGIN, "limit_memory", OPTION_SIZE, "0", 0, 1024 * G, NULL,
     OPTION_BY_ROLL, "private memory of a process; 0: no limit"},
    {OPTION_PLUGIN, "limit_processes", OPTION_INT, "0", 0, 65536, NULL,
     OPTION_BY_ROLL,
     "processes and threads of its user, all together; 0: no limit"},
    {OPTION_PLUGIN, "core_dumps", OPTION_BOOL, "no", 0, 0, NULL, OPTION_BY_ROLL,
     "yes: a crash may leave a core, with what the event holds in it"},
    {OPTION_PLUGIN, "recycle_events", OPTION_INT, "10000", 0, 1000000000, NULL,
     OPTION_BY_ROLL,
     "a process is replaced after that many events, a tenth more or less; 0: "
     "never"},
    {OPTION_PLUGIN, "recycle_age", OPTION_DURATION, "24h", 0, 365 * DAY, NULL,
     OPTION_BY_ROLL,
     "a process is replaced at that age, a tenth more or less; 0s: never"},
    {OPTION_PLUGIN, "recycle_memory", OPTION_SIZE, "0", 0, 1024 * G, NULL,
     OPTION_BY_ROLL,
     "a process is replaced when it uses more memory than this; 0: never"},
    {OPTION_PLUGIN, "env.NAME", OPTION_CUSTOM, "", 0, 0, NULL, OPTION_BY_ROLL,
     "sets variable NAME in the plugin's otherwise empty environment"},
};

#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

const struct option *
options_all(size_t *count)
{
    *count = TABLE_COUNT;
    return table;
}

const struct option *
options_find(enum option_section section, const char *key)
{
    if (section == OPTION_PLUGIN && strncmp(key, "env.", 4) == 0) {
        key = "env.NAME";
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].section == section && strcmp(table[i].key, key) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

const char *
option_section_name(enum option_section section)
{
    switch (section) {
    case OPTION_SERVER:
        return "server";
    case OPTION_INBOX:
        return "inbox";
    case OPTION_ADMIN:
        return "admin";
    case OPTION_LOG:
        return "log";
    case OPTION_PLUGINS:
        return "plugins";
    case OPTION_ENDPOINT:
        return "endpoint NAME";
    case OPTION_PLUGIN:
        return "plugin NAME";
    }
    return "?";
}

const char *
option_amount(enum option_type type, int64_t value, char *room, size_t size)
{
    static const struct {
        enum option_type type;
        int64_t factor;
        const char *name;
    } units[] = {
        {OPTION_DURATION, DAY, "d"},    {OPTION_DURATION, HOUR, "h"},
        {OPTION_DURATION, MINUTE, "m"}, {OPTION_DURATION, SECOND, "s"},
        {OPTION_DURATION, 1, "ms"},     {OPTION_SIZE, G, "G"},
        {OPTION_SIZE, M, "M"},          {OPTION_SIZE, K, "K"},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        int64_t factor = units[i].factor;
        if (units[i].type == type && value >= factor && value % factor == 0) {
            snprintf(room, size, "%" PRId64 "%s", value / factor,
                     units[i].name);
            return room;
        }
    }
    snprintf(room, size, "%" PRId64 "%s", value,
             type == OPTION_DURATION ? "s" : "");
    return room;
}

const char *
option_bounds(const struct option *option, char *room, size_t size)
{
    char low[OPTION_AMOUNT_MAX];
    char high[OPTION_AMOUNT_MAX];
    enum option_type type = option->type;
    if (type == OPTION_CUSTOM) { /* of those only delays have bounds */
        type = OPTION_DURATION;
    }
    option_amount(type, option->min, low, sizeof(low));
    option_amount(type, option->max, high, sizeof(high));
    snprintf(room, size, "%s to %s", low, high);
    return room;
}

static void
print_forms(const struct option *option, FILE *to)
{
    char bounds[OPTION_BOUNDS_MAX];
    if (option->max > 0) {
        fprintf(to, " (%s)", option_bounds(option, bounds, sizeof(bounds)));
    } else if (option->choices != NULL) {
        fprintf(to, " (one of: %s)", option->choices);
    } else if (option->type == OPTION_BOOL) {
        fputs(" (yes or no)", to);
    }
    fputs(option->fallback == NULL ? " (required)" : "", to);
}

/* How a change of it comes into force, where a reload is not all it takes. */
static const char *
apply_mark(enum option_apply apply)
{
    switch (apply) {
    case OPTION_AT_RELOAD:
        return "";
    case OPTION_BY_ROLL:
        return " (rolls the plugin)";
    case OPTION_AT_RESTART:
        return " (restart)";
    }
    return "";
}

/* The output is an ini file itself: what has no default is a comment in it. */
void
options_print(FILE *to)
{
    fputs(
        "; A reload takes up all changes or none. (restart): it refuses a "
        "change of this\n; key. (rolls the plugin): new runners take over.\n\n",
        to);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct option *option = &table[i];
        if (i == 0 || option->section != table[i - 1].section) {
            fprintf(to, "%s[%s]\n", i == 0 ? "" : "\n",
                    option_section_name(option->section));
        }
        const char *fallback = option->fallback != NULL ? option->fallback : "";
        fprintf(to, "; %s", option->help);
        print_forms(option, to);
        fprintf(to, "%s\n", apply_mark(option->apply));
        fprintf(to, "%s%s =%s%s\n", fallback[0] == '\0' ? ";" : "", option->key,
                fallback[0] == '\0' ? "" : " ", fallback);
    }
    fputs("\n[plugin NAME options]\n; what the plugin declares; see pegboard "
          "plugins inspect (rolls the plugin)\n",
          to);
}
