/* core/cli/follow.h: jobs of the daemon, as the API tells of them, and waiting
 * for them. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FOLLOW_H
#define CORE_FOLLOW_H

#include <stdint.h>

struct args;
struct cJSON;
struct client;

/** "/jobs/job_12", and `behind` it, from "job_12" or "12".
 * @return the caller's, to free; NULL when out of memory */
char *follow_path(const char *id, const char *behind);

/** What came of jobs, in deliveries. */
struct follow_sum {
    int64_t total;    /* asked for */
    int64_t moved;    /* ... acted upon */
    int64_t done;     /* of these: ended well */
    int64_t dead;     /* ... dead again */
    int is_cancelled; /* by somebody */
    int is_failed;
};

/** Add a job's figures. */
void follow_add(struct follow_sum *sum, const struct cJSON *job);

/** "316 done, 2 dead". @param room  128 bytes; returned */
const char *follow_text(const struct follow_sum *sum, char *room);

/** Until when to wait for a job. */
enum follow_until {
    FOLLOW_MOVED = 0, /* it has been through all that it is about */
    FOLLOW_ENDED = 1, /* ... and all of these ended; offline nothing does, so
                      there it is the same */
};

/**
 * Show a job's progress until it is so far.
 *
 * @param deadline_ms  monotonic
 * @param job          the job, replaced by how it stands last
 * @return 0, or an exit code; EXIT_TIMED_OUT leaves the job at work
 */
int follow_job(struct client *client, const struct args *args,
               enum follow_until until, int64_t deadline_ms,
               struct cJSON **job);

#endif
