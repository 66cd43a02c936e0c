/* core/plugin/held.h: is somebody writing a file?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HELD_H
#define CORE_HELD_H

/** Whether somebody has the file open for writing, as far as one may know: it
 * has to be ours, and on a file system that can tell. 0 when that is not known.
 * @param fd  open for reading only */
int held_for_writing(int fd);

#endif
