/* sdk/testing/log.c: what the plugin logged.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>

void
kit_log(void *arg, int32_t level, const char *text, size_t len)
{
    pegt_host *host = arg;
    pthread_mutex_lock(&host->lock);
    host->lines = kit_need(
        realloc(host->lines, (host->line_count + 1) * sizeof(*host->lines)));
    host->lines[host->line_count++] =
        (struct kit_line){level, kit_need(strndup(text, len))};
    pthread_mutex_unlock(&host->lock);
}

const char *
kit_last_error(pegt_host *host)
{
    const char *text = "";
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->line_count; i++) {
        if (host->lines[i].level == PEG_LOG_ERROR) {
            text = host->lines[i].text;
        }
    }
    pthread_mutex_unlock(&host->lock);
    return text;
}

/* The line, or one that stands for none. */
static struct kit_line
line_at(pegt_host *host, size_t index)
{
    struct kit_line line = {-1, NULL};
    pthread_mutex_lock(&host->lock);
    if (index < host->line_count) {
        line = host->lines[index];
    }
    pthread_mutex_unlock(&host->lock);
    return line;
}

size_t
pegt_log_count(pegt_host *host)
{
    pthread_mutex_lock(&host->lock);
    size_t count = host->line_count;
    pthread_mutex_unlock(&host->lock);
    return count;
}

const char *
pegt_log_text(pegt_host *host, size_t index)
{
    const char *text = line_at(host, index).text;
    return text == NULL ? "" : text;
}

int32_t
pegt_log_level(pegt_host *host, size_t index)
{
    return line_at(host, index).level;
}

size_t
pegt_logged(pegt_host *host, int32_t level, const char *part)
{
    size_t found = 0;
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->line_count; i++) {
        found += host->lines[i].level == level &&
                 strstr(host->lines[i].text, part) != NULL;
    }
    pthread_mutex_unlock(&host->lock);
    return found;
}

void
pegt_log_clear(pegt_host *host)
{
    pthread_mutex_lock(&host->lock);
    while (host->line_count > 0) {
        free(host->lines[--host->line_count].text);
    }
    free(host->lines);
    host->lines = NULL;
    pthread_mutex_unlock(&host->lock);
}
