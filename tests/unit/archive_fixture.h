/* tests/unit/archive_fixture.h: generations made by hand, with plugins that are
 * a few letters each, to be kept in ./state.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ARCHIVE_FIXTURE_H
#define TESTS_ARCHIVE_FIXTURE_H

#include "config_fixture.h"

#include "plugin/archive.h"
#include "plugin/generation.h"
#include "stripe/digest.h"

#define STATE "state"

/** A generation of up to four plugins; all in one piece, nothing to free. */
struct made {
    struct generation generation;
    struct config config;
    struct config_plugin sections[4];
    struct plugin plugins[4];
    char text[64];
};

static inline void
path_of(char path[PATH_MAX], const char *content)
{
    unsigned char sum[DIGEST_BYTES];
    char digest[DIGEST_HEX_ROOM];
    assert_int_equal(digest_sha256(content, strlen(content), sum, NULL), RC_OK);
    snprintf(path, PATH_MAX, STATE "/plugins/%s.so", digest_hex(sum, digest));
}

/** Its plugins' names and contents: "a=one b=two". Snapshots are written. */
static inline void
make(struct made *made, const char *text, const char *plugins)
{
    char copy[256], path[PATH_MAX], *rest = copy;
    memset(made, 0, sizeof(*made));
    snprintf(made->text, sizeof(made->text), "%s", text);
    made->config.text = made->text;
    made->config.text_len = strlen(text);
    made->generation.config = &made->config;
    made->generation.plugins = made->plugins;
    snprintf(copy, sizeof(copy), "%s", plugins);
    mkdir(STATE, 0700);
    mkdir(STATE "/plugins", 0700);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        char *content = strchr(word, '=');
        if (content == NULL) {
            continue;
        }
        *content++ = '\0';
        size_t i = made->generation.plugin_count++;
        snprintf(made->sections[i].name, sizeof(made->sections[i].name), "%s",
                 word);
        made->plugins[i].config = &made->sections[i];
        path_of(path, content);
        write_file(path, 0444, content);
        snprintf(made->plugins[i].snapshot.digest, SNAPSHOT_DIGEST_MAX, "%.64s",
                 strrchr(path, '/') + 1);
    }
}

static inline void
keep(long long number, const char *text, const char *plugins)
{
    struct made made;
    struct error err = {0};
    make(&made, text, plugins);
    assert_int_equal(archive_keep(STATE, number, &made.generation, &err),
                     RC_OK);
}

static inline int
exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline int
has_copy(const char *content)
{
    char path[PATH_MAX];
    path_of(path, content);
    return exists(path);
}

#endif
