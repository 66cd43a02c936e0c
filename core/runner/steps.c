/* core/runner/steps.c: says which of the plugin's functions ended the process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/steps.h"

#include "runner/try.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A handler may run on a stack that has no room left. */
#define STACK_BYTES 65536

/* What the plugin is at; NULL when we are. Read by a signal's handler. */
static const char *volatile current;

/* Only write() is safe here; if it fails there is nobody to tell. */
static void
say(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));
    (void)n;
}

static const char *
name_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    default:
        return "SIGABRT";
    }
}

/* SA_RESETHAND: when this returns the signal comes again, and is deadly. */
static void
on_signal(int number)
{
    const char *function = current;
    say("pegboard-runner: ");
    say(name_of(number));
    say(" in ");
    say(function == NULL ? "a thread, or between calls" : function);
    say(number == SIGABRT
            ? ": abort(), a failed assertion, or an exception that nobody "
              "caught\n"
            : "\n");
    say("  where: gdb --args pegboard-runner try ... (or build it with "
        "-fsanitize=address)\n");
    raise(number);
}

static void
on_exit_early(void)
{
    if (current == NULL) {
        return;
    }
    fflush(stdout);
    fprintf(stderr,
            "pegboard-runner: %s called exit(), which ends the runner: return "
            "instead, with a verdict or (in init) with other than 0\n",
            current);
    _exit(TRY_FAILED);
}

void
steps_watch(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[STACK_BYTES];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction before;
    struct sigaction action = {
        .sa_handler = on_signal,
        .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK),
    };
    sigemptyset(&action.sa_mask);
    if (sigaltstack(&alternate, NULL) != 0) {
        action.sa_flags = (int)SA_RESETHAND;
    }
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
        if (sigaction(deadly[i], NULL, &before) == 0 &&
            before.sa_handler == SIG_DFL) {
            sigaction(deadly[i], &action, NULL);
        }
    }
    atexit(on_exit_early);
}

void
steps_enter(const char *function)
{
    current = function;
}

void
steps_leave(void)
{
    current = NULL;
}
