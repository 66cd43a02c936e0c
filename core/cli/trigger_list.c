/* core/cli/trigger_list.c: `pegboard trigger --list`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trigger_list.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "stripe/catalog.h"
#include "stripe/event.h"
#include "template/template.h"

/* A pattern as in subscriptions, or any part of a name. */
static int
is_wanted(const char *type, const char *wanted)
{
    return wanted == NULL || event_type_matches(wanted, type) ||
           strstr(type, wanted) != NULL;
}

/* Names of the catalogue hold nothing that JSON would have to escape. */
static void
print_type(const struct catalog_type *type, int known, int json)
{
    if (json) {
        printf("{\"type\":\"%s\",\"object\":\"%s\",\"family\":\"%s\","
               "\"template\":%s}\n",
               type->name, type->object,
               type->family == CATALOG_THIN ? "thin" : "snapshot",
               known ? "true" : "false");
    } else {
        printf("%c %s\n", known ? '*' : ' ', type->name);
    }
}

int
trigger_list(const struct args *args)
{
    const char *wanted = args->operand_count > 0 ? args->operands[0] : NULL;
    int json = args_count(args, "json") > 0;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    int printed = 0;
    for (int known = 1; known >= 0; known--) {
        for (size_t i = 0; i < count; i++) {
            if (is_wanted(types[i].name, wanted) &&
                template_known(types[i].name) == known) {
                print_type(&types[i], known, json);
                printed++;
            }
        }
    }
    if (printed == 0) {
        return command_error(EXIT_MISSING, "no known event type matches \"%s\"",
                             wanted);
    }
    if (!json && args_count(args, "quiet") == 0) {
        fputs("* has a template of its own; the others hold a small generic "
              "object\n",
              stderr);
    }
    return EXIT_OK;
}
