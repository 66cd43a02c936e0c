/* core/runner/main.c: pegboard-runner, the process in which one plugin lives.
 * SPDX-License-Identifier: Apache-2.0 */
#include "error.h"
#include "value.h"
#include "runner/process.h"
#include "runner/serve.h"
#include "runner/try.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAEMON_FD 3 /* where the daemon puts its end of the wire */

#define TRY_REPEAT_MAX  1000000
#define TRY_TIMEOUT_MS  30000 /* as `timeout` of a plugin by default */
#define TRY_OPTIONS_MAX 128   /* no plugin declares more */

static const char usage_text[] =
    "usage: pegboard-runner try PLUGIN.so EVENT.json [OPTION]...\n"
    "       pegboard-runner serve PARENT_PID\n"
    "\n"
    "try hands one event to a plugin in the foreground, without a sandbox or\n"
    "a time limit, so that gdb --args, valgrind and ASan work. EVENT.json may\n"
    "be - for standard input. What it writes to its store is kept for the\n"
    "next call only, and shown.\n"
    "      --option KEY=VALUE  an option of the plugin; can be repeated\n"
    "      --repeat N          call handle() N times (default 1)\n"
    "      --timeout MS        what peg_ms_left() starts from (default 30000)\n"
    "exit status: 0 done or skip, 1 retry or fail, 2 usage, 3 plugin or its\n"
    "options refused, 4 no such event.\n"
    "\n"
    "serve is for pegboard alone: it speaks the wire on descriptor 3.\n";

static int
usage(FILE *to)
{
    fputs(usage_text, to);
    return to == stdout ? TRY_OK : TRY_USAGE;
}

/* A whole number from 1 to `max`. */
static int
parse_count(const char *what, const char *text, int64_t max, int64_t *out)
{
    int64_t value;
    if (value_parse_int(text, &value) != RC_OK || value < 1 || value > max) {
        fprintf(stderr, "pegboard-runner: %s must be from 1 to %lld\n", what,
                (long long)max);
        return RC_INVALID;
    }
    *out = value;
    return RC_OK;
}

static int
main_serve(int argc, char **argv)
{
    int64_t parent_pid;
    if (argc != 3 ||
        parse_count("PARENT_PID", argv[2], INT_MAX, &parent_pid) != RC_OK) {
        return usage(stderr);
    }
    struct error err;
    int fd = process_confine((int)parent_pid, &err);
    if (fd == RC_OK) {
        fd = process_hide_fd(DAEMON_FD, &err);
    }
    if (fd < 0) {
        fprintf(stderr,
                "pegboard-runner: %s (serve is started by pegboard; use try "
                "to run a plugin by hand)\n",
                err.text);
        return EXIT_FAILURE;
    }
    return serve_run(fd);
}

static int
main_try(int argc, char **argv)
{
    static const struct option longs[] = {
        {"option", required_argument, NULL, 'o'},
        {"repeat", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char *options[TRY_OPTIONS_MAX];
    struct try_args args = {
        .options = options, .repeat = 1, .timeout_ms = TRY_TIMEOUT_MS};
    int rc = RC_OK;
    int c;
    while (rc == RC_OK &&
           (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'o' && args.option_count < TRY_OPTIONS_MAX) {
            options[args.option_count++] = optarg;
        } else if (c == 'r') {
            rc = parse_count("--repeat", optarg, TRY_REPEAT_MAX, &args.repeat);
        } else if (c == 't') {
            rc = parse_count("--timeout", optarg, INT_MAX, &args.timeout_ms);
        } else if (c == 'h') {
            return usage(stdout);
        } else {
            rc = RC_INVALID;
        }
    }
    if (rc != RC_OK || argc - optind != 2) {
        return usage(stderr);
    }
    args.plugin = argv[optind];
    args.event = argv[optind + 1];
    return try_run(&args);
}

int
main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "serve") == 0) {
        return main_serve(argc, argv);
    }
    if (strcmp(mode, "try") == 0) {
        /* getopt sees "try" as the program's name. */
        return main_try(argc - 1, argv + 1);
    }
    if (strcmp(mode, "--help") == 0 || strcmp(mode, "-h") == 0) {
        return usage(stdout);
    }
    if (strcmp(mode, "--version") == 0) {
        printf("pegboard-runner %s\n", PEGBOARD_VERSION);
        return TRY_OK;
    }
    return usage(stderr);
}
