/* core/runner/shelf.c: a plugin's store in memory, for try and for the test
 * kit. A list: an event touches few keys, and here there are few events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/shelf.h"

#include "error.h"
#include "runner/store.h"

#include <stdlib.h>
#include <string.h>

struct shelf_item {
    struct shelf_item *next;
    int64_t version;
    size_t key_len, value_len;
    char bytes[]; /* key and value */
};

/* Where the item with that key hangs, or where the list ends. */
static struct shelf_item **
find_item(struct shelf *shelf, const char *key, size_t key_len)
{
    struct shelf_item **at = &shelf->first;
    while (*at != NULL && ((*at)->key_len != key_len ||
                           memcmp((*at)->bytes, key, key_len) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

int
shelf_ask(struct shelf *shelf, const char *key, size_t key_len,
          struct scratch *scratch, struct store_value *out)
{
    const struct shelf_item *item = *find_item(shelf, key, key_len);
    *out = (struct store_value){.version = 0};
    if (item != NULL) {
        out->version = item->version;
        out->len = item->value_len;
        out->bytes = scratch_need(scratch, item->value_len + 1);
        memcpy(out->bytes, item->bytes + item->key_len, item->value_len);
        out->bytes[item->value_len] = '\0';
    }
    return RC_OK;
}

static struct shelf_item *
make_item(const struct store_key *entry)
{
    struct shelf_item *item =
        malloc(sizeof(*item) + entry->key_len + entry->value_len);
    if (item != NULL) {
        *item = (struct shelf_item){
            .version = 1,
            .key_len = entry->key_len,
            .value_len = entry->value_len,
        };
        memcpy(item->bytes, entry->key, entry->key_len);
        memcpy(item->bytes + entry->key_len, entry->value, entry->value_len);
    }
    return item;
}

static void
remove_item(struct shelf *shelf, struct shelf_item **at)
{
    struct shelf_item *item = *at;
    shelf->bytes -= item->key_len + item->value_len;
    shelf->count--;
    *at = item->next;
    free(item);
}

static int
put_item(struct shelf *shelf, const struct store_key *entry)
{
    size_t bytes = entry->key_len + entry->value_len;
    struct shelf_item **at = find_item(shelf, entry->key, entry->key_len);
    int64_t version = 0;
    if (*at != NULL) {
        version = (*at)->version;
        remove_item(shelf, at);
    }
    if (bytes > PEG_STORE_PLUGIN_MAX - shelf->bytes) {
        return RC_FULL;
    }
    struct shelf_item *item = make_item(entry);
    if (item == NULL) {
        return RC_NOMEM;
    }
    item->version += version;
    item->next = shelf->first;
    shelf->first = item;
    shelf->bytes += bytes;
    shelf->count++;
    return RC_OK;
}

int
shelf_keep(struct shelf *shelf, const struct store *store)
{
    int rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < store->count; i++) {
        const struct store_key *entry = &store->keys[i];
        if (entry->write == STORE_PUT) {
            rc = put_item(shelf, entry);
        } else if (entry->write == STORE_DELETE) {
            struct shelf_item **at =
                find_item(shelf, entry->key, entry->key_len);
            if (*at != NULL) {
                remove_item(shelf, at);
            }
        }
    }
    return rc;
}

void
shelf_fini(struct shelf *shelf)
{
    while (shelf->first != NULL) {
        remove_item(shelf, &shelf->first);
    }
}
