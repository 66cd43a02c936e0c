/* tests/unit/cli_fixture.h: runs a command in this process and keeps what it
 * prints. To be included after <cmocka.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CLI_FIXTURE_H
#define TESTS_CLI_FIXTURE_H

#include "cli/cmds.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLI_WORDS_MAX 24

/* What the last command printed. */
static char cli_out[65536];
static char cli_err[16384];

static inline void
cli_collect(FILE *file, char *text, size_t room)
{
    rewind(file);
    size_t len = fread(text, 1, room - 1, file);
    text[len] = '\0';
    fclose(file);
}

/* Run `command` with words that end with a NULL. Returns the exit code. */
static inline int
cli_run(const struct command *command, const char *const *words)
{
    char *argv[CLI_WORDS_MAX]; /* args_parse() takes main()'s, not const */
    int count = 0;
    for (; words[count] != NULL; count++) {
        assert_true(count < CLI_WORDS_MAX);
        argv[count] = strdup(words[count]);
    }
    fflush(stdout);
    fflush(stderr);
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    assert_true(out != NULL && err != NULL);
    int old_out = dup(STDOUT_FILENO);
    int old_err = dup(STDERR_FILENO);
    assert_true(dup2(fileno(out), STDOUT_FILENO) >= 0);
    assert_true(dup2(fileno(err), STDERR_FILENO) >= 0);

    struct args args;
    int code = args_parse(&args, command, count, argv);
    if (code < 0) {
        code = command->run(&args);
    }

    fflush(stdout);
    fflush(stderr);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(old_out);
    close(old_err);
    cli_collect(out, cli_out, sizeof(cli_out));
    cli_collect(err, cli_err, sizeof(cli_err));
    while (count > 0) {
        free(argv[--count]);
    }
    return code;
}

/* RUN(command, "--flag", "value"): the exit code. */
#define RUN(command, ...)                                                      \
    cli_run(command, (const char *const[]){__VA_ARGS__, NULL})

static inline void
assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

#endif
