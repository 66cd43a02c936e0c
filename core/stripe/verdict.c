/* core/stripe/verdict.c: what a check of a signature may find, in words.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/signature.h"

const char *
signature_verdict_name(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_OK:
        return "ok";
    case SIGNATURE_HEADER_MISSING:
        return "header_missing";
    case SIGNATURE_HEADER_MALFORMED:
        return "header_malformed";
    case SIGNATURE_TIMESTAMP_MISSING:
        return "timestamp_missing";
    case SIGNATURE_TIMESTAMP_INVALID:
        return "timestamp_invalid";
    case SIGNATURE_NO_V1:
        return "no_v1";
    case SIGNATURE_MISMATCH:
        return "signature_mismatch";
    case SIGNATURE_TOO_OLD:
        return "timestamp_too_old";
    case SIGNATURE_AHEAD:
        return "timestamp_ahead";
    case SIGNATURE_FAILED:
        return "signature_failed";
    }
    return "?";
}

const char *
signature_verdict_help(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_OK:
        return "The signature is good.";
    case SIGNATURE_HEADER_MISSING:
        return "There is no Stripe-Signature header. Either the sender is not "
               "Stripe, or a proxy removes the header.";
    case SIGNATURE_HEADER_MALFORMED:
        return "There are several Stripe-Signature headers, or one with two "
               "different timestamps. A proxy may have joined two requests.";
    case SIGNATURE_TIMESTAMP_MISSING:
        return "The header has no timestamp (t=...).";
    case SIGNATURE_TIMESTAMP_INVALID:
        return "The header's timestamp is not a plain number of seconds.";
    case SIGNATURE_NO_V1:
        return "The header has no v1 signature. Other schemes, such as v0 in "
               "test mode, are never accepted.";
    case SIGNATURE_MISMATCH:
        return "No v1 signature fits the body and a secret of this endpoint. "
               "Usually the secret belongs to another endpoint, to the other "
               "mode or to the Stripe CLI, or a proxy changed the body.";
    case SIGNATURE_TOO_OLD:
        return "The signature is good, but older than the tolerance. Is the "
               "clock right, or was a stored request sent again?";
    case SIGNATURE_AHEAD:
        return "The signature is good, but its timestamp is further in the "
               "future than the tolerance. Is the clock right?";
    case SIGNATURE_FAILED:
        return "OpenSSL could not compute the signature. Nothing is known of "
               "the request; the fault is on this side.";
    }
    return "?";
}
