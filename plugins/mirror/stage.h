/* mirror/stage.h: how far along an object is, by its status.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_STAGE_H
#define MIRROR_STAGE_H

/** A number that is higher for a later status; -1 for one that is unknown, or
 * that objects come back to. */
int stage_of(const char *status);

#endif
