/* core/cli/cmd_dev.c: `pegboard dev`: the daemon for a developer's terminal.
 *
 * Writes an INI file, a secret and a state folder into a folder of its own, and
 * runs the ordinary daemon on them. What it serves is told to other commands by
 * a copy of that file in config_dev_dir().
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "checked.h"
#include "clock.h"
#include "config/config.h"
#include "config/secret.h"
#include "daemon.h"
#include "error.h"
#include "inbox/inbox.h"
#include "input.h"
#include "stripe/signature.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEV_LISTEN "127.0.0.1:4242"
#define DEV_PATH   "/webhook"

#define ONCE_MS 60000 /* --once waits no longer */

const struct flag dev_flags[] = {
    {"listen", 0, "ADDRESS", "where to listen; default " DEV_LISTEN},
    {"option", 'o', "KEY=VALUE",
     "a plugin's option; NAME.KEY=VALUE when there are several"},
    {"secret-file", 0, "FILE", "use this secret instead of a fresh one"},
    {"trigger", 0, "TYPE", "send this test event once it serves"},
    {"once", 0, NULL, "end when the triggered event is handled"},
    {NULL, 0, NULL, NULL},
};

struct dev {
    const struct args *args;
    char root[PATH_MAX];      /* config_dev_dir() */
    char dir[PATH_MAX];       /* ours, inside root */
    char ini[PATH_MAX + 16];  /* the daemon's file, in dir */
    char told[PATH_MAX + 16]; /* the copy for other commands, in root */
    int told_lock; /* held while the copy is ours; -1 when it is not */
    char listen[64];
    char secret[SIGNATURE_SECRET_MAX + 1];
    pid_t trigger; /* running test event, or 0 */
    int trigger_code;
    int64_t once_deadline_ms; /* monotonic */
};

extern char **environ;

/* ---- What it writes ------------------------------------------------- */

/* Our folder, readable by nobody else, and nobody else's trap. */
static int
make_folders(struct dev *dev)
{
    struct stat st;
    snprintf(dev->root, sizeof(dev->root), "%s", config_dev_dir());
    if ((mkdir(dev->root, 0700) != 0 && errno != EEXIST) ||
        lstat(dev->root, &st) != 0) {
        return command_error(EXIT_FAILED, "cannot make %s: %s", dev->root,
                             strerror(errno));
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        return command_error(EXIT_REFUSED,
                             "%s is not a folder that only you can open: "
                             "remove it, or set XDG_RUNTIME_DIR",
                             dev->root);
    }
    snprintf(dev->dir, sizeof(dev->dir), "%.*s/run-XXXXXX",
             (int)(sizeof(dev->dir) - 16), dev->root);
    if (mkdtemp(dev->dir) == NULL) {
        return command_error(EXIT_FAILED, "cannot make %s: %s", dev->dir,
                             strerror(errno));
    }
    snprintf(dev->ini, sizeof(dev->ini), "%s/dev.ini", dev->dir);
    snprintf(dev->told, sizeof(dev->told), "%s/dev.ini", dev->root);
    return EXIT_OK;
}

static int
write_secret(struct dev *dev)
{
    char path[PATH_MAX + 16];
    struct error err;
    const char *from = args_value(dev->args, "secret-file");
    if (from != NULL) {
        struct secret secret;
        if (input_secret(&secret, from, &err) != RC_OK) {
            return command_error(EXIT_CONFIG, "%s", err.text);
        }
        snprintf(dev->secret, sizeof(dev->secret), "%s", secret.text);
        secret_fini(&secret);
    } else if (signature_new_secret(dev->secret, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    snprintf(path, sizeof(path), "%s/secret", dev->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t len = strlen(dev->secret);
    if (fd < 0 || write(fd, dev->secret, len) != (ssize_t)len) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return command_error(EXIT_FAILED, "cannot write %s: %s", path,
                             strerror(saved));
    }
    close(fd);
    return EXIT_OK;
}

/* A plugin's name from its file's: what a name may not hold becomes '-'. */
static void
name_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t len = strcspn(base, ".");
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)tolower((unsigned char)base[i]);
        out[n++] = (char)(isalnum(c) || c == '_' ? c : '-');
    }
    out[n] = '\0';
}

/* What --option gives to that plugin: all without a name when it is the only
 * one, else those that name it. */
static void
write_options(const struct dev *dev, const char *name, FILE *to)
{
    size_t len = strlen(name);
    fprintf(to, "[plugin %s options]\n", name);
    for (int i = 0; i < args_count(dev->args, "option"); i++) {
        const char *option = args_value_at(dev->args, "option", i);
        if (strncmp(option, name, len) == 0 && option[len] == '.') {
            fprintf(to, "%s\n", option + len + 1);
        } else if (dev->args->operand_count == 1) {
            fprintf(to, "%s\n", option);
        }
    }
}

/* Give each plugin a name in our folder, so that no odd character of its path
 * has to go into the file. */
static int
link_plugins(const struct dev *dev)
{
    for (int i = 0; i < dev->args->operand_count; i++) {
        char name[CONFIG_NAME_MAX + 1], link[PATH_MAX + 64];
        const char *given = dev->args->operands[i];
        char *path = realpath(given, NULL);
        if (path == NULL) {
            return command_error(EXIT_MISSING, "%s: %s", given,
                                 strerror(errno));
        }
        name_of(given, name, sizeof(name));
        snprintf(link, sizeof(link), "%s/%s.so", dev->dir, name);
        int failed = symlink(path, link) != 0;
        free(path);
        if (failed) {
            return command_error(EXIT_USAGE,
                                 errno == EEXIST
                                     ? "%s: a plugin named \"%s\" is there "
                                       "already: give one file another name"
                                     : "%s: cannot link it as \"%s\"",
                                 given, name);
        }
    }
    return EXIT_OK;
}

static void
write_plugins(const struct dev *dev, FILE *to)
{
    for (int i = 0; i < dev->args->operand_count; i++) {
        char name[CONFIG_NAME_MAX + 1];
        name_of(dev->args->operands[i], name, sizeof(name));
        fprintf(to, "[plugin %s]\npath = %s/%s.so\n", name, dev->dir, name);
        write_options(dev, name, to);
    }
}

/* The plugins that come with us: ../plugins in a build tree. */
static void
write_shipped(FILE *to)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len <= 0) {
        return;
    }
    program[len] = '\0';
    *strrchr(program, '/') = '\0';
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/../plugins", program);
    char *dir = realpath(path, NULL);
    if (dir != NULL) {
        fprintf(to, "[plugins]\ndir = %s\nautoload = yes\n", dir);
    }
    free(dir);
}

static int
write_ini(const struct dev *dev, const char *path, const char *listen)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL) {
        return command_error(EXIT_FAILED, "cannot write %s: %s", path,
                             strerror(errno));
    }
    fprintf(to,
            "; written by pegboard dev\n"
            "[server]\nlisten = %s\nstate_dir = %s/state\nthreads = 32\n"
            "[log]\nlevel = info\n"
            "[endpoint dev]\npath = " DEV_PATH "\nsecrets = file:%s/secret\n",
            listen, dev->dir, dev->dir);
    int code = EXIT_OK;
    if (dev->args->operand_count > 0) {
        fprintf(to, "[plugins]\nautoload = no\n");
        write_plugins(dev, to);
    } else {
        write_shipped(to);
    }
    if (fclose(to) != 0 && code == EXIT_OK) {
        code = command_error(EXIT_FAILED, "cannot write %s", path);
    }
    return code;
}

static void
clean_up(const struct dev *dev)
{
    static const char *const folders[] = {"/state/plugins", "/state", ""};
    char path[PATH_MAX + 32];
    if (dev->told_lock >= 0) {
        unlink(dev->told);
        close(dev->told_lock);
    }
    for (size_t i = 0; dev->dir[0] != '\0' && i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", dev->dir, folders[i]);
        checked_remove(path);
    }
}

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
    char *argv[] = {name, command, operand, flag, dev->told, quiet, NULL};
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

/* Other commands find the first `pegboard dev` that runs; a later one leaves it
 * at that. */
static int
tell(struct dev *dev, const char *url)
{
    dev->told_lock = open(dev->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dev->told_lock >= 0 && flock(dev->told_lock, LOCK_EX | LOCK_NB) != 0) {
        close(dev->told_lock);
        dev->told_lock = -1;
        snprintf(dev->told, sizeof(dev->told), "%s", dev->ini);
        fprintf(stderr,
                "another pegboard dev runs: `pegboard trigger` finds "
                "that one; for this one add -c %s\n",
                dev->told);
    }
    return write_ini(dev, dev->told, url + strlen("http://"));
}

static int
on_ready(void *arg, const char *url)
{
    struct dev *dev = arg;
    const char *type = args_value(dev->args, "trigger");
    if (tell(dev, url) != EXIT_OK) {
        return EXIT_FAILED;
    }
    fprintf(stderr,
            "Ready! Accepting on %s" DEV_PATH
            ", signing secret %s (^C to quit)\n",
            url,
            args_value(dev->args, "secret-file") != NULL ? "as given"
                                                         : dev->secret);
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

int
cmd_dev(const struct args *args)
{
    struct dev dev = {.args = args, .told_lock = -1};
    const char *listen = args_value(args, "listen");
    if (args_count(args, "once") > 0 && args_value(args, "trigger") == NULL) {
        return args_error(args, "--once needs --trigger TYPE");
    }
    if (args_value(args, "config") != NULL) {
        return args_error(args, "dev makes its own configuration; give options "
                                "with --option, or use serve -c FILE");
    }
    for (int i = 0; i < args_count(args, "option"); i++) {
        const char *option = args_value_at(args, "option", i);
        if (strchr(option, '=') == NULL || strpbrk(option, "\r\n") != NULL ||
            args->operand_count == 0) {
            return args_error(args,
                              "--option %s: write KEY=VALUE, with the "
                              "plugin's file behind",
                              option);
        }
    }
    snprintf(dev.listen, sizeof(dev.listen), "%s",
             listen != NULL ? listen : DEV_LISTEN);
    int code = make_folders(&dev);
    if (code == EXIT_OK) {
        code = write_secret(&dev);
    }
    if (code == EXIT_OK) {
        code = link_plugins(&dev);
    }
    if (code == EXIT_OK) {
        code = write_ini(&dev, dev.ini, dev.listen);
    }
    if (code == EXIT_OK) {
        struct daemon_settings settings = {
            .config_path = dev.ini,
            .quiet = args_count(args, "quiet") > 0,
            .verbose = args_count(args, "verbose") > 0,
            .tail = 1,
            .color = args_color(args, stdout),
            .on_ready = on_ready,
            .on_turn = on_turn,
            .arg = &dev,
        };
        code = daemon_run(&settings);
    }
    if (dev.trigger != 0) {
        kill(dev.trigger, SIGTERM);
        waitpid(dev.trigger, NULL, 0);
    }
    explicit_bzero(dev.secret, sizeof(dev.secret));
    clean_up(&dev);
    return code;
}
