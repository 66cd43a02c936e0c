/* core/runner/try.c: a plugin and one event in the foreground.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/try.h"

#include "error.h"
#include "plugin/manifest.h"
#include "runner/host.h"
#include "runner/load.h"
#include "runner/sample.h"
#include "runner/shelf.h"
#include "runner/steps.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct
try {
    const char *name;     /* of the plugin */
    pthread_mutex_t lock; /* keeps the lines of its threads apart */
    unsigned errors;      /* lines of that level; guarded by the lock */
    struct shelf shelf;   /* the plugin's store, empty at first */
};

static struct try *
try_of(const struct host *host)
{
    return host->log_arg;
}

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* A host_log_fn. */
static void
print_line(void *arg, int32_t level, const char *text, size_t len)
{
    struct try *try = arg;
    pthread_mutex_lock(&try->lock);
    try->errors += level == PEG_LOG_ERROR;
    fprintf(stderr, "%s %s: %.*s\n", level_names[level], try->name, (int)len,
            text);
    pthread_mutex_unlock(&try->lock);
}

/* ---- Events --------------------------------------------------------- */

/* A store_ask_fn. */
static int
ask(void *arg, const char *key, size_t key_len, struct scratch *scratch,
    struct store_value *out)
{
    struct try *try = arg;
    return shelf_ask(&try->shelf, key, key_len, scratch, out);
}

/* Of several calls, how long they took. */
struct pace {
    int64_t fastest_us, slowest_us, sum_us, count;
};

static void
pace_add(struct pace *pace, int64_t us)
{
    if (pace->count == 0 || us < pace->fastest_us) {
        pace->fastest_us = us;
    }
    if (us > pace->slowest_us) {
        pace->slowest_us = us;
    }
    pace->sum_us += us;
    pace->count++;
}

static void
print_pace(const struct pace *pace)
{
    fprintf(stderr,
            "%" PRId64 " calls: fastest %" PRId64 " us, average %" PRId64
            " us, slowest %" PRId64 " us\n",
            pace->count, pace->fastest_us, pace->sum_us / pace->count,
            pace->slowest_us);
}

/* One call; whether it went as wished. */
static int
handle_once(struct host *host, peg_handle_fn *handle, struct wire_event *facts,
            const struct try_args *args, struct pace *pace)
{
    struct host_verdict verdict;
    facts->attempt++;
    steps_enter("handle()");
    host_handle(host, handle, facts, &verdict);
    steps_leave();
    if (tried_settle(&try_of(host)->shelf, &host->store,
                     verdict.code == PEG_DONE) != RC_OK) {
        return 0;
    }
    const struct tried tried = {.code = verdict.code,
                                .delay_ms = verdict.delay_ms,
                                .took_us = verdict.took_us,
                                .reason = verdict.reason};
    tried_print(&tried, args->form, stdout);
    fflush(stdout);
    pace_add(pace, verdict.took_us);
    return tried_is_wished(&tried, &args->wish);
}

/* Hand it over `repeat` times, as that many attempts. */
static int
handle_all(struct host *host, peg_handle_fn *handle, struct wire_event *facts,
           const struct try_args *args)
{
    struct pace pace = {.count = 0};
    int status = TRY_OK;
    facts->timeout_ms = args->timeout_ms;
    for (int64_t i = 0; i < args->repeat; i++) {
        if (!handle_once(host, handle, facts, args, &pace)) {
            status = TRY_FAILED;
        }
    }
    if (pace.count > 1 && args->form == TRIED_TEXT) {
        print_pace(&pace);
    }
    return status;
}

static int
run_plugin(struct host *host, const struct peg_plugin *plugin,
           struct wire_event *facts, const struct try_args *args)
{
    if (plugin->init != NULL) {
        steps_enter("init()");
        int32_t code = plugin->init(&host->ctx);
        steps_leave();
        if (code != 0) {
            fprintf(stderr,
                    "pegboard-runner: %s refused: init() returned %d%s\n",
                    plugin->name, code,
                    try_of(host)->errors > 0
                        ? ""
                        : ", and did not say why: use peg_error()");
            return TRY_REFUSED;
        }
    }
    int status = handle_all(host, plugin->handle, facts, args);
    if (plugin->shutdown != NULL) {
        steps_enter("shutdown()");
        plugin->shutdown(&host->ctx);
        steps_leave();
    }
    return status;
}

static int
run_loaded(const struct loaded *loaded, const struct try_args *args)
{
    struct try try = {
        .name = loaded->manifest.name,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    struct host host;
    struct sample sample;
    struct error err;
    int status = TRY_REFUSED;
    host_init(&host, print_line, ask, &try);
    if (given_settle(&args->given, &loaded->manifest, &host.settings) !=
        RC_OK) {
        goto done;
    }
    if (sample_read(&sample, args->event, try.name, &err) != RC_OK) {
        fprintf(stderr, "pegboard-runner: %s\n", err.text);
        status = TRY_EVENT;
        goto done;
    }
    if (args->form == TRIED_TEXT) {
        tried_note_type(&loaded->manifest, sample.facts.type);
    }
    status = run_plugin(&host, &loaded->plugin, &sample.facts, args);
    sample_fini(&sample);
done:
    host_fini(&host);
    shelf_fini(&try.shelf);
    return status;
}

/* A daemon would not load it: whoever can write it decides what runs. */
static void
warn_of_writers(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH) != 0) {
        fprintf(stderr,
                "pegboard-runner: warning: %s can be written by every user, so "
                "a daemon refuses it: run chmod o-w on it\n",
                path);
    }
}

/* What is said of the file may begin with its path, which stands there already.
 */
static int
refuse(const char *given, const char *path, const char *why)
{
    size_t len = strlen(path);
    if (strncmp(why, path, len) == 0 && strncmp(why + len, ": ", 2) == 0) {
        why += len + 2;
    }
    fprintf(stderr, "pegboard-runner: %s refused: %s\n", given, why);
    return TRY_REFUSED;
}

int
try_run(const struct try_args *args)
{
    /* Without a '/' dlopen would look among the system's libraries. */
    char *real = realpath(args->plugin, NULL);
    const char *path = real == NULL ? args->plugin : real;
    struct loaded loaded;
    struct error err;
    enum wire_stage stage;
    int status;
    steps_watch();
    warn_of_writers(path);
    steps_enter("a constructor of the plugin");
    int rc = load_open(&loaded, path, &stage, &err);
    steps_leave();
    if (rc != RC_OK) {
        status = refuse(args->plugin, path, err.text);
    } else {
        status = run_loaded(&loaded, args);
        load_fini(&loaded);
    }
    free(real);
    return status;
}
