/* core/plugin/handshake.h: the frames of a runner's start, as the daemon reads
 * and writes them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HANDSHAKE_H
#define CORE_HANDSHAKE_H

struct error;
struct manifest;
struct plugin;
struct runner;
struct wire_frame;

/** Read MANIFEST, or REFUSED into `err`. @return RC_OK, RC_INVALID, RC_NOMEM */
int handshake_manifest(struct wire_frame *frame, struct manifest *out,
                       struct error *err);

/** Send INIT with the plugin's options. @return RC_OK, RC_NOMEM, RC_CLOSED */
int handshake_init(struct runner *runner, const struct plugin *plugin);

/** Read READY, or REFUSED into `err`. @return RC_OK or RC_INVALID */
int handshake_ready(struct wire_frame *frame, struct error *err);

/** Write a LOG frame that came outside of an event to our log. */
void handshake_log(struct wire_frame *frame, const char *plugin);

#endif
