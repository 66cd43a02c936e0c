/* core/config/forms.c: the values of options, compared and shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/forms.h"

#include "config/config.h"
#include "config/fields.h"
#include "config/paths.h"
#include "stripe/signature.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/** What is shown, as far as it is made. */
struct shown {
    char *room;
    size_t len; /* never more than FORM_MAX - 1 */
};

__attribute__((format(printf, 2, 3))) static void
show(struct shown *shown, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n =
        vsnprintf(shown->room + shown->len, FORM_MAX - shown->len, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n >= FORM_MAX - shown->len) {
        memcpy(shown->room + FORM_MAX - 4, "...", 4);
        shown->len = FORM_MAX - 1;
    } else if (n > 0) {
        shown->len += (size_t)n;
    }
}

static void
show_amount(struct shown *shown, enum option_type type, int64_t value)
{
    char room[OPTION_AMOUNT_MAX];
    show(shown, "%s", option_amount(type, value, room, sizeof(room)));
}

/* ---- Lists, whose order does not matter ----------------------------- */

typedef int same_item(const void *a, const void *b);
typedef void show_item(struct shown *shown, const void *item);

struct items {
    const void *first;
    size_t count, size; /* bytes of one */
    same_item *same;
    show_item *show;
};

static const void *
item_at(const struct items *items, size_t i)
{
    return (const char *)items->first + i * items->size;
}

static size_t
times_in(const struct items *items, const void *item)
{
    size_t times = 0;
    for (size_t i = 0; i < items->count; i++) {
        times += items->same(item_at(items, i), item) != 0;
    }
    return times;
}

/* How often matters: 127.0.0.1:0 twice is two ports. */
static int
same_items(const struct items *a, const struct items *b)
{
    if (a->count != b->count) {
        return 0;
    }
    for (size_t i = 0; i < a->count; i++) {
        const void *item = item_at(a, i);
        if (times_in(a, item) != times_in(b, item)) {
            return 0;
        }
    }
    return 1;
}

static void
show_items(struct shown *shown, const struct items *items, const char *none)
{
    for (size_t i = 0; i < items->count; i++) {
        show(shown, "%s", i > 0 ? ", " : "");
        items->show(shown, item_at(items, i));
    }
    if (items->count == 0) {
        show(shown, "%s", none);
    }
}

static int
same_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y) == 0;
}

static void
show_text(struct shown *shown, const void *item)
{
    const char *const *text = item;
    show(shown, "%s", *text);
}

static int
same_host(const void *a, const void *b)
{
    const struct in_addr *x = a, *y = b;
    return x->s_addr == y->s_addr;
}

static void
show_host(struct shown *shown, const void *item)
{
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, item, text, sizeof(text));
    show(shown, "%s", text);
}

static int
same_port(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return *x == *y;
}

static void
show_port(struct shown *shown, const void *item)
{
    const uint16_t *port = item;
    show(shown, "%u", (unsigned)*port);
}

static int
same_address(const void *a, const void *b)
{
    const struct sockaddr_in *x = a, *y = b;
    return x->sin_port == y->sin_port && same_host(&x->sin_addr, &y->sin_addr);
}

static void
show_address(struct shown *shown, const void *item)
{
    const struct sockaddr_in *address = item;
    show_host(shown, &address->sin_addr);
    show(shown, ":%u", (unsigned)ntohs(address->sin_port));
}

/* ---- What has a form of its own ------------------------------------- */

/* The lists, by option; 0 if it is none. */
static int
items_of(const struct option *option, const struct holder *holder,
         struct items *out)
{
    const struct config *config = holder->config;
    const struct config_plugin *plugin = holder->target;
    value_reader *reader = field_find(option)->reader;
    if (reader == read_listen) {
        *out = (struct items){config->listen, config->listen_count,
                              sizeof(config->listen[0]), same_address,
                              show_address};
    } else if (reader == read_trusted_proxies) {
        *out = (struct items){
            config->trusted_proxies, config->trusted_proxy_count,
            sizeof(config->trusted_proxies[0]), same_host, show_host};
    } else if (reader == read_events) {
        *out = (struct items){plugin->events, plugin->event_count,
                              sizeof(plugin->events[0]), same_text, show_text};
    } else if (reader == read_endpoints) {
        *out =
            (struct items){plugin->endpoints, plugin->endpoint_count,
                           sizeof(plugin->endpoints[0]), same_text, show_text};
    } else if (reader == read_tcp_connect) {
        *out =
            (struct items){plugin->tcp_ports, plugin->tcp_port_count,
                           sizeof(plugin->tcp_ports[0]), same_port, show_port};
    } else if (reader == read_user) {
        *out = (struct items){&plugin->user, plugin->user != NULL,
                              sizeof(plugin->user), same_text, show_text};
    } else {
        return 0;
    }
    return 1;
}

/* Its path, as it is written behind "sqlite:". */
static const char *
store_path(const struct config *config)
{
    return path_seen_from(config->state_dir, config->inbox_path);
}

/* One that is relative follows state_dir, which is a key of its own. */
static int
same_store(const struct config *a, const struct config *b)
{
    return path_is_same(a->inbox_path, b->inbox_path) ||
           path_is_same(store_path(a), store_path(b));
}

static int
same_custom(const struct option *option, const struct holder *a,
            const struct holder *b)
{
    struct items x, y;
    if (items_of(option, a, &x) && items_of(option, b, &y)) {
        return same_items(&x, &y);
    }
    value_reader *reader = field_find(option)->reader;
    if (reader == read_store) {
        return same_store(a->config, b->config);
    }
    if (reader == read_admin_listen) {
        return same_address(&a->config->admin, &b->config->admin);
    }
    if (reader == read_secrets) {
        const struct config_endpoint *was = a->target, *is = b->target;
        return signature_keys_same(was->keys, is->keys);
    }
    assert(reader == read_retry);
    const struct config_plugin *was = a->target, *is = b->target;
    return was->retry_first_ms == is->retry_first_ms &&
           was->retry_max_ms == is->retry_max_ms;
}

/* Returns whether it may be shown at all. */
static int
show_custom(const struct option *option, const struct holder *holder,
            struct shown *shown)
{
    struct items items;
    value_reader *reader = field_find(option)->reader;
    if (items_of(option, holder, &items)) {
        show_items(shown, &items,
                   reader == read_trusted_proxies ? "none" : "not set");
    } else if (reader == read_store) {
        show(shown, "sqlite:%s", store_path(holder->config));
    } else if (reader == read_admin_listen) {
        show_address(shown, &holder->config->admin);
    } else if (reader == read_retry) {
        const struct config_plugin *plugin = holder->target;
        show_amount(shown, OPTION_DURATION, plugin->retry_first_ms);
        show(shown, "..");
        show_amount(shown, OPTION_DURATION, plugin->retry_max_ms);
    } else {
        return 0;
    }
    return 1;
}

/* ---- By type -------------------------------------------------------- */

static const void *
place_of(const struct option *option, const struct holder *holder)
{
    return (const char *)holder->target + field_find(option)->offset;
}

static int
same_path(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : path_is_same(a, b);
}

int
form_same(const struct option *option, const struct holder *a,
          const struct holder *b)
{
    const void *x = place_of(option, a), *y = place_of(option, b);
    switch (option->type) {
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return *(const int64_t *)x == *(const int64_t *)y;
    case OPTION_BOOL:
    case OPTION_CHOICE:
        return *(const int *)x == *(const int *)y;
    case OPTION_TEXT:
        return same_text(x, y);
    case OPTION_PATH:
        return same_path(*(const char *const *)x, *(const char *const *)y);
    case OPTION_CUSTOM:
        return same_custom(option, a, b);
    }
    return 0;
}

static void
show_choice(struct shown *shown, const char *choices, int number)
{
    for (; number > 0; number--) {
        choices += strcspn(choices, " ") + 1;
    }
    show(shown, "%.*s", (int)strcspn(choices, " "), choices);
}

static void
show_number(struct shown *shown, const struct option *option, int64_t value)
{
    int64_t unit_ms = field_find(option)->unit_ms;
    show_amount(shown, option->type, unit_ms > 1 ? value * unit_ms : value);
}

const char *
form_show(const struct option *option, const struct holder *holder, char *room)
{
    struct shown shown = {.room = room};
    const void *at = place_of(option, holder);
    const char *path;
    room[0] = '\0';
    switch (option->type) {
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        show_number(&shown, option, *(const int64_t *)at);
        break;
    case OPTION_BOOL:
        show(&shown, "%s", *(const int *)at ? "yes" : "no");
        break;
    case OPTION_CHOICE:
        show_choice(&shown, option->choices, *(const int *)at);
        break;
    case OPTION_TEXT:
        show_text(&shown, at);
        break;
    case OPTION_PATH:
        path = *(const char *const *)at;
        show(&shown, "%s",
             path != NULL ? path_seen_from(holder->config->dir, path)
                          : "not set");
        break;
    case OPTION_CUSTOM:
        return show_custom(option, holder, &shown) ? room : NULL;
    }
    return room;
}
