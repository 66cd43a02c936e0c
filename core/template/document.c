/* core/template/document.c: a JSON document that is built, changed and printed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/document.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json/json.h"

#define KEY_ROOM 256 /* of one segment of a path */
#define INDENT   2

static int
no_memory(struct error *err)
{
    return error_set(err, RC_NOMEM, "json: out of memory");
}

/* ---- Reading -------------------------------------------------------- */

struct loader {
    cJSON *open[JSON_DEPTH_MAX]; /* the containers around what comes next */
    size_t depth;
    cJSON *root;
    char *key; /* of the member that comes next, or NULL; owned */
};

/* The decoded text of a string slice, or NULL when out of memory. The caller
 * frees it. */
static char *
decode(const struct json_value *value, size_t *len)
{
    char *text = malloc(value->len + 1);
    if (text != NULL) {
        *len = json_unescape(value, text);
    }
    return text;
}

/* A C string cannot hold a NUL: such text stays in its escaped form. */
static cJSON *
make_string(const struct json_value *value, const char *token)
{
    size_t len;
    char *text = decode(value, &len);
    if (text == NULL) {
        return NULL;
    }
    cJSON *item =
        strlen(text) == len ? cJSON_CreateString(text) : cJSON_CreateRaw(token);
    free(text);
    return item;
}

static cJSON *
make_scalar(const struct json_value *value)
{
    char *token = strndup(value->ptr, value->len);
    if (token == NULL) {
        return NULL;
    }
    cJSON *item = NULL;
    switch (value->kind) {
    case JSON_NULL:
        item = cJSON_CreateNull();
        break;
    case JSON_FALSE:
        item = cJSON_CreateFalse();
        break;
    case JSON_TRUE:
        item = cJSON_CreateTrue();
        break;
    case JSON_NUMBER:
        item = cJSON_CreateRaw(token);
        break;
    case JSON_STRING:
        item = make_string(value, token);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break; /* not scalars: take_open() makes them */
    }
    free(token);
    return item;
}

/* Put `item`, which it takes over, where the next value belongs. */
static int
attach(struct loader *loader, cJSON *item)
{
    if (item == NULL) {
        return RC_NOMEM;
    }
    if (loader->depth == 0) {
        loader->root = item;
        return RC_OK;
    }
    cJSON *parent = loader->open[loader->depth - 1];
    if (!cJSON_IsObject(parent)) {
        return cJSON_AddItemToArray(parent, item) ? RC_OK : RC_NOMEM;
    }
    int rc = document_put(parent, loader->key, item);
    free(loader->key);
    loader->key = NULL;
    return rc;
}

static int
take_key(struct loader *loader, const struct json_value *value,
         struct error *err)
{
    size_t len;
    loader->key = decode(value, &len);
    if (loader->key == NULL) {
        return no_memory(err);
    }
    if (strlen(loader->key) != len) {
        return error_set(err, RC_INVALID, "json: a key holds a NUL character");
    }
    return RC_OK;
}

static int
take_open(struct loader *loader, enum json_kind kind)
{
    cJSON *item =
        kind == JSON_OBJECT ? cJSON_CreateObject() : cJSON_CreateArray();
    int rc = attach(loader, item);
    if (rc == RC_OK) {
        loader->open[loader->depth++] = item; /* the scanner bounds depth */
    }
    return rc;
}

static int
load(struct loader *loader, struct json_reader *reader, struct error *err)
{
    for (;;) {
        int rc = RC_OK;
        switch (json_next(reader)) {
        case JSON_TOKEN_END:
            return RC_OK;
        case JSON_TOKEN_FAULT:
            return error_set(err, RC_INVALID, "not JSON: %s at byte %zu",
                             reader->fault.reason, reader->fault.offset);
        case JSON_TOKEN_KEY:
            rc = take_key(loader, &reader->value, err);
            break;
        case JSON_TOKEN_VALUE:
            rc = attach(loader, make_scalar(&reader->value));
            break;
        case JSON_TOKEN_OPEN:
            rc = take_open(loader, reader->value.kind);
            break;
        case JSON_TOKEN_CLOSE:
            loader->depth--;
            break;
        }
        if (rc != RC_OK) {
            return rc == RC_NOMEM ? no_memory(err) : rc;
        }
    }
}

int
document_parse(struct cJSON **out, const char *text, size_t len,
               struct error *err)
{
    struct json_reader reader;
    json_reader_init(&reader, text, len);
    struct loader loader = {.depth = 0};
    int rc = load(&loader, &reader, err);
    free(loader.key);
    if (rc != RC_OK) {
        cJSON_Delete(loader.root);
        return rc;
    }
    *out = loader.root;
    return RC_OK;
}

/* ---- Changing ------------------------------------------------------- */

cJSON *
document_integer(int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    return cJSON_CreateRaw(text);
}

const char *
document_text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

int
document_put(cJSON *object, const char *key, cJSON *item)
{
    if (item == NULL) {
        return RC_NOMEM;
    }
    cJSON *old = cJSON_GetObjectItemCaseSensitive(object, key);
    int done;
    if (old == NULL) {
        done = cJSON_AddItemToObject(object, key, item);
    } else {
        done = cJSON_ReplaceItemInObjectCaseSensitive(object, key, item);
    }
    if (!done) {
        cJSON_Delete(item);
        return RC_NOMEM;
    }
    return RC_OK;
}

int
document_merge(cJSON *into, const cJSON *from)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, from)
    {
        cJSON *old = cJSON_GetObjectItemCaseSensitive(into, item->string);
        int rc;
        if (cJSON_IsObject(old) && cJSON_IsObject(item)) {
            rc = document_merge(old, item);
        } else {
            rc = document_put(into, item->string, cJSON_Duplicate(item, 1));
        }
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

/* The index that `key` is in an array of `count` elements: at most `count`,
 * for the place behind the last; -1 when it is none. */
static int
array_index(const char *key, int count)
{
    size_t len = strlen(key);
    if (len == 0 || len > 9 || strspn(key, "0123456789") != len ||
        (key[0] == '0' && len > 1)) {
        return -1;
    }
    int index = atoi(key); /* nine digits at most: it fits */
    return index <= count ? index : -1;
}

static cJSON *
child_of(const cJSON *at, const char *key)
{
    if (cJSON_IsArray(at)) {
        int count = cJSON_GetArraySize(at);
        int index = array_index(key, count);
        return index < 0 || index == count ? NULL
                                           : cJSON_GetArrayItem(at, index);
    }
    return cJSON_GetObjectItemCaseSensitive(at, key);
}

/* Put `item`, which it takes over, into the object or array `at`. `path` is
 * for the message. */
static int
put_child(cJSON *at, const char *key, cJSON *item, const char *path,
          struct error *err)
{
    if (item == NULL) {
        return no_memory(err);
    }
    if (cJSON_IsObject(at)) {
        int rc = document_put(at, key, item);
        return rc == RC_OK ? rc : no_memory(err);
    }
    int count = cJSON_GetArraySize(at);
    int index = cJSON_IsArray(at) ? array_index(key, count) : -1;
    int done = 0;
    if (index >= 0) {
        done = index == count ? cJSON_AddItemToArray(at, item)
                              : cJSON_ReplaceItemInArray(at, index, item);
    }
    if (done) {
        return RC_OK;
    }
    cJSON_Delete(item);
    if (cJSON_IsArray(at)) {
        return error_set(err, RC_INVALID,
                         "%.200s: \"%.64s\" is no index of a list of %d "
                         "elements; to append, use %d",
                         path, key, count, count);
    }
    return error_set(err, RC_INVALID,
                     "%.200s: \"%.64s\" has nothing to be in: what is in front "
                     "of it is neither an object nor a list",
                     path, key);
}

/* Judged before anything is changed, so that a bad path changes nothing. */
static int
check_path(const char *path, struct error *err)
{
    for (const char *rest = path;;) {
        size_t len = strcspn(rest, ".");
        if (len == 0 || len >= KEY_ROOM) {
            return error_set(err, RC_INVALID,
                             "%.200s: not a path: a part of it is %s", path,
                             len == 0 ? "empty" : "too long");
        }
        if (rest[len] == '\0') {
            return RC_OK;
        }
        rest += len + 1;
    }
}

/* The object or list at `key`; made when there is nothing. NULL when that is
 * not possible. */
static cJSON *
enter_child(cJSON *at, const char *key, const char *path, struct error *err)
{
    cJSON *next = child_of(at, key);
    if (next == NULL || cJSON_IsNull(next)) {
        next = cJSON_CreateObject();
        if (put_child(at, key, next, path, err) != RC_OK) {
            next = NULL;
        }
    }
    return next;
}

int
document_set(cJSON *root, const char *path, cJSON *item, struct error *err)
{
    struct error local;
    struct error *why = err != NULL ? err : &local; /* its code is needed */
    if (check_path(path, why) != RC_OK) {
        cJSON_Delete(item);
        return why->rc;
    }
    cJSON *at = root;
    const char *rest = path;
    char key[KEY_ROOM];
    for (;;) {
        size_t len = strcspn(rest, ".");
        memcpy(key, rest, len);
        key[len] = '\0';
        if (rest[len] == '\0') {
            return put_child(at, key, item, path, why);
        }
        at = enter_child(at, key, path, why);
        if (at == NULL) {
            cJSON_Delete(item);
            return why->rc;
        }
        rest += len + 1;
    }
}

/* ---- Printing ------------------------------------------------------- */

static void
print_string(FILE *to, const char *text)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    fputc('"', to);
    for (; *text != '\0'; text++) {
        const char *found = strchr(special, *text);
        if (found != NULL) {
            fputc('\\', to);
            fputc(letters[found - special], to);
        } else if ((unsigned char)*text < 0x20) {
            fprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            fputc(*text, to);
        }
    }
    fputc('"', to);
}

static void print_value(FILE *to, const cJSON *item, int indent);

static void
print_container(FILE *to, const cJSON *item, int indent)
{
    int is_object = cJSON_IsObject(item);
    fputc(is_object ? '{' : '[', to);
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        fprintf(to, "\n%*s", indent + INDENT, "");
        if (is_object) {
            print_string(to, child->string);
            fputs(": ", to);
        }
        print_value(to, child, indent + INDENT);
        if (child->next != NULL) {
            fputc(',', to);
        }
    }
    if (item->child != NULL) {
        fprintf(to, "\n%*s", indent, "");
    }
    fputc(is_object ? '}' : ']', to);
}

static void
print_value(FILE *to, const cJSON *item, int indent)
{
    if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        print_container(to, item, indent);
    } else if (cJSON_IsString(item)) {
        print_string(to, item->valuestring);
    } else if (cJSON_IsRaw(item)) {
        fputs(item->valuestring, to);
    } else if (cJSON_IsBool(item)) {
        fputs(cJSON_IsTrue(item) ? "true" : "false", to);
    } else {
        fputs("null", to);
    }
}

int
document_print(const cJSON *root, char **text, size_t *len)
{
    char *printed = NULL;
    size_t printed_len = 0;
    FILE *to = open_memstream(&printed, &printed_len);
    if (to == NULL) {
        return RC_NOMEM;
    }
    print_value(to, root, 0);
    int failed = ferror(to);
    if (fclose(to) != 0 || failed) {
        free(printed);
        return RC_NOMEM;
    }
    *text = printed;
    *len = printed_len;
    return RC_OK;
}
