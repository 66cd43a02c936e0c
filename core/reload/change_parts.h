/* core/reload/change_parts.h: what the files of one change share; private to
 * them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CHANGE_PARTS_H
#define CORE_CHANGE_PARTS_H

#include "inbox/inbox.h"
#include "plugin/supervisor.h"
#include "reload/change.h"

struct change {
    struct change_host *host;
    const struct reload_settings *settings;
    struct reload_answer *answer;
    struct generation *was, *is;    /* both held; `is` NULL before PARSE */
    struct inbox_generation record; /* of `was` */
    struct stage stage;
    int is_staged, is_widened, has_log_file, is_enrolled;
};

/** START: runners of what is new or changed, and new listeners, beside what
 * serves. */
int change_start(struct change *change, struct error *err);

/** End those runners, and wait until they are gone. */
void change_unstart(struct change *change);

/** Why a step was told to give up: RC_CLOSED or RC_TIMEOUT. */
int change_given_up(const struct change *change, struct error *err);

#endif
