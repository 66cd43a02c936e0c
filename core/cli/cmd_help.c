/* core/cli/cmd_help.c: `pegboard help` and `pegboard version`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "config/options.h"

#include <stdio.h>
#include <string.h>

/* `help plugins`: the help of each `plugins ...`. */
static int
help_family(const char *word)
{
    size_t len = strlen(word);
    int found = 0;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ') {
            fputs(found++ > 0 ? "\n" : "", stdout);
            command_help(c, stdout);
        }
    }
    if (found == 0) {
        return command_error(
            EXIT_USAGE, "no command \"%s\" (pegboard help lists them)", word);
    }
    return EXIT_OK;
}

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
    if (command != NULL) {
        command_help(command, stdout);
        return EXIT_OK;
    }
    return help_family(args->operands[0]);
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
