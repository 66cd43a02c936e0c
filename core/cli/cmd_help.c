/* core/cli/cmd_help.c: `pegboard help` and `pegboard version`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "config/options.h"

#include <stdio.h>
#include <string.h>

int
cmd_help(const struct args *args)
{
    if (args->operand_count == 0) {
        command_list(stdout);
        return EXIT_OK;
    }
    if (strcmp(args->operands[0], "config") == 0) {
        options_print(stdout);
        return EXIT_OK;
    }
    char words[2][32] = {"", ""};
    char *argv[2] = {words[0], words[1]};
    for (int i = 0; i < args->operand_count; i++) {
        snprintf(words[i], sizeof(words[i]), "%s", args->operands[i]);
    }
    int used;
    const struct command *command =
        command_find(args->operand_count, argv, &used);
    if (command == NULL) {
        return command_error(EXIT_USAGE,
                             "no command \"%s\" (pegboard help lists them)",
                             args->operands[0]);
    }
    command_help(command, stdout);
    return EXIT_OK;
}

int
cmd_version(const struct args *args)
{
    if (args_count(args, "json") > 0) {
        printf("{\"version\":\"%s\"}\n", PEGBOARD_VERSION);
    } else {
        printf("pegboard %s\n", PEGBOARD_VERSION);
    }
    return EXIT_OK;
}
