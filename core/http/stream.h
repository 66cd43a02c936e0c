/* core/http/stream.h: the tail as server-sent events, for the admin port.
 *
 *   event: arrived | answered | delivered | lost
 *   data: {...}
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include <stdatomic.h>

struct mg_connection;

/** At the same time: each keeps a thread. */
#define STREAMS_MAX 8

/** Silence is never longer than this. */
#define STREAM_ALIVE_MS 15000

struct streams {
    atomic_int count;
    atomic_int stopping; /* set it, and all end */
};

/** Take one of the places. @return 0 when all are taken */
int stream_enter(struct streams *streams);

/** Serve a stream to its end, and give its place back. */
void stream_serve(struct streams *streams, struct mg_connection *conn);

#endif
