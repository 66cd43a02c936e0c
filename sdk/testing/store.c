/* sdk/testing/store.c: the plugin's store, in memory, before and after.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <string.h>

int
kit_ask(void *arg, const char *key, size_t key_len, struct scratch *scratch,
        struct store_value *out)
{
    pegt_host *host = arg;
    if (host->store_fail > 0 && --host->store_fail == 0) {
        return RC_BUSY;
    }
    return shelf_ask(&host->shelf, key, key_len, scratch, out);
}

int
kit_store_changed(pegt_host *host)
{
    struct scratch scratch = {.last = NULL};
    int changed = 0;
    for (size_t i = 0; i < host->host.store.count; i++) {
        const struct store_key *entry = &host->host.store.keys[i];
        struct store_value now;
        shelf_ask(&host->shelf, entry->key, entry->key_len, &scratch, &now);
        changed |= entry->seen != STORE_UNSEEN && entry->seen != now.version;
    }
    scratch_fini(&scratch);
    return changed;
}

/* Write one key as an event would. */
static int
write_key(pegt_host *host, const char *key, const void *bytes, size_t len,
          int delete)
{
    struct store store;
    if (host->state == KIT_REFUSED) {
        return PEGT_REFUSED;
    }
    host->err.text[0] = '\0';
    store_init(&store, kit_ask, host);
    int32_t status =
        delete ? store_delete(&store, key) : store_put(&store, key, bytes, len);
    if (status == PEG_OK && shelf_keep(&host->shelf, &store) != RC_OK) {
        status = PEG_RANGE;
    }
    store_clear(&store);
    return status == PEG_OK
               ? PEGT_OK
               : kit_refuse(host,
                            "beyond one of the PEG_STORE_* limits: a key "
                            "of %zu bytes, a value of %zu",
                            key == NULL ? 0 : strlen(key), len);
}

int
pegt_store_put(pegt_host *host, const char *key, const void *bytes, size_t len)
{
    return write_key(host, key, bytes, len, 0);
}

int
pegt_store_delete(pegt_host *host, const char *key)
{
    return write_key(host, key, NULL, 0, 1);
}

const char *
pegt_store_get(pegt_host *host, const char *key, size_t *len)
{
    struct store_value value;
    scratch_fini(&host->shown);
    shelf_ask(&host->shelf, key, strlen(key), &host->shown, &value);
    if (value.bytes != NULL && len != NULL) {
        *len = value.len;
    }
    return value.bytes;
}

size_t
pegt_store_count(const pegt_host *host)
{
    return host->shelf.count;
}

void
pegt_fail_store(pegt_host *host, unsigned nth)
{
    host->store_fail = nth;
}
