/* core/plugin/handshake.h: the frames of a runner's start, as the daemon reads
 * and writes them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HANDSHAKE_H
#define CORE_HANDSHAKE_H

struct error;
struct manifest;
struct plugin;
struct runner;
struct wire_frame;

/** Read MANIFEST, or REFUSED into `err`. @return RC_OK, RC_INVALID, RC_NOMEM */
int handshake_manifest(struct wire_frame *frame, struct manifest *out,
                       struct error *err);

/** Send INIT with the plugin's options. @return RC_OK, RC_NOMEM, RC_CLOSED */
int handshake_init(struct runner *runner, const struct plugin *plugin);

/** Read READY, or REFUSED into `err`. @return RC_OK or RC_INVALID */
int handshake_ready(struct wire_frame *frame, struct error *err);

/** Write a LOG frame that came outside of an event to our log. */
void handshake_log(struct wire_frame *frame, const char *plugin);

/** What can go wrong without a word from the runner. */
enum handshake_fault {
    HANDSHAKE_LATE = 0,     /* no answer within PROBE_TIMEOUT_MS */
    HANDSHAKE_NONSENSE = 1, /* what came is no frame, or none of these */
    HANDSHAKE_CLOSED = 2,   /* its socket is closed, and it goes on */
    HANDSHAKE_ENDED = 3,    /* the process has ended */
};

/**
 * Say in `err`, as RC_INVALID, what that tells about the plugin.
 *
 * @param doing   what it was at: "init()"
 * @param status  of one that has ended, as of waitpid()
 */
int handshake_explain(enum handshake_fault fault, const char *doing, int status,
                      struct error *err);

#endif
