/* core/config/report.c: all mistakes and warnings of one file, in order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A person reads these; whoever made more than this gave the wrong file. */
#define FINDINGS_MAX 500

/* File names and texts come from outside: a terminal must not obey them. */
static void
make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            *text = '?';
        }
    }
}

__attribute__((format(printf, 4, 0))) static int
finding_make(struct config_finding *finding, const char *file, int line,
             const char *fmt, va_list args)
{
    finding->line = line;
    finding->file = strdup(file);
    if (finding->file == NULL) {
        return 0;
    }
    if (vasprintf(&finding->message, fmt, args) < 0) {
        free(finding->file);
        return 0;
    }
    make_printable(finding->file);
    make_printable(finding->message);
    return 1;
}

__attribute__((format(printf, 5, 0))) static void
report_add(struct config_report *report, const char *file, int line,
           int is_warning, const char *fmt, va_list args)
{
    report->errors += !is_warning;
    if (report->count >= FINDINGS_MAX) {
        return;
    }
    struct config_finding *grown =
        realloc(report->findings, (report->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        report->out_of_memory = 1;
        return;
    }
    report->findings = grown;
    struct config_finding *finding = &grown[report->count];
    finding->is_warning = is_warning;
    if (!finding_make(finding, file, line, fmt, args)) {
        report->out_of_memory = 1;
        return;
    }
    report->count++;
}

void
report_error(struct config_report *report, const char *file, int line,
             const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_add(report, file, line, 0, fmt, args);
    va_end(args);
}

void
report_warning(struct config_report *report, const char *file, int line,
               const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_add(report, file, line, 1, fmt, args);
    va_end(args);
}

static int
stands_behind(const struct config_finding *a, const struct config_finding *b)
{
    int order = strcmp(a->file, b->file);
    return order > 0 || (order == 0 && a->line > b->line);
}

/* By insertion: the order within a line stays, and few are out of place. */
static void
report_sort(struct config_report *report)
{
    for (size_t i = 1; i < report->count; i++) {
        struct config_finding moving = report->findings[i];
        size_t to = i;
        while (to > 0 && stands_behind(&report->findings[to - 1], &moving)) {
            report->findings[to] = report->findings[to - 1];
            to--;
        }
        report->findings[to] = moving;
    }
}

void
report_print(struct config_report *report, FILE *to)
{
    report_sort(report);
    size_t errors = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        fputs(finding->file, to);
        if (finding->line > 0) {
            fprintf(to, ":%d", finding->line);
        }
        fprintf(to, ": %s%s\n", finding->is_warning ? "warning: " : "",
                finding->message);
        errors += !finding->is_warning;
    }
    if (report->errors > errors) {
        fprintf(to, "and %zu more errors\n", report->errors - errors);
    }
}

void
report_fini(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].file);
        free(report->findings[i].message);
    }
    free(report->findings);
    memset(report, 0, sizeof(*report));
}
