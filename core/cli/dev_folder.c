/* core/cli/dev_folder.c: where a `pegboard dev` keeps its things.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dev_folder.h"

#include "command.h"
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "run-"

#define TRIES 16 /* of making a folder that nobody takes away */

#define TREE_DESCRIPTORS 8 /* that removing a tree may use */

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path); /* what stays is found by the next */
    return 0;
}

static void
remove_tree(const char *path)
{
    nftw(path, remove_entry, TREE_DESCRIPTORS,
         FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A descriptor with the lock of a folder; -1 when another has it, or it is not
 * there, or no longer: whoever removed it had the lock before us. */
static int
lock_folder(const char *path)
{
    struct stat named, locked;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &locked) != 0 ||
        lstat(path, &named) != 0 || named.st_ino != locked.st_ino ||
        named.st_dev != locked.st_dev) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In /tmp anybody can make a folder of that name. */
static int
make_root(struct dev_folder *folder)
{
    struct stat st;
    snprintf(folder->root, sizeof(folder->root), "%s", config_dev_dir());
    if ((mkdir(folder->root, 0700) != 0 && errno != EEXIST) ||
        lstat(folder->root, &st) != 0) {
        return command_error(EXIT_FAILED, "cannot make %s: %s", folder->root,
                             strerror(errno));
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        return command_error(EXIT_REFUSED,
                             "%s is not a folder that only you can open: "
                             "remove it, or set XDG_RUNTIME_DIR",
                             folder->root);
    }
    return EXIT_OK;
}

static void
remove_told(const struct dev_folder *folder)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/" DEV_FOLDER_TOLD, folder->root);
    unlink(path);
}

/* What those left behind that were killed. */
static void
sweep(const struct dev_folder *folder)
{
    struct dirent *entry;
    DIR *root = opendir(folder->root);
    while (root != NULL && (entry = readdir(root)) != NULL) {
        char path[PATH_MAX + NAME_MAX];
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", folder->root, entry->d_name);
        int lock = lock_folder(path);
        if (lock >= 0) {
            remove_tree(path);
            close(lock);
        }
    }
    if (root != NULL) {
        closedir(root);
    }
}

/* Until we have its lock another may take it for a leftover. */
static int
make_ours(struct dev_folder *folder)
{
    for (int i = 0; i < TRIES && folder->lock < 0; i++) {
        snprintf(folder->path, sizeof(folder->path), "%.*s/" PREFIX "XXXXXX",
                 (int)(sizeof(folder->path) - 16), folder->root);
        if (mkdtemp(folder->path) == NULL) {
            int saved = errno;
            folder->path[0] = '\0';
            return command_error(EXIT_FAILED, "cannot make a folder in %s: %s",
                                 folder->root, strerror(saved));
        }
        folder->lock = lock_folder(folder->path);
    }
    return folder->lock >= 0
               ? EXIT_OK
               : command_error(EXIT_FAILED, "cannot lock %s", folder->path);
}

int
dev_folder_make(struct dev_folder *folder)
{
    *folder = (struct dev_folder){.root_lock = -1, .lock = -1};
    int code = make_root(folder);
    if (code != EXIT_OK) {
        return code;
    }
    folder->root_lock = lock_folder(folder->root);
    if (folder->root_lock >= 0) {
        remove_told(folder);
    }
    sweep(folder);
    return make_ours(folder);
}

void
dev_folder_remove(struct dev_folder *folder)
{
    if (folder->root_lock >= 0) {
        remove_told(folder);
        close(folder->root_lock);
    }
    if (folder->path[0] != '\0') {
        remove_tree(folder->path);
    }
    if (folder->lock >= 0) {
        close(folder->lock);
    }
}
