/* plugins/exec/facts.c: what is told about an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OURS "PEGBOARD_"

/* A fact that an event has not is told nowhere. */
static const struct fact {
    int32_t field;
    int is_text;
    const char *variable; /* behind PEGBOARD_ */
    const char *member;
} facts[] = {
    {PEG_META_ID, 1, "EVENT_ID", "id"},
    {PEG_META_TYPE, 1, "EVENT_TYPE", "type"},
    {PEG_META_KEY, 1, "IDEMPOTENCY_KEY", "key"},
    {PEG_META_ATTEMPT, 0, "ATTEMPT", "attempt"},
    {PEG_META_REPLAY, 0, "REPLAY", "replay"},
    {PEG_META_ACCOUNT, 1, "ACCOUNT", "account"},
    {PEG_META_LIVEMODE, 0, "LIVEMODE", "livemode"},
    {PEG_META_OBJECT_ID, 1, "OBJECT_ID", "object_id"},
    {PEG_META_CREATED, 0, "CREATED", "created"},
    {PEG_META_RECEIVED, 0, "RECEIVED_MS", "received_ms"},
    {PEG_META_API_VERSION, 1, "API_VERSION", "api_version"},
    {PEG_META_THIN, 0, "THIN", "thin"},
    {PEG_META_SNAPSHOT_EVENT, 1, "SNAPSHOT_EVENT", "snapshot_event"},
    {PEG_META_CHANGE, 1, "CHANGE", "change"},
    {PEG_META_SIGNATURE, 1, "SIGNATURE", "signature"},
};

#define FACT_COUNT (sizeof(facts) / sizeof(facts[0]))

/* ---- Environment ---------------------------------------------------- */

void
facts_free_environment(char **env)
{
    for (char **at = env; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(env);
}

/* @return where the next one goes, or NULL when memory is out */
static char **
put_fact(char **to, const peg_event *ev, const struct fact *fact)
{
    peg_str text;
    int64_t number;
    int rc = 0;
    if (fact->is_text) {
        if (peg_meta_str(ev, fact->field, &text) != PEG_OK) {
            return to;
        }
        rc = asprintf(to, OURS "%s=%s", fact->variable, text.ptr);
    } else {
        if (peg_meta_i64(ev, fact->field, &number) != PEG_OK) {
            return to;
        }
        rc = asprintf(to, OURS "%s=%" PRId64, fact->variable, number);
    }
    if (rc < 0) {
        *to = NULL;
        return NULL;
    }
    return to + 1;
}

/* By the clock of people, as that is what other programs have. */
static char **
put_deadline(char **to, int64_t left_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (asprintf(to, OURS "DEADLINE_MS=%" PRId64, now_ms + left_ms) < 0) {
        *to = NULL;
        return NULL;
    }
    return to + 1;
}

static char **
put_copy(char **to, const char *text)
{
    *to = strdup(text);
    return *to == NULL ? NULL : to + 1;
}

char **
facts_environment(const peg_event *ev, int64_t left_ms)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    /* Besides: a PATH, the deadline, the end. */
    char **env = calloc(count + FACT_COUNT + 3, sizeof(*env));
    char **to = env;
    for (size_t i = 0; to != NULL && i < count; i++) {
        if (strncmp(environ[i], OURS, strlen(OURS)) != 0) {
            to = put_copy(to, environ[i]);
        }
    }
    if (to != NULL && getenv("PATH") == NULL) {
        to = put_copy(to, "PATH=" COMMAND_PATH);
    }
    for (size_t i = 0; to != NULL && ev != NULL && i < FACT_COUNT; i++) {
        to = put_fact(to, ev, &facts[i]);
    }
    if (to != NULL && ev != NULL) {
        to = put_deadline(to, left_ms);
    }
    if (to == NULL) {
        facts_free_environment(env);
        return NULL;
    }
    return env;
}

/* ---- Line ----------------------------------------------------------- */

/* U+2028 and U+2029, which end a line for the readline of Node 24. In JSON they
 * can stand in strings alone, where an escape is the same.
 * @return whether it was one, of 3 bytes */
static int
put_separator(FILE *out, const char *at)
{
    if (strncmp(at, "\xe2\x80\xa8", 3) != 0 &&
        strncmp(at, "\xe2\x80\xa9", 3) != 0) {
        return 0;
    }
    fputs(at[2] == '\xa8' ? "\\u2028" : "\\u2029", out);
    return 1;
}

static void
put_string(FILE *out, const peg_str *text)
{
    fputc('"', out);
    for (size_t i = 0; i < text->len; i++) {
        unsigned char byte = (unsigned char)text->ptr[i];
        if (put_separator(out, &text->ptr[i])) {
            i += 2;
        } else if (byte < ' ') {
            fprintf(out, "\\u%04x", byte);
        } else {
            fprintf(out, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
        }
    }
    fputc('"', out);
}

/* A line break inside of a string would be no JSON, so all of them stand
 * between values. */
static void
put_event(FILE *out, const char *at)
{
    while (*at != '\0') {
        size_t plain = strcspn(at, "\r\n\xe2");
        fwrite(at, 1, plain, out);
        at += plain;
        if (put_separator(out, at)) {
            at += 3;
        } else if (*at != '\0') {
            fputc(*at == '\xe2' ? *at : ' ', out);
            at++;
        }
    }
}

char *
facts_line(const peg_event *ev, int64_t left_ms, size_t *len)
{
    char *line = NULL;
    peg_str text;
    int64_t number;
    FILE *out = open_memstream(&line, len);
    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "{\"ms_left\":%" PRId64, left_ms);
    for (size_t i = 0; i < FACT_COUNT; i++) {
        const struct fact *fact = &facts[i];
        if (fact->is_text && peg_meta_str(ev, fact->field, &text) == PEG_OK) {
            fprintf(out, ",\"%s\":", fact->member);
            put_string(out, &text);
        } else if (!fact->is_text &&
                   peg_meta_i64(ev, fact->field, &number) == PEG_OK) {
            fprintf(out, ",\"%s\":%" PRId64, fact->member, number);
        }
    }
    fputs(",\"event\":", out);
    if (peg_get_raw(ev, "", &text) == PEG_OK) {
        put_event(out, text.ptr);
    }
    fputs("}\n", out);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(line);
        return NULL;
    }
    return line;
}
