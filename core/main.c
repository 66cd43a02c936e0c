/* core/main.c: the `pegboard` program: finds the command and runs it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "suggest.h"

#include <stdio.h>
#include <string.h>

static int
unknown_command(const char *word)
{
    struct suggest suggest;
    suggest_init(&suggest, word);
    for (const struct command *c = commands; c->name != NULL; c++) {
        suggest_offer(&suggest, c->name);
    }
    if (suggest.best != NULL) {
        return command_error(EXIT_USAGE,
                             "unknown command \"%s\", did you mean \"%s\"?",
                             word, suggest.best);
    }
    return command_error(EXIT_USAGE,
                         "unknown command \"%s\" (pegboard help lists them)",
                         word);
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        command_list(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        command_list(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        argv[1] += 2; /* the command of that name */
    }

    int words;
    const struct command *command = command_find(argc - 1, argv + 1, &words);
    if (command == NULL) {
        return unknown_command(argv[1]);
    }
    struct args args;
    int code = args_parse(&args, command, argc - 1 - words, argv + 1 + words);
    if (code < 0) {
        code = command->run(&args);
    }
    if (fflush(stdout) != 0 && code == EXIT_OK) {
        return command_error(EXIT_FAILED, "cannot write to standard output");
    }
    return code;
}
