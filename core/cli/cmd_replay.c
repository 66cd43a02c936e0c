/* core/cli/cmd_replay.c: `pegboard replay`: deliver again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include "bulk.h"
#include "client.h"
#include "wanted.h"

#define RATE_DEFAULT 20
#define RATE_MAX     100000

const struct flag replay_flags[] = {
    WANTED_FLAGS,
    {"rate", 0, "N", "a second; default 20, 0 is as fast as it goes"},
    BULK_FLAGS,
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

/* With --plugin the replay goes to that one, also if it never had the event. */
static int
fill(const struct args *args, cJSON *body)
{
    int64_t rate = RATE_DEFAULT;
    const char *plugin = args_value(args, "plugin");
    args_int(args, "rate", 0, RATE_MAX, &rate); /* was checked before */
    return cJSON_AddNumberToObject(body, "rate_per_second", (double)rate) !=
               NULL &&
           (plugin == NULL ||
            cJSON_AddStringToObject(body, "plugin", plugin) != NULL);
}

int
cmd_replay(const struct args *args)
{
    static const struct bulk bulk = {
        .path = "/replays", .verb = "replay", .fill = fill};
    int64_t rate = 0;
    int code = args_int(args, "rate", 0, RATE_MAX, &rate);
    return code != 0 ? code : bulk_run(&bulk, args);
}
