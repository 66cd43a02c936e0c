/* core/cli/field.c: members of the API's answers, and printing them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>

#include "command.h"

const char *
field_text(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

/* Numbers of our own documents are kept as their text. */
int64_t
field_number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (cJSON_IsRaw(item)) {
        return strtoll(item->valuestring, NULL, 10);
    }
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

int64_t
field_seconds_us(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    double seconds = cJSON_IsRaw(item)      ? strtod(item->valuestring, NULL)
                     : cJSON_IsNumber(item) ? item->valuedouble
                                            : 0;
    return seconds > 0 && seconds < 1e12 ? (int64_t)(seconds * 1e6 + 0.5) : 0;
}

int
field_true(const cJSON *object, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

const cJSON *
field_list(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsArray(item) ? item->child : NULL;
}

int
field_print(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    if (text == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    puts(text);
    cJSON_free(text);
    return EXIT_OK;
}

int
field_print_each(const cJSON *first)
{
    int code = EXIT_OK;
    for (const cJSON *one = first; one != NULL && code == EXIT_OK;
         one = one->next) {
        code = field_print(one);
    }
    return code;
}
