/* core/cli/inspection.c: what is in a plugin's file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inspection.h"

#include "checked.h"
#include "clock.h"
#include "config/config.h"
#include "config/paths.h"
#include "error.h"
#include "plugin/probe.h"
#include "plugin/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (4U << 20) /* of its facts; the runner bounds their number */

/* ---- Facts ---------------------------------------------------------- */

/* Run `pegboard-runner inspect` with an empty environment, as a daemon's runner
 * has; a library that is only found by LD_LIBRARY_PATH is missing. */
static int
spawn(const char *path, const char *folder, int output, pid_t *pid,
      struct error *err)
{
    char program[RUNNER_PATH_MAX];
    if (runner_program(program, err) != RC_OK) {
        return RC_IO;
    }
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);

    /* It does not change what it is given; its type cannot say so. */
    const char *words[] = {"pegboard-runner", "inspect", path, folder, NULL};
    char *argv[sizeof(words) / sizeof(words[0])];
    char *env[] = {NULL};
    memcpy(argv, words, sizeof(argv));
    int rc = posix_spawn(pid, program, &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc == 0 ? RC_OK
                   : error_errno(err, RC_IO, rc, "cannot run %s", program);
}

/* All that it prints until it ends, or takes too long. */
static char *
read_facts(int fd)
{
    char *text = malloc(TEXT_MAX + 1);
    size_t len = 0;
    int64_t deadline_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    while (text != NULL && len < TEXT_MAX) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, clock_poll_ms(deadline_ms)) == 0) {
            break;
        }
        ssize_t n = read(fd, text + len, TEXT_MAX - len);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    if (text != NULL) {
        text[len] = '\0';
    }
    return text;
}

static int
split_facts(struct inspection *out)
{
    size_t lines = 0;
    for (const char *at = out->text; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    out->facts = calloc(lines + 1, sizeof(*out->facts));
    if (out->facts == NULL) {
        return RC_NOMEM;
    }
    char *rest = out->text;
    while (out->fact_count < lines) {
        char *line = strsep(&rest, "\n");
        const char *word = strsep(&line, " ");
        out->facts[out->fact_count++] = (struct inspection_fact){
            .word = word, .value = line == NULL ? "" : line};
    }
    return RC_OK;
}

static int
find_facts(struct inspection *out, struct error *err)
{
    int pipes[2];
    pid_t pid;
    char *folder = path_folder(out->path);
    char *origin = folder != NULL ? realpath(folder, NULL) : NULL;
    free(folder);
    if (origin == NULL || pipe2(pipes, O_CLOEXEC) != 0) {
        int saved = errno;
        free(origin);
        return error_errno(err, RC_IO, saved, "%s", out->path);
    }
    int rc = spawn(out->snapshot.path, origin, pipes[1], &pid, err);
    close(pipes[1]);
    if (rc == RC_OK) {
        out->text = read_facts(pipes[0]);
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
        rc = out->text == NULL ? RC_NOMEM : split_facts(out);
    }
    close(pipes[0]);
    free(origin);
    return rc == RC_NOMEM ? error_set(err, rc, "out of memory") : rc;
}

/* ---- All of it ------------------------------------------------------ */

int
inspection_open(struct inspection *out, const char *path, struct error *err)
{
    const struct config_plugin config = {.name = "inspect"};
    char dir[CHECKED_DIR_MAX];
    struct error refusal;
    out->path = path;
    int rc = checked_folder(dir, err);
    if (rc != RC_OK) {
        return rc;
    }
    snprintf(out->dir, sizeof(out->dir), "%s", dir);
    rc = snapshot_make(&out->snapshot, path, dir, err);
    if (rc == RC_OK) {
        rc = find_facts(out, err);
    }
    if (rc == RC_OK && probe_load(&config, out->snapshot.path, -1,
                                  &out->manifest, &refusal) != RC_OK) {
        snprintf(out->refusal, sizeof(out->refusal), "%s", refusal.text);
    }
    return rc;
}

void
inspection_close(struct inspection *inspection)
{
    free(inspection->facts);
    free(inspection->text);
    manifest_fini(&inspection->manifest);
    snapshot_fini(&inspection->snapshot);
    if (inspection->dir[0] != '\0') {
        checked_remove(inspection->dir);
    }
}

const char *
inspection_fact(const struct inspection *inspection, const char *word,
                size_t index)
{
    for (size_t i = 0; i < inspection->fact_count; i++) {
        if (strcmp(inspection->facts[i].word, word) == 0 && index-- == 0) {
            return inspection->facts[i].value;
        }
    }
    return NULL;
}

int
inspection_is(const struct inspection *inspection, const char *word)
{
    const char *value = inspection_fact(inspection, word, 0);
    return value != NULL && strcmp(value, "1") == 0;
}

size_t
inspection_count(const struct inspection *inspection, const char *word)
{
    size_t count = 0;
    for (size_t i = 0; i < inspection->fact_count; i++) {
        count += strcmp(inspection->facts[i].word, word) == 0;
    }
    return count;
}
