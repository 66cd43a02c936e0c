/* plugins/forward/settings.h: its options, read and checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_FORWARD_SETTINGS_H
#define PLUGINS_FORWARD_SETTINGS_H

#include <curl/curl.h>
#include <pegboard/plugin.h>

#include "sign.h"

#define SETTINGS_OPTION_COUNT 10

/** For PEG_OPTIONS(). */
extern const peg_option settings_options[SETTINGS_OPTION_COUNT];

/** Text is borrowed from the host, until shutdown(). */
struct settings {
    const char *url;
    peg_str secrets[SIGN_SECRETS_MAX];
    uint32_t secret_count;       /* 0: the header that Stripe sent goes on */
    const char *ca_file;         /* NULL: the system's certificates */
    const char *proxy;           /* "": none */
    struct curl_slist *fields;   /* "Name: value"; owned */
    long timeout_ms, connect_ms; /* each at least 1 */
    int64_t max_retry_after_ms;  /* at least 1 */
};

/**
 * Read all options.
 *
 * @param out  to be ended with settings_fini() in every case
 * @return 0; anything else: peg_error() has been told why not
 */
int settings_read(struct settings *out, peg_ctx *ctx);

void settings_fini(struct settings *settings);

/** Whether these bytes can stand in a header: no control characters, so no
 * second header hides in them. */
int settings_is_field_text(peg_str text);

#endif
