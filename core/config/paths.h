/* core/config/paths.h: paths that are relative to the file they stand in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PATHS_H
#define CORE_PATHS_H

/** `path` seen from `dir`; an absolute one stays as it is.
 * @return the caller's, to free; NULL when out of memory */
char *path_join(const char *dir, const char *path);

/** The same, from the root on: it holds wherever one goes. */
char *path_below(const char *dir, const char *path);

/** The folder that the file at `path` stands in; "." for a bare name.
 * @return the caller's, to free; NULL when out of memory */
char *path_folder(const char *path);

/** Whether two paths are the same but for "//", "/./" and a slash at the end.
 * Nothing is looked up, so links are not followed. */
int path_is_same(const char *a, const char *b);

/** Whether `path` is that folder, or something in it, as path_is_same() sees
 * it. */
int path_is_within(const char *path, const char *dir);

/** `path` as people write it in a file in `dir`: without that in front, if that
 * is where it is. Returns a part of `path`. */
const char *path_seen_from(const char *dir, const char *path);

/** The absolute name of a file that may be a link: that stays, since another
 * version comes by swapping it.
 * @return the caller's, to free; NULL with errno */
char *path_absolute(const char *path);

/** The folder of the plugins that come with this program, in an installation or
 * in a build tree.
 * @return the caller's, to free; NULL when there is none */
char *path_shipped(void);

#endif
