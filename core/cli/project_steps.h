/* core/cli/project_steps.h: what to type once a project is made.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROJECT_STEPS_H
#define CORE_PROJECT_STEPS_H

#include "sdk_place.h"

struct project;

#define PROJECT_STEPS    3
#define PROJECT_STEP_MAX (4 * SDK_PLACE_MAX)

/** Write three commands, each a line of a shell that stands where `pegboard
 * new` did: build it or run its test, serve it, send it an event. */
void project_steps(const struct project *project,
                   char steps[PROJECT_STEPS][PROJECT_STEP_MAX]);

#endif
