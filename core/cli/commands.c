/* core/cli/commands.c: the table of commands, and their help.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <string.h>

const struct command commands[] = {
    {"serve", "run the daemon", "",
     "Receives events on the configured endpoints, stores each durably before\n"
     "it answers, and hands it to the plugins that subscribed. SIGTERM ends it\n"
     "after the attempts in work.\n"
     "\n"
     "  pegboard serve -c /etc/pegboard/pegboard.ini\n",
     NULL, 0, 0, cmd_serve},
    {"dev", "run plugins on this machine, with nothing to set up",
     "[PLUGIN.so...]",
     "Serves the plugins given (or the shipped ones) on 127.0.0.1:4242/webhook\n"
     "with a fresh secret and a temporary inbox, and shows what happens. In\n"
     "another terminal `pegboard trigger TYPE` finds it by itself. A plugin that\n"
     "was built anew is taken up at the next start.\n"
     "\n"
     "  pegboard dev ./hello.so\n"
     "  pegboard dev ./hello.so --option greeting=hello\n"
     "  pegboard dev --trigger charge.dispute.created\n"
     "  stripe listen --print-secret | pegboard dev --secret-file -\n",
     dev_flags, 0, -1, cmd_dev},
    {"check", "check a configuration and its plugins", "",
     "Does all that a start would do but serve: reads the file, loads every\n"
     "plugin in a process of its own, checks its options and runs its init().\n"
     "All mistakes are listed as file:line: message.\n"
     "\n"
     "  pegboard check -c /etc/pegboard/pegboard.ini\n",
     check_flags, 0, 0, cmd_check},
    {"trigger", "send a signed test event, offline", "[TYPE]",
     "Builds an event of the given type, signs it as Stripe would, and posts it.\n"
     "Where to and with which secret comes from the configuration, or from a\n"
     "running `pegboard dev`.\n"
     "\n"
     "  pegboard trigger payment_intent.succeeded --override amount=2000\n"
     "  pegboard trigger --data event.json --url http://127.0.0.1:4242/webhook\n"
     "  pegboard trigger --list 'invoice.*'\n"
     "  pegboard trigger charge.refunded --print\n",
     trigger_flags, 0, 1, cmd_trigger},
    {"verify", "find out why a signature is refused", "",
     "Checks a saved body against a saved Stripe-Signature header and says which\n"
     "rule passes and which fails.\n"
     "\n"
     "  pegboard verify --body body.json --header 't=...,v1=...' \\\n"
     "    --secret-file secrets/main --at 1793000122\n",
     verify_flags, 0, 0, cmd_verify},
    {"try", "run one handler once, in the foreground", "PLUGIN.so EVENT.json",
     "Loads the plugin into this process (pegboard-runner, the production code)\n"
     "and hands it the event: no sandbox, no time limit, so that gdb --args,\n"
     "valgrind and sanitizers work. EVENT.json may be - for standard input.\n"
     "\n"
     "  pegboard trigger charge.refunded --print | pegboard try ./hello.so -\n"
     "  gdb --args pegboard-runner try ./hello.so event.json\n",
     try_flags, 2, 2, cmd_try},
    {"plugins list", "list the configured plugins", "",
     "Shows each plugin of the configuration with its version, the events it\n"
     "gets, and whether its file can be loaded.\n",
     NULL, 0, 0, cmd_plugins_list},
    {"plugins inspect", "show what is in a plugin's file", "PLUGIN.so",
     "Loads the file in a process of its own and shows its descriptor: name,\n"
     "version, events, options with their defaults.\n",
     NULL, 1, 1, cmd_plugins_inspect},
    {"secret", "make a new signing secret", "",
     "Prints a fresh secret in Stripe's form, for tests without Stripe.\n"
     "\n"
     "  pegboard secret --file secrets/main\n",
     secret_flags, 0, 0, cmd_secret},
    {"help", "show help for a command, or `help config`", "[COMMAND...]",
     "pegboard help config lists everything that can be set.\n", NULL, 0, 2,
     cmd_help},
    {"version", "show the version", "", "", NULL, 0, 0, cmd_version},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};

static int
count_words(const char *name)
{
    return strchr(name, ' ') != NULL ? 2 : 1;
}

const struct command *
command_find(int argc, char **argv, int *words)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        const char *blank = strchr(c->name, ' ');
        size_t first =
            blank != NULL ? (size_t)(blank - c->name) : strlen(c->name);
        *words = count_words(c->name);
        if (argc >= *words && strlen(argv[0]) == first &&
            strncmp(argv[0], c->name, first) == 0 &&
            (blank == NULL || strcmp(argv[1], blank + 1) == 0)) {
            return c;
        }
    }
    return NULL;
}

void
command_list(FILE *to)
{
    fputs("Pegboard receives Stripe's webhooks and hands every event to "
          "plugins.\n\nusage: pegboard COMMAND [flags] [arguments]\n\n",
          to);
    for (const struct command *c = commands; c->name != NULL; c++) {
        fprintf(to, "  %-16s %s\n", c->name, c->summary);
    }
    fputs("\n"
          "  pegboard dev                              try it here and now\n"
          "  pegboard trigger payment_intent.succeeded in another terminal\n"
          "  pegboard help serve                       more on a command\n",
          to);
}

static void
list_flags(const struct flag *flags, FILE *to)
{
    for (; flags != NULL && flags->name != NULL; flags++) {
        char left[64];
        int len = snprintf(left, sizeof(left), "--%s", flags->name);
        if (flags->value != NULL && len > 0) {
            snprintf(left + len, sizeof(left) - (size_t)len, " %s",
                     flags->value);
        }
        if (flags->letter != 0) {
            fprintf(to, "  -%c, %-24s %s\n", flags->letter, left, flags->help);
        } else {
            fprintf(to, "      %-24s %s\n", left, flags->help);
        }
    }
}

void
command_help(const struct command *command, FILE *to)
{
    fprintf(to, "usage: pegboard %s [flags]%s%s\n\n%s\n", command->name,
            command->operands[0] != '\0' ? " " : "", command->operands,
            command->text);
    list_flags(command->flags, to);
    list_flags(common_flags, to);
}
