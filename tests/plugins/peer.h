/* tests/plugins/peer.h: the daemon's end of the wire, for tests of the runner.
 * All of it asserts on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include "plugin/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Longest list of operations for keys.c. */
#define OPS_MAX (32U << 10)

struct confinement;

struct runner {
    pid_t pid;
    int fd;
    size_t len, taken; /* a frame that was taken is first */
    char bytes[WIRE_HEADER_BYTES + WIRE_REPLY_MAX];
};

/** Read RUNNER FIXTURES EVENT from the command line. @return 0, or -1 */
int peer_setup(int argc, char **argv);

/** Called in a child that is about to become a runner; NULL: nothing is. */
extern void (*peer_prepare)(void);

/** Start one, with descriptor 1 where it is. */
void start(struct runner *runner);

/** Start one on a socketpair, of which it gets pair[1] (closed here), that
 * takes `parent` for its parent; standard output goes to `out`, unless -1. */
void start_on(struct runner *runner, const int pair[2], pid_t parent, int out);

/** HELLO, MANIFEST, INIT without options, READY. */
void get_ready(struct runner *runner, const char *fixture);

/** Both. */
void start_ready(struct runner *runner, const char *fixture);

void send_bytes(struct runner *runner, const char *bytes, size_t len);
/** End the frame, send it, and free the writer. */
void send_frame(struct runner *runner, struct wire_writer *writer);
/** Where a fixture's file is; it can be a path itself. */
void peer_path(char *path, size_t size, const char *fixture);

/** Unconfined. */
void send_hello(struct runner *runner, uint32_t version, const char *fixture);
void send_confined(struct runner *runner, const char *fixture,
                   const struct confinement *confinement);
/** With one option, or with none when `name` is NULL. */
void send_init(struct runner *runner, const char *name, uint32_t type,
               const char *value);
void send_event(struct runner *runner, uint64_t id);
/** Why an event that could not read the store is not done. */
#define UNREAD "the store could not be read"

/** What VALUE says first. */
enum { ABSENT = 0, FOUND = 1, UNSURE = 2 };
void send_value(struct runner *runner, uint64_t id, uint32_t found,
                int64_t version, const char *value, size_t len);
void send_quit(struct runner *runner);

/** An EVENT for keys.c with that list of operations. */
void put_ops(struct wire_writer *writer, uint64_t id, int64_t timeout_ms,
             const char *ops);
void send_ops(struct runner *runner, uint64_t id, const char *ops);
/** QUIT, and a clean end. */
void leave(struct runner *runner);

/** The fields of the EVENT that send_event() sends. */
void put_sample(struct wire_writer *writer, uint64_t id);

/** The next frame: RC_OK, or RC_CLOSED. */
int next_frame(struct runner *runner, struct wire_frame *frame);
void expect_frame(struct runner *runner, enum wire_type type,
                  struct wire_frame *frame);
/** VERDICT without keys. */
void expect_verdict(struct runner *runner, uint64_t id, uint32_t code,
                    const char *reason);
void expect_log(struct runner *runner, const char *text);
void expect_lookup(struct runner *runner, uint64_t id, const char *key);
/** A done verdict, as far as the number of keys that were touched, which is
 * returned; expect_key() reads them. */
uint32_t expect_done(struct runner *runner, uint64_t id,
                     struct wire_frame *frame);
/** The next key of a verdict; `write`: 0 read only, 1 put, 2 delete. */
void expect_key(struct wire_frame *frame, const char *key, int64_t seen,
                uint32_t write, const char *value);
/** REFUSED with `part` in its text, and a clean end. */
void expect_refused(struct runner *runner, enum wire_stage stage,
                    const char *part);
/** Nothing more comes, and it ends by itself with that status. */
void expect_exit(struct runner *runner, int status);

#endif
