/* core/runner/tried.c: what one call of handle() came to, as `try` shows it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/tried.h"

#include "error.h"
#include "plugin/manifest.h"
#include "runner/shelf.h"
#include "runner/store.h"
#include "utf8.h"
#include "value.h"

#include <pegboard/plugin.h>

#include <inttypes.h>
#include <string.h>

#define VERDICTS 4

static const char *const names[VERDICTS] = {"done", "skip", "retry", "fail"};

static int
is_verdict(int32_t code)
{
    return code >= PEG_DONE && code <= PEG_FAIL;
}

/* A verdict that is none counts as retry. */
static const char *
name_of(int32_t code)
{
    return names[is_verdict(code) ? code : PEG_RETRY];
}

/* ---- Printing ------------------------------------------------------- */

static void
print_string(const char *text, FILE *to)
{
    size_t len = strlen(text);
    fputc('"', to);
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t bytes = utf8_char(text + i, len - i, &code);
        if (bytes == 0) {
            fputs("\\ufffd", to);
        } else if (code < ' ' || code == '"' || code == '\\') {
            fprintf(to, "\\u%04x", code);
        } else {
            fwrite(text + i, 1, bytes, to);
        }
        i += bytes > 0 ? bytes : 1;
    }
    fputc('"', to);
}

static void
print_json(const struct tried *tried, FILE *to)
{
    fprintf(to, "{\"verdict\":\"%s\"", name_of(tried->code));
    if (!is_verdict(tried->code)) {
        fprintf(to, ",\"returned\":%d", tried->code);
    }
    if (tried->delay_ms >= 0) {
        fprintf(to, ",\"delay_ms\":%" PRId64, tried->delay_ms);
    }
    if (tried->reason[0] != '\0') {
        fputs(",\"reason\":", to);
        print_string(tried->reason, to);
    }
    fprintf(to, ",\"took_us\":%" PRId64 "}\n", tried->took_us);
}

void
tried_print(const struct tried *tried, enum tried_form form, FILE *to)
{
    if (form == TRIED_JSON) {
        print_json(tried, to);
        return;
    }
    fputs(name_of(tried->code), to);
    int is_retry = strcmp(name_of(tried->code), names[PEG_RETRY]) == 0;
    if (is_retry && tried->delay_ms >= 0) {
        fprintf(to, " in %" PRId64 " ms", tried->delay_ms);
    }
    if (!is_verdict(tried->code)) {
        fprintf(to, ": handle() returned %d, which is no verdict", tried->code);
    }
    if (tried->reason[0] != '\0') {
        fprintf(to, ": %s", tried->reason);
    }
    if (form == TRIED_TEXT) {
        fprintf(to, " (%" PRId64 " us)", tried->took_us);
    }
    fputc('\n', to);
}

/* ---- Wishes --------------------------------------------------------- */

int
tried_wish_parse(const char *text, struct tried_wish *out)
{
    size_t len = strcspn(text, ",");
    struct tried_wish wish = {.code = -1, .delay_ms = -1};
    for (int32_t i = 0; i < VERDICTS; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], text, len) == 0) {
            wish.code = i;
        }
    }
    if (wish.code < 0 ||
        (text[len] == ',' &&
         (wish.code != PEG_RETRY ||
          value_parse_duration(text + len + 1, &wish.delay_ms) != RC_OK))) {
        return RC_INVALID;
    }
    *out = wish;
    return RC_OK;
}

int
tried_is_wished(const struct tried *tried, const struct tried_wish *wish)
{
    char delay[40] = "";
    if (wish->code < 0) {
        return tried->code == PEG_DONE || tried->code == PEG_SKIP;
    }
    if (tried->code == wish->code &&
        (wish->delay_ms < 0 || tried->delay_ms == wish->delay_ms)) {
        return 1;
    }
    if (wish->delay_ms >= 0) {
        snprintf(delay, sizeof(delay), " in %" PRId64 " ms", wish->delay_ms);
    }
    fprintf(stderr, "expected %s%s, got: ", names[wish->code], delay);
    tried_print(tried, TRIED_QUIET, stderr);
    return 0;
}

/* ---- The store ------------------------------------------------------ */

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

int
tried_settle(struct shelf *shelf, const struct store *store, int is_done)
{
    size_t writes = print_writes(store, is_done);
    if (!is_done) {
        if (writes > 0) {
            fprintf(stderr, "store: not done, so thrown away: %zu\n", writes);
        }
        return RC_OK;
    }
    int rc = shelf_keep(shelf, store);
    if (rc != RC_OK) {
        fprintf(stderr, "pegboard-runner: the plugin's store is full: %s\n",
                rc_name(rc));
    }
    return rc;
}

/* ---- Types ---------------------------------------------------------- */

static int
matches(const char *pattern, const char *type)
{
    size_t len = strlen(pattern);
    if (len > 2 && strcmp(pattern + len - 2, ".*") == 0) {
        return strncmp(pattern, type, len - 1) == 0 && type[len - 1] != '\0';
    }
    return strcmp(pattern, "*") == 0 || strcmp(pattern, type) == 0;
}

void
tried_note_type(const struct manifest *manifest, const char *type)
{
    for (size_t i = 0; i < manifest->event_count; i++) {
        if (matches(manifest->events[i], type)) {
            return;
        }
    }
    fprintf(stderr,
            "note: %s declares no %s: a daemon would not give it this event; "
            "add it to PEG_EVENTS(...)\n",
            manifest->name, type);
}
