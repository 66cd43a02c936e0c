/* plugins/forward/sign.c: the header Stripe-Signature.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sign.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define MAC_BYTES 32

/* @return 1; 0: OpenSSL failed */
static int
compute(EVP_MAC_CTX *mac, peg_str secret, peg_str head, peg_str body,
        unsigned char out[MAC_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end()};
    size_t len;
    return EVP_MAC_init(mac, (const unsigned char *)secret.ptr, secret.len,
                        params) == 1 &&
           EVP_MAC_update(mac, (const unsigned char *)head.ptr, head.len) ==
               1 &&
           EVP_MAC_update(mac, (const unsigned char *)body.ptr, body.len) ==
               1 &&
           EVP_MAC_final(mac, out, &len, MAC_BYTES) == 1 && len == MAC_BYTES;
}

int
sign_make(char out[SIGN_MAX], const peg_str *secrets, uint32_t count,
          int64_t now_s, peg_str body)
{
    char head[24];
    int head_len = snprintf(head, sizeof(head), "%" PRId64 ".", now_s);
    unsigned char bytes[MAC_BYTES];
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
    int made = mac != NULL;
    int len = snprintf(out, SIGN_MAX, "t=%" PRId64, now_s);
    for (uint32_t n = 0; made && n < count; n++) {
        made = compute(mac, secrets[n], (peg_str){head, (size_t)head_len}, body,
                       bytes);
        len += snprintf(out + len, SIGN_MAX - (size_t)len, ",v1=");
        for (size_t i = 0; made && i < MAC_BYTES; i++) {
            len +=
                snprintf(out + len, SIGN_MAX - (size_t)len, "%02x", bytes[i]);
        }
    }
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return !made;
}
