/* core/cli/command.h: the commands of `pegboard` and their arguments.
 *
 * Each command is one file, cmd_NAME.c, with one row in the table of
 * commands.c. Parsing, `--help` and `pegboard help NAME` all follow that row.
 * stdout is the result, stderr is everything else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Exit codes of every command. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,  /* configuration or plugin invalid */
    EXIT_MISSING = 4, /* no such event, plugin, file */
    EXIT_NO_DAEMON = 5,
    EXIT_REFUSED = 6,
    EXIT_PARTLY = 7,
    EXIT_TIMED_OUT = 8,
};

/** One flag. Tables end with a row whose name is NULL. */
struct flag {
    const char *name;  /* "count": --count */
    char letter;       /* 'c': -c; 0 for none */
    const char *value; /* "N" when it takes a value; NULL for a switch */
    const char *help;
};

struct args;

struct command {
    const char *name;         /* "trigger", "plugins inspect" */
    const char *summary;      /* one line for the list of commands */
    const char *operands;     /* "TYPE", "[PLUGIN.so...]"; "" for none */
    const char *text;         /* what it does, with examples; several lines */
    const struct flag *flags; /* besides the common ones */
    int min_operands, max_operands;      /* max -1: any number */
    int (*run)(const struct args *args); /* returns an exit code */
};

/** All commands, in the order in which `help` lists them; ends with a row
 * whose name is NULL. */
extern const struct command commands[];

/** The command that argv[0], or argv[0] and argv[1], name; `*words` gets how
 * many of them. NULL when there is none. */
const struct command *command_find(int argc, char **argv, int *words);

/** Print the list of commands, or the help of one. */
void command_list(FILE *to);
void command_help(const struct command *command, FILE *to);

/* ---- Arguments ------------------------------------------------------ */

#define ARGS_MAX 128

/** A parsed command line. */
struct args {
    const struct command *command;
    const struct flag *flags[ARGS_MAX]; /* given ones, in order */
    const char *values[ARGS_MAX];       /* NULL for switches */
    int flag_count;
    const char *operands[ARGS_MAX];
    int operand_count;
};

/** Flags that every command has: -c/--config FILE, --json, -q/--quiet,
 * -v/--verbose, --color WHEN, -h/--help. */
extern const struct flag common_flags[];

/**
 * Parse what follows the command's name. Mistakes are printed to stderr with a
 * suggestion.
 *
 * @return -1 to go on; otherwise the exit code to leave with (0 after --help)
 */
int args_parse(struct args *args, const struct command *command, int argc,
               char **argv);

/** The value of the last --name given, or NULL. */
const char *args_value(const struct args *args, const char *name);

/** How often --name was given. */
int args_count(const struct args *args, const char *name);

/** Value number `index` (from 0) of a flag that may be repeated, or NULL. */
const char *args_value_at(const struct args *args, const char *name, int index);

/**
 * The value of --name as a whole number within bounds.
 *
 * @param out  left alone when the flag was not given
 * @return 0, or EXIT_USAGE after saying what is wrong
 */
int args_int(const struct args *args, const char *name, int64_t min,
             int64_t max, int64_t *out);

/** As args_int() for durations ("400s", "5m"): milliseconds. */
int args_duration(const struct args *args, const char *name, int64_t *ms);

/** Say on stderr what is wrong, with a pointer to --help. @return EXIT_USAGE*/
int args_error(const struct args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Say "error: ..." on stderr and return `code`. */
int command_error(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Whether to colour `stream`: --color, NO_COLOR, TERM, and a terminal. */
int args_color(const struct args *args, FILE *stream);

struct config;

/** Where the configuration is: -c, or the default places. NULL when there is
 * none, which is then said: leave with EXIT_CONFIG. */
const char *args_config_path(const struct args *args);

/** Load the configuration of -c or of the default places, printing its errors
 * (and, unless -q, its warnings) to stderr.
 * @return 0 and *out, or the exit code to leave with */
int args_config(const struct args *args, struct config **out);

#endif
