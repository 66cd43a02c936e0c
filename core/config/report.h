/* core/config/report.h: all mistakes and warnings of one file, in order.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include <stddef.h>
#include <stdio.h>

/** One finding, shown as "file:line: message" (line 0: "file: message"). */
struct config_finding {
    char *file;
    int line;
    int is_warning;
    char *message;
};

/** Zero it to start; end with report_fini(). */
struct config_report {
    struct config_finding *findings;
    size_t count;
    size_t errors; /* findings that are not warnings */
    int out_of_memory;
};

void report_error(struct config_report *report, const char *file, int line,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void report_warning(struct config_report *report, const char *file, int line,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** Print them, sorted by file and line: "file:12: message" for errors,
 * "file:12: warning: message" for warnings. */
void report_print(struct config_report *report, FILE *to);

void report_fini(struct config_report *report);

#endif
