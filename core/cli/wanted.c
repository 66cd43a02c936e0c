/* core/cli/wanted.c: which events and deliveries a command is about.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wanted.h"

#include <cjson/cJSON.h>

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "error.h"
#include "inbox/view.h"
#include "input.h"
#include "stripe/catalog.h"
#include "stripe/event.h"
#include "suggest.h"
#include "when.h"

#define INPUT_MAX (1024 * 1024) /* bytes of ids on standard input */

/* ---- Flags ---------------------------------------------------------- */

/* What is wide must be just what was asked for: not the last of two. */
static int
check_once(const struct args *args, const char *flag)
{
    return args_count(args, flag) > 1
               ? args_error(args,
                            "--%s is given twice, and only --type may be: "
                            "run the command once for each",
                            flag)
               : 0;
}

/* "--plugin $NAME" with NAME unset must not mean every plugin. */
static int
read_word(const struct args *args, const char *flag, const char **out)
{
    int code = check_once(args, flag);
    *out = args_value(args, flag);
    if (code != 0) {
        return code;
    }
    if (*out != NULL && (*out)[0] == '\0') {
        return args_error(args, "--%s: the value is empty", flag);
    }
    return 0;
}

static int
check_state(const struct args *args, const char *state)
{
    if (state == NULL || view_state_parse(state) >= 0) {
        return 0;
    }
    struct suggest suggest;
    suggest_init(&suggest, state);
    suggest_offer(&suggest, "pending");
    for (int i = 0; i < VIEW_STATE_COUNT; i++) {
        suggest_offer(&suggest, view_state_name((enum view_state)i));
    }
    if (suggest.best != NULL) {
        return args_error(args, "--state: no state \"%s\", did you mean %s?",
                          state, suggest.best);
    }
    return args_error(args, "--state: no state \"%s\"", state);
}

/* A star means something at the end alone. The catalogue does not decide what
 * there is: a name that it does not have is only remarked upon. */
static int
check_type(const struct args *args, const char *type)
{
    const char *star = strchr(type, '*');
    size_t len = strlen(type);
    if (len == 0 || len > EVENT_TYPE_MAX) {
        return args_error(args, "--type: the value is %s",
                          len == 0 ? "empty" : "too long");
    }
    if (star != NULL && (star[1] != '\0' || (star > type && star[-1] != '.'))) {
        return args_error(args,
                          "--type: \"%s\" is no pattern; there are names, "
                          "\"prefix.*\" and \"*\"",
                          type);
    }
    char room[128];
    const char *near = catalog_pattern_known(type)
                           ? NULL
                           : catalog_nearest(type, room, sizeof(room));
    if (near != NULL && args_count(args, "quiet") == 0) {
        fprintf(stderr, "note: no known type is \"%s\"; did you mean %s?\n",
                type, near);
    }
    return 0;
}

static int
read_types(struct wanted *wanted, const struct args *args)
{
    int count = args_count(args, "type");
    if (count > WANTED_TYPES_MAX) {
        return args_error(args, "--type: at most %d of them", WANTED_TYPES_MAX);
    }
    for (int i = 0; i < count; i++) {
        const char *type = args_value_at(args, "type", i);
        int code = check_type(args, type);
        if (code != 0) {
            return code;
        }
        wanted->types[wanted->type_count++] = type;
    }
    return 0;
}

static int
read_words(struct wanted *wanted, const struct args *args)
{
    const struct {
        const char *flag;
        const char **out;
    } words[] = {{"state", &wanted->state},
                 {"plugin", &wanted->plugin},
                 {"object", &wanted->object},
                 {"customer", &wanted->customer},
                 {"account", &wanted->account}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        int code = read_word(args, words[i].flag, words[i].out);
        if (code != 0) {
            return code;
        }
    }
    return check_state(args, wanted->state);
}

/* ---- Times ---------------------------------------------------------- */

static int
read_time(const struct args *args, const char *flag, int64_t now_ms,
          int64_t *ms, char *out)
{
    const char *text = args_value(args, flag);
    int code = check_once(args, flag);
    if (code != 0 || text == NULL) {
        return code;
    }
    if (when_parse(text, WHEN_AGO, now_ms, ms) != RC_OK) {
        return args_error(args,
                          "--%s: \"%s\" is no time such as 2h (ago), "
                          "2026-11-23 or 2026-11-23T09:41:00Z",
                          flag, text);
    }
    when_utc(*ms, out);
    return 0;
}

static int
read_times(struct wanted *wanted, const struct args *args)
{
    int64_t now_ms = clock_wall_ms();
    int64_t since = 0;
    int64_t until = INT64_MAX;
    int code = read_time(args, "since", now_ms, &since, wanted->since);
    if (code == 0) {
        code = read_time(args, "until", now_ms, &until, wanted->until);
    }
    if (code == 0 && since >= until) {
        code = args_error(args, "nothing is between --since %s and --until %s",
                          args_value(args, "since"), args_value(args, "until"));
    }
    return code;
}

static int
read_mode(struct wanted *wanted, const struct args *args)
{
    int live = args_count(args, "live") > 0;
    int test = args_count(args, "test") > 0;
    if (live && test) {
        return args_error(args, "--live and --test exclude each other");
    }
    wanted->livemode = live ? 1 : test ? 0 : -1;
    return 0;
}

/* ---- Ids ------------------------------------------------------------ */

static int
add_id(struct wanted *wanted, const struct args *args, const char *id)
{
    if (wanted->id_count == WANTED_IDS_MAX) {
        return args_error(args, "at most %d ids at once", WANTED_IDS_MAX);
    }
    if (id[0] == '\0' || strlen(id) > EVENT_ID_MAX) {
        return args_error(args, "\"%.64s\" is no event id", id);
    }
    wanted->ids[wanted->id_count++] = id;
    return 0;
}

static int
read_input(struct wanted *wanted, const struct args *args)
{
    struct error err;
    size_t len;
    if (wanted->input != NULL) {
        return args_error(args, "\"-\" was given twice");
    }
    if (input_read("-", INPUT_MAX, &wanted->input, &len, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    size_t before = wanted->id_count;
    char *save = NULL;
    int code = 0;
    for (char *id = strtok_r(wanted->input, " \t\r\n", &save);
         id != NULL && code == 0; id = strtok_r(NULL, " \t\r\n", &save)) {
        code = add_id(wanted, args, id);
    }
    if (code == 0 && wanted->id_count == before) {
        code = args_error(args, "there are no ids on standard input");
    }
    return code;
}

static int
read_ids(struct wanted *wanted, const struct args *args)
{
    if (args->operand_count == 0) {
        return 0;
    }
    wanted->ids = calloc(WANTED_IDS_MAX, sizeof(*wanted->ids));
    if (wanted->ids == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    int code = 0;
    for (int i = 0; i < args->operand_count && code == 0; i++) {
        const char *operand = args->operands[i];
        code = strcmp(operand, "-") == 0 ? read_input(wanted, args)
                                         : add_id(wanted, args, operand);
    }
    return code;
}

int
wanted_read(struct wanted *wanted, const struct args *args)
{
    typedef int reader(struct wanted *, const struct args *);
    static reader *const readers[] = {read_words, read_types, read_mode,
                                      read_times, read_ids};
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        int code = readers[i](wanted, args);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

void
wanted_fini(struct wanted *wanted)
{
    free(wanted->ids);
    free(wanted->input);
    memset(wanted, 0, sizeof(*wanted));
}

int
wanted_is_empty(const struct wanted *wanted)
{
    return wanted->id_count == 0 && wanted->type_count == 0 &&
           wanted->state == NULL && wanted->plugin == NULL &&
           wanted->object == NULL && wanted->customer == NULL &&
           wanted->account == NULL && wanted->livemode < 0 &&
           wanted->since[0] == '\0' && wanted->until[0] == '\0';
}

/* ---- As a query ----------------------------------------------------- */

static void
encode_to(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        int bare = byte < 0x80 && (isalnum(byte) || strchr("-_.~", byte));
        fprintf(to, bare ? "%c" : "%%%02X", byte);
    }
}

char *
wanted_encode(const char *text)
{
    char *out = NULL;
    size_t len;
    FILE *to = open_memstream(&out, &len);
    if (to == NULL) {
        return NULL;
    }
    encode_to(to, text);
    if (fclose(to) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

struct query {
    FILE *to;
    const char *mark; /* before the next parameter */
};

static void
put(struct query *query, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }
    fprintf(query->to, "%s%s=", query->mark, key);
    encode_to(query->to, value);
    query->mark = "&";
}

static void
put_all(struct query *query, const struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->id_count; i++) {
        put(query, "id", wanted->ids[i]);
    }
    for (size_t i = 0; i < wanted->type_count; i++) {
        put(query, "type", wanted->types[i]);
    }
    put(query, "state", wanted->state);
    put(query, "plugin", wanted->plugin);
    put(query, "object_id", wanted->object);
    put(query, "customer", wanted->customer);
    put(query, "account", wanted->account);
    put(query, "livemode",
        wanted->livemode < 0 ? NULL
        : wanted->livemode   ? "true"
                             : "false");
    put(query, "received_after", wanted->since);
    put(query, "received_before", wanted->until);
}

int
wanted_path(const struct wanted *wanted, const struct args *args,
            const char *list, char **out)
{
    if (wanted->id_count > WANTED_IDS_ONCE) {
        return args_error(args, "at most %d ids here", WANTED_IDS_ONCE);
    }
    char *path = NULL;
    size_t len;
    struct query query = {.to = open_memstream(&path, &len), .mark = "?"};
    if (query.to == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    fputs(list, query.to);
    put_all(&query, wanted);
    if (fclose(query.to) != 0) {
        free(path);
        return command_error(EXIT_FAILED, "out of memory");
    }
    *out = path;
    return 0;
}

/* ---- As JSON -------------------------------------------------------- */

static int
add_text(cJSON *to, const char *key, const char *value)
{
    return value == NULL || value[0] == '\0' ||
           cJSON_AddStringToObject(to, key, value) != NULL;
}

static int
add_texts(cJSON *to, const char *key, const char *const *texts, size_t count)
{
    cJSON *list = count == 0 ? NULL : cJSON_AddArrayToObject(to, key);
    for (size_t i = 0; i < count; i++) {
        if (!cJSON_AddItemToArray(list, cJSON_CreateString(texts[i]))) {
            return 0;
        }
    }
    return count == 0 || list != NULL;
}

cJSON *
wanted_json(const struct wanted *wanted, size_t first, size_t count)
{
    cJSON *json = cJSON_CreateObject();
    const char *const *ids = count == 0 ? NULL : wanted->ids + first;
    int good = json != NULL && add_texts(json, "id", ids, count) &&
               add_texts(json, "type", wanted->types, wanted->type_count) &&
               add_text(json, "state", wanted->state) &&
               add_text(json, "plugin", wanted->plugin) &&
               add_text(json, "object_id", wanted->object) &&
               add_text(json, "customer", wanted->customer) &&
               add_text(json, "account", wanted->account) &&
               (wanted->livemode < 0 ||
                cJSON_AddBoolToObject(json, "livemode", wanted->livemode)) &&
               add_text(json, "received_after", wanted->since) &&
               add_text(json, "received_before", wanted->until);
    if (!good) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}
