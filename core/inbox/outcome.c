/* core/inbox/outcome.c: what ends of attempts are called.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/inbox.h"

const char *
inbox_outcome_name(enum inbox_outcome outcome)
{
    switch (outcome) {
    case INBOX_DONE:
        return "done";
    case INBOX_SKIP:
        return "skip";
    case INBOX_RETRY:
        return "retry";
    case INBOX_FAIL:
        return "fail";
    case INBOX_CRASH:
        return "crash";
    case INBOX_TIMEOUT:
        return "timeout";
    case INBOX_LOST:
        return "lost";
    case INBOX_DISCARD:
        return "discard";
    }
    return "unknown";
}
