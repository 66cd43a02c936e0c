/* core/runner/store.c: what one event reads and writes of its plugin's durable
 * store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/store.h"

#include "error.h"
#include "plugin/wire.h"
#include "runner/host.h"

#include <string.h>

/* What stands around each key's bytes in a VERDICT, and before the keys. */
#define KEY_FRAME_BYTES     (4 + 1 + 8 + 4 + 4 + 1)
#define VERDICT_FRAME_BYTES (4 + 8 + 4 + HOST_REASON_MAX + 1 + 8 + 4)

_Static_assert(VERDICT_FRAME_BYTES + PEG_STORE_WRITE_MAX +
                       PEG_STORE_KEYS_MAX *
                           (KEY_FRAME_BYTES + PEG_STORE_KEY_MAX) <=
                   WIRE_REPLY_MAX,
               "the largest verdict can be sent: keys that are only read do "
               "not count as written");

void
store_init(struct store *store, store_ask_fn *ask, void *ask_arg)
{
    *store = (struct store){.ask = ask, .ask_arg = ask_arg};
}

void
store_clear(struct store *store)
{
    scratch_fini(&store->scratch);
    store->count = 0;
    store->written_bytes = 0;
    store->failed = 0;
}

/* ---- Keys ----------------------------------------------------------- */

/* @return 0 when it cannot be a key */
static size_t
key_length(const char *key)
{
    size_t len = key == NULL ? 0 : strnlen(key, PEG_STORE_KEY_MAX + 1);
    return len <= PEG_STORE_KEY_MAX ? len : 0;
}

static struct store_key *
find_key(struct store *store, const char *key, size_t key_len)
{
    for (size_t i = 0; i < store->count; i++) {
        struct store_key *entry = &store->keys[i];
        if (entry->key_len == key_len &&
            memcmp(entry->key, key, key_len) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* There is room: the caller has looked. */
static struct store_key *
add_key(struct store *store, const char *key, size_t key_len)
{
    char *copy = scratch_need(&store->scratch, key_len + 1);
    memcpy(copy, key, key_len + 1);
    struct store_key *entry = &store->keys[store->count++];
    *entry = (struct store_key){
        .key = copy, .key_len = key_len, .seen = STORE_UNSEEN};
    return entry;
}

/* ---- Reading -------------------------------------------------------- */

static int32_t
hand_out(struct store_key *entry, peg_str *out)
{
    if (entry->value == NULL) {
        return PEG_ABSENT;
    }
    entry->lent = 1;
    *out = (peg_str){entry->value, entry->value_len};
    return PEG_OK;
}

int32_t
store_get(struct store *store, const char *key, peg_str *out)
{
    size_t key_len = key_length(key);
    if (key_len == 0) {
        return PEG_RANGE;
    }
    struct store_key *entry = find_key(store, key, key_len);
    if (entry != NULL) {
        return hand_out(entry, out);
    }
    if (store->count == PEG_STORE_KEYS_MAX) {
        return PEG_RANGE;
    }
    struct store_value value;
    if (store->ask(store->ask_arg, key, key_len, &store->scratch, &value) !=
        RC_OK) {
        store->failed = 1;
        return PEG_FAILED;
    }
    entry = add_key(store, key, key_len);
    entry->seen = value.version;
    entry->value = value.bytes;
    entry->value_len = value.len;
    return hand_out(entry, out);
}

/* ---- Writing -------------------------------------------------------- */

/* What the entry takes of PEG_STORE_WRITE_MAX. */
static size_t
cost_of(const struct store_key *entry)
{
    if (entry == NULL || entry->write == STORE_READ) {
        return 0;
    }
    return entry->key_len + (entry->write == STORE_PUT ? entry->value_len : 0);
}

/* The entry that shall take a write of `len` bytes, which are counted, or NULL
 * when that would go beyond a limit. */
static struct store_key *
admit(struct store *store, const char *key, size_t len)
{
    size_t key_len = key_length(key);
    if (key_len == 0 || len > PEG_STORE_VALUE_MAX) {
        return NULL;
    }
    struct store_key *entry = find_key(store, key, key_len);
    if (entry == NULL && store->count == PEG_STORE_KEYS_MAX) {
        return NULL;
    }
    size_t written = store->written_bytes - cost_of(entry) + key_len + len;
    if (written > PEG_STORE_WRITE_MAX) {
        return NULL;
    }
    store->written_bytes = written;
    return entry != NULL ? entry : add_key(store, key, key_len);
}

int32_t
store_put(struct store *store, const char *key, const void *bytes, size_t len)
{
    struct store_key *entry =
        bytes == NULL && len > 0 ? NULL : admit(store, key, len);
    if (entry == NULL) {
        return PEG_RANGE;
    }
    /* What the handler was given stays as it is until handle() returns; what it
     * was not is used again, so that writing in a loop needs no more memory. */
    if (entry->lent || entry->value_cap < len + 1) {
        entry->value = scratch_need(&store->scratch, len + 1);
        entry->value_cap = len + 1;
        entry->lent = 0;
    }
    if (len > 0) {
        memcpy(entry->value, bytes, len);
    }
    entry->value[len] = '\0';
    entry->value_len = len;
    entry->write = STORE_PUT;
    return PEG_OK;
}

int32_t
store_delete(struct store *store, const char *key)
{
    struct store_key *entry = admit(store, key, 0);
    if (entry == NULL) {
        return PEG_RANGE;
    }
    entry->value = NULL;
    entry->value_len = 0;
    entry->value_cap = 0;
    entry->write = STORE_DELETE;
    return PEG_OK;
}

/* ---- The verdict ---------------------------------------------------- */

void
store_tell(const struct store *store, struct wire_writer *writer)
{
    wire_put_u32(writer, (uint32_t)store->count);
    for (size_t i = 0; i < store->count; i++) {
        const struct store_key *entry = &store->keys[i];
        wire_put_str(writer, entry->key, entry->key_len);
        wire_put_i64(writer, entry->seen);
        wire_put_u32(writer, (uint32_t)entry->write);
        wire_put_str(writer, entry->value,
                     entry->write == STORE_PUT ? entry->value_len : 0);
    }
}
