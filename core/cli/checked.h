/* core/cli/checked.h: a generation made only to be looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CHECKED_H
#define CORE_CHECKED_H

struct args;
struct config;
struct config_report;
struct error;
struct generation;

#define CHECKED_DIR_MAX 512

/** A throw-away generation and the folder of its snapshots. */
struct checked {
    struct generation *generation;
    char dir[CHECKED_DIR_MAX];
    int stop_fd; /* of checked_load(): readable when a signal tells us to end */
};

/** Make a folder under $TMPDIR or /tmp, where plugins can be loaded from.
 * @param out  room for CHECKED_DIR_MAX bytes
 * @return RC_OK or RC_IO */
int checked_folder(char *out, struct error *err);

/** Make it from -c or the default file; mistakes are printed. From here on a
 * signal that would end us waits in checked->stop_fd, so that nothing is left
 * behind: then this does not return, and others call checked_die().
 * @param to_serve  also look whether a daemon could write its files
 * @return 0, or the exit code to leave with (and nothing to end) */
int checked_load(struct checked *checked, const struct args *args,
                 int to_serve);

/**
 * Make it from a configuration, which may have mistakes that the report knows.
 *
 * @param config   taken over, also on failure
 * @param stop_fd  when readable, give up; -1 for none
 * @return RC_OK, RC_INVALID when the report holds errors, RC_CLOSED when told
 *         to give up, RC_IO, RC_NOMEM
 */
int checked_make(struct checked *checked, struct config *config, int stop_fd,
                 struct config_report *report, struct error *err);

/** End by the signal in `stop_fd`, all else being done. */
_Noreturn void checked_die(int stop_fd);

void checked_fini(struct checked *checked);

/** Remove a folder of ours and the files in it; no deeper. */
void checked_remove(const char *dir);

#endif
