/* core/template/document.h: a JSON document that is built, changed and printed.
 *
 * It is a cJSON tree read with the strict scanner of json.h. Numbers are kept
 * as the text they were written in, so none passes through a double.
 * For test events, on the command line; recursion is bounded by
 * JSON_DEPTH_MAX, but not meant for an HTTP worker's small stack.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DOCUMENT_H
#define CORE_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct error;

/**
 * Read a text. Of repeated members the last one counts.
 *
 * @param out  set on success only; the caller owns it: cJSON_Delete()
 * @return RC_OK, RC_INVALID (not JSON, or a key that holds a NUL), RC_NOMEM
 */
int document_parse(struct cJSON **out, const char *text, size_t len,
                   struct error *err);

/** A whole number; NULL when out of memory. */
struct cJSON *document_integer(int64_t number);

/** The text of a string member, or NULL: absent, or not a string. Borrowed. */
const char *document_text(const struct cJSON *object, const char *key);

/**
 * Put `item` into an object under `key`, in the place of what is there.
 *
 * @param item  taken over in any case; NULL counts as out of memory
 * @return RC_OK or RC_NOMEM
 */
int document_put(struct cJSON *object, const char *key, struct cJSON *item);

/** Change `into` by `from`: objects are merged at any depth, everything else
 * is replaced, null too.
 * @return RC_OK or RC_NOMEM */
int document_merge(struct cJSON *into, const struct cJSON *from);

/**
 * Put `item` at a dotted path; numbers are indexes where an array is
 * ("lines.data.0.amount"; one past the end appends). Missing objects are made,
 * also in the place of a null.
 *
 * @param item  taken over in any case
 * @return RC_OK, RC_INVALID (the text names the path), RC_NOMEM
 */
int document_set(struct cJSON *root, const char *path, struct cJSON *item,
                 struct error *err);

/**
 * Print with two spaces of indentation, as Stripe's bodies are.
 *
 * @param text  set on success only; NUL-terminated; the caller frees it
 * @return RC_OK or RC_NOMEM
 */
int document_print(const struct cJSON *root, char **text, size_t *len);

#endif
