/* plugins/forward/sign.h: the header Stripe-Signature.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_FORWARD_SIGN_H
#define PLUGINS_FORWARD_SIGN_H

#include <pegboard/plugin.h>

#define SIGN_SECRETS_MAX                                                       \
    2                /* the new one, and the one it takes the place of         \
                      */
#define SIGN_MAX 160 /* bytes of a value, with its NUL */

/**
 * Make "t=...,v1=...", with a v1 for each secret: HMAC-SHA-256 over the time, a
 * dot and the body; the key is the whole secret, "whsec_" included.
 * Source: Stripe docs, "Verify webhook signatures manually".
 *
 * @param count  of secrets, at most SIGN_SECRETS_MAX
 * @param now_s  seconds since 1970 UTC
 * @return 0; anything else: OpenSSL failed
 */
int sign_make(char out[SIGN_MAX], const peg_str *secrets, uint32_t count,
              int64_t now_s, peg_str body);

#endif
