/* core/runner/sandbox.c: what plugin code may do.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/sandbox.h"

#include "error.h"
#include "plugin/confinement.h"
#include "runner/landlock.h"
#include "runner/process.h"
#include "runner/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- Limits --------------------------------------------------------- */

static int
set_limits(const struct confinement *c, struct error *err)
{
    const struct {
        int resource;
        int64_t most; /* 0: no limit */
    } limits[] = {
        {RLIMIT_NOFILE, c->files},
        {RLIMIT_FSIZE, c->file_bytes},
        {RLIMIT_DATA, c->memory_bytes},
        {RLIMIT_NPROC, c->processes},
    };
    int rc = RC_OK;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (rc == RC_OK && limits[i].most > 0) {
            rc = process_limit(limits[i].resource, (rlim_t)limits[i].most, err);
        }
    }
    return rc == RC_OK && !c->keep_core ? process_limit(RLIMIT_CORE, 0, err)
                                        : rc;
}

/* ---- User ----------------------------------------------------------- */

/* The copy of the .so stands where another user cannot go: keep it open, and
 * load it through that. */
static int
keep_open(struct sandbox_file *file, struct error *err)
{
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return error_errno(err, RC_IO, errno, "%s", file->path);
    }
    snprintf(file->room, sizeof(file->room), "/proc/self/fd/%d", file->fd);
    file->path = file->room;
    return RC_OK;
}

void
sandbox_file_fini(struct sandbox_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

static int
change_user(const struct confinement *c, struct error *err)
{
    uid_t uid = (uid_t)c->uid;
    gid_t gid = (gid_t)c->gid;
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
        return error_errno(err, RC_IO, errno,
                           "cannot become user %u, group %u (it takes "
                           "CAP_SETUID and CAP_SETGID)",
                           (unsigned)uid, (unsigned)gid);
    }
    /* The change cleared it, so that others of this user cannot look into us;
     * but then there is no core either. */
    if (c->keep_core && prctl(PR_SET_DUMPABLE, 1) != 0) {
        return error_errno(err, RC_IO, errno, "PR_SET_DUMPABLE");
    }
    return RC_OK;
}

static int
take_user(const struct confinement *c, int parent_pid,
          struct sandbox_file *file, struct error *err)
{
    if (c->uid < 0) {
        return RC_OK;
    }
    int rc = keep_open(file, err);
    if (rc == RC_OK) {
        rc = change_user(c, err);
    }
    /* The change cleared that too. */
    return rc == RC_OK ? process_die_with(parent_pid, err) : rc;
}

static int
check_data_dir(const struct confinement *c, struct error *err)
{
    if (c->data_dir[0] == '\0' || access(c->data_dir, W_OK | X_OK) == 0) {
        return RC_OK;
    }
    return error_errno(err, RC_INVALID, errno,
                       "data_dir %s is out of reach for user %u, which the "
                       "plugin runs as: give it to that user with chown, and "
                       "let others pass through the folders above it (chmod "
                       "o+x), or write another data_dir",
                       c->data_dir, (unsigned)getuid());
}

/* ---- Denials -------------------------------------------------------- */

/* What this system cannot deny is told, and is an error only when it is
 * required. */
static int
lack(const struct confinement *c, int rc, char *lacking, size_t size,
     struct error *err)
{
    if (rc == RC_NOT_FOUND) {
        size_t len = strlen(lacking);
        snprintf(lacking + len, size - len, "%s%s", len > 0 ? "; " : "",
                 err->text);
        rc = RC_OK;
    }
    if (rc == RC_OK && c->is_required && lacking[0] != '\0') {
        return error_set(err, RC_INVALID,
                         "its sandbox needs what this system cannot deny: %s. "
                         "Take a newer kernel (6.12 can deny all), lower "
                         "sandbox, or set sandbox_required = no",
                         lacking);
    }
    return rc;
}

static int
deny(const struct confinement *c, int parent_pid, const char *path,
     char *lacking, size_t size, struct error *err)
{
    int rc = RC_OK;
    if (c->level >= SANDBOX_FILES) {
        rc = landlock_deny(c, path, lacking, size, err);
        rc = lack(c, rc, lacking, size, err);
    }
    if (rc == RC_OK && c->level >= SANDBOX_BASIC) {
        rc = seccomp_deny(parent_pid, c->level >= SANDBOX_STRICT, err);
        rc = lack(c, rc, lacking, size, err);
    }
    return rc;
}

int
sandbox_apply(const struct confinement *c, int parent_pid,
              struct sandbox_file *file, char *lacking, size_t size,
              struct error *err)
{
    lacking[0] = '\0';
    int rc = set_limits(c, err);
    if (rc == RC_OK) {
        rc = take_user(c, parent_pid, file, err);
    }
    if (rc == RC_OK) {
        rc = check_data_dir(c, err);
    }
    return rc == RC_OK ? deny(c, parent_pid, file->path, lacking, size, err)
                       : rc;
}
