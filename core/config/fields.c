/* core/config/fields.c: from a key's text to a field of the configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/fields.h"

#include "config/config.h"
#include "error.h"
#include "config/report.h"
#include "suggest.h"
#include "value.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Choices and modes are stored through an int. */
static_assert(sizeof(enum config_mode) == sizeof(int), "stored as int");

#define IN_CONFIG(member)   offsetof(struct config, member)
#define IN_ENDPOINT(member) offsetof(struct config_endpoint, member)
#define IN_PLUGIN(member)   offsetof(struct config_plugin, member)

static const struct field fields[] = {
    {OPTION_SERVER, "listen", 0, read_listen, 0},
    {OPTION_SERVER, "trusted_proxies", 0, read_trusted_proxies, 0},
    {OPTION_SERVER, "threads", IN_CONFIG(threads), NULL, 0},
    {OPTION_SERVER, "max_body", IN_CONFIG(max_body), NULL, 0},
    {OPTION_SERVER, "request_timeout", IN_CONFIG(request_timeout_ms), NULL, 1},
    {OPTION_SERVER, "drain", IN_CONFIG(drain_ms), NULL, 1},
    {OPTION_SERVER, "state_dir", IN_CONFIG(state_dir), read_state_dir, 0},
    {OPTION_INBOX, "store", 0, read_store, 0},
    {OPTION_INBOX, "retention", IN_CONFIG(retention_ms), read_retention, 1},
    {OPTION_INBOX, "min_free", IN_CONFIG(min_free_bytes), NULL, 0},
    {OPTION_ADMIN, "listen", 0, read_admin_listen, 0},
    {OPTION_LOG, "level", IN_CONFIG(log_level), NULL, 0},
    {OPTION_LOG, "format", IN_CONFIG(log_format), NULL, 0},
    {OPTION_LOG, "file", IN_CONFIG(log_file), read_log_file, 0},
    {OPTION_PLUGINS, "dir", IN_CONFIG(plugins_dir), read_plugins_dir, 0},
    {OPTION_PLUGINS, "autoload", IN_CONFIG(autoload), NULL, 0},
    {OPTION_ENDPOINT, "path", IN_ENDPOINT(path), read_endpoint_path, 0},
    {OPTION_ENDPOINT, "secrets", 0, read_secrets, 0},
    {OPTION_ENDPOINT, "tolerance", IN_ENDPOINT(tolerance_s), NULL, 1000},
    {OPTION_ENDPOINT, "livemode", IN_ENDPOINT(livemode), NULL, 0},
    {OPTION_PLUGIN, "path", IN_PLUGIN(path), read_plugin_path, 0},
    {OPTION_PLUGIN, "enabled", IN_PLUGIN(enabled), NULL, 0},
    {OPTION_PLUGIN, "events", 0, read_events, 0},
    {OPTION_PLUGIN, "endpoints", 0, read_endpoints, 0},
    {OPTION_PLUGIN, "livemode", IN_PLUGIN(livemode), NULL, 0},
    {OPTION_PLUGIN, "concurrency", IN_PLUGIN(concurrency), NULL, 0},
    {OPTION_PLUGIN, "timeout", IN_PLUGIN(timeout_ms), NULL, 1},
    {OPTION_PLUGIN, "order", IN_PLUGIN(order), NULL, 0},
    {OPTION_PLUGIN, "collapse_twins", IN_PLUGIN(collapse_twins), NULL, 0},
    {OPTION_PLUGIN, "retry", 0, read_retry, 0},
    {OPTION_PLUGIN, "max_attempts", IN_PLUGIN(max_attempts), NULL, 0},
    {OPTION_PLUGIN, "max_age", IN_PLUGIN(max_age_ms), NULL, 1},
    {OPTION_PLUGIN, "sandbox", IN_PLUGIN(sandbox), NULL, 0},
    {OPTION_PLUGIN, "sandbox_required", IN_PLUGIN(sandbox_required), NULL, 0},
    {OPTION_PLUGIN, "data_dir", IN_PLUGIN(data_dir), read_data_dir, 0},
    {OPTION_PLUGIN, "tcp_connect", 0, read_tcp_connect, 0},
    {OPTION_PLUGIN, "user", 0, read_user, 0},
    {OPTION_PLUGIN, "limit_files", IN_PLUGIN(limit_files), NULL, 0},
    {OPTION_PLUGIN, "limit_file_size", IN_PLUGIN(limit_file_size), NULL, 0},
    {OPTION_PLUGIN, "limit_memory", IN_PLUGIN(limit_memory), read_memory, 0},
    {OPTION_PLUGIN, "limit_processes", IN_PLUGIN(limit_processes),
     read_processes, 0},
    {OPTION_PLUGIN, "core_dumps", IN_PLUGIN(core_dumps), NULL, 0},
    {OPTION_PLUGIN, "recycle_events", IN_PLUGIN(recycle_events), NULL, 0},
    {OPTION_PLUGIN, "recycle_age", IN_PLUGIN(recycle_age_ms), NULL, 1},
    {OPTION_PLUGIN, "recycle_memory", IN_PLUGIN(recycle_memory), read_memory,
     0},
    {OPTION_PLUGIN, "env.NAME", 0, read_env, 0},
};

const struct field *
field_find(const struct option *option)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].section == option->section &&
            strcmp(fields[i].key, option->key) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

void *
build_check(struct build *build, void *made)
{
    if (made == NULL) {
        build->report->out_of_memory = 1;
    }
    return made;
}

/* What people often get wrong in any value. */
static const char *
usual_mistake(const struct value *value)
{
    if (value->text[0] == '"' || value->text[0] == '\'') {
        return " (quotes count as part of a value: leave them out)";
    }
    if (strstr(value->text, " #") != NULL) {
        return " (a comment behind a value begins with ;)";
    }
    return "";
}

void
value_error(const struct value *value, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_error(value->build->report, value->build->config->file, value->line,
                 "%s: %s%s", value->key, text, usual_mistake(value));
}

void
value_warning(const struct value *value, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_warning(value->build->report, value->build->config->file,
                   value->line, "%s: %s", value->key, text);
}

int
value_number(const struct value *value, int64_t *out)
{
    const struct option *option = value->option;
    const struct field *field = field_find(option);
    char bounds[OPTION_BOUNDS_MAX];
    option_bounds(option, bounds, sizeof(bounds));
    int64_t number;
    int rc;
    const char *form;
    if (option->type == OPTION_DURATION) {
        rc = value_parse_duration(value->text, &number);
        form = "a duration: write a number with ms, s, m, h or d behind it";
    } else if (option->type == OPTION_SIZE) {
        rc = value_parse_size(value->text, &number);
        form = "a size: write a number of bytes, or one with K, M or G";
    } else {
        rc = value_parse_int(value->text, &number);
        form = "a whole number: write one";
    }
    if (rc != RC_OK) {
        value_error(value, "\"%.64s\" is not %s, %s", value->text, form,
                    bounds);
    } else if (number < option->min || number > option->max) {
        value_error(value, "%.64s is out of bounds; write %s", value->text,
                    bounds);
    } else if (field->unit_ms > 1 && number % field->unit_ms != 0) {
        value_error(value, "%.64s is not a number of whole seconds",
                    value->text);
    } else {
        *out = field->unit_ms > 1 ? number / field->unit_ms : number;
        return RC_OK;
    }
    return RC_INVALID;
}

static void
read_bool(const struct value *value, int *out)
{
    int64_t flag;
    if (value_parse_bool(value->text, &flag) != RC_OK) {
        value_error(value, "\"%.64s\" is neither yes nor no", value->text);
        return;
    }
    *out = (int)flag;
}

/* The number of a choice is its place among the choices; the enums agree. */
static void
read_choice(const struct value *value, int *out)
{
    char words[64];
    snprintf(words, sizeof(words), "%s", value->option->choices);
    struct suggest suggest;
    suggest_init(&suggest, value->text);
    int number = 0;
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save), number++) {
        if (strcmp(word, value->text) == 0) {
            *out = number;
            return;
        }
        suggest_offer(&suggest, word);
    }
    value_error(value, "\"%.64s\" is not one of: %s%s%s%s", value->text,
                value->option->choices,
                suggest.best != NULL ? "; did you mean \"" : "",
                suggest.best != NULL ? suggest.best : "",
                suggest.best != NULL ? "\"?" : "");
}

void
value_read(const struct value *value)
{
    const struct field *field = field_find(value->option);
    assert(field != NULL); /* the two tables go together */
    if (field->reader != NULL) {
        field->reader(value);
        return;
    }
    if (value->text[0] == '\0') {
        value_error(value, "has no value; give one or take the line out");
        return;
    }
    char *at = (char *)value->target + field->offset;
    switch (value->option->type) {
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        (void)value_number(value, (int64_t *)(void *)at); /* it reports */
        break;
    case OPTION_BOOL:
        read_bool(value, (int *)(void *)at);
        break;
    case OPTION_CHOICE:
        read_choice(value, (int *)(void *)at);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_CUSTOM:
        assert(0); /* these have a reader of their own */
        break;
    }
}
