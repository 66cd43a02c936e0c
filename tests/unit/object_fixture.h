/* tests/unit/object_fixture.h: the bytes of a whole shared object: of a library
 * that the test itself has loaded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OBJECT_FIXTURE_H
#define TESTS_OBJECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_ROOM (4U << 20)

static char *bytes;
static size_t len;

/* Any will do; the smallest that is always there. Returns 0 or -1. */
static inline int
read_object(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], path[256] = "";
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        char *name = strstr(line, "/");
        if (name != NULL && strstr(name, "libcmocka") != NULL) {
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(name, "\n"),
                     name);
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return -1;
    }
    bytes = malloc(OBJECT_ROOM);
    len = fread(bytes, 1, OBJECT_ROOM, file);
    fclose(file);
    return 0;
}

#endif
