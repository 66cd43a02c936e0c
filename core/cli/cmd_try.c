/* core/cli/cmd_try.c: `pegboard try`: becomes `pegboard-runner try`, or with
 * --isolated starts a runner as the daemon does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "config/config.h"
#include "error.h"
#include "plugin/runner.h"
#include "try_isolated.h"
#include "tryout.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REPEAT_MAX 1000000

const struct flag try_flags[] = {
    {"option", 'o', "KEY=VALUE", "an option of the plugin; can be repeated"},
    {"env", 0, "KEY=VALUE", "a variable of its environment, likewise"},
    {"section", 0, "NAME",
     "take options and env. keys from [plugin NAME] of -c FILE"},
    {"repeat", 0, "N", "call handle() N times"},
    {"expect", 0, "VERDICT",
     "done, skip, retry, fail or retry,5s: 0 if so, else 1"},
    {"timeout", 0, "DURATION", "what peg_ms_left() starts from; default 30s"},
    {"isolated", 0, NULL, "in a runner as the daemon's, which has that long"},
    {"preload", 0, "LIBRARY", "LD_PRELOAD it, such as libasan.so.8"},
    {NULL, 0, NULL, NULL},
};

/* The command line of the runner. */
struct line {
    const char *words[2 * ARGS_MAX + 24];
    size_t count;
    char repeat[24], timeout[24], options_fd[16];
};

static void
add(struct line *line, const char *word)
{
    line->words[line->count++] = word;
}

static void
add_value(struct line *line, const char *flag, const char *value)
{
    if (value != NULL) {
        add(line, flag);
        add(line, value);
    }
}

static void
write_text(FILE *to, const char *text)
{
    fwrite(text, 1, strlen(text) + 1, to);
}

/* The options of the section, where only the runner sees them. Returns the
 * descriptor, or -1. */
static int
keep_options(const struct tryout *tryout)
{
    char where[PATH_MAX + 16];
    int fd = memfd_create("options", 0);
    int copy = fd < 0 ? -1 : dup(fd);
    FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
    if (to == NULL) {
        return -1;
    }
    write_text(to, tryout->config->dir);
    for (size_t i = 0; i < tryout->plugin->option_count; i++) {
        const struct config_pair *pair = &tryout->plugin->options[i];
        snprintf(where, sizeof(where), "%s:%d", tryout->config->file,
                 pair->line);
        write_text(to, where);
        write_text(to, pair->key);
        write_text(to, pair->value);
    }
    return fclose(to) == 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

/* What the section says goes to the runner. */
static int
pass_section(struct line *line, const struct tryout *tryout)
{
    for (size_t i = 0; i < tryout->plugin->env_count; i++) {
        const struct config_pair *pair = &tryout->plugin->env[i];
        if (setenv(pair->key, pair->value, 1) != 0) {
            return command_error(EXIT_FAILED, "out of memory");
        }
    }
    int fd = keep_options(tryout);
    if (fd < 0) {
        return command_error(EXIT_FAILED, "cannot keep the options: %s",
                             strerror(errno));
    }
    snprintf(line->options_fd, sizeof(line->options_fd), "%d", fd);
    add_value(line, "--options-fd", line->options_fd);
    return EXIT_OK;
}

/* valgrind follows into another program only when it is told to. */
static void
note_valgrind(const char *program)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL) {
        fprintf(stderr,
                "note: valgrind goes on with the plugin only if you say "
                "valgrind --trace-children=yes, or valgrind %s try ...\n",
                program);
    }
}

static int
become(const struct line *line)
{
    /* execv() does not change what it is given; its type cannot say so. */
    char *exact[sizeof(line->words) / sizeof(line->words[0])];
    memcpy(exact, line->words, line->count * sizeof(exact[0]));
    exact[line->count] = NULL;
    execv(exact[0], exact);
    return command_error(EXIT_FAILED, "cannot run %s: %s", exact[0],
                         strerror(errno));
}

static int
foreground(const struct try_isolated *plan)
{
    struct line line = {.count = 0};
    struct error err;
    const struct args *args = plan->args;
    char program[RUNNER_PATH_MAX];
    if (runner_program(program, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    add(&line, program);
    add(&line, "try");
    if (plan->tryout->config != NULL) {
        int code = pass_section(&line, plan->tryout);
        if (code != EXIT_OK) {
            return code;
        }
    }
    snprintf(line.repeat, sizeof(line.repeat), "%lld", (long long)plan->repeat);
    snprintf(line.timeout, sizeof(line.timeout), "%lldms",
             (long long)plan->timeout_ms);
    add_value(&line, "--repeat", line.repeat);
    add_value(&line, "--timeout", line.timeout);
    add_value(&line, "--expect", args_value(args, "expect"));
    add_value(&line, "--preload", args_value(args, "preload"));
    add_value(&line, "--option", plan->tryout->script.option_command);
    add_value(&line, "--option", plan->tryout->script.option_dir);
    for (int i = 0; i < args_count(args, "option"); i++) {
        add_value(&line, "--option", args_value_at(args, "option", i));
    }
    static const char *const forms[] = {"--verbose", "--quiet", "--json"};
    add(&line, forms[plan->form]);
    add(&line, "--");
    add(&line, plan->tryout->path);
    add(&line, plan->tryout->event);
    note_valgrind(program);
    return become(&line);
}

static int
isolated(const struct try_isolated *plan)
{
    const char *preload = args_value(plan->args, "preload");
    return preload == NULL
               ? try_isolated(plan)
               : args_error(plan->args, "--preload is not for --isolated: a "
                                        "daemon preloads nothing");
}

/* Times and notes are for people. */
static enum tried_form
choose_form(const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return TRIED_JSON;
    }
    int is_wanted =
        args_count(args, "verbose") > 0 || isatty(STDOUT_FILENO) != 0;
    return is_wanted && args_count(args, "quiet") == 0 ? TRIED_TEXT
                                                       : TRIED_QUIET;
}

static int
read_plan(struct try_isolated *plan, const struct tryout *tryout)
{
    const struct args *args = plan->args;
    const char *wish = args_value(args, "expect");
    plan->timeout_ms =
        tryout->plugin != NULL ? tryout->plugin->timeout_ms : 30000;
    plan->form = choose_form(args);
    if (args_duration(args, "timeout", &plan->timeout_ms) != 0 ||
        args_int(args, "repeat", 1, REPEAT_MAX, &plan->repeat) != 0) {
        return EXIT_USAGE;
    }
    if (plan->timeout_ms < 1 || plan->timeout_ms > INT_MAX) {
        return args_error(args, "--timeout must be from 1ms to 24d");
    }
    if (wish != NULL && tried_wish_parse(wish, &plan->wish) != RC_OK) {
        return args_error(args,
                          "--expect %s: it is one of done, skip, retry, fail, "
                          "or retry with a delay as in retry,5s",
                          wish);
    }
    return EXIT_OK;
}

int
cmd_try(const struct args *args)
{
    struct tryout tryout;
    struct try_isolated plan = {.args = args,
                                .tryout = &tryout,
                                .repeat = 1,
                                .wish = {.code = -1, .delay_ms = -1}};
    int is_isolated = args_count(args, "isolated") > 0;
    int code = tryout_open(&tryout, args, is_isolated);
    if (code == EXIT_OK) {
        code = read_plan(&plan, &tryout);
    }
    if (code == EXIT_OK) {
        code = is_isolated ? isolated(&plan) : foreground(&plan);
    }
    tryout_fini(&tryout);
    return code;
}
