/* core/runner/shelf.h: a plugin's store in memory, for try and the test kit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SHELF_H
#define CORE_SHELF_H

#include <stddef.h>

struct scratch;     /* runner/scratch.h */
struct store;       /* runner/store.h */
struct store_value; /* runner/store.h */

struct shelf_item;

/** Zero it to start. At most PEG_STORE_PLUGIN_MAX bytes of keys and values. */
struct shelf {
    struct shelf_item *first;
    size_t count, bytes; /* of keys; of keys and values */
};

/** As a store_ask_fn. @return RC_OK */
int shelf_ask(struct shelf *shelf, const char *key, size_t key_len,
              struct scratch *scratch, struct store_value *out);

/**
 * Do what an event wrote.
 *
 * @return RC_OK; RC_FULL or RC_NOMEM: some of it may not be done
 */
int shelf_keep(struct shelf *shelf, const struct store *store);

void shelf_fini(struct shelf *shelf);

#endif
