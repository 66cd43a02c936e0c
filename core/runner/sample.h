/* core/runner/sample.h: an event from a file or a text, as the daemon would
 * send it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SAMPLE_H
#define CORE_SAMPLE_H

#include "plugin/wire.h"

struct error; /* error.h */

/** The largest body that can be configured. */
#define SAMPLE_BYTES_MAX (16U << 20)

struct sample {
    struct wire_event facts; /* points into what follows */
    char *body;
    char *texts[7];
};

/**
 * Read the event and its facts.
 *
 * @param out     the caller owns it: sample_fini()
 * @param path    "-" reads standard input
 * @param plugin  name, for the idempotency key
 * @return RC_OK, RC_IO, RC_INVALID (not a Stripe event) or RC_NOMEM
 */
int sample_read(struct sample *out, const char *path, const char *plugin,
                struct error *err);

/** As sample_read(), from the event's JSON. @param text  copied */
int sample_take(struct sample *out, const char *text, const char *plugin,
                struct error *err);

void sample_fini(struct sample *sample);

#endif
