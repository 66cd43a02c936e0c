/* core/admin/readiness.h: would a post be stored now, and what else is not as
 * it should be.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_READINESS_H
#define CORE_READINESS_H

struct api_settings;

struct readiness {
    int is_ready; /* a post would be stored */
    int is_live;  /* the loops turn */
};

void readiness_read(struct readiness *readiness,
                    const struct api_settings *settings);

#endif
