/* core/cli/cmd_dev.c: `pegboard dev`: the daemon for a developer's terminal.
 *
 * Runs the ordinary daemon on an INI file, a secret and a state folder of its
 * own, and has it reload when a plugin's file is built anew.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "clock.h"
#include "daemon.h"
#include "dev_files.h"
#include "dev_folder.h"
#include "error.h"
#include "inbox/inbox.h"
#include "value.h"
#include "watch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONCE_MS  60000 /* --once waits no longer */
#define PAIR_MAX 190   /* a line of an INI file, less what stands before it */

const struct flag dev_flags[] = {
    {"listen", 0, "ADDRESS", "where to listen; default " DEV_LISTEN},
    {"option", 'o', "KEY=VALUE",
     "a plugin's option; NAME.KEY=VALUE when there are several"},
    {"env", 0, "KEY=VALUE", "a variable of the plugins' environment"},
    {"secret-file", 0, "FILE", "use this secret instead of a fresh one"},
    {"trigger", 0, "TYPE", "send this test event once it serves"},
    {"once", 0, NULL, "end when the triggered event is handled"},
    {NULL, 0, NULL, NULL},
};

struct dev {
    const struct args *args;
    struct dev_folder folder;
    struct dev_files files;
    struct watch *watch;
    pid_t trigger; /* running test event, or 0 */
    int trigger_code;
    int64_t once_deadline_ms; /* monotonic */
};

extern char **environ;

/* ---- While it runs -------------------------------------------------- */

/* The test event comes from `pegboard trigger`, as it would from a second
 * terminal. */
static int
start_trigger(struct dev *dev, const char *type)
{
    char program[] = "/proc/self/exe", name[] = "pegboard",
         command[] = "trigger", flag[] = "-c", quiet[] = "-q";
    char operand[256];
    snprintf(operand, sizeof(operand), "%s", type);
    char *argv[] = {name, command, operand, flag, dev->files.told, quiet, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attr; /* the daemon's threads block signals */
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    sigaddset(&none, SIGPIPE); /* which they ignore */
    posix_spawnattr_setsigdefault(&attr, &none);
    int rc = posix_spawn(&dev->trigger, program, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        dev->trigger = 0;
        return command_error(EXIT_FAILED, "cannot run pegboard trigger: %s",
                             strerror(rc));
    }
    return -1;
}

static int
on_ready(void *arg, const char *url)
{
    struct dev *dev = arg;
    const char *type = args_value(dev->args, "trigger");
    if (dev_files_tell(&dev->files, url + strlen("http://")) != EXIT_OK) {
        return EXIT_FAILED;
    }
    fprintf(stderr,
            "Ready! Accepting on %s" DEV_PATH
            ", signing secret %s (^C to quit)\n",
            url,
            args_value(dev->args, "secret-file") != NULL ? "as given"
                                                         : dev->files.secret);
    dev->once_deadline_ms = clock_mono_ms() + ONCE_MS;
    return type != NULL ? start_trigger(dev, type) : -1;
}

/* Whether --once is over, and how. */
static int
once_code(const struct dev *dev, const struct inbox_stats *stats)
{
    if (dev->trigger_code != EXIT_OK) {
        return dev->trigger_code;
    }
    if (stats->deliveries == 0) {
        return command_error(EXIT_FAILED,
                             "no plugin here takes that event type");
    }
    if (stats->closed < stats->deliveries) {
        return clock_mono_ms() < dev->once_deadline_ms
                   ? -1
                   : command_error(EXIT_TIMED_OUT, "not handled within %d s",
                                   ONCE_MS / 1000);
    }
    return stats->buried > 0 ? EXIT_FAILED : EXIT_OK;
}

static int
on_turn(void *arg, const struct inbox_stats *stats)
{
    struct dev *dev = arg;
    int status;
    if (dev->trigger != 0 &&
        waitpid(dev->trigger, &status, WNOHANG) == dev->trigger) {
        dev->trigger = 0;
        dev->trigger_code =
            WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    }
    if (dev->trigger != 0 || args_count(dev->args, "once") == 0) {
        return -1;
    }
    return once_code(dev, stats);
}

/* A file that was built anew. */
static int
wants_reload(void *arg)
{
    struct dev *dev = arg;
    return dev->watch != NULL && watch_turn(dev->watch);
}

/* ---- The command ---------------------------------------------------- */

/* They are lines of an INI file, which must say just that. */
static int
check_pair(const struct args *args, const char *flag, const char *pair)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    struct error err;
    size_t len = strspn(pair, letters);
    int is_option = strcmp(flag, "option") == 0;
    while (is_option && pair[len] != '\0' && strchr("-.", pair[len]) != NULL) {
        len += 1 + strspn(pair + len + 1, letters);
    }
    const char *value = pair + len + (pair[len] == '=');
    if (len == 0 || pair[len] != '=' || args->operand_count == 0) {
        return args_error(
            args, "--%s %s: write KEY=VALUE, with the plugin's file behind",
            flag, pair);
    }
    if (value_check_text(pair, &err) != RC_OK) {
        return args_error(args, "--%s %.*s: %s", flag, (int)len, pair,
                          err.text);
    }
    if (strlen(pair) > PAIR_MAX || strstr(value, " ;") != NULL ||
        value[0] == ' ' || value[0] == ';' ||
        (value[0] != '\0' && value[strlen(value) - 1] == ' ')) {
        return args_error(args,
                          "--%s %.*s: it goes into an INI file, where at most "
                          "%d letters, no blanks around the value and no \" "
                          ";\" can stand",
                          flag, (int)len, pair, PAIR_MAX);
    }
    return EXIT_OK;
}

static int
check_pairs(const struct args *args, const char *flag)
{
    int code = EXIT_OK;
    for (int i = 0; i < args_count(args, flag) && code == EXIT_OK; i++) {
        code = check_pair(args, flag, args_value_at(args, flag, i));
    }
    return code;
}

static int
check_args(const struct args *args)
{
    if (args_count(args, "once") > 0 && args_value(args, "trigger") == NULL) {
        return args_error(args, "--once needs --trigger TYPE");
    }
    if (args_value(args, "config") != NULL) {
        return args_error(args, "dev makes its own configuration; give options "
                                "with --option, or use serve -c FILE");
    }
    int code = check_pairs(args, "option");
    return code == EXIT_OK ? check_pairs(args, "env") : code;
}

/* Without a watch it serves all the same. */
static void
start_watch(struct dev *dev)
{
    struct error err;
    if (dev->files.source_count > 0 &&
        watch_open(&dev->watch, (const char *const *)dev->files.sources,
                   dev->files.source_count, &err) != RC_OK) {
        dev->watch = NULL;
        fprintf(stderr, "warning: %s; after a build type: kill -HUP %ld\n",
                err.text, (long)getpid());
    }
}

static int
run(struct dev *dev)
{
    const struct args *args = dev->args;
    struct daemon_settings settings = {
        .config_path = dev->files.ini,
        .quiet = args_count(args, "quiet") > 0,
        .verbose = args_count(args, "verbose") > 0,
        .tail = 1,
        .color = args_color(args, stdout),
        .on_ready = on_ready,
        .on_turn = on_turn,
        .wants_reload = wants_reload,
        .arg = dev,
    };
    int code = daemon_run(&settings);
    if (dev->trigger != 0) {
        kill(dev->trigger, SIGTERM);
        waitpid(dev->trigger, NULL, 0);
    }
    return code;
}

int
cmd_dev(const struct args *args)
{
    struct dev dev = {.args = args};
    int code = check_args(args);
    if (code != EXIT_OK) {
        return code;
    }
    code = dev_folder_make(&dev.folder);
    if (code == EXIT_OK) {
        code = dev_files_make(&dev.files, args, &dev.folder);
    }
    if (code == EXIT_OK) {
        start_watch(&dev);
        code = run(&dev);
    }
    watch_close(dev.watch);
    dev_files_fini(&dev.files);
    dev_folder_remove(&dev.folder);
    return code;
}
