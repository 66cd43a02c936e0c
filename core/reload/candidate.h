/* core/reload/candidate.h: a generation made from files, at boot and at each
 * reload alike.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CANDIDATE_H
#define CORE_CANDIDATE_H

struct config;
struct config_report;
struct error;
struct generation;
struct inbox;
struct inbox_generation;

/**
 * What the INI file at `path` says now. All mistakes are looked for, also those
 * of plugins when the file has some itself.
 *
 * @param state_dir  where snapshots go
 * @param stop_fd    when readable, give up; -1 for none
 * @param out        set on success only; held by the caller
 * @return RC_OK; RC_INVALID when the report holds errors; RC_CLOSED when told
 *         to give up; RC_IO, RC_NOMEM
 */
int candidate_from_files(struct generation **out, const char *path,
                         const char *state_dir, int stop_fd,
                         struct config_report *report);

/** As candidate_from_files(), from the kept generation of that number. Secrets
 * are read anew.
 * @return ... RC_NOT_FOUND when it is not kept, with `err` */
int candidate_from_archive(struct generation **out, const char *path,
                           const char *state_dir, long long number, int stop_fd,
                           struct config_report *report, struct error *err);

/**
 * Out of descriptors CivetWeb's master thread spins, and a reload has the
 * runners of two generations: have plenty.
 *
 * @return RC_OK, or RC_INVALID when more are needed than the system allows
 */
int candidate_raise_limits(const struct config *config, struct error *err);

/** Have the whole process go by the configuration that serves from now on, in
 * what cannot fail: how long events are kept, what is logged. */
void candidate_serves(const struct config *config, struct inbox *inbox,
                      int verbose);

#endif
