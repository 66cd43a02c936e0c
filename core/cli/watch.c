/* core/cli/watch.c: says when plugins' files have been rebuilt.
 * SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include "built.h"
#include "clock.h"
#include "error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not IN_ATTRIB: whoever touches a file changes none of its bytes. */
#define FOLDER_GONE (IN_DELETE_SELF | IN_MOVE_SELF)
#define EVENTS                                                                 \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |    \
     FOLDER_GONE | IN_ONLYDIR)

/* A folder that is gone is looked for this often: a build folder that was
 * removed comes back with the next build. */
#define LOST_MS 500

#define LINKS_MAX 40 /* as many as the kernel follows */

/* What we were asked to watch. */
struct place {
    char *path;
    int is_folder;
    int is_lost;  /* a folder on the way to it is not there */
    int is_dirty; /* something happened there since we looked */
    unsigned char digest[DIGEST_BYTES]; /* told, or there from the start */
    unsigned char seen[DIGEST_BYTES];
};

/* A name in a watched folder that matters to a place. */
struct name {
    struct place *place;
    int folder;              /* inotify's number of it */
    char base[NAME_MAX + 1]; /* "" for every plugin file */
};

struct names {
    struct name *items;
    size_t count;
};

struct watch {
    int fd;
    struct place *places;
    size_t place_count;
    struct names names;
    /* Monotonic; INT64_MAX for none. */
    int64_t quiet_ms;  /* when it will have been quiet long enough */
    int64_t latest_ms; /* ... and no later than this */
    int64_t lost_ms;   /* when to look for lost folders again */
};

/* ---- Which names matter --------------------------------------------- */

static int
names_have(const struct names *names, int folder)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].folder == folder) {
            return 1;
        }
    }
    return 0;
}

static int
names_push(struct names *names, struct place *place, int folder,
           const char *base)
{
    struct name *items =
        realloc(names->items, (names->count + 1) * sizeof(*items));
    if (items == NULL) {
        return RC_NOMEM;
    }
    names->items = items;
    struct name *name = &items[names->count++];
    name->place = place;
    name->folder = folder;
    snprintf(name->base, sizeof(name->base), "%s", base);
    return RC_OK;
}

/* Watch a folder for one name in it. */
static int
add_name(const struct watch *watch, struct names *names, struct place *place,
         const char *folder, const char *base)
{
    int number = inotify_add_watch(watch->fd, folder, EVENTS);
    if (number < 0) {
        place->is_lost = 1;
        return errno == ENOMEM || errno == ENOSPC ? RC_IO : RC_OK;
    }
    return names_push(names, place, number, base);
}

/* Watch the names on the way from `path` to the file, one for each link. The
 * folder is watched before the link in it is read, so that no swap is missed.*/
static int
follow(const struct watch *watch, struct names *names, struct place *place)
{
    char at[PATH_MAX], folder[PATH_MAX], to[PATH_MAX];
    snprintf(at, sizeof(at), "%s", place->path);
    for (int i = 0; i < LINKS_MAX; i++) {
        char *slash = strrchr(at, '/');
        snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - at), at);
        int rc = add_name(watch, names, place, folder, slash + 1);
        if (rc != RC_OK || place->is_lost) {
            return rc;
        }
        ssize_t len = readlink(at, to, sizeof(to) - 1);
        if (len <= 0) {
            return RC_OK; /* no link: the file, or nothing yet */
        }
        to[len] = '\0';
        if ((size_t)snprintf(at, sizeof(at), "%s%s", to[0] == '/' ? "" : folder,
                             to) >= sizeof(at)) {
            return RC_OK; /* the kernel will not follow it either */
        }
    }
    return RC_OK;
}

/* Find out anew which names matter, and forget the others. `found` says whether
 * a place that was lost is there again. */
static int
arm(struct watch *watch, int *found)
{
    struct names names = {0};
    int rc = RC_OK;
    int is_any_lost = 0;
    *found = 0;
    for (size_t i = 0; i < watch->place_count; i++) {
        struct place *place = &watch->places[i];
        int was_lost = place->is_lost;
        place->is_lost = 0;
        int done = place->is_folder
                       ? add_name(watch, &names, place, place->path, "")
                       : follow(watch, &names, place);
        rc = rc == RC_OK ? done : rc;
        if (was_lost && !place->is_lost) {
            place->is_dirty = *found = 1;
        }
        is_any_lost |= place->is_lost;
    }
    for (size_t i = 0; i < watch->names.count; i++) {
        int folder = watch->names.items[i].folder;
        if (!names_have(&names, folder)) {
            inotify_rm_watch(watch->fd, folder); /* gone itself, or ours */
        }
    }
    free(watch->names.items);
    watch->names = names;
    watch->lost_ms = is_any_lost ? clock_mono_ms() + LOST_MS : INT64_MAX;
    return rc;
}

/* ---- What happened -------------------------------------------------- */

static int
concerns(const struct name *name, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        return 1; /* we were not told of everything */
    }
    if (name->folder != event->wd) {
        return 0;
    }
    if ((event->mask & (FOLDER_GONE | IN_IGNORED)) != 0) {
        return 1;
    }
    const char *base = event->len > 0 ? event->name : "";
    return name->base[0] != '\0' ? strcmp(name->base, base) == 0
                                 : built_is_plugin(base);
}

/* Take what inotify has; say whether some of it concerns us. */
static int
take_events(struct watch *watch)
{
    _Alignas(struct inotify_event) char room[4096];
    ssize_t len;
    int is_any = 0;
    while ((len = read(watch->fd, room, sizeof(room))) > 0) {
        const struct inotify_event *event;
        for (ssize_t at = 0; at < len;
             at += (ssize_t)(sizeof(*event) + event->len)) {
            event = (const void *)(room + at);
            for (size_t i = 0; i < watch->names.count; i++) {
                struct name *name = &watch->names.items[i];
                if (concerns(name, event)) {
                    name->place->is_dirty = is_any = 1;
                }
            }
        }
    }
    return is_any;
}

/* ---- What is there -------------------------------------------------- */

static enum built
look(struct place *place)
{
    return place->is_folder ? built_look_folder(place->path, place->seen)
                            : built_look(place->path, place->seen);
}

/* Whether all that is there can be judged. */
static int
is_settled(struct watch *watch, int is_late)
{
    int settled = 1;
    for (size_t i = 0; i < watch->place_count; i++) {
        struct place *place = &watch->places[i];
        if (!place->is_dirty) {
            continue;
        }
        switch (look(place)) {
        case BUILT_ABSENT: /* when it comes back, that is an event */
            place->is_dirty = 0;
            break;
        case BUILT_PARTLY:
            settled = settled && is_late;
            break;
        case BUILT_WHOLE:
            break;
        }
    }
    return settled;
}

/* Whether bytes have changed; from now on these are the known ones. */
static int
compare(struct watch *watch)
{
    int differs = 0;
    for (size_t i = 0; i < watch->place_count; i++) {
        struct place *place = &watch->places[i];
        if (place->is_dirty &&
            memcmp(place->digest, place->seen, DIGEST_BYTES) != 0) {
            memcpy(place->digest, place->seen, DIGEST_BYTES);
            differs = 1;
        }
        place->is_dirty = 0;
    }
    return differs;
}

int
watch_turn(struct watch *watch)
{
    int64_t now_ms = clock_mono_ms();
    int happened = take_events(watch);
    if (happened || watch->lost_ms <= now_ms) {
        int found;
        (void)arm(watch, &found); /* what cannot be watched is tried again */
        happened |= found;
    }
    if (happened) {
        watch->quiet_ms = now_ms + WATCH_QUIET_MS;
        if (watch->latest_ms == INT64_MAX) {
            watch->latest_ms = now_ms + WATCH_LATEST_MS;
        }
    }
    int is_late = watch->latest_ms <= now_ms;
    if (!is_late && watch->quiet_ms > now_ms) {
        return 0;
    }
    if (!is_settled(watch, is_late)) {
        watch->quiet_ms = now_ms + WATCH_QUIET_MS;
        return 0;
    }
    watch->quiet_ms = watch->latest_ms = INT64_MAX;
    return compare(watch);
}

/* ---- Its life ------------------------------------------------------- */

int
watch_fd(const struct watch *watch)
{
    return watch->fd;
}

int64_t
watch_deadline_ms(const struct watch *watch)
{
    int64_t due_ms =
        watch->quiet_ms < watch->latest_ms ? watch->quiet_ms : watch->latest_ms;
    return watch->lost_ms < due_ms ? watch->lost_ms : due_ms;
}

static int
add_place(struct watch *watch, const char *path)
{
    struct stat st;
    struct place *place = &watch->places[watch->place_count];
    place->path = strdup(path);
    if (place->path == NULL) {
        return RC_NOMEM;
    }
    place->is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    watch->place_count++;
    return RC_OK;
}

int
watch_open(struct watch **out, const char *const *paths, size_t count,
           struct error *err)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return error_set(err, RC_NOMEM, "watch: out of memory");
    }
    watch->quiet_ms = watch->latest_ms = watch->lost_ms = INT64_MAX;
    watch->places = calloc(count, sizeof(*watch->places));
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int rc = watch->fd >= 0 ? RC_OK : RC_IO;
    for (size_t i = 0; i < count && rc == RC_OK; i++) {
        rc = watch->places != NULL ? add_place(watch, paths[i]) : RC_NOMEM;
    }
    int found;
    if (rc == RC_OK) {
        rc = arm(watch, &found);
    }
    if (rc != RC_OK) {
        watch_close(watch);
        return error_set(err, rc,
                         "cannot watch files: too many are watched already "
                         "(fs.inotify.max_user_instances, max_user_watches)");
    }
    for (size_t i = 0; i < watch->place_count; i++) {
        look(&watch->places[i]);
        watch->places[i].is_dirty = 1;
    }
    (void)compare(watch);
    *out = watch;
    return RC_OK;
}

void
watch_close(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    for (size_t i = 0; i < watch->place_count; i++) {
        free(watch->places[i].path);
    }
    free(watch->places);
    free(watch->names.items);
    if (watch->fd >= 0) {
        close(watch->fd);
    }
    free(watch);
}
