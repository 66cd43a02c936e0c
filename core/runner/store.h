/* core/runner/store.h: what one event reads and writes of its plugin's durable
 * store. The store itself is at the daemon: each key is asked for once, and
 * what was touched travels with the verdict.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "runner/scratch.h"

#include <pegboard/plugin.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer; /* plugin/wire.h */

/** A key as it is in the store. */
struct store_value {
    int64_t version; /* 0 for no such key */
    char *bytes;     /* from the scratch, the store's from now on; a NUL stands
                        behind them; NULL when not found */
    size_t len;
};

/**
 * Ask for a key's value.
 *
 * @param scratch  where `out->bytes` is to come from
 * @return RC_OK; with anything else nobody can tell
 */
typedef int store_ask_fn(void *arg, const char *key, size_t key_len,
                         struct scratch *scratch, struct store_value *out);

/** What an event did to a key; the numbers of the wire. */
enum store_write { STORE_READ = 0, STORE_PUT = 1, STORE_DELETE = 2 };

#define STORE_UNSEEN (-1) /* the version of a key that was not read */

/** A key that was touched. All memory is the scratch's. */
struct store_key {
    const char *key;
    size_t key_len;
    int64_t seen; /* version it had when it was read, or STORE_UNSEEN */
    enum store_write write;
    char *value; /* as the handler sees it now; NULL for none */
    size_t value_len, value_cap;
    int lent; /* the handler holds a pointer into `value` */
};

/** Of the main thread alone. */
struct store {
    store_ask_fn *ask;
    void *ask_arg;
    struct scratch scratch;
    size_t count, written_bytes;
    int failed; /* the handler was told PEG_FAILED: it must not end as done */
    struct store_key keys[PEG_STORE_KEYS_MAX];
};

void store_init(struct store *store, store_ask_fn *ask, void *ask_arg);

/** Forget all that was touched, for the next event or for good. */
void store_clear(struct store *store);

/* The functions of struct peg_host. They abort when memory is out. */
int32_t store_get(struct store *store, const char *key, peg_str *out);
int32_t store_put(struct store *store, const char *key, const void *bytes,
                  size_t len);
int32_t store_delete(struct store *store, const char *key);

/** Put the number of keys and the keys into a VERDICT. */
void store_tell(const struct store *store, struct wire_writer *writer);

#endif
