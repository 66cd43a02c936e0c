/* core/cli/client.h: how a command reaches the admin API: of the running
 * daemon over HTTP, or with --offline its own, on the inbox of none.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct args;
struct cJSON;
struct client;

/** --url, --token-file: for the flag table of a command that needs a daemon. */
#define CLIENT_PLACE_FLAGS                                                     \
    {"url", 0, "URL",                                                          \
     "address of the admin API; default: the running daemon"},                 \
    {                                                                          \
        "token-file", 0, "FILE", "its token; default: in state_dir"            \
    }

/** ... and --offline, --timeout: for that of any other. */
#define CLIENT_FLAGS                                                           \
    CLIENT_PLACE_FLAGS,                                                        \
        {"offline", 0, NULL, "no daemon runs: work on the inbox file"},        \
    {                                                                          \
        "timeout", 0, "DURATION", "wait no longer for an answer; default 30s"  \
    }

/**
 * Find the API. Mistakes are printed.
 *
 * @param out  set on success only; client_close()
 * @return 0, or the exit code to leave with: EXIT_CONFIG, EXIT_NO_DAEMON (it
 *         says how to start one), EXIT_REFUSED (--offline while one runs)
 */
int client_open(struct client **out, const struct args *args);

/** Whether it works on the inbox file, with no daemon to run any plugin. */
int client_is_offline(const struct client *client);

/** The path of one thing, for the calls below: "/events/", its name (which is
 * encoded), and what stands behind ("" for nothing).
 * @return the caller's, to free; NULL when out of memory */
char *client_path(const char *folder, const char *name, const char *behind);

/**
 * One request. A problem document is printed, with its hint.
 *
 * @param path  behind API_PREFIX, with its query
 * @param body  taken over; NULL for none
 * @param out   the answer, to cJSON_Delete(); NULL when it has no JSON; may be
 *              NULL itself
 * @return 0, or the exit code to leave with: EXIT_MISSING for 404, EXIT_REFUSED
 *         for 401, 403 and 409, EXIT_USAGE for 400 and 422, EXIT_NO_DAEMON,
 *         EXIT_TIMED_OUT, EXIT_FAILED
 */
int client_call(struct client *client, const char *method, const char *path,
                struct cJSON *body, struct cJSON **out);

/** As client_call(), but a problem is not printed: it is an answer too.
 * @param status  gets HTTP's */
int client_ask(struct client *client, const char *method, const char *path,
               struct cJSON *body, long *status, struct cJSON **out);

/** Print such a problem as client_call() does. @return its exit code */
int client_problem(long status, const struct cJSON *problem);

/** Wait so long for the answer of each later call, instead of --timeout. */
void client_limit(struct client *client, int64_t timeout_ms);

/** As client_call() with GET, for exact bytes, which the caller frees. */
int client_bytes(struct client *client, const char *path, char **out,
                 size_t *len);

/** Called with each event of a stream: its name and its JSON; and with ":" and
 * the text of each comment, such as the one when it begins. Returns 0 to go on.
 */
typedef int client_stream_fn(void *arg, const char *name, const char *json);

/** Listen to a stream until the function ends it: that is 0. When the daemon
 * ends it, EXIT_NO_DAEMON. */
int client_stream(struct client *client, const char *path, client_stream_fn *fn,
                  void *arg);

/** Let jobs go on: only needed offline, where nobody else does.
 * @return ms until it is worth calling again */
int64_t client_turn(struct client *client);

void client_close(struct client *client);

/**
 * GET from the daemon of a state folder, if one runs there and this user may
 * ask it. Nothing is said if not.
 *
 * @return the answer, to cJSON_Delete(), or NULL
 */
struct cJSON *client_peek(const char *state_dir, const char *path);

#endif
