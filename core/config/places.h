/* core/config/places.h: the places on disk that a daemon writes to.
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

#endif
