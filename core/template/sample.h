/* core/template/sample.h: the data.object of a test event.
 *
 * templates/OBJECT.json shows each object as Stripe would send it;
 * templates/events.json says, for each type of event, which object it holds
 * and what differs. In both, text in braces stands for something fresh:
 * "{pi}" an id (the same all through one event), "{txn.fee}" one more of that
 * kind, "{now}" and "{now-30d}" a time in seconds, "{token}" random letters.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SAMPLE_H
#define CORE_SAMPLE_H

#include "template/ids.h"

#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct error;

#define SAMPLE_NAME_MAX 40
#define SAMPLE_IDS_MAX  24 /* different ids in one event */

/** What braces stand for in one event. Set the first three, zero the rest. */
struct sample_names {
    int64_t now_ms;
    int live;
    const char *account; /* what {acct} stands for; NULL: a fresh id */
    size_t count;
    struct {
        char name[SAMPLE_NAME_MAX];
        char id[IDS_MAX];
    } ids[SAMPLE_IDS_MAX];
};

struct sample {
    struct cJSON *object;
    struct cJSON *previous; /* previous_attributes, or NULL */
    int automatic;          /* nobody's request caused it */
};

/** Whether events of `type` have a template of their own. */
int sample_known(const char *type);

/**
 * Make the object of an event.
 *
 * @param type    a snapshot type ("invoice.paid")
 * @param object  what the catalogue says that it holds; used when the type has
 *                no template: then the object is a small generic one
 * @param sample  filled on success; the caller owns its members
 * @return RC_OK, RC_NOMEM, RC_IO (no randomness), RC_CORRUPT (a template that
 *         is wrong)
 */
int sample_make(struct sample *sample, const char *type, const char *object,
                struct sample_names *names, struct error *err);

/** Put what they stand for in the place of the braces of `text`.
 * @param out  set on success only; the caller frees it */
int sample_expand(char **out, const char *text, struct sample_names *names,
                  struct error *err);

/** Set every member called "livemode", at any depth. */
void sample_set_livemode(struct cJSON *item, int live);

#endif
