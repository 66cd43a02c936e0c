/* core/runner/sample.c: an event from a file or a text, as the daemon would
 * send it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/sample.h"

#include "clock.h"
#include "error.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_BYTES (64U << 10)

static int
read_all(FILE *file, char **out, size_t *len)
{
    char *body = NULL;
    size_t used = 0;
    for (;;) {
        char *more = realloc(body, used + READ_BYTES + 1);
        if (more == NULL) {
            free(body);
            return RC_NOMEM;
        }
        body = more;
        size_t n = fread(body + used, 1, READ_BYTES, file);
        used += n;
        if (n == 0 || used > SAMPLE_BYTES_MAX) {
            break;
        }
    }
    if (ferror(file) || used > SAMPLE_BYTES_MAX) {
        free(body);
        return ferror(file) ? RC_IO : RC_INVALID;
    }
    body[used] = '\0'; /* as on the wire */
    *out = body;
    *len = used;
    return RC_OK;
}

static int
read_body(struct sample *out, const char *path, struct error *err)
{
    int standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (file == NULL) {
        return error_errno(err, RC_IO, errno, "%s", path);
    }
    int rc = read_all(file, &out->body, &out->facts.body_len);
    if (rc == RC_IO) {
        error_errno(err, rc, errno, "%s", path);
    } else if (rc != RC_OK) {
        error_set(err, rc, "%s: larger than %u MB, or out of memory", path,
                  SAMPLE_BYTES_MAX >> 20);
    }
    if (!standard) {
        fclose(file);
    }
    return rc;
}

/* The string at `path`, or NULL when there is none. Owned by `keep`. */
static const char *
text_at(const struct sample *sample, const char *path, char **keep)
{
    struct json_value value;
    if (json_find(sample->body, sample->facts.body_len, path, &value) !=
            RC_OK ||
        value.kind != JSON_STRING) {
        return NULL;
    }
    *keep = malloc(value.len);
    if (*keep != NULL) {
        json_unescape(&value, *keep);
    }
    return *keep;
}

static const char *
text_or_empty(const struct sample *sample, const char *path, char **keep)
{
    const char *text = text_at(sample, path, keep);
    return text == NULL ? "" : text;
}

/* Snapshot events say seconds, thin events a time in ISO form. */
static int64_t
created_s(const struct sample *sample)
{
    struct json_value value;
    int64_t seconds = 0;
    if (json_find(sample->body, sample->facts.body_len, "created", &value) !=
        RC_OK) {
        return 0;
    }
    if (value.kind == JSON_STRING) {
        struct tm tm = {.tm_sec = 0};
        char *text = NULL;
        if (text_at(sample, "created", &text) != NULL &&
            strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL) {
            seconds = timegm(&tm);
        }
        free(text);
        return seconds;
    }
    return json_i64(&value, &seconds) == RC_OK ? seconds : 0;
}

static int
read_facts(struct sample *out, const char *plugin, struct error *err)
{
    struct wire_event *facts = &out->facts;
    struct json_value value;
    facts->event_id = text_at(out, "id", &out->texts[0]);
    facts->type = text_at(out, "type", &out->texts[1]);
    if (facts->event_id == NULL || facts->type == NULL ||
        facts->event_id[0] == '\0' || facts->type[0] == '\0') {
        return error_set(err, RC_INVALID,
                         "not a Stripe event: \"id\" and \"type\" must be "
                         "strings");
    }
    facts->thin =
        json_find(out->body, facts->body_len, "object", &value) == RC_OK &&
        json_equals(&value, "v2.core.event");
    facts->account =
        text_or_empty(out, facts->thin ? "context" : "account", &out->texts[2]);
    facts->api_version = text_or_empty(out, "api_version", &out->texts[3]);
    facts->object_id =
        text_or_empty(out, facts->thin ? "related_object.id" : "data.object.id",
                      &out->texts[4]);
    facts->snapshot_event =
        text_or_empty(out, "snapshot_event", &out->texts[6]);
    if (asprintf(&out->texts[5], "%s:%s", facts->event_id, plugin) < 0) {
        out->texts[5] = NULL;
        return error_set(err, RC_NOMEM, "out of memory");
    }
    facts->key = out->texts[5];
    facts->signature = "";
    facts->created_s = created_s(out);
    facts->received_ms = clock_wall_ms();
    facts->livemode =
        json_find(out->body, facts->body_len, "livemode", &value) == RC_OK &&
        value.kind == JSON_TRUE;
    return RC_OK;
}

/* `out` has a body. */
static int
finish(struct sample *out, const char *name, const char *plugin,
       struct error *err)
{
    struct json_fault fault;
    int rc = RC_OK;
    out->facts.body = out->body;
    if (json_check(out->body, out->facts.body_len, &fault) != RC_OK) {
        rc = error_set(err, RC_INVALID, "%s: not JSON: %s at byte %zu", name,
                       fault.reason, fault.offset);
    }
    return rc == RC_OK ? read_facts(out, plugin, err) : rc;
}

int
sample_read(struct sample *out, const char *path, const char *plugin,
            struct error *err)
{
    *out = (struct sample){.body = NULL};
    int rc = read_body(out, path, err);
    if (rc == RC_OK) {
        rc = finish(out, path, plugin, err);
    }
    if (rc != RC_OK) {
        sample_fini(out);
    }
    return rc;
}

int
sample_take(struct sample *out, const char *text, const char *plugin,
            struct error *err)
{
    *out = (struct sample){.body = NULL};
    size_t len = strlen(text);
    if (len > SAMPLE_BYTES_MAX) {
        return error_set(err, RC_INVALID, "event: larger than %u MB",
                         SAMPLE_BYTES_MAX >> 20);
    }
    out->body = strdup(text);
    out->facts.body_len = len;
    int rc = out->body == NULL ? error_set(err, RC_NOMEM, "out of memory")
                               : finish(out, "event", plugin, err);
    if (rc != RC_OK) {
        sample_fini(out);
    }
    return rc;
}

void
sample_fini(struct sample *sample)
{
    free(sample->body);
    for (size_t i = 0; i < sizeof(sample->texts) / sizeof(sample->texts[0]);
         i++) {
        free(sample->texts[i]);
    }
    *sample = (struct sample){.body = NULL};
}
