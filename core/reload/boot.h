/* core/reload/boot.h: the first generation of a process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BOOT_H
#define CORE_BOOT_H

struct error;
struct generation;
struct inbox;

struct boot_settings {
    const char *config_path;
    int quiet;   /* do not print warnings */
    int verbose; /* log level debug */
    int stop_fd; /* when readable, give up; -1 for none */
};

/**
 * From the INI file to a checked generation, with the log and the state folder
 * as it says. All mistakes are printed.
 *
 * @param out  set on success only; held by the caller
 * @return RC_OK; RC_INVALID when the files are wrong, RC_CLOSED when told to
 *         give up, RC_IO, RC_NOMEM
 */
int boot_load(struct generation **out, const struct boot_settings *settings,
              struct error *err);

/**
 * Open the inbox of a generation that may yet give its place to another: until
 * boot_enrol() has said how long events are kept, none is removed.
 */
int boot_open_inbox(struct inbox **out, const struct generation *generation,
                    struct error *err);

/**
 * Record in the inbox, and keep on disk, what is going to serve. That is what
 * was loaded; but when the last thing an operator did was a rollback away from
 * just that, it is what was rolled back to, and takes the place of *generation.
 * @return RC_CLOSED when told to give up, or what the store said
 */
int boot_enrol(struct generation **generation, struct inbox *inbox,
               const struct boot_settings *settings, struct error *err);

#endif
