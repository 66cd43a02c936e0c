/* core/runner/try.c: a plugin and one event in the foreground.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/try.h"

#include "error.h"
#include "plugin/manifest.h"
#include "value.h"
#include "runner/host.h"
#include "runner/load.h"
#include "runner/sample.h"
#include "runner/shelf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct
try {
    const char *name;     /* of the plugin */
    pthread_mutex_t lock; /* keeps the lines of its threads apart */
    struct shelf shelf;   /* the plugin's store, empty at first */
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* A host_log_fn. */
static void
print_line(void *arg, int32_t level, const char *text, size_t len)
{
    struct try *try = arg;
    pthread_mutex_lock(&try->lock);
    fprintf(stderr, "%s %s: %.*s\n", level_names[level], try->name, (int)len,
            text);
    pthread_mutex_unlock(&try->lock);
}

/* ---- Options -------------------------------------------------------- */

static int
refuse_unknown(const struct manifest *manifest, const char *name)
{
    fprintf(stderr, "pegboard-runner: %s has no option \"%s\"; %s\n",
            manifest->name, name,
            manifest->option_count == 0 ? "it declares none" : "it declares:");
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *option = &manifest->options[i];
        fprintf(stderr, "  %-16s %s (%s)\n", option->name, option->help,
                value_form(option->type));
    }
    return RC_INVALID;
}

/* Paths are absolute for the plugin; here they start where we are. */
static int
put_value(struct settings *settings, const struct manifest_option *option,
          const char *value)
{
    if (option->type != PEG_OPTION_PATH || value[0] == '/') {
        return settings_put(settings, option->name, option->type, value);
    }
    char *here = getcwd(NULL, 0);
    char *path = NULL;
    int rc = RC_NOMEM;
    if (here != NULL && asprintf(&path, "%s/%s", here, value) >= 0) {
        rc = settings_put(settings, option->name, option->type, path);
        free(path);
    }
    free(here);
    return rc;
}

/* One "key=value". */
static int
put_option(struct settings *settings, const struct manifest *manifest,
           const char *pair)
{
    char name[MANIFEST_OPTION_NAME_MAX + 2];
    const char *equals = strchr(pair, '=');
    if (equals == NULL) {
        fprintf(stderr, "pegboard-runner: --option %s: write key=value\n",
                pair);
        return RC_INVALID;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(equals - pair), pair);
    const struct manifest_option *option = manifest_option_find(manifest, name);
    if (option == NULL) {
        return refuse_unknown(manifest, name);
    }
    int rc = put_value(settings, option, equals + 1);
    if (rc == RC_INVALID) {
        fprintf(stderr, "pegboard-runner: option %s: \"%s\" is not %s\n", name,
                equals + 1, value_form(option->type));
    } else if (rc == RC_BUSY) {
        fprintf(stderr, "pegboard-runner: option %s is given twice\n", name);
    }
    return rc;
}

static int
put_options(struct settings *settings, const struct manifest *manifest,
            const struct try_args *args)
{
    for (size_t i = 0; i < args->option_count; i++) {
        int rc = put_option(settings, manifest, args->options[i]);
        if (rc != RC_OK) {
            return rc;
        }
    }
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *option = &manifest->options[i];
        if (settings_has(settings, option->name)) {
            continue;
        }
        if (option->fallback != NULL) {
            if (put_value(settings, option, option->fallback) != RC_OK) {
                return RC_NOMEM;
            }
        } else if (option->flags & PEG_OPTION_REQUIRED) {
            fprintf(stderr,
                    "pegboard-runner: option %s is required: add "
                    "--option %s=VALUE (%s)\n",
                    option->name, option->name, option->help);
            return RC_INVALID;
        }
    }
    return RC_OK;
}

/* ---- Events --------------------------------------------------------- */

static int
print_verdict(const struct host_verdict *verdict)
{
    static const char *const names[] = {"done", "skip", "retry", "fail"};
    int known = verdict->code >= PEG_DONE && verdict->code <= PEG_FAIL;
    printf("%s", known ? names[verdict->code] : "retry");
    if ((!known || verdict->code == PEG_RETRY) && verdict->delay_ms >= 0) {
        printf(" in %" PRId64 " ms", verdict->delay_ms);
    }
    if (!known) {
        printf(": handle() returned %d, which is no verdict", verdict->code);
    }
    if (verdict->reason_len > 0) {
        printf(": %s", verdict->reason);
    }
    printf("\n");
    fflush(stdout);
    return verdict->code == PEG_DONE || verdict->code == PEG_SKIP ? TRY_OK
                                                                  : TRY_FAILED;
}

/* A store_ask_fn. */
static int
ask(void *arg, const char *key, size_t key_len, struct scratch *scratch,
    struct store_value *out)
{
    struct try *try = arg;
    return shelf_ask(&try->shelf, key, key_len, scratch, out);
}

/* @return how many keys it wrote */
static size_t
print_writes(const struct store *store, int kept)
{
    size_t writes = 0;
    for (size_t i = 0; i < store->count; i++) {
        const struct store_key *entry = &store->keys[i];
        if (entry->write == STORE_READ) {
            continue;
        }
        writes++;
        if (kept && entry->write == STORE_PUT) {
            fprintf(stderr, "store: put %s (%zu bytes)\n", entry->key,
                    entry->value_len);
        } else if (kept) {
            fprintf(stderr, "store: delete %s\n", entry->key);
        }
    }
    return writes;
}

/* Keep what a call wrote for the next, or say that nothing is kept. */
static int
settle_store(struct try *try, const struct host *host, int32_t code)
{
    size_t writes = print_writes(&host->store, code == PEG_DONE);
    if (code != PEG_DONE) {
        if (writes > 0) {
            fprintf(stderr, "store: not done, so thrown away: %zu\n", writes);
        }
        return RC_OK;
    }
    int rc = shelf_keep(&try->shelf, &host->store);
    if (rc != RC_OK) {
        fprintf(stderr, "pegboard-runner: the plugin's store is full: %s\n",
                rc_name(rc));
    }
    return rc;
}

/* Hand it over `repeat` times, as that many attempts. */
static int
handle_all(struct host *host, peg_handle_fn *handle, struct wire_event *facts,
           const struct try_args *args)
{
    struct try *try = host->log_arg;
    int status = TRY_OK;
    facts->timeout_ms = args->timeout_ms;
    for (int64_t i = 0; i < args->repeat; i++) {
        struct host_verdict verdict;
        facts->attempt++;
        host_handle(host, handle, facts, &verdict);
        if (settle_store(try, host, verdict.code) != RC_OK) {
            return TRY_FAILED;
        }
        if (print_verdict(&verdict) != TRY_OK) {
            status = TRY_FAILED;
        }
    }
    return status;
}

static int
run_plugin(struct host *host, const struct peg_plugin *plugin,
           struct wire_event *facts, const struct try_args *args)
{
    int32_t code = plugin->init == NULL ? 0 : plugin->init(&host->ctx);
    if (code != 0) {
        fprintf(stderr, "pegboard-runner: %s refused: init() returned %d\n",
                plugin->name, code);
        return TRY_REFUSED;
    }
    int status = handle_all(host, plugin->handle, facts, args);
    if (plugin->shutdown != NULL) {
        plugin->shutdown(&host->ctx);
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
    if (put_options(&host.settings, &loaded->manifest, args) != RC_OK) {
        goto done;
    }
    if (sample_read(&sample, args->event, try.name, &err) != RC_OK) {
        fprintf(stderr, "pegboard-runner: %s\n", err.text);
        status = TRY_EVENT;
        goto done;
    }
    status = run_plugin(&host, &loaded->plugin, &sample.facts, args);
    sample_fini(&sample);
done:
    host_fini(&host);
    shelf_fini(&try.shelf);
    return status;
}

int
try_run(const struct try_args *args)
{
    /* Without a '/' dlopen would look among the system's libraries. */
    char *path = realpath(args->plugin, NULL);
    struct loaded loaded;
    struct error err;
    enum wire_stage stage;
    int rc =
        load_open(&loaded, path == NULL ? args->plugin : path, &stage, &err);
    free(path);
    if (rc != RC_OK) {
        fprintf(stderr, "pegboard-runner: %s refused: %s\n", args->plugin,
                err.text);
        return TRY_REFUSED;
    }
    int status = run_loaded(&loaded, args);
    load_fini(&loaded);
    return status;
}
