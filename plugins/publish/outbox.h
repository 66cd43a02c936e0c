/* plugins/publish/outbox.h: a thread that publishes, and a handler that waits
 * for it no longer than it may.
 *
 * libnats 3.4 waits without a limit when it looks up a name, shakes hands for
 * TLS, expects the first PONG, and sends. A handler must not: the runner would
 * be killed. So all calls that can block are made here, in a thread of their
 * own, and when the time is up the connection is cut.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_OUTBOX_H
#define PUBLISH_OUTBOX_H

#include "broker.h"

struct outbox;

/**
 * Start the thread.
 *
 * @param options  taken over; see setup.h
 * @return NULL when there is no memory or no thread left
 */
struct outbox *outbox_open(const struct broker_setup *setup,
                           natsOptions *options);

/**
 * Publish a message: hand it to the thread and wait for its answer.
 *
 * @param message      taken over
 * @param deadline_ms  of broker_now_ms(). If there is no answer by then, the
 *                     message may be in the stream: a repeat makes that good
 */
void outbox_post(struct outbox *outbox, natsMsg *message, int64_t deadline_ms,
                 struct answer *out);

/** End the thread and free all. @return 0 when it does not end in time: then
 * all stays as it is, in use until the process ends */
int outbox_close(struct outbox *outbox, int64_t patience_ms);

#endif
