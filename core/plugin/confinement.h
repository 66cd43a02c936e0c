/* core/plugin/confinement.h: what a runner may do, as the daemon decides it and
 * the runner applies it to itself before it loads any plugin code.
 *
 * libc only: this is linked into pegboard-runner.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFINEMENT_H
#define CORE_CONFINEMENT_H

#include <stdint.h>

struct wire_reader;
struct wire_writer;

/** Each level has all of the one before. */
enum sandbox_level {
    SANDBOX_NONE = 0,   /* for debugging */
    SANDBOX_BASIC = 1,  /* no system call that no handler needs */
    SANDBOX_FILES = 2,  /* and only system libraries and its data_dir */
    SANDBOX_STRICT = 3, /* and no network: pure computation */
};

#define CONFINEMENT_PORTS_MAX 16

/** Text is borrowed, from the configuration or from the frame. */
struct confinement {
    uint32_t level;       /* enum sandbox_level */
    uint32_t is_required; /* what the kernel lacks is an error */
    const char *data_dir; /* may be written; "" for none */
    uint32_t port_count;  /* 0: any */
    uint32_t ports[CONFINEMENT_PORTS_MAX]; /* TCP; with SANDBOX_FILES */
    int64_t uid, gid;                      /* -1: stay who we are */
    uint32_t keep_core;                    /* core dumps are wanted */
    int64_t files;                         /* open ones, at most */
    int64_t file_bytes;                    /* largest file it may write */
    int64_t memory_bytes; /* private memory, at most; 0: no limit */
    int64_t processes;    /* of its user, at most; 0: no limit */
};

/** The fields in the order of the struct. */
void confinement_put(struct wire_writer *writer,
                     const struct confinement *confinement);

/** Read them back. @return RC_OK or RC_INVALID */
int confinement_get(struct wire_reader *reader, struct confinement *out);

#endif
