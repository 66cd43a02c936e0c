/* tests/plugins/supervisor_rig.h: a supervisor with generations of fixtures,
 * and real runners. All of it asserts on the way; what a test leaves behind
 * fails it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUPERVISOR_RIG_H
#define TESTS_SUPERVISOR_RIG_H

#include "clock.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/supervisor.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RIG_RUNNERS_MAX     32
#define RIG_PLUGINS_MAX     8
#define RIG_GENERATIONS_MAX 4

struct rig {
    struct supervisor *supervisor;
    struct runner *served[RIG_RUNNERS_MAX]; /* handed over, in order */
    size_t served_count;
    struct generation *generations[RIG_GENERATIONS_MAX]; /* held */
    size_t generation_count;
    struct stage stage;
    struct stage_plugin plugins[RIG_PLUGINS_MAX];
    unsigned done, unstaged; /* calls */
    size_t descriptors;      /* open ones, before */
};

/** Read FIXTURES from the command line. @return 0, or -1 */
int rig_setup(int argc, char **argv);

/** Setup and teardown of one test; `*state` is its rig. */
int rig_open(void **state);
int rig_close(void **state);

/** The supervisor's end is part of a test, or of rig_close(). */
void rig_end(struct rig *rig);

/** A generation of "NAME FIXTURE CONCURRENCY MARK" lines. A plugin with another
 * mark is another plugin. Names have one letter. The rig holds it. */
struct generation *rig_generation(struct rig *rig, const char *lines);

/** The plugin of that name, and its number when it has one. */
const struct plugin *rig_plugin(const struct generation *generation,
                                const char *name);
uint32_t rig_id(const char *name);

/** Give it its numbers, and switch to it. */
void rig_commit(struct rig *rig, struct generation *generation);

/** Stage these plugins ("bc") of it; each call for itself. */
void rig_stage(struct rig *rig, struct generation *generation,
               const char *names);
void rig_unstage(struct rig *rig);

/** ... and turn until that is done. */
void rig_staged(struct rig *rig, struct generation *generation,
                const char *names);

/** Turn it once, when it wants, or after a moment. */
void rig_turn(struct rig *rig);

/** How it is with a plugin; all zero when it is not there. */
struct supervisor_status rig_status(struct rig *rig, const char *name);

/** Kill a runner that was handed over, and give it back. */
void rig_break(struct rig *rig, struct runner *runner);

/** The process of a runner of ours for that plugin, or 0. */
pid_t rig_process(const char *name);

#define RIG_PATIENCE_MS 20000

/** Turn until it is so. */
#define TURN_UNTIL(rig, condition)                                             \
    do {                                                                       \
        int64_t until_ms = clock_mono_ms() + RIG_PATIENCE_MS;                  \
        while (!(condition)) {                                                 \
            if (clock_mono_ms() > until_ms) {                                  \
                fail_msg("in vain: %s", #condition);                           \
            }                                                                  \
            rig_turn(rig);                                                     \
        }                                                                      \
    } while (0)

#endif
