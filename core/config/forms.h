/* core/config/forms.h: the value of an option in a configuration: whether two
 * mean the same, and how people write it. Private to the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FORMS_H
#define CORE_FORMS_H

#include "config/options.h"

struct config;

/** Where a value is kept. */
struct holder {
    const struct config *config;
    const void *target; /* that, or one of its endpoints or plugins */
};

/** Whether the option means the same in both. */
int form_same(const struct option *option, const struct holder *a,
              const struct holder *b);

#define FORM_MAX 256

/** The value as people write it, in `room` of FORM_MAX bytes, cut with "..."
 * when too long; or NULL when it is not to be shown. */
const char *form_show(const struct option *option, const struct holder *holder,
                      char *room);

#endif
