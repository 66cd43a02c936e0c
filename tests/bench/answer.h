/* tests/bench/answer.h: reads one HTTP answer as it comes in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_ANSWER_H
#define TESTS_BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#define ANSWER_HEAD_MAX 4096

enum answer_state {
    ANSWER_MORE = 0,    /* not whole yet */
    ANSWER_WHOLE = 1,   /* status, closing and all of the body are known */
    ANSWER_INVALID = 2, /* not HTTP/1.1 as a webhook receiver writes it */
};

/** Begin with answer_reset(). */
struct answer {
    char head[ANSWER_HEAD_MAX + 1]; /* while it comes in; then its NUL */
    size_t head_bytes;
    bool head_done;
    int status;       /* valid once whole */
    bool closing;     /* the server will close the connection */
    bool until_close; /* no length: the end of the connection ends the body */
    size_t body_left; /* else what is still to come */
};

void answer_reset(struct answer *a);

/**
 * Take the next bytes.
 *
 * An answer without Content-Length must come with `Connection: close`; chunked
 * answers are invalid here: no target of the benchmark sends them.
 */
enum answer_state answer_feed(struct answer *a, const char *bytes,
                              size_t count);

/** The connection ended. */
enum answer_state answer_end(const struct answer *a);

#endif
