/* core/main.c: the `pegboard` program: finds the command and runs it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "suggest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Say what may follow the first word of commands that have two, if it is
 * one. */
static int
unknown_second_word(const char *word)
{
    char names[256];
    size_t len = 0;
    size_t word_len = strlen(word);
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, word_len) == 0 && c->name[word_len] == ' ' &&
            len < sizeof(names)) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
                                    len > 0 ? ", " : "", c->name);
        }
    }
    return len == 0 ? -1
                    : command_error(EXIT_USAGE,
                                    "no such \"%s\" command; there are: %s",
                                    word, names);
}

static int
unknown_command(const char *word)
{
    int code = unknown_second_word(word);
    if (code >= 0) {
        return code;
    }
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
    return command_error(
        EXIT_USAGE, "unknown command \"%s\" (pegboard help lists them)", word);
}

/* What a careless parent may have left us: closed standard descriptors, whose
 * numbers our own would get; and SIGCHLD ignored, which makes children vanish
 * without a word. */
static void
tidy_start(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
    signal(SIGCHLD, SIG_DFL);
}

/* Bodies and secrets are in our memory: no core dumps, no ptrace by others.
 * (The sanitizers' leak check needs to trace itself.) */
static void
harden(void)
{
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int
main(int argc, char **argv)
{
    tidy_start();
    harden();
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
