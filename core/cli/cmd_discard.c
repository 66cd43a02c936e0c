/* core/cli/cmd_discard.c: `pegboard discard`: close dead letters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include "bulk.h"
#include "client.h"
#include "wanted.h"

const struct flag discard_flags[] = {
    WANTED_FLAGS, BULK_FLAGS, CLIENT_FLAGS, {NULL, 0, NULL, NULL}};

static int
fill(const struct args *args, cJSON *body)
{
    (void)args;
    (void)body;
    return 1;
}

int
cmd_discard(const struct args *args)
{
    static const struct bulk bulk = {.path = "/discards",
                                     .verb = "discard",
                                     .ended = "discarded",
                                     .asks_always = 1,
                                     .fill = fill};
    if (args_value(args, "reason") == NULL &&
        args_count(args, "dry-run") == 0) {
        return args_error(args, "say why: --reason TEXT");
    }
    return bulk_run(&bulk, args);
}
