/* tests/unit/config_fixture.h: a fresh folder as working directory, with files
 * in it, and what loading a configuration there has to say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/report.h"
#include "error.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Enough for everything else to be good. */
#define ENDPOINT "[endpoint main]\nsecrets = file:secret\n"

static char fixture_origin[PATH_MAX]; /* where the test was started */
static char fixture_folder[64];

static inline void
write_bytes(const char *path, mode_t mode, const char *bytes, size_t len)
{
    (void)unlink(path); /* one before it may be read-only */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0); /* whatever the umask is */
    close(fd);
}

static inline void
write_file(const char *path, mode_t mode, const char *text)
{
    write_bytes(path, mode, text, strlen(text));
}

static inline int
enter_folder(void **state)
{
    (void)state;
    snprintf(fixture_folder, sizeof(fixture_folder),
             "/tmp/pegboard-test-XXXXXX");
    if (getcwd(fixture_origin, sizeof(fixture_origin)) == NULL ||
        mkdtemp(fixture_folder) == NULL || chdir(fixture_folder) != 0) {
        return -1;
    }
    write_file("secret", 0600, "whsec_fixture\n");
    return mkdir("plugins", 0755);
}

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int
leave_folder(void **state)
{
    (void)state;
    if (chdir(fixture_origin) != 0) {
        return -1;
    }
    return nftw(fixture_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A test in a folder of its own. */
#define FOLDER_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

/* Load t.ini; returns the report as it is printed, to be freed. */
static inline char *
load_file(struct config **config, int *rc)
{
    struct config_report report = {0};
    *config = NULL;
    *rc = config_load(config, "t.ini", &report);
    assert_true(*rc == RC_OK ? report.errors == 0 : report.errors > 0);
    assert_true((*config != NULL) == (*rc == RC_OK));

    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    report_print(&report, stream);
    fclose(stream);
    report_fini(&report);
    return text;
}

/* The text is a bad file, with exactly these findings. */
static inline void
assert_refused_bytes(const char *text, size_t len, const char *findings)
{
    write_bytes("t.ini", 0600, text, len);
    struct config *config;
    int rc;
    char *printed = load_file(&config, &rc);
    assert_string_equal(printed, findings);
    assert_int_equal(rc, RC_INVALID);
    free(printed);
}

static inline void
assert_refused(const char *text, const char *findings)
{
    assert_refused_bytes(text, strlen(text), findings);
}

/* The text is a good file, with these warnings; config_close() the result. */
static inline struct config *
assert_loads_with(const char *text, const char *warnings)
{
    write_file("t.ini", 0600, text);
    struct config *config;
    int rc;
    char *printed = load_file(&config, &rc);
    assert_string_equal(printed, warnings);
    assert_int_equal(rc, RC_OK);
    free(printed);
    return config;
}

static inline struct config *
assert_loads(const char *text)
{
    return assert_loads_with(text, "");
}

#endif
