/* core/admin/events.c: events, what became of them, and dead letters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/call.h"
#include "admin/cursor.h"
#include "admin/filter.h"
#include "admin/plan.h"
#include "admin/show.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     200

/* ---- The list ------------------------------------------------------- */

struct listing {
    cJSON *filter_json; /* that the filter borrows from */
    struct view_filter filter;
    int oldest_first, with_count;
    size_t limit;
    int64_t from, last;
    cJSON *list;
    size_t rows;
    int rc;
};

static int
read_limit(struct call *call, size_t *limit)
{
    const char *text = query_value(&call->query, "limit");
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    long value = text != NULL ? atol(text) : LIMIT_DEFAULT;
    if (text != NULL && (digits == 0 || digits > 4 || text[digits] != '\0' ||
                         value < 1 || value > LIMIT_MAX)) {
        problem_set(&call->problem, PROBLEM_PARAMETER,
                    "\"limit\" is a number of 1 to %d", LIMIT_MAX);
        problem_blame(&call->problem, NULL, "limit", NULL);
        return RC_INVALID;
    }
    *limit = (size_t)value;
    return RC_OK;
}

static int
read_order(struct call *call, int *oldest_first)
{
    const char *text = query_value(&call->query, "order");
    *oldest_first = text != NULL && strcmp(text, "asc") == 0;
    if (text != NULL && !*oldest_first && strcmp(text, "desc") != 0) {
        problem_set(&call->problem, PROBLEM_PARAMETER,
                    "\"order\" is asc (oldest first) or desc");
        problem_blame(&call->problem, NULL, "order", "asc desc");
        return RC_INVALID;
    }
    return RC_OK;
}

static int
read_filter(struct call *call, const char *others, cJSON **json,
            struct view_filter *filter)
{
    int rc = filter_from_query(json, &call->query, others, &call->problem);
    if (rc == RC_OK) {
        rc = filter_read(filter, *json, NULL, &call->problem);
    }
    return rc == RC_OK ? plan_check_filter(call, filter) : rc;
}

static int
read_listing(struct call *call, struct listing *listing)
{
    const char *cursor = query_value(&call->query, "cursor");
    int rc = read_filter(call, "order limit cursor count",
                         &listing->filter_json, &listing->filter);
    if (rc == RC_OK) {
        rc = read_order(call, &listing->oldest_first);
    }
    if (rc == RC_OK) {
        rc = read_limit(call, &listing->limit);
    }
    if (rc == RC_OK) {
        rc = query_bool(&call->query, "count", &listing->with_count,
                        &call->problem);
    }
    if (rc == RC_OK && cursor != NULL) {
        rc = cursor_read(cursor, &listing->filter, listing->oldest_first,
                         &listing->from, &call->problem);
    }
    return rc;
}

static int
on_listed(void *arg, const struct view_event *row)
{
    struct listing *listing = arg;
    if (listing->rows++ == listing->limit) {
        return 1; /* there is more, that is all we want to know */
    }
    listing->last = row->seq;
    listing->rc = show_push(listing->list, show_event(row)) ? RC_NOMEM : RC_OK;
    return listing->rc != RC_OK;
}

static int
on_counted(void *arg, const struct view_event *row)
{
    (void)row;
    int64_t *count = arg;
    return ++*count > PLAN_COUNT_MAX;
}

static int
add_count(struct call *call, const struct listing *listing, struct error *err)
{
    int64_t count = 0;
    int rc = view_events(call->view, &listing->filter, 1, 0, PLAN_COUNT_MAX + 1,
                         on_counted, &count, err);
    if (rc != RC_OK && rc != RC_TIMEOUT) {
        return rc;
    }
    int exact = rc == RC_OK && count <= PLAN_COUNT_MAX;
    show_number(listing->list, "count",
                count <= PLAN_COUNT_MAX ? count : PLAN_COUNT_MAX);
    cJSON_AddBoolToObject(listing->list, "count_exact", exact);
    return RC_OK;
}

static int
fill_listing(struct call *call, struct listing *listing)
{
    struct error err = {0};
    listing->list = show_list();
    if (listing->list == NULL) {
        return call_failed(call, RC_NOMEM, &err);
    }
    int rc = view_events(call->view, &listing->filter, listing->oldest_first,
                         listing->from, listing->limit + 1, on_listed, listing,
                         &err);
    if (rc == RC_OK) {
        rc = listing->rc;
    }
    if (rc == RC_OK && listing->rows > listing->limit) {
        char cursor[CURSOR_MAX];
        cJSON_ReplaceItemInObjectCaseSensitive(listing->list, "has_more",
                                               cJSON_CreateTrue());
        show_text(listing->list, "next_cursor",
                  cursor_write(cursor, &listing->filter, listing->oldest_first,
                               listing->last));
    }
    if (rc == RC_OK && listing->with_count) {
        rc = add_count(call, listing, &err);
    }
    return call_failed(call, rc, &err);
}

int
events_list(struct call *call)
{
    struct listing listing = {0};
    int rc = read_listing(call, &listing);
    if (rc == RC_OK) {
        rc = fill_listing(call, &listing);
    }
    if (rc == RC_OK) {
        rc = call_answer(call, 200, listing.list);
        listing.list = NULL;
    }
    cJSON_Delete(listing.list);
    cJSON_Delete(listing.filter_json);
    return rc;
}

/* ---- One event ------------------------------------------------------ */

/* What callbacks fill; `by` only takes attempts of that plugin. */
struct one {
    cJSON *json;
    int64_t seq;
    int rc;
};

static int
on_event(void *arg, const struct view_event *row)
{
    struct one *one = arg;
    one->seq = row->seq;
    one->json = show_event(row);
    one->rc = one->json != NULL ? RC_OK : RC_NOMEM;
    return 0;
}

static int
find_event(struct call *call, struct one *one)
{
    struct error err = {0};
    int rc = view_event(call->view, call->id, on_event, one, &err);
    if (rc == RC_NOT_FOUND) {
        problem_set(&call->problem, PROBLEM_NO_EVENT,
                    "there is no event \"%.255s\" in the inbox", call->id);
        return rc;
    }
    return call_failed(call, rc == RC_OK ? one->rc : rc, &err);
}

static int
on_delivery(void *arg, const struct view_delivery *row)
{
    struct one *rows = arg;
    rows->rc = show_push(rows->json, show_delivery(row)) ? RC_NOMEM : RC_OK;
    return rows->rc != RC_OK;
}

static int
on_attempt(void *arg, const struct view_attempt *row)
{
    struct one *rows = arg;
    rows->rc = show_push(rows->json, show_attempt(row)) ? RC_NOMEM : RC_OK;
    return rows->rc != RC_OK;
}

static int
on_receipt(void *arg, const struct view_receipt *row)
{
    struct one *rows = arg;
    rows->rc = show_push(rows->json, show_receipt(row)) ? RC_NOMEM : RC_OK;
    return rows->rc != RC_OK;
}

enum part { DELIVERIES, ATTEMPTS, RECEIPTS };

/* A list of what belongs to an event, in *out. */
static int
list_part(struct call *call, int64_t seq, enum part part, cJSON **out)
{
    struct one rows = {.json = show_list()};
    struct error err = {0};
    int rc = rows.json != NULL ? RC_OK : RC_NOMEM;
    if (rc == RC_OK && part == DELIVERIES) {
        rc = view_deliveries(call->view, seq, on_delivery, &rows, &err);
    } else if (rc == RC_OK && part == ATTEMPTS) {
        rc = view_attempts(call->view, seq, NULL, on_attempt, &rows, &err);
    } else if (rc == RC_OK) {
        rc = view_receipts(call->view, seq, on_receipt, &rows, &err);
    }
    rc = rc == RC_OK ? rows.rc : rc;
    if (rc != RC_OK) {
        cJSON_Delete(rows.json);
        return call_failed(call, rc, &err);
    }
    *out = rows.json;
    return RC_OK;
}

static int
answer_part(struct call *call, enum part part)
{
    struct one event = {0};
    cJSON *list = NULL;
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc == RC_OK) {
        rc = find_event(call, &event);
    }
    if (rc == RC_OK) {
        rc = list_part(call, event.seq, part, &list);
    }
    cJSON_Delete(event.json);
    return rc == RC_OK ? call_answer(call, 200, list) : rc;
}

int
events_deliveries(struct call *call)
{
    return answer_part(call, DELIVERIES);
}

int
events_attempts(struct call *call)
{
    return answer_part(call, ATTEMPTS);
}

int
events_receipts(struct call *call)
{
    return answer_part(call, RECEIPTS);
}

/* Move the rows of a list into a member, and drop the rest of the list. */
static void
adopt_rows(cJSON *object, const char *name, cJSON *list)
{
    cJSON_AddItemToObject(
        object, name, cJSON_DetachItemFromObjectCaseSensitive(list, "data"));
    cJSON_Delete(list);
}

static int
add_parts(struct call *call, const struct one *event)
{
    static const struct {
        enum part part;
        const char *name;
    } parts[] = {{DELIVERIES, "deliveries"},
                 {ATTEMPTS, "attempts"},
                 {RECEIPTS, "receipts"}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        cJSON *list;
        int rc = list_part(call, event->seq, parts[i].part, &list);
        if (rc != RC_OK) {
            return rc;
        }
        adopt_rows(event->json, parts[i].name, list);
    }
    return RC_OK;
}

int
events_get(struct call *call)
{
    struct one event = {0};
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc == RC_OK) {
        rc = find_event(call, &event);
    }
    if (rc == RC_OK) {
        rc = add_parts(call, &event);
    }
    if (rc != RC_OK) {
        cJSON_Delete(event.json);
        return rc;
    }
    return call_answer(call, 200, event.json);
}

int
events_body(struct call *call)
{
    struct error err = {0};
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc != RC_OK) {
        return rc;
    }
    rc = view_body(call->view, call->id, &call->answer->bytes,
                   &call->answer->len, &err);
    if (rc == RC_NOT_FOUND) {
        problem_set(&call->problem, PROBLEM_NO_EVENT,
                    "there is no event \"%.255s\" in the inbox", call->id);
        return rc;
    }
    if (rc == RC_OK) {
        call->answer->status = 200;
    }
    return call_failed(call, rc, &err);
}

/* ---- Dead letters --------------------------------------------------- */

static int
on_dead(void *arg, const struct view_dead *row)
{
    struct one *rows = arg;
    rows->rc = show_push(rows->json, show_dead(row)) ? RC_NOMEM : RC_OK;
    return rows->rc != RC_OK;
}

int
dead_list(struct call *call)
{
    struct error err = {0};
    struct one rows = {0};
    struct view_filter filter;
    cJSON *json = NULL;
    int rc = read_filter(call, "", &json, &filter);
    if (rc == RC_OK) {
        rows.json = show_list();
        rc = rows.json == NULL
                 ? RC_NOMEM
                 : view_dead(call->view, &filter, on_dead, &rows, &err);
        rc = call_failed(call, rc == RC_OK ? rows.rc : rc, &err);
    }
    cJSON_Delete(json);
    if (rc != RC_OK) {
        cJSON_Delete(rows.json);
        return rc;
    }
    return call_answer(call, 200, rows.json);
}
