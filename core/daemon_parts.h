/* core/daemon_parts.h: what the daemon is made of; private to its two files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DAEMON_PARTS_H
#define CORE_DAEMON_PARTS_H

#include "daemon.h"
#include "notify.h"
#include "plugin/serving.h"
#include "terminal.h"

#include <stdatomic.h>

struct daemon {
    const struct daemon_settings *settings;
    struct serving serving;
    struct inbox *inbox;
    struct supervisor *supervisor;
    struct dispatcher *dispatcher;
    struct api *api;
    struct admin *admin;
    struct server *server;
    struct reload *reload;
    int signals; /* signalfd */
    struct notify notify;
    struct terminal terminal; /* of `dev` */
    atomic_int is_stopping;   /* the service manager has been told */
};

/** Start all, in order. What has been started when it fails is there to be
 * stopped. */
int daemon_start(struct daemon *d, struct error *err);

/** Do the loops turn? Would a post be stored? `arg` is the daemon. */
int daemon_is_live(void *arg);
int daemon_is_ready(void *arg);

#endif
