/* tests/unit/inbox_model_enrol.c: how the model enrols a generation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model_rows.h"

#include <stdio.h>
#include <string.h>

static struct model_plugin *
plugin_named(struct inbox_model *m, const char *name)
{
    for (size_t i = 0; i < m->rows.plugin_count; i++) {
        if (strcmp(m->rows.plugins[i].name, name) == 0) {
            return &m->rows.plugins[i];
        }
    }
    MODEL_APPEND(m->rows.plugins, m->rows.plugin_count,
                 (struct model_plugin){.order = INBOX_ANY});
    struct model_plugin *p = &m->rows.plugins[m->rows.plugin_count - 1];
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->state.id = (uint32_t)m->rows.plugin_count;
    return p;
}

/* Attempts at work are those of the former program from now on. */
static void
forget_crashes(struct inbox_model *m, uint32_t plugin)
{
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->plugin == plugin) {
            d->crashes = 0;
            d->is_former = 1;
        }
    }
}

static struct inbox_plugin
enrol_plugin(struct inbox_model *m, const struct inbox_policy *policy)
{
    struct model_plugin *p = plugin_named(m, policy->name);
    p->collapse_twins = policy->collapse_twins;
    if (p->order != policy->order) {
        p->order = policy->order;
        model_relane(m, p->state.id);
    }
    if (policy->digest[0] != '\0' && strcmp(p->digest, policy->digest) != 0) {
        snprintf(p->digest, sizeof(p->digest), "%s", policy->digest);
        forget_crashes(m, p->state.id);
    }
    return p->state;
}

void
model_roll(struct inbox_model *m, struct inbox_roll *roll, int64_t now_ms)
{
    struct inbox_enrolment *enrolment = roll->enrolment;
    if (enrolment != NULL) {
        for (size_t i = 0; i < enrolment->count; i++) {
            enrolment->plugins[i] = enrol_plugin(m, &enrolment->policies[i]);
        }
        enrolment->generation->number = m->rows.generation.number + 1;
        enrolment->generation->committed_ms = now_ms;
        m->rows.generation = *enrolment->generation;
    }
    if (roll->last != NULL) {
        *roll->last = m->rows.generation;
    }
}
