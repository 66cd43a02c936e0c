/* core/runner/tried.h: what one call of handle() came to, as `try` shows it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRIED_H
#define CORE_TRIED_H

#include <stdint.h>
#include <stdio.h>

struct manifest; /* plugin/manifest.h */
struct shelf;    /* runner/shelf.h */
struct store;    /* runner/store.h */

struct tried {
    int32_t code;     /* as returned: PEG_DONE ..., or anything */
    int64_t delay_ms; /* asked for with peg_retry_after(), or -1 */
    int64_t took_us;
    const char *reason; /* "" for none; borrowed */
};

enum tried_form {
    TRIED_TEXT = 0,  /* "retry in 5000 ms: the backend is down (12 us)", and
                        notes */
    TRIED_QUIET = 1, /* without the time, which is never the same */
    TRIED_JSON = 2,
};

/** Print it as one line. */
void tried_print(const struct tried *tried, enum tried_form form, FILE *to);

/** What is wished for: --expect. */
struct tried_wish {
    int32_t code;     /* -1: done or skip */
    int64_t delay_ms; /* -1: any */
};

/** Read "done", "skip", "retry", "fail" or "retry,5s".
 * @return RC_OK or RC_INVALID */
int tried_wish_parse(const char *text, struct tried_wish *out);

/** Whether it came true; if a verdict was named and did not come, that is said
 * on stderr. A number that is no verdict fulfils no wish. */
int tried_is_wished(const struct tried *tried, const struct tried_wish *wish);

/**
 * Keep what a call wrote for the next, or say that nothing is kept; on stderr.
 *
 * @param is_done  whether its verdict was PEG_DONE
 * @return RC_OK; RC_FULL or RC_NOMEM, which is said
 */
int tried_settle(struct shelf *shelf, const struct store *store, int is_done);

/** Say on stderr if a daemon would not give the plugin events of that type,
 * since it does not declare them. */
void tried_note_type(const struct manifest *manifest, const char *type);

#endif
