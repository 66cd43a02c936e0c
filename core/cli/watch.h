/* core/cli/watch.h: says when plugins' files have been rebuilt.
 *
 * Linkers unlink and create, editors of deployments rename, copy over, or swap
 * a link: so the folders are watched, of the names given and of all that they
 * link to. What happened is not believed but looked at: once it has been quiet
 * for a while and the files are whole, their bytes are compared with those that
 * were there before.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct watch; /* opaque */

/** Quiet for this long: whoever wrote may be done. */
#define WATCH_QUIET_MS 150

/** A file that is not whole by then is no longer waited for. */
#define WATCH_LATEST_MS 3000

/**
 * Begin to watch. What is there now is what changes are told against.
 *
 * @param paths  absolute; of files, or of folders, whose plugin files count
 * @param out    set on success only; end with watch_close()
 * @return RC_OK, RC_IO, RC_NOMEM
 */
int watch_open(struct watch **out, const char *const *paths, size_t count,
               struct error *err);

/** A descriptor that is readable when watch_turn() has work. */
int watch_fd(const struct watch *watch);

/** Monotonic time at which watch_turn() wants to be called at the latest;
 * INT64_MAX for none. */
int64_t watch_deadline_ms(const struct watch *watch);

/** Look at what is due. Never blocks.
 * @return 1 when bytes differ from those at the last 1 (or at the start); a
 *         file that is gone is not news, it may be about to come back */
int watch_turn(struct watch *watch);

/** Accepts NULL. */
void watch_close(struct watch *watch);

#endif
