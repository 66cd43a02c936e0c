/* plugins/mirror: statuses in the order in which objects usually have them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stddef.h>
#include <string.h>

/* Of all kinds of objects in one list: no two kinds want another order. The
 * names are those of Stripe's API reference. */
static const char *const stages[] = {
    /* made, but nothing has come of it */
    "draft", "unsubmitted", "not_started", "incomplete", "open", "issued",
    "requires_payment_method", "requires_confirmation", "requires_input",
    "requires_action",
    /* under way */
    "pending", "chargeable", "consumed", "in_transit", "processing",
    "requires_capture", "trialing", "active", "past_due", "unpaid", "paused",
    "uncollectible", "warning_needs_response", "warning_under_review",
    "warning_closed", "needs_response", "under_review", "submitted",
    /* how it ended; what undoes an end is behind it */
    "succeeded", "complete", "paid", "accepted", "released", "completed",
    "verified", "posted", "failed", "returned", "reversed", "void", "won",
    "lost", "closed", "expired", "canceled", "incomplete_expired"};

int
stage_of(const char *status)
{
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        if (strcmp(stages[i], status) == 0) {
            return (int)i;
        }
    }
    return -1;
}
