/* core/runner/main.c: pegboard-runner, the process in which one plugin lives.
 * SPDX-License-Identifier: Apache-2.0 */
#include "error.h"
#include "value.h"
#include "runner/inspect.h"
#include "runner/process.h"
#include "runner/serve.h"
#include "runner/try.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAEMON_FD 3 /* where the daemon puts its end of the wire */

#define TRY_REPEAT_MAX  1000000
#define TRY_TIMEOUT_MS  30000 /* as `timeout` of a plugin by default */
#define TRY_PRELOAD_MAX 4096

static const char usage_text[] =
    "usage: pegboard-runner try PLUGIN.so EVENT.json [OPTION]...\n"
    "       pegboard-runner inspect PLUGIN.so [FOLDER]\n"
    "       pegboard-runner serve PARENT_PID\n"
    "\n"
    "try hands one event to a plugin in the foreground, without a sandbox or\n"
    "a time limit, so that gdb --args, valgrind and ASan work. EVENT.json may\n"
    "be - for standard input. What it writes to its store is kept for the\n"
    "next call only, and shown. `pegboard try` has more.\n"
    "  -o, --option KEY=VALUE  an option of the plugin; can be repeated; of a\n"
    "                          secret one file:PATH and env:NAME are read\n"
    "      --repeat N          call handle() N times (default 1)\n"
    "      --expect VERDICT    done, skip, retry, fail or retry,DELAY: end\n"
    "                          with 0 if it is that, else with 1\n"
    "      --timeout DURATION  what peg_ms_left() starts from (default 30s)\n"
    "      --preload LIBRARY   start again with it in LD_PRELOAD, as plugins\n"
    "                          built with a sanitizer need: libasan.so.8\n"
    "      --json              verdicts as JSON\n"
    "  -v, --verbose           say how long each call took, and notes; default\n"
    "                          on a terminal\n"
    "  -q, --quiet             do not\n"
    "exit status: 0 done or skip, 1 retry or fail, 2 usage, 3 plugin or its\n"
    "options refused, 4 no such event.\n"
    "\n"
    "inspect prints what the file needs and has, for pegboard plugins inspect.\n"
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
    return serve_run(fd, (int)parent_pid);
}

/* Become a process in which `library` was loaded before all others. Returns
 * when this is one already, or it cannot be done. */
static int
preload(const char *library, char **argv)
{
    char value[TRY_PRELOAD_MAX], program[TRY_PRELOAD_MAX];
    const char *before = getenv("LD_PRELOAD");
    size_t len = strlen(library);
    if (before != NULL && strncmp(before, library, len) == 0 &&
        (before[len] == '\0' || before[len] == ':')) {
        return RC_OK;
    }
    int used =
        snprintf(value, sizeof(value), "%s%s%s", library,
                 before == NULL ? "" : ":", before == NULL ? "" : before);
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (used >= (int)sizeof(value) || n <= 0 ||
        setenv("LD_PRELOAD", value, 1) != 0) {
        fprintf(stderr, "pegboard-runner: cannot set LD_PRELOAD\n");
        return RC_INVALID;
    }
    program[n] = '\0';
    execv(program, argv);
    fprintf(stderr, "pegboard-runner: cannot start %s again: %s\n", program,
            strerror(errno));
    return RC_IO;
}

static int
parse_timeout(const char *text, int64_t *out)
{
    int64_t ms;
    if (value_parse_duration(text, &ms) == RC_OK && ms >= 1 && ms <= INT_MAX) {
        *out = ms;
        return RC_OK;
    }
    if (value_parse_int(text, &ms) == RC_OK && ms >= 1 && ms <= INT_MAX) {
        *out = ms; /* a bare number: milliseconds */
        return RC_OK;
    }
    fprintf(stderr, "pegboard-runner: --timeout must be from 1ms, such as "
                    "500ms or 30s\n");
    return RC_INVALID;
}

static int
take_option(struct try_args *args, const char *pair)
{
    if (given_add(&args->given, pair) == RC_OK) {
        return RC_OK;
    }
    fprintf(stderr, "pegboard-runner: more than %d options\n", GIVEN_MAX);
    return RC_INVALID;
}

static int
take_options_fd(struct try_args *args, const char *text)
{
    int64_t fd;
    if (value_parse_int(text, &fd) == RC_OK && fd > STDERR_FILENO &&
        fd <= INT_MAX && given_read(&args->given, (int)fd) == RC_OK) {
        return RC_OK;
    }
    fprintf(stderr,
            "pegboard-runner: cannot read options from descriptor "
            "%s\n",
            text);
    return RC_INVALID;
}

static int
take_wish(struct try_args *args, const char *text)
{
    if (tried_wish_parse(text, &args->wish) == RC_OK) {
        return RC_OK;
    }
    fprintf(stderr,
            "pegboard-runner: --expect %s: it is one of done, skip, retry, "
            "fail, or retry with a delay as in retry,5s\n",
            text);
    return RC_INVALID;
}

/* One flag. RC_CLOSED: there is nothing left to do. */
static int
take_flag(struct try_args *args, int flag, char **argv)
{
    switch (flag) {
    case 'o':
        return take_option(args, optarg);
    case 'f':
        return take_options_fd(args, optarg);
    case 'r':
        return parse_count("--repeat", optarg, TRY_REPEAT_MAX, &args->repeat);
    case 't':
        return parse_timeout(optarg, &args->timeout_ms);
    case 'e':
        return take_wish(args, optarg);
    case 'p':
        return preload(optarg, argv);
    case 'v':
        args->form = TRIED_TEXT;
        return RC_OK;
    case 'q':
        args->form = TRIED_QUIET;
        return RC_OK;
    case 'j':
        args->form = TRIED_JSON;
        return RC_OK;
    case 'h':
        return RC_CLOSED;
    default:
        return RC_INVALID;
    }
}

/* `argv` begins with the word "try"; `whole` is all of them. */
static int
main_try(int argc, char **argv, char **whole)
{
    static const struct option longs[] = {
        {"option", required_argument, NULL, 'o'},
        {"options-fd", required_argument, NULL, 'f'}, /* of pegboard try */
        {"repeat", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'},
        {"expect", required_argument, NULL, 'e'},
        {"preload", required_argument, NULL, 'p'},
        {"verbose", no_argument, NULL, 'v'},
        {"quiet", no_argument, NULL, 'q'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct try_args args = {.repeat = 1,
                            .timeout_ms = TRY_TIMEOUT_MS,
                            .wish = {.code = -1, .delay_ms = -1},
                            .form = isatty(STDOUT_FILENO) ? TRIED_TEXT
                                                          : TRIED_QUIET};
    int rc = RC_OK;
    int flag;
    while (rc == RC_OK &&
           (flag = getopt_long(argc, argv, "ho:qv", longs, NULL)) != -1) {
        rc = take_flag(&args, flag, whole);
    }
    int status;
    if (rc != RC_OK || argc - optind != 2) {
        status = usage(rc == RC_CLOSED ? stdout : stderr);
    } else {
        args.plugin = argv[optind];
        args.event = argv[optind + 1];
        status = try_run(&args);
    }
    given_fini(&args.given);
    return status;
}

static int
main_inspect(int argc, char **argv)
{
    struct error err;
    if (argc != 3 && argc != 4) {
        return usage(stderr);
    }
    if (process_limit(RLIMIT_CORE, 0, &err) != RC_OK) {
        fprintf(stderr, "pegboard-runner: %s\n", err.text);
        return EXIT_FAILURE;
    }
    return inspect_run(argv[2], argc == 4 ? argv[3] : ".");
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
        return main_try(argc - 1, argv + 1, argv);
    }
    if (strcmp(mode, "inspect") == 0) {
        return main_inspect(argc, argv);
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
