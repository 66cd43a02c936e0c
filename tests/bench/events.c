/* tests/bench/events.c: signed webhook requests, made before the clock starts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_BYTES  4096
#define HEAD_MAX    1024
#define MAC_BYTES   32
#define TAIL_CHARS  22 /* of an id, behind "evt_3T" */
#define DIGITS      11 /* 62^11 is more than 2^64 */
#define STAMP_CHARS 10 /* of a time in seconds */

/* Holds the place of the 22 characters in which ids differ. */
#define TAIL "######################"
#define ZEROS_64                                                               \
    "00000000000000000000000000000000"                                         \
    "00000000000000000000000000000000"

struct events {
    char request[HEAD_MAX + BODY_BYTES]; /* the template */
    size_t request_bytes;
    size_t mac_at, event_tail_at, object_tail_at; /* offsets in `request` */
    char stamp[STAMP_CHARS + 1];                  /* the signed time */
    uint64_t first_ns, salt;                      /* what ids are made of */
    size_t count;
    unsigned char (*macs)[MAC_BYTES];
};

/* An apostrophe stands for a quotation mark, for the reader's sake. Arguments:
 * created, created, filler. */
static const char body_format[] =
    "{\n"
    "  'id': 'evt_3T" TAIL "',\n"
    "  'object': 'event',\n"
    "  'api_version': '2026-10-28.endive',\n"
    "  'created': %s,\n"
    "  'data': {\n"
    "    'object': {\n"
    "      'id': 'pi_3T" TAIL "',\n"
    "      'object': 'payment_intent',\n"
    "      'amount': 12900,\n"
    "      'amount_capturable': 0,\n"
    "      'amount_details': {\n"
    "        'shipping': {\n"
    "          'amount': 490,\n"
    "          'from_postal_code': null,\n"
    "          'to_postal_code': '10115'\n"
    "        },\n"
    "        'tip': {}\n"
    "      },\n"
    "      'amount_received': 12900,\n"
    "      'application': null,\n"
    "      'application_fee_amount': null,\n"
    "      'automatic_payment_methods': {\n"
    "        'allow_redirects': 'always',\n"
    "        'enabled': true\n"
    "      },\n"
    "      'canceled_at': null,\n"
    "      'cancellation_reason': null,\n"
    "      'capture_method': 'automatic_async',\n"
    "      'client_secret': null,\n"
    "      'confirmation_method': 'automatic',\n"
    "      'created': %s,\n"
    "      'currency': 'eur',\n"
    "      'customer': 'cus_BenchCustomer01',\n"
    "      'description': 'Order 20417 of the bench shop: %s',\n"
    "      'excluded_payment_method_types': null,\n"
    "      'last_payment_error': null,\n"
    "      'latest_charge': 'ch_3TBenchCharge00000000001',\n"
    "      'livemode': false,\n"
    "      'metadata': {\n"
    "        'basket': 'b-77120-aa41',\n"
    "        'campaign': 'spring \\u2013 second mailing',\n"
    "        'order_id': '20417',\n"
    "        'shop': 'bench.example'\n"
    "      },\n"
    "      'next_action': null,\n"
    "      'on_behalf_of': null,\n"
    "      'payment_method': 'pm_1TBenchMethod00000000001',\n"
    "      'payment_method_configuration_details': {\n"
    "        'id': 'pmc_1TBenchConfig0000000001',\n"
    "        'parent': null\n"
    "      },\n"
    "      'payment_method_options': {\n"
    "        'card': {\n"
    "          'installments': null,\n"
    "          'mandate_options': null,\n"
    "          'network': null,\n"
    "          'request_three_d_secure': 'automatic'\n"
    "        },\n"
    "        'klarna': {\n"
    "          'preferred_locale': null\n"
    "        },\n"
    "        'link': {\n"
    "          'persistent_token': null\n"
    "        },\n"
    "        'sepa_debit': {\n"
    "          'mandate_options': {}\n"
    "        }\n"
    "      },\n"
    "      'payment_method_types': [\n"
    "        'card',\n"
    "        'klarna',\n"
    "        'link',\n"
    "        'sepa_debit'\n"
    "      ],\n"
    "      'processing': null,\n"
    "      'receipt_email': 'buyer@bench.example',\n"
    "      'review': null,\n"
    "      'setup_future_usage': 'off_session',\n"
    "      'shipping': {\n"
    "        'address': {\n"
    "          'city': 'Berlin',\n"
    "          'country': 'DE',\n"
    "          'line1': 'Musterstra\\u00dfe 12',\n"
    "          'line2': null,\n"
    "          'postal_code': '10115',\n"
    "          'state': null\n"
    "        },\n"
    "        'carrier': 'parcel',\n"
    "        'name': 'Bench Buyer',\n"
    "        'phone': null,\n"
    "        'tracking_number': null\n"
    "      },\n"
    "      'source': null,\n"
    "      'statement_descriptor': null,\n"
    "      'statement_descriptor_suffix': null,\n"
    "      'status': 'succeeded',\n"
    "      'transfer_data': null,\n"
    "      'transfer_group': null\n"
    "    }\n"
    "  },\n"
    "  'livemode': false,\n"
    "  'pending_webhooks': 1,\n"
    "  'request': {\n"
    "    'id': 'req_BenchRequest01',\n"
    "    'idempotency_key': '4d1c1f0e-6a0f-4a55-9b0e-0c5d7f6b2a10'\n"
    "  },\n"
    "  'type': 'payment_intent.succeeded'\n"
    "}";

/* The body without ids, brought to its size by the description. */
static int
make_body(const struct events *events, char body[BODY_BYTES + 1])
{
    char filler[BODY_BYTES] = "";
    int bare = snprintf(NULL, 0, body_format, events->stamp, events->stamp, "");
    if (bare > 0 && bare < BODY_BYTES) {
        memset(filler, '.', (size_t)(BODY_BYTES - bare));
    }
    int bytes = snprintf(body, BODY_BYTES + 1, body_format, events->stamp,
                         events->stamp, filler);
    if (bytes != BODY_BYTES) {
        fprintf(stderr, "load: the event is larger than %d\n", BODY_BYTES);
        return -1;
    }
    for (char *c = body; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    return 0;
}

static size_t
offset_of(const struct events *events, const char *text, size_t from)
{
    const char *at = strstr(events->request + from, text);
    return (size_t)(at - events->request);
}

static int
make_template(struct events *events, const struct events_plan *plan)
{
    char body[BODY_BYTES + 1];
    if (make_body(events, body) != 0) {
        return -1;
    }
    int bytes = snprintf(
        events->request, sizeof(events->request),
        "POST %s HTTP/1.1\r\n"
        "Host: %s\r\n"
        "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        "Accept: */*; q=0.5, application/xml\r\n"
        "Accept-Encoding: gzip\r\n"
        "Cache-Control: no-cache\r\n"
        "Content-Length: %d\r\n"
        "Stripe-Signature: t=%s,v1=" ZEROS_64 "\r\n"
        "%s\r\n%s",
        plan->path, plan->host, BODY_BYTES, events->stamp,
        plan->close ? "Connection: close\r\n" : "", body);
    if (bytes < 0 || (size_t)bytes >= sizeof(events->request)) {
        fprintf(stderr, "load: the URL is too long\n");
        return -1;
    }
    events->request_bytes = (size_t)bytes;
    events->mac_at = offset_of(events, ZEROS_64, 0);
    events->event_tail_at = offset_of(events, TAIL, events->mac_at);
    events->object_tail_at =
        offset_of(events, TAIL, events->event_tail_at + TAIL_CHARS);
    return 0;
}

/* Spreads consecutive numbers over all 64 bits (the splitmix64 finisher). */
static uint64_t
mixed(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

static void
write_base62(char out[DIGITS], uint64_t value)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    for (int i = DIGITS - 1; i >= 0; i--) {
        out[i] = digits[value % 62];
        value /= 62;
    }
}

/* Time first, as in Stripe's ids, then what looks random. Events are a
 * microsecond apart: no target takes them faster, so runs do not overlap. */
static void
write_tails(const struct events *events, size_t number, char *request)
{
    char tail[TAIL_CHARS];
    write_base62(tail, events->first_ns + number * 1000U);
    write_base62(tail + DIGITS, mixed(events->salt + number));
    memcpy(request + events->event_tail_at, tail, TAIL_CHARS);
    memcpy(request + events->object_tail_at, tail, TAIL_CHARS);
}

static EVP_MAC_CTX *
keyed_mac(const char *secret)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context holds its own reference */

    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    const unsigned char *key = (const unsigned char *)secret;
    if (mac == NULL || EVP_MAC_init(mac, key, strlen(secret), params) != 1) {
        EVP_MAC_CTX_free(mac);
        return NULL;
    }
    return mac;
}

/* Signs the event that stands in the template. */
static int
sign(const struct events *events, EVP_MAC_CTX *mac, unsigned char *out)
{
    const char *body = events->request + events->request_bytes - BODY_BYTES;
    size_t written = 0;
    int ok =
        EVP_MAC_init(mac, NULL, 0, NULL) == 1 &&
        EVP_MAC_update(mac, (const unsigned char *)events->stamp,
                       STAMP_CHARS) == 1 &&
        EVP_MAC_update(mac, (const unsigned char *)".", 1) == 1 &&
        EVP_MAC_update(mac, (const unsigned char *)body, BODY_BYTES) == 1 &&
        EVP_MAC_final(mac, out, &written, MAC_BYTES) == 1;
    return ok ? 0 : -1;
}

static int
sign_all(struct events *events, const char *secret)
{
    EVP_MAC_CTX *mac = keyed_mac(secret);
    int rc = mac != NULL ? 0 : -1;
    for (size_t i = 0; i < events->count && rc == 0; i++) {
        write_tails(events, i, events->request);
        rc = sign(events, mac, events->macs[i]);
    }
    EVP_MAC_CTX_free(mac);
    if (rc != 0) {
        fprintf(stderr, "load: OpenSSL cannot sign\n");
    }
    return rc;
}

int
events_open(struct events **out, const struct events_plan *plan)
{
    struct events *events = calloc(1, sizeof(*events));
    if (events == NULL) {
        fprintf(stderr, "load: out of memory\n");
        return -1;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    events->first_ns =
        (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    events->salt = mixed(events->first_ns);
    snprintf(events->stamp, sizeof(events->stamp), "%010u",
             (unsigned int)now.tv_sec);

    events->count = plan->count;
    events->macs = calloc(plan->count, MAC_BYTES);
    if (events->macs == NULL) {
        fprintf(stderr, "load: out of memory\n");
        goto fail;
    }
    if (make_template(events, plan) != 0) {
        goto fail;
    }
    if (plan->secret != NULL && sign_all(events, plan->secret) != 0) {
        goto fail;
    }
    *out = events;
    return 0;

fail:
    events_close(events);
    return -1;
}

void
events_close(struct events *events)
{
    if (events != NULL) {
        free(events->macs);
        free(events);
    }
}

size_t
events_count(const struct events *events)
{
    return events->count;
}

size_t
events_request_bytes(const struct events *events)
{
    return events->request_bytes;
}

void
events_template(const struct events *events, char *request)
{
    memcpy(request, events->request, events->request_bytes);
}

void
events_patch(const struct events *events, size_t number, char *request)
{
    static const char hex[] = "0123456789abcdef";
    write_tails(events, number, request);
    char *text = request + events->mac_at;
    for (size_t i = 0; i < MAC_BYTES; i++) {
        unsigned char byte = events->macs[number][i];
        text[2 * i] = hex[byte >> 4];
        text[2 * i + 1] = hex[byte & 15];
    }
}
