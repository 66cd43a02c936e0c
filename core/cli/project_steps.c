/* core/cli/project_steps.c: what to type once a project is made.
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_steps.h"

#include "project.h"

#include <stdio.h>
#include <string.h>

/* Build it; or run its test. */
static void
write_first_step(const struct project *project, const char *program, char *step)
{
    const struct project_language *language = project->language;
    char path[2 * SDK_PLACE_MAX], one[SDK_PLACE_MAX], two[SDK_PLACE_MAX];
    char package[SDK_PLACE_MAX];
    if (language->is_built) {
        (void)sdk_place_package(package); /* that there is none is said */
        snprintf(path, sizeof(path), "%s/build", project->folder);
        snprintf(
            step, PROJECT_STEP_MAX, "cmake -S %s -B %s%s%s && cmake --build %s",
            sdk_place_quote(project->folder, one), sdk_place_quote(path, two),
            package[0] != '\0' ? " -DPegboard_DIR=" : "", package, two);
        return;
    }
    int is_in_path = strcmp(program, "pegboard") == 0;
    snprintf(path, sizeof(path), "%s/test.%s", project->folder,
             language->suffix);
    snprintf(step, PROJECT_STEP_MAX, "%s%s%s%s %s",
             is_in_path ? "" : "PEGBOARD=", is_in_path ? "" : program,
             is_in_path ? "" : " ", language->runs, sdk_place_quote(path, one));
}

void
project_steps(const struct project *project,
              char steps[PROJECT_STEPS][PROJECT_STEP_MAX])
{
    const struct project_language *language = project->language;
    char program[SDK_PLACE_MAX], plugin[SDK_PLACE_MAX], path[2 * SDK_PLACE_MAX];
    sdk_place_program(program);
    snprintf(path, sizeof(path), "%s/%s%s.%s", project->folder,
             language->is_built ? "build/" : "", project->name,
             language->is_built ? "so" : language->suffix);
    write_first_step(project, program, steps[0]);
    snprintf(steps[1], PROJECT_STEP_MAX, "%s dev %s", program,
             sdk_place_quote(path, plugin));
    snprintf(steps[2], PROJECT_STEP_MAX, "%s trigger %s", program,
             project->type);
}
