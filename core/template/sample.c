/* core/template/sample.c: the data.object of a test event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/sample.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template/document.h"
#include "template/embedded.h"
#include "error.h"
#include "json/json.h"

#define TOKEN_CHARS 25 /* of a {token} */

static int
no_memory(struct error *err)
{
    return error_set(err, RC_NOMEM, "test event: out of memory");
}

/* ---- What stands in braces ------------------------------------------ */

/* "now", "now-30d", "now+2h": the time in seconds. */
static int
read_time(const char *name, int64_t now_ms, int64_t *seconds)
{
    if (strncmp(name, "now", 3) != 0) {
        return 0;
    }
    *seconds = now_ms / 1000;
    if (name[3] == '\0') {
        return 1;
    }
    char *unit;
    long long shift = strtoll(name + 3, &unit, 10);
    switch (*unit) {
    case 'd':
        shift *= 24;
        __attribute__((fallthrough));
    case 'h':
        shift *= 60;
        __attribute__((fallthrough));
    case 'm':
        shift *= 60;
        __attribute__((fallthrough));
    case 's':
        break;
    default:
        return 0;
    }
    *seconds += shift;
    return 1;
}

/* Make one more id of the kind that `name` begins with. */
static int
make_id(char *id, const char *name, const struct sample_names *names,
        struct error *err)
{
    if (names->account != NULL && strcmp(name, "acct") == 0) {
        snprintf(id, IDS_MAX, "%s", names->account);
        return RC_OK;
    }
    char prefix[SAMPLE_NAME_MAX];
    snprintf(prefix, sizeof(prefix), "%.*s", (int)strcspn(name, "."), name);
    return ids_make(id, prefix, names->live, names->now_ms, err);
}

/* The id called `name` in this event; made when it is first asked for. */
static int
find_id(const char **id, const char *name, struct sample_names *names,
        struct error *err)
{
    size_t i = 0;
    while (i < names->count && strcmp(names->ids[i].name, name) != 0) {
        i++;
    }
    if (i == SAMPLE_IDS_MAX) {
        return error_set(err, RC_CORRUPT, "template: more than %d ids",
                         SAMPLE_IDS_MAX);
    }
    if (i == names->count) {
        int rc = make_id(names->ids[i].id, name, names, err);
        if (rc != RC_OK) {
            return rc;
        }
        snprintf(names->ids[i].name, SAMPLE_NAME_MAX, "%s", name);
        names->count++;
    }
    *id = names->ids[i].id;
    return RC_OK;
}

/* Write what {name} stands for. */
static int
print_name(FILE *to, const char *name, struct sample_names *names,
           struct error *err)
{
    int64_t seconds;
    if (read_time(name, names->now_ms, &seconds)) {
        fprintf(to, "%lld", (long long)seconds);
        return RC_OK;
    }
    if (strcmp(name, "token") == 0) {
        char token[TOKEN_CHARS + 1];
        int rc = ids_random(token, TOKEN_CHARS, err);
        if (rc == RC_OK) {
            fputs(token, to);
        }
        return rc;
    }
    const char *id = "";
    int rc = find_id(&id, name, names, err);
    if (rc == RC_OK) {
        fputs(id, to);
    }
    return rc;
}

static int
print_expanded(FILE *to, const char *text, struct sample_names *names,
               struct error *err)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        fwrite(text, 1, plain, to);
        text += plain;
        if (*text == '\0') {
            break;
        }
        size_t len = strcspn(text + 1, "}");
        char name[SAMPLE_NAME_MAX];
        if (len >= sizeof(name) || text[1 + len] != '}') {
            return error_set(err, RC_CORRUPT, "template: bad name in \"%.64s\"",
                             text);
        }
        memcpy(name, text + 1, len);
        name[len] = '\0';
        int rc = print_name(to, name, names, err);
        if (rc != RC_OK) {
            return rc;
        }
        text += len + 2;
    }
    return RC_OK;
}

int
sample_expand(char **out, const char *text, struct sample_names *names,
              struct error *err)
{
    char *expanded = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&expanded, &len);
    if (to == NULL) {
        return no_memory(err);
    }
    int rc = print_expanded(to, text, names, err);
    if (fclose(to) != 0 && rc == RC_OK) {
        rc = no_memory(err);
    }
    if (rc != RC_OK) {
        free(expanded);
        return rc;
    }
    *out = expanded;
    return RC_OK;
}

/* Whether all of `text` is one time, which becomes a number. */
static int
is_time(const char *text)
{
    const char *end = strchr(text, '}');
    return strncmp(text, "{now", 4) == 0 && end != NULL && end[1] == '\0';
}

static int
expand_string(cJSON *item, struct sample_names *names, struct error *err)
{
    int becomes_number = is_time(item->valuestring);
    char *text;
    int rc = sample_expand(&text, item->valuestring, names, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (cJSON_SetValuestring(item, text) == NULL) {
        rc = no_memory(err);
    } else if (becomes_number) {
        item->type = cJSON_Raw; /* printed as it is, without quotes */
    }
    free(text);
    return rc;
}

static int
expand_all(cJSON *item, struct sample_names *names, struct error *err)
{
    if (cJSON_IsString(item) && strchr(item->valuestring, '{') != NULL) {
        return expand_string(item, names, err);
    }
    int rc = RC_OK;
    cJSON *child;
    cJSON_ArrayForEach(child, item)
    {
        rc = expand_all(child, names, err);
        if (rc != RC_OK) {
            break;
        }
    }
    return rc;
}

void
sample_set_livemode(cJSON *item, int live)
{
    cJSON *child;
    cJSON_ArrayForEach(child, item)
    {
        if (cJSON_IsBool(child) && child->string != NULL &&
            strcmp(child->string, "livemode") == 0) {
            child->type = live ? cJSON_True : cJSON_False;
        }
        sample_set_livemode(child, live);
    }
}

/* ---- From templates ------------------------------------------------- */

static const struct embedded_file *
find_file(const char *name)
{
    const struct embedded_file *file = embedded_files;
    while (file->name != NULL && strcmp(file->name, name) != 0) {
        file++;
    }
    return file->name != NULL ? file : NULL;
}

/* The row of events.json for `type`, as a slice of it. */
static int
find_row(const char *type, struct json_value *row)
{
    const struct embedded_file *file = find_file("events");
    char path[256];
    int len = snprintf(path, sizeof(path), "/%s", type);
    if (file == NULL || len >= (int)sizeof(path) ||
        strpbrk(type, "/~") != NULL) {
        return RC_NOT_FOUND;
    }
    return json_find((const char *)file->bytes, file->len, path, row);
}

int
sample_known(const char *type)
{
    struct json_value row;
    return find_row(type, &row) == RC_OK;
}

static int
load_object(cJSON **object, const char *name, struct error *err)
{
    const struct embedded_file *file = name == NULL ? NULL : find_file(name);
    if (file == NULL) {
        return error_set(err, RC_CORRUPT, "template: no object \"%s\"",
                         name == NULL ? "" : name);
    }
    return document_parse(object, (const char *)file->bytes, file->len, err);
}

static int apply_row(struct sample *sample, const char *type,
                     struct error *err);

/* Change `sample` by the members of a row: what it is like or holds first, then
 * what differs. */
static int
apply_members(struct sample *sample, const cJSON *row, struct error *err)
{
    const char *like = document_text(row, "like");
    int rc = like != NULL ? apply_row(sample, like, err)
                          : load_object(&sample->object,
                                        document_text(row, "object"), err);
    if (rc != RC_OK) {
        return rc;
    }
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(row, "set");
    if (document_merge(sample->object, set) != RC_OK) {
        return no_memory(err);
    }
    const cJSON *drop = cJSON_GetObjectItemCaseSensitive(row, "drop");
    const cJSON *name;
    cJSON_ArrayForEach(name, drop)
    {
        cJSON_DeleteItemFromObjectCaseSensitive(sample->object,
                                                name->valuestring);
    }
    const cJSON *previous = cJSON_GetObjectItemCaseSensitive(row, "previous");
    if (previous != NULL) {
        cJSON_Delete(sample->previous);
        sample->previous = cJSON_Duplicate(previous, 1);
        if (sample->previous == NULL) {
            return no_memory(err);
        }
    }
    const cJSON *automatic = cJSON_GetObjectItemCaseSensitive(row, "automatic");
    if (automatic != NULL) {
        sample->automatic = cJSON_IsTrue(automatic);
    }
    return RC_OK;
}

static int
apply_row(struct sample *sample, const char *type, struct error *err)
{
    struct json_value slice;
    if (find_row(type, &slice) != RC_OK) {
        return error_set(err, RC_CORRUPT, "template: no event \"%s\"", type);
    }
    cJSON *row;
    int rc = document_parse(&row, slice.ptr, slice.len, err);
    if (rc == RC_OK) {
        rc = apply_members(sample, row, err);
        cJSON_Delete(row);
    }
    return rc;
}

/* ---- Without one ---------------------------------------------------- */

/* The members that nearly all of Stripe's objects have. */
static int
make_generic(cJSON **out, const char *object, struct error *err)
{
    char name[128];
    size_t len = strcspn(object, "|"); /* of several, the first */
    snprintf(name, sizeof(name), "%.*s", (int)len, object);
    cJSON *made = cJSON_CreateObject();
    if (made == NULL) {
        return no_memory(err);
    }
    int ok = 1;
    const char *prefix = ids_prefix(name);
    if (prefix != NULL) {
        char id[SAMPLE_NAME_MAX + 2];
        snprintf(id, sizeof(id), "{%.36s}", prefix);
        ok = cJSON_AddStringToObject(made, "id", id) != NULL;
    }
    ok = ok && cJSON_AddStringToObject(made, "object", name) != NULL &&
         cJSON_AddStringToObject(made, "created", "{now}") != NULL &&
         cJSON_AddFalseToObject(made, "livemode") != NULL &&
         cJSON_AddObjectToObject(made, "metadata") != NULL;
    if (!ok) {
        cJSON_Delete(made);
        return no_memory(err);
    }
    *out = made;
    return RC_OK;
}

int
sample_make(struct sample *sample, const char *type, const char *object,
            struct sample_names *names, struct error *err)
{
    struct sample made = {0};
    int rc = sample_known(type) ? apply_row(&made, type, err)
                                : make_generic(&made.object, object, err);
    if (rc == RC_OK) {
        rc = expand_all(made.object, names, err);
    }
    if (rc == RC_OK && made.previous != NULL) {
        rc = expand_all(made.previous, names, err);
    }
    if (rc != RC_OK) {
        cJSON_Delete(made.object);
        cJSON_Delete(made.previous);
        return rc;
    }
    sample_set_livemode(made.object, names->live);
    *sample = made;
    return RC_OK;
}
