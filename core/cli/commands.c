/* core/cli/commands.c: the table of commands, and their help.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <string.h>

/* Of `replay`, and of `events resend`, as users of the Stripe CLI know it. */
#define REPLAY_TEXT                                                             \
    "Gives events to their plugins once more, oldest first: dead ones, and\n"   \
    "also those that were handled. What waits for a retry is tried now. With\n" \
    "--plugin only that one gets them, even events from before it was there.\n" \
    "ID may be - to read ids from standard input.\n"                            \
    "\n"                                                                        \
    "  pegboard replay evt_1Q...\n"                                             \
    "  pegboard replay --state dead --plugin ledger --type 'invoice.*'\n"       \
    "  pegboard replay --plugin new --since 7d --rate 50 --dry-run\n"

const struct command commands[] = {
    {"serve", "run the daemon", "",
     "Receives events on the configured endpoints, stores each durably before\n"
     "it answers, and hands it to the plugins that subscribed. SIGTERM ends it\n"
     "after the attempts in work.\n"
     "\n"
     "  pegboard serve -c /etc/pegboard/pegboard.ini\n",
     NULL, 0, 0, cmd_serve},
    {"dev", "run plugins on this machine, with nothing to set up",
     "[PLUGIN.so|SCRIPT...]",
     "Serves the plugins given (or the shipped ones) on 127.0.0.1:4242/webhook\n"
     "with a fresh secret and a temporary inbox, and shows what happens. In\n"
     "another terminal `pegboard trigger TYPE` finds it by itself. A plugin that\n"
     "is built anew is taken up at once. What begins with #! is a script, for the\n"
     "plugin exec to run.\n"
     "\n"
     "  pegboard dev ./hello.so\n"
     "  pegboard dev ./hello.so --option greeting=hello\n"
     "  pegboard dev ./hello.py --env HELLO_DIR=/tmp\n"
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
    {"new", "begin a plugin of your own", "NAME",
     "Makes a folder NAME with a plugin in C or C++, or a script in sh or Python\n"
     "for the plugin exec; its test, a sample event, its section for pegboard.ini\n"
     "and a README. It passes its test as it is. At the end it says what to type\n"
     "next.\n"
     "\n"
     "  pegboard new billing\n"
     "  pegboard new billing --lang c++ --events invoice.paid,charge.*\n"
     "  pegboard new billing --lang python\n",
     new_flags, 1, 1, cmd_new},
    {"try", "run one handler once, in the foreground", "PLUGIN.so|SCRIPT EVENT",
     "Loads the plugin into this process (pegboard-runner, the production code)\n"
     "and hands it the event: no sandbox, no time limit, so that gdb --args,\n"
     "valgrind and sanitizers work. EVENT is a file, - for standard input, or a\n"
     "type such as invoice.paid, of which a sample is made. What happens under a\n"
     "daemon --isolated tells: a process of its own, with sandbox and time limit.\n"
     "Ends with 0 (done, skip, or what --expect asks for), 1 (retry, fail, crash),\n"
     "3 (the plugin or its options are refused), 4 (no such event), 8 (too slow).\n"
     "\n"
     "  pegboard try ./hello.so charge.refunded\n"
     "  pegboard try ./hello.py charge.refunded\n"
     "  pegboard try ./hello.so event.json -c pegboard.ini --section hello\n"
     "  pegboard try ./hello.so event.json --expect retry,5s --isolated\n"
     "  gdb --args pegboard-runner try ./hello.so event.json\n"
     "  pegboard try --preload libasan.so.8 ./hello.so event.json\n",
     try_flags, 2, 2, cmd_try},
    {"status", "show how the running daemon is", "",
     "One screen: readiness, what waits, each plugin. --ready prints nothing\n"
     "and ends with 0 (ready), 1 (not ready) or 5 (not running), for health\n"
     "checks.\n"
     "\n"
     "  pegboard status\n"
     "  pegboard status --ready\n",
     status_flags, 0, 0, cmd_status},
    {"reload", "take up a changed configuration and plugins", "",
     "Reads the file again, starts what changed beside what serves, and then\n"
     "switches: whole, or not at all. No request fails and no event is lost; what\n"
     "did not change is left alone. It waits for the end, and shows the changes:\n"
     "+ added, - removed, ~ new runners, = other value, ! needs a restart.\n"
     "Ends with 3 (refused: nothing has changed), 7 (done, but a handler that\n"
     "took too long was killed and runs again) or 8 (it goes on). `kill -HUP`\n"
     "does the same without waiting.\n"
     "\n"
     "  pegboard reload --dry-run\n"
     "  pegboard reload --timeout 60s\n",
     reload_flags, 0, 0, cmd_reload},
    {"rollback", "go back to what was served before", "",
     "Serves the generation before the one that serves now, with the file and\n"
     "the plugins as they were kept then; your own files are left as they are,\n"
     "so that the next reload takes them up again. Ends as reload does, and with\n"
     "6 when there is nothing to go back to.\n"
     "\n"
     "  pegboard rollback\n",
     rollback_flags, 0, 0, cmd_rollback},
    {"events list", "list stored events, newest first", "[ID...]",
     "Flags narrow the list; all that are given must hold. ID may be - to read\n"
     "ids from standard input. Times are ages (2h, 7d), dates or RFC 3339.\n"
     "\n"
     "  pegboard events list --state dead --since 2h\n"
     "  pegboard events list --type 'invoice.*' --customer cus_R1 --json\n",
     events_list_flags, 0, -1, cmd_events_list},
    {"events show", "show one event: facts, deliveries, attempts", "ID",
     "Shows what is known of an event: where and when it arrived, again and\n"
     "again perhaps, and what each plugin did with it, with reasons and the\n"
     "last log lines of crashes.\n"
     "\n"
     "  pegboard events show evt_1Q...\n"
     "  pegboard events show evt_1Q... --body > event.json\n",
     events_show_flags, 1, 1, cmd_events_show},
    {"events tail", "watch events come in and be handled", "",
     "Prints a line for each arrival, answer and delivery from now on, in the\n"
     "form of the Stripe CLI. With --plugin only that plugin's deliveries.\n"
     "\n"
     "  pegboard events tail\n"
     "  pegboard events tail --type 'invoice.*' --json\n",
     events_tail_flags, 0, 0, cmd_events_tail},
    {"events export", "write events with their payloads, oldest first",
     "[ID...]",
     "Prints one JSON object a line: the facts, and the payload as \"payload\",\n"
     "with every number as Stripe sent it.\n"
     "\n"
     "  pegboard events export --since 24h > events.jsonl\n",
     events_export_flags, 0, -1, cmd_events_export},
    {"events resend", "the same as replay", "[ID...]", REPLAY_TEXT,
     replay_flags, 0, -1, cmd_replay},
    {"dead", "show dead letters, grouped by cause", "[ID...]",
     "A delivery is dead when its plugin gave it up, or failed too often. It\n"
     "stays until it is replayed or discarded. Largest groups come first.\n"
     "\n"
     "  pegboard dead\n"
     "  pegboard dead --plugin ledger --since 24h\n",
     dead_flags, 0, -1, cmd_dead},
    {"replay", "deliver events again", "[ID...]", REPLAY_TEXT, replay_flags, 0,
     -1, cmd_replay},
    {"discard", "close dead letters", "[ID...]",
     "Says that dead letters need no more work. They stay in the inbox as\n"
     "discarded until retention removes them, and can still be replayed.\n"
     "\n"
     "  pegboard discard --plugin ledger --type 'price.*' \\\n"
     "    --reason 'prices are made by hand'\n",
     discard_flags, 0, -1, cmd_discard},
    {"jobs list", "list replays and discards", "",
     "Shows the latest ones, those at work and those that ended.\n", jobs_flags,
     0, 0, cmd_jobs_list},
    {"jobs show", "show one replay or discard", "JOB",
     "  pegboard jobs show job_12\n", jobs_flags, 1, 1, cmd_jobs_show},
    {"jobs cancel", "stop a replay or discard", "JOB",
     "What it has moved already stays moved.\n"
     "\n"
     "  pegboard jobs cancel job_12\n",
     jobs_flags, 1, 1, cmd_jobs_cancel},
    {"plugins list", "list the configured plugins", "",
     "Shows each plugin of the configuration with its version, the events it\n"
     "gets, whether its file can be loaded, and how it is in the running daemon.\n",
     NULL, 0, 0, cmd_plugins_list},
    {"plugins inspect", "show what is in a plugin's file", "PLUGIN.so",
     "Loads the file in processes of their own and shows its descriptor (name,\n"
     "version, events, options with their defaults), what it exports and needs,\n"
     "symbols that nothing provides, how it is linked, and what to mend. Ends\n"
     "with 3 if a daemon would refuse it.\n",
     NULL, 1, 1, cmd_plugins_inspect},
    {"plugins show", "show a plugin of the running daemon", "NAME",
     "Shows its state, what waits for it, and its limits.\n", plugins_flags, 1,
     1, cmd_plugins_show},
    {"plugins pause", "hold a plugin's deliveries", "NAME",
     "Nothing is lost: events are stored, and wait until the plugin is resumed,\n"
     "or until the time given. What is being handled now is finished.\n"
     "\n"
     "  pegboard plugins pause ledger --reason 'database moves' --for 30m\n",
     plugins_pause_flags, 1, 1, cmd_plugins_pause},
    {"plugins resume", "let a paused plugin go on", "NAME",
     "  pegboard plugins resume ledger\n", plugins_flags, 1, 1,
     cmd_plugins_resume},
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
