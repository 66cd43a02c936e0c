/* core/runner/image.c: a plugin's file, looked at before and after it is
 * loaded. SPDX-License-Identifier: Apache-2.0 */
#include "runner/image.h"

#include "error.h"
#include "plugin/elf.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int
map(struct image *image, int fd, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return error_errno(err, RC_IO, errno, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, RC_INVALID,
                         "%s: not a regular file: name a plugin's .so", path);
    }
    if (st.st_size == 0) {
        return elf_check("", 0, path, err);
    }
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        return error_errno(err, RC_IO, errno, "%s", path);
    }
    image->bytes = at;
    image->len = (size_t)st.st_size;
    return elf_check(image->bytes, image->len, path, err);
}

int
image_open(struct image *out, const char *path, struct error *err)
{
    struct image image = {.bytes = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return error_set(err, RC_NOT_FOUND,
                         "%s: No such file: is it built, and the path right?",
                         path);
    }
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "%s", path);
    }
    int rc = map(&image, fd, path, err);
    close(fd);
    if (rc != RC_OK) {
        image_close(&image);
        return rc;
    }
    elf_facts_read(&image.facts, image.bytes, image.len);
    *out = image;
    return RC_OK;
}

void
image_close(struct image *image)
{
    if (image->bytes != NULL) {
        munmap(image->bytes, image->len);
    }
    *image = (struct image){.bytes = NULL};
}

int
image_judge(const struct image *image, struct error *err)
{
    struct elf_sanitizer sanitizer;
    if (image->facts.is_program) {
        return error_set(err, RC_INVALID,
                         "it is a program, not a shared object: link it with "
                         "-shared instead of -pie");
    }
    if (!elf_sanitizer(&image->facts, &sanitizer) ||
        dlsym(RTLD_DEFAULT, sanitizer.symbol) != NULL) {
        return RC_OK;
    }
    if (sanitizer.library == NULL) {
        return error_set(err, RC_INVALID,
                         "it is built with %s, whose runtime is in no library "
                         "that it needs: link it with -shared-libasan, and "
                         "preload that: pegboard try --preload LIBRARY (clang "
                         "-print-file-name=libclang_rt.asan-x86_64.so tells)",
                         sanitizer.name);
    }
    /* The loader does not look where Clang keeps its own. */
    int is_clang = strncmp(sanitizer.library, "libclang", 8) == 0;
    return error_set(err, RC_INVALID,
                     "it is built with %s, whose runtime must be there before "
                     "it: pegboard try --preload %s%s%s (for a daemon build it "
                     "without)",
                     sanitizer.name,
                     is_clang ? "$(clang -print-file-name=" : "",
                     sanitizer.library, is_clang ? ")" : "");
}
