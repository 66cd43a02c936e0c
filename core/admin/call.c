/* core/admin/call.c: one request being answered.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/call.h"

#include <cjson/cJSON.h>

int
call_failed(struct call *call, int rc, const struct error *err)
{
    if (rc == RC_OK || call->problem.code != PROBLEM_NONE) {
        return rc;
    }
    if (rc == RC_TIMEOUT) {
        problem_set(&call->problem, PROBLEM_QUERY_SLOW,
                    "the inbox was looked through for %d ms without an end",
                    VIEW_LIMIT_MS);
        problem_hint(&call->problem,
                     "narrow the filter, for example by received_after");
    } else if (rc == RC_NOMEM) {
        problem_set(&call->problem, PROBLEM_STORE, "out of memory");
    } else {
        problem_set(&call->problem, PROBLEM_STORE, "%s",
                    err->text[0] != '\0' ? err->text : rc_name(rc));
    }
    return rc;
}

int
call_answer(struct call *call, int status, cJSON *json)
{
    if (json == NULL) {
        return call_failed(call, RC_NOMEM, NULL);
    }
    call->answer->status = status;
    call->answer->json = json;
    return RC_OK;
}
