/* tests/plugins/supervisor_rig.c: a supervisor with generations of fixtures,
 * and real runners.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../unit/config_fixture.h"

#include "supervisor_rig.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* The longest sleep between two turns: what a test waits for may be nothing
 * that wakes the supervisor. */
#define TURN_MS 20

static const char *rig_fixtures;

int
rig_setup(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FIXTURES\n", argv[0]);
        return -1;
    }
    rig_fixtures = argv[1];
    log_setup(LOG_ERROR, LOG_AUTO);
    return 0;
}

/* ---- Generations ---------------------------------------------------- */

static void
write_config(const char *lines)
{
    char name[8], fixture[32], mark[32];
    int concurrency, taken;
    FILE *file = fopen("t.ini", "w");
    assert_non_null(file);
    fprintf(file, ENDPOINT);
    while (sscanf(lines, " %7s %31s %d %31s%n", name, fixture, &concurrency,
                  mark, &taken) == 4) {
        fprintf(file,
                "[plugin %s]\npath = %s/%s.so\nconcurrency = %d\n"
                "env.MARK = %s\n",
                name, rig_fixtures, fixture, concurrency, mark);
        lines += taken;
    }
    fclose(file);
}

struct generation *
rig_generation(struct rig *rig, const char *lines)
{
    struct config *config;
    int rc;
    write_config(lines);
    char *printed = load_file(&config, &rc);
    assert_string_equal(printed, "");
    free(printed);
    struct config_report report = {0};
    struct generation *made;
    rc = generation_make(&made, config, "snapshots", -1, &report);
    report_print(&report, stderr);
    report_fini(&report);
    assert_int_equal(rc, RC_OK);
    made->number = 0; /* it is committed to nothing yet */
    assert_true(rig->generation_count < RIG_GENERATIONS_MAX);
    rig->generations[rig->generation_count++] = made;
    return made;
}

const struct plugin *
rig_plugin(const struct generation *generation, const char *name)
{
    const struct plugin *plugin = generation_find(generation, name);
    assert_non_null(plugin);
    return plugin;
}

uint32_t
rig_id(const char *name)
{
    return (uint32_t)(name[0] - 'a' + 1);
}

void
rig_commit(struct rig *rig, struct generation *generation)
{
    static unsigned number;
    generation->number = ++number;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        struct plugin *plugin = &generation->plugins[i];
        plugin->id = rig_id(plugin->config->name);
    }
    supervisor_switch(rig->supervisor, generation);
}

/* ---- Stages --------------------------------------------------------- */

static void
on_done(void *arg, struct stage *stage)
{
    struct rig *rig = arg;
    assert_ptr_equal(stage, &rig->stage);
    assert_int_equal(rig->done++, 0);
}

static void
on_unstaged(void *arg)
{
    struct rig *rig = arg;
    assert_int_equal(rig->unstaged++, 0);
}

void
rig_stage(struct rig *rig, struct generation *generation, const char *names)
{
    rig->done = rig->unstaged = 0;
    memset(rig->plugins, 0, sizeof(rig->plugins));
    rig->stage = (struct stage){.generation = generation,
                                .plugins = rig->plugins,
                                .count = strlen(names),
                                .done = on_done,
                                .arg = rig};
    for (size_t i = 0; names[i] != '\0'; i++) {
        const char name[] = {names[i], '\0'};
        rig->plugins[i].plugin = rig_plugin(generation, name);
    }
    supervisor_stage(rig->supervisor, &rig->stage);
}

void
rig_staged(struct rig *rig, struct generation *generation, const char *names)
{
    rig_stage(rig, generation, names);
    TURN_UNTIL(rig, rig->done);
}

void
rig_unstage(struct rig *rig)
{
    supervisor_unstage(rig->supervisor, &rig->stage, on_unstaged, rig);
}

/* ---- Looking -------------------------------------------------------- */

void
rig_turn(struct rig *rig)
{
    struct pollfd fd = {.fd = supervisor_fd(rig->supervisor), .events = POLLIN};
    int wait_ms = clock_poll_ms(supervisor_deadline_ms(rig->supervisor));
    poll(&fd, 1, wait_ms < 0 || wait_ms > TURN_MS ? TURN_MS : wait_ms);
    supervisor_turn(rig->supervisor);
}

struct supervisor_status
rig_status(struct rig *rig, const char *name)
{
    struct supervisor_status status = {0};
    int rc = supervisor_status(rig->supervisor, rig_id(name), &status);
    assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
    return status;
}

void
rig_break(struct rig *rig, struct runner *runner)
{
    int status;
    runner_kill(runner);
    while (runner_ended(runner, &status) != RC_OK) {
        poll(NULL, 0, 1);
    }
    supervisor_return(rig->supervisor, runner, 1, 0);
}

/* Whether that process is our child, and runs for that plugin. */
static int
runs_for(const char *pid, const char *name)
{
    char path[64], line[256], wanted[32];
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%.32s/stat", pid);
    FILE *file = fopen(path, "r");
    char *read = file != NULL ? fgets(line, sizeof(line), file) : NULL;
    if (file != NULL) {
        fclose(file);
    }
    snprintf(wanted, sizeof(wanted), "(peg:%s)", name);
    const char *at = read != NULL ? strstr(line, wanted) : NULL;
    return at != NULL && sscanf(at + strlen(wanted), " %*c %d", &parent) == 1 &&
           parent == (int)getpid();
}

pid_t
rig_process(const char *name)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;
    assert_non_null(proc);
    while (found == 0 && (entry = readdir(proc)) != NULL) {
        if (atoi(entry->d_name) > 0 && runs_for(entry->d_name, name)) {
            found = (pid_t)atoi(entry->d_name);
        }
    }
    closedir(proc);
    return found;
}

static size_t
count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- Beginning and end ---------------------------------------------- */

static void
on_ready(void *arg, struct runner *runner)
{
    struct rig *rig = arg;
    assert_true(rig->served_count < RIG_RUNNERS_MAX);
    rig->served[rig->served_count++] = runner;
}

int
rig_open(void **state)
{
    struct error err;
    struct rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL || enter_folder(state) != 0) {
        free(rig);
        return -1;
    }
    rig->descriptors = count_descriptors();
    *state = rig;
    return supervisor_open(&rig->supervisor, on_ready, rig, &err);
}

void
rig_end(struct rig *rig)
{
    supervisor_close(rig->supervisor);
    rig->supervisor = NULL;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(count_descriptors(), rig->descriptors);
}

int
rig_close(void **state)
{
    struct rig *rig = *state;
    if (rig->supervisor != NULL) {
        rig_end(rig);
    }
    for (size_t i = 0; i < rig->generation_count; i++) {
        assert_int_equal(atomic_load(&rig->generations[i]->holders), 1);
        generation_drop(rig->generations[i]);
    }
    free(rig);
    return leave_folder(state);
}
