/* core/cli/args.c: parsing of command lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include "config/config.h"
#include "config/options.h"
#include "config/report.h"
#include "suggest.h"
#include "value.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct flag common_flags[] = {
    {"config", 'c', "FILE", "configuration file"},
    {"json", 0, NULL, "print the result as JSON"},
    {"quiet", 'q', NULL, "print less"},
    {"verbose", 'v', NULL, "print more"},
    {"color", 0, "WHEN", "auto, always or never"},
    {"help", 'h', NULL, "show this help"},
    {NULL, 0, NULL, NULL},
};

int
command_error(int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("error: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

int
args_error(const struct args *args, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    fputs("error: ", stderr);
    vfprintf(stderr, fmt, list);
    fprintf(stderr, "\n  see: pegboard help %s\n", args->command->name);
    va_end(list);
    return EXIT_USAGE;
}

static const struct flag *
find_in(const struct flag *flags, const char *name, size_t len, char letter)
{
    for (; flags != NULL && flags->name != NULL; flags++) {
        if (name != NULL ? strncmp(flags->name, name, len) == 0 &&
                               flags->name[len] == '\0'
                         : flags->letter == letter) {
            return flags;
        }
    }
    return NULL;
}

static const struct flag *
find_flag(const struct args *args, const char *name, size_t len, char letter)
{
    const struct flag *flag = find_in(args->command->flags, name, len, letter);
    return flag != NULL ? flag : find_in(common_flags, name, len, letter);
}

static int
unknown_flag(const struct args *args, const char *given, size_t len)
{
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)len, given);
    struct suggest suggest;
    suggest_init(&suggest, word);
    for (const struct flag *f = args->command->flags; f != NULL && f->name;
         f++) {
        suggest_offer(&suggest, f->name);
    }
    for (const struct flag *f = common_flags; f->name != NULL; f++) {
        suggest_offer(&suggest, f->name);
    }
    if (suggest.best != NULL) {
        return args_error(args, "unknown flag --%s, did you mean --%s?", word,
                          suggest.best);
    }
    return args_error(args, "unknown flag --%s", word);
}

/* Note a flag; `inline_value` is what stood behind '=', or NULL. */
static int
take_flag(struct args *args, const struct flag *flag, const char *inline_value,
          int *i, int argc, char **argv)
{
    const char *value = inline_value;
    if (flag->value == NULL && value != NULL) {
        return args_error(args, "--%s takes no value", flag->name);
    }
    if (flag->value != NULL && value == NULL) {
        if (*i + 1 >= argc) {
            return args_error(args, "--%s needs a value: --%s %s", flag->name,
                              flag->name, flag->value);
        }
        value = argv[++*i];
    }
    if (args->flag_count == ARGS_MAX) {
        return args_error(args, "too many flags");
    }
    args->flags[args->flag_count] = flag;
    args->values[args->flag_count++] = value;
    return -1;
}

static int
take_long(struct args *args, const char *text, int *i, int argc, char **argv)
{
    size_t len = strcspn(text, "=");
    const struct flag *flag = find_flag(args, text, len, 0);
    if (flag == NULL) {
        return unknown_flag(args, text, len);
    }
    return take_flag(args, flag, text[len] == '=' ? text + len + 1 : NULL, i,
                     argc, argv);
}

/* A cluster of letters: -qv, -c FILE, -cFILE. */
static int
take_letters(struct args *args, const char *text, int *i, int argc, char **argv)
{
    for (; *text != '\0'; text++) {
        const struct flag *flag = find_flag(args, NULL, 0, *text);
        if (flag == NULL) {
            return args_error(args, "unknown flag -%c", *text);
        }
        if (flag->value != NULL) {
            return take_flag(args, flag, text[1] != '\0' ? text + 1 : NULL, i,
                             argc, argv);
        }
        int code = take_flag(args, flag, NULL, i, argc, argv);
        if (code >= 0) {
            return code;
        }
    }
    return -1;
}

static int
take_operand(struct args *args, const char *text)
{
    int max = args->command->max_operands;
    if (args->operand_count == ARGS_MAX ||
        (max >= 0 && args->operand_count == max)) {
        return args_error(args, "unexpected argument \"%s\"", text);
    }
    args->operands[args->operand_count++] = text;
    return -1;
}

int
args_parse(struct args *args, const struct command *command, int argc,
           char **argv)
{
    memset(args, 0, sizeof(*args));
    args->command = command;
    int only_operands = 0;
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        int code;
        if (!only_operands && strcmp(text, "--") == 0) {
            only_operands = 1;
            continue;
        }
        if (!only_operands && text[0] == '-' && text[1] == '-') {
            code = take_long(args, text + 2, &i, argc, argv);
        } else if (!only_operands && text[0] == '-' && text[1] != '\0') {
            code = take_letters(args, text + 1, &i, argc, argv);
        } else {
            code = take_operand(args, text);
        }
        if (code >= 0) {
            return code;
        }
    }
    if (args_count(args, "help") > 0) {
        command_help(command, stdout);
        return EXIT_OK;
    }
    if (args->operand_count < command->min_operands) {
        return args_error(args, "missing argument: %s %s", command->name,
                          command->operands);
    }
    return -1;
}

const char *
args_value(const struct args *args, const char *name)
{
    for (int i = args->flag_count - 1; i >= 0; i--) {
        if (strcmp(args->flags[i]->name, name) == 0) {
            return args->values[i];
        }
    }
    return NULL;
}

const char *
args_value_at(const struct args *args, const char *name, int index)
{
    for (int i = 0; i < args->flag_count; i++) {
        if (strcmp(args->flags[i]->name, name) == 0 && index-- == 0) {
            return args->values[i];
        }
    }
    return NULL;
}

int
args_count(const struct args *args, const char *name)
{
    int count = 0;
    for (int i = 0; i < args->flag_count; i++) {
        count += strcmp(args->flags[i]->name, name) == 0;
    }
    return count;
}

int
args_int(const struct args *args, const char *name, int64_t min, int64_t max,
         int64_t *out)
{
    const char *text = args_value(args, name);
    int64_t value;
    if (text == NULL) {
        return 0;
    }
    if (value_parse_int(text, &value) != 0 || value < min || value > max) {
        return args_error(args,
                          "--%s: \"%s\" is not a whole number from %lld to "
                          "%lld",
                          name, text, (long long)min, (long long)max);
    }
    *out = value;
    return 0;
}

int
args_duration(const struct args *args, const char *name, int64_t *ms)
{
    const char *text = args_value(args, name);
    if (text != NULL && value_parse_duration(text, ms) != 0) {
        return args_error(args,
                          "--%s: \"%s\" is not a duration such as 400s or 5m",
                          name, text);
    }
    return 0;
}

int
args_color(const struct args *args, FILE *stream)
{
    const char *when = args_value(args, "color");
    if (when != NULL && strcmp(when, "auto") != 0) {
        return strcmp(when, "always") == 0 || strcmp(when, "on") == 0;
    }
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if ((no_color != NULL && no_color[0] != '\0') || term == NULL ||
        strcmp(term, "dumb") == 0) {
        return 0;
    }
    return isatty(fileno(stream));
}

const char *
args_config_path(const struct args *args)
{
    const char *path = args_value(args, "config");
    if (path == NULL) {
        path = config_default_path();
    }
    if (path == NULL) {
        command_error(EXIT_CONFIG,
                      "no configuration: start `pegboard dev`, or name one "
                      "with -c FILE, or put pegboard.ini into this folder "
                      "(etc/minimal.ini is a start)");
    }
    return path;
}

int
args_config(const struct args *args, struct config **out)
{
    const char *path = args_config_path(args);
    if (path == NULL) {
        return EXIT_CONFIG;
    }
    struct config_report report = {0};
    int rc = config_load(out, path, &report);
    if (rc != 0 || args_count(args, "quiet") == 0) {
        report_print(&report, stderr);
    }
    report_fini(&report);
    return rc == 0 ? 0 : EXIT_CONFIG;
}
