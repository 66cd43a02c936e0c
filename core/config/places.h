/* core/config/places.h: the places on disk that a daemon and its plugins write
 * to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PLACES_H
#define CORE_PLACES_H

struct config;
struct config_report; /* report.h */

/**
 * Whether a daemon could write where the configuration says: state_dir is a
 * folder, or can be made, and the log's file can be written. Nothing is made.
 *
 * @param config  may have mistakes; what those concern is passed over
 * @param report  gets every mistake, at the key's line
 * @return RC_OK or RC_INVALID
 */
int places_check(const struct config *config, struct config_report *report);

/** Make the data_dir of each plugin that serves and has one, if it is absent:
 * for its user alone, to whom it is given.
 * @return RC_OK or RC_INVALID, as above */
int places_make(const struct config *config, struct config_report *report);

/** For who only looks: a data_dir that is absent is forgotten, with a warning,
 * since only the daemon can make it as it should be. */
void places_forget(struct config *config, struct config_report *report);

#endif
