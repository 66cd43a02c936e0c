/* core/cli/fact.c: facts of one thing, a line each.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fact.h"

#include "field.h"
#include "plain.h"
#include "when.h"

#include <stdio.h>

void
fact(const char *name, const char *value)
{
    char safe[FACT_MAX];
    if (value[0] != '\0') {
        printf("%-12s %s\n", name, plain(value, safe, sizeof(safe)));
    }
}

void
fact_time(const char *name, const struct cJSON *object, const char *key)
{
    char when[WHEN_MAX];
    if (field_text(object, key)[0] != '\0') {
        fact(name, when_local(field_text(object, key), when));
    }
}
