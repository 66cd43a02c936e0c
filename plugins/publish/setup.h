/* plugins/publish/setup.h: the plugin's options, read once and checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_SETUP_H
#define PUBLISH_SETUP_H

#include "broker.h"
#include "subject.h"

/** Texts are the host's and live until shutdown; NULL where one is not set. */
struct setup {
    int secure; /* all servers are tls://, else none */
    const char *ca;
    const char *credentials;
    const char *token;
    const char *user;
    const char *password;

    const char *subject;     /* a template: subject.h */
    char cover[SUBJECT_MAX]; /* what broker.create points to */
    int id_is_key;           /* the message's id is the idempotency key */
    int64_t timeout_ms;
    struct broker_setup broker;
};

/** Read the options. No server is asked, neither here nor below: that it is
 * away is no mistake of the configuration.
 * @return 0, or -1 when it was said with peg_error() what is wrong */
int setup_read(struct setup *setup, peg_ctx *ctx);

/** What libnats has to know of them to connect.
 * @return owned by the caller; NULL when it was said what is wrong */
natsOptions *setup_options(const struct setup *setup);

#endif
