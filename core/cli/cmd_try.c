/* core/cli/cmd_try.c: `pegboard try`: becomes `pegboard-runner try`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "error.h"
#include "plugin/runner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const struct flag try_flags[] = {
    {"option", 'o', "KEY=VALUE", "an option of the plugin; can be repeated"},
    {"repeat", 0, "N", "call handle() N times"},
    {"timeout", 0, "DURATION", "what peg_ms_left() starts from"},
    {NULL, 0, NULL, NULL},
};

int
cmd_try(const struct args *args)
{
    struct error err;
    char program[RUNNER_PATH_MAX];
    if (runner_program(program, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    int64_t timeout_ms = 30000, repeat = 1;
    if (args_duration(args, "timeout", &timeout_ms) != 0 ||
        args_int(args, "repeat", 1, 1000000, &repeat) != 0) {
        return EXIT_USAGE;
    }
    char repeat_text[24], timeout_text[24];
    snprintf(repeat_text, sizeof(repeat_text), "%lld", (long long)repeat);
    snprintf(timeout_text, sizeof(timeout_text), "%lld", (long long)timeout_ms);

    const char *argv[2 * ARGS_MAX + 16];
    size_t n = 0;
    argv[n++] = program;
    argv[n++] = "try";
    argv[n++] = args->operands[0];
    argv[n++] = args->operands[1];
    argv[n++] = "--repeat";
    argv[n++] = repeat_text;
    argv[n++] = "--timeout";
    argv[n++] = timeout_text;
    for (int i = 0; i < args_count(args, "option"); i++) {
        argv[n++] = "--option";
        argv[n++] = args_value_at(args, "option", i);
    }
    argv[n] = NULL;

    /* execv() does not change what it is given; its type cannot say so. */
    char *exact[2 * ARGS_MAX + 16];
    memcpy(exact, argv, (n + 1) * sizeof(*argv));
    execv(program, exact);
    return command_error(EXIT_FAILED, "cannot run %s: %s", program,
                         strerror(errno));
}
