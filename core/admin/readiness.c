/* core/admin/readiness.c: would a post be stored now, and what else is not as
 * it should be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/readiness.h"

#include "admin/call.h"
#include "admin/plugin_state.h"
#include "admin/reloads.h"
#include "admin/stamp.h"
#include "clock.h"
#include "config/config.h"
#include "inbox/inbox.h"
#include "plain.h"
#include "plugin/generation.h"
#include "reload/reload.h"
#include "stripe/signature.h"

#include <stdio.h>
#include <stdlib.h>

/* Loops that have not turned for this long are stuck; a store that hangs in a
 * flush for the second cannot take a post. */
#define LIVE_MS  10000
#define READY_MS 5000

static int64_t
loop_stalled_ms(const struct api_settings *settings)
{
    return settings->dispatcher != NULL
               ? dispatcher_stalled_ms(settings->dispatcher)
               : 0;
}

void
readiness_read(struct readiness *readiness, const struct api_settings *settings)
{
    int64_t writer_ms = inbox_stalled_ms(settings->inbox);
    readiness->is_ready = inbox_ready(settings->inbox) && writer_ms < READY_MS;
    readiness->is_live =
        writer_ms < LIVE_MS && loop_stalled_ms(settings) < LIVE_MS;
}

/* ---- A line each ---------------------------------------------------- */

static void
write_store(FILE *to, const struct api_settings *settings)
{
    int64_t stalled_ms = inbox_stalled_ms(settings->inbox);
    if (!inbox_ready(settings->inbox)) {
        fputs("[-] store takes no events: the disk is full, or fails\n", to);
    } else if (stalled_ms >= READY_MS) {
        fprintf(to, "[-] store hangs for %lld s\n",
                (long long)stalled_ms / 1000);
    } else {
        fputs("[+] store ok\n", to);
    }
}

static void
write_loops(FILE *to, const struct api_settings *settings, int is_live)
{
    if (is_live) {
        fputs("[+] loops ok\n", to);
        return;
    }
    fprintf(to, "[-] loops hang: deliveries for %lld s, the store for %lld s\n",
            (long long)loop_stalled_ms(settings) / 1000,
            (long long)inbox_stalled_ms(settings->inbox) / 1000);
}

/* Returns whether every endpoint can check a signature. */
static int
write_secrets(FILE *to, const struct config *config)
{
    int is_good = 1;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        if (signature_keys_count(endpoint->keys) == 0) {
            fprintf(to, "[-] endpoint %s has no secret\n", endpoint->name);
            is_good = 0;
        }
    }
    if (is_good) {
        fputs("[+] secrets ok\n", to);
    }
    return is_good;
}

static void
write_failing(FILE *to, const struct supervisor_status *starts)
{
    char why[ERROR_TEXT_MAX];
    fprintf(to, "failing: %s", plain(starts->why, why, sizeof(why)));
    if (starts->retry_at_ms != 0) {
        int64_t left_ms = starts->retry_at_ms - clock_mono_ms();
        fprintf(to, "; next try in %lld s",
                left_ms > 0 ? (long long)(left_ms + 999) / 1000 : 0);
    }
    fputc('\n', to);
}

static void
write_plugins(FILE *to, const struct api_settings *settings,
              const struct served *served)
{
    const struct generation *generation = served->generation;
    size_t bad = 0;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        struct plugin_state state;
        plugin_state_read(&state, settings, served, plugin->id, 0);
        if (!plugin_state_is_bad(&state)) {
            continue;
        }
        bad++;
        fprintf(to, "[-] plugin %s ", plugin->config->name);
        if (state.is_failing) {
            write_failing(to, &state.starts);
        } else {
            fputs("broken: it crashes or hangs whatever it gets\n", to);
        }
    }
    if (bad == 0) {
        fputs("[+] plugins ok\n", to);
    }
}

static void
write_reload(FILE *to, struct api *api)
{
    struct reload_last last;
    char at[STAMP_MAX], why[ERROR_TEXT_MAX];
    reloads_last(api, &last);
    if (!reloads_is_bad(&last)) {
        return;
    }
    plain(last.why, why, sizeof(why));
    fprintf(to, "[-] last %s %s at %s%s%s\n",
            last.kind == RELOAD_BACK ? "rollback" : "reload",
            reload_end_name(last.end), stamp_format(at, last.at_ms),
            why[0] != '\0' ? ": " : "", why);
}

char *
api_readiness(struct api *api, int *is_ready)
{
    const struct api_settings *settings = &api->settings;
    struct readiness readiness;
    struct served served = {0};
    char *text = NULL;
    size_t len = 0;
    readiness_read(&readiness, settings);
    *is_ready = readiness.is_ready;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL) {
        return NULL;
    }
    write_store(to, settings);
    write_loops(to, settings, readiness.is_live);
    if (served_hold(&served, settings, NULL) == RC_OK) {
        *is_ready &= write_secrets(to, served.config);
        if (served.generation != NULL) {
            write_plugins(to, settings, &served);
        }
        served_drop(&served);
    }
    write_reload(to, api);
    fprintf(to, "readyz check %s\n", *is_ready ? "passed" : "failed");
    if (fclose(to) != 0) { /* out of memory */
        free(text);
        return NULL;
    }
    return text;
}
