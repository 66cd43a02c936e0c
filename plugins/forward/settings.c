/* plugins/forward/settings.c: its options, read and checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <string.h>
#include <strings.h>

#define TIMES_MAX_MS (24 * 3600 * 1000L) /* what a handler may ask for */

const peg_option settings_options[SETTINGS_OPTION_COUNT] = {
    {"url", PEG_OPTION_STRING, PEG_OPTION_REQUIRED | PEG_OPTION_SECRET, NULL,
     "where to post: https, or http on this machine"},
    {"signature", PEG_OPTION_STRING, 0, "original",
     "original: the header that Stripe sent; own: made anew with `secret`"},
    {"secret", PEG_OPTION_LIST, PEG_OPTION_SECRET, NULL,
     "of the receiver, whsec_...; while it is changed, both; for signature = "
     "own"},
    {"headers", PEG_OPTION_LIST, PEG_OPTION_SECRET, "",
     "more headers, as Name: value, comma separated"},
    {"timeout", PEG_OPTION_DURATION, 0, "20s",
     "for the whole exchange; less when the attempt has less left"},
    /* More than the 5 s that glibc gives a name server before the next one. */
    {"connect_timeout", PEG_OPTION_DURATION, 0, "10s",
     "for name, connection and TLS, within `timeout`"},
    {"max_retry_after", PEG_OPTION_DURATION, 0, "1h",
     "the longest Retry-After that is obeyed; a longer one counts as this"},
    {"ca_file", PEG_OPTION_PATH, 0, NULL,
     "certificates to trust, instead of the system's"},
    {"proxy", PEG_OPTION_STRING, PEG_OPTION_SECRET, "",
     "URL of an HTTP proxy; none is taken from the environment"},
    {"insecure_http", PEG_OPTION_BOOL, 0, "no",
     "yes: plain http also to other machines"},
};

/* What the plugin or libcurl sets, and what would break the message up. */
static const char *const own_fields[] = {
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "Idempotency-Key",
    "Keep-Alive",
    "Pegboard-Attempt",
    "Pegboard-Event-Id",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Stripe-Account",
    "Stripe-Signature",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
};

int
settings_is_field_text(peg_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return 0;
        }
    }
    return 1;
}

/* ---- The URL -------------------------------------------------------- */

static int
is_loopback(const char *host)
{
    struct in_addr ip;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &ip) == 1 &&
            ntohl(ip.s_addr) >> 24 == 127);
}

/* The URL itself is not shown: a token may stand in it. */
static int
check_parts(peg_ctx *ctx, const struct settings *to, CURLU *parts,
            int64_t insecure)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    int bad = 1;
    CURLUcode rc = curl_url_set(parts, CURLUPART_URL, to->url, 0);
    if (rc != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        peg_error(ctx, "url: it is no URL: %s: write https://host/path",
                  rc != CURLUE_OK ? curl_url_strerror(rc) : "no host");
    } else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0) {
        peg_error(ctx, "url: %s is not spoken: write https://host/path",
                  scheme);
    } else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        peg_error(ctx, "url: a user has no place in it: send the header "
                       "Authorization with `headers`");
    } else if (strcmp(scheme, "http") == 0 && !insecure &&
               (!is_loopback(host) || to->proxy[0] != '\0')) {
        peg_error(ctx,
                  "url: plain http leaves this machine unprotected: "
                  "write https://%s, or set insecure_http = yes",
                  host);
    } else {
        bad = 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return bad;
}

static int
check_url(peg_ctx *ctx, const struct settings *to, int64_t insecure)
{
    CURLU *parts = curl_url();
    if (parts == NULL) {
        peg_error(ctx, "out of memory");
        return 1;
    }
    int bad = check_parts(ctx, to, parts, insecure);
    curl_url_cleanup(parts);
    return bad;
}

/* Judged here and not at the first event: libcurl quotes what it cannot read,
 * and a password may stand in it. */
static int
is_proxy(const char *url)
{
    char *scheme = NULL;
    CURLU *parts = curl_url();
    int good = parts != NULL && strncmp(url, "http:///", 8) != 0 &&
               curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
               curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
               strcmp(scheme, "http") == 0;
    curl_free(scheme);
    curl_url_cleanup(parts);
    return good;
}

/* ---- Headers -------------------------------------------------------- */

/* RFC 9110, 5.6.2. */
static size_t
token_len(const char *text)
{
    return strspn(text, "!#$%&'*+-.^_`|~0123456789"
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static int
is_own(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++) {
        if (strlen(own_fields[i]) == len &&
            strncasecmp(own_fields[i], name, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Only names are shown: what has no name, or is a value, may be a secret. */
static int
check_field(peg_ctx *ctx, uint32_t index, peg_str field)
{
    int len = (int)token_len(field.ptr);
    const char *value = field.ptr + len + 1;
    if (len == 0 || field.ptr[len] != ':' ||
        value[strspn(value, " \t")] == '\0') {
        peg_error(ctx,
                  "headers: number %u is no header: write Name: value, without "
                  "a comma in the value",
                  index + 1);
    } else if (!settings_is_field_text(field)) {
        peg_error(ctx, "headers: %.*s: a control character is in it", len,
                  field.ptr);
    } else if (is_own(field.ptr, (size_t)len)) {
        peg_error(ctx, "headers: %.*s is set by the plugin", len, field.ptr);
    } else {
        return 0;
    }
    return 1;
}

static int
read_headers(peg_ctx *ctx, struct settings *to)
{
    peg_str field;
    for (uint32_t i = 0; peg_option_item(ctx, "headers", i, &field) == PEG_OK;
         i++) {
        if (check_field(ctx, i, field) != 0) {
            return 1;
        }
        struct curl_slist *longer = curl_slist_append(to->fields, field.ptr);
        if (longer == NULL) {
            peg_error(ctx, "out of memory");
            return 1;
        }
        to->fields = longer;
    }
    return 0;
}

/* ---- The rest ------------------------------------------------------- */

static int
read_signature(peg_ctx *ctx, struct settings *to)
{
    peg_str mode = {"", 0};
    peg_option_str(ctx, "signature", &mode);
    peg_str secret;
    uint32_t count = 0;
    while (peg_option_item(ctx, "secret", count, &secret) == PEG_OK) {
        if (count == SIGN_SECRETS_MAX) {
            peg_error(ctx, "secret: there are more than %d", SIGN_SECRETS_MAX);
            return 1;
        }
        to->secrets[count++] = secret;
    }
    to->secret_count = count;
    int own = strcmp(mode.ptr, "own") == 0;
    if (!own && strcmp(mode.ptr, "original") != 0) {
        peg_error(ctx, "signature: it is one of: original own");
    } else if (own && count == 0) {
        peg_error(ctx, "signature: own needs `secret`");
    } else if (!own && count > 0) {
        peg_error(ctx, "secret: it is for signature = own");
    } else {
        return 0;
    }
    return 1;
}

static int
read_time(peg_ctx *ctx, const char *name, int64_t *out)
{
    if (peg_option_i64(ctx, name, out) != PEG_OK || *out < 1 ||
        *out > TIMES_MAX_MS) {
        peg_error(ctx, "%s: it is from 1ms to 1d", name);
        return 1;
    }
    return 0;
}

static int
read_times(peg_ctx *ctx, struct settings *to)
{
    int64_t timeout_ms, connect_ms;
    if (read_time(ctx, "timeout", &timeout_ms) != 0 ||
        read_time(ctx, "connect_timeout", &connect_ms) != 0 ||
        read_time(ctx, "max_retry_after", &to->max_retry_after_ms) != 0) {
        return 1;
    }
    to->timeout_ms = (long)timeout_ms;
    to->connect_ms = (long)connect_ms;
    return 0;
}

/* Tried here, since libcurl reads the file at the first connection only. */
static int
read_trust(peg_ctx *ctx, struct settings *to)
{
    peg_str path;
    if (peg_option_str(ctx, "ca_file", &path) != PEG_OK) {
        return 0;
    }
    to->ca_file = path.ptr;
    X509_STORE *store = X509_STORE_new();
    int found = store != NULL && X509_STORE_load_file(store, path.ptr) == 1;
    X509_STORE_free(store);
    if (!found) {
        peg_error(ctx, "ca_file: no certificate can be read from %s", path.ptr);
    }
    return !found;
}

static int
read_target(peg_ctx *ctx, struct settings *to)
{
    peg_str url = {"", 0}, proxy = {"", 0};
    int64_t insecure = 0;
    peg_option_str(ctx, "url", &url);
    peg_option_str(ctx, "proxy", &proxy);
    peg_option_i64(ctx, "insecure_http", &insecure);
    to->url = url.ptr;
    to->proxy = proxy.ptr;
    if (proxy.len > 0 && !is_proxy(proxy.ptr)) {
        peg_error(ctx, "proxy: write http://host:port");
        return 1;
    }
    return check_url(ctx, to, insecure);
}

int
settings_read(struct settings *out, peg_ctx *ctx)
{
    *out = (struct settings){.url = ""};
    return read_target(ctx, out) != 0 || read_signature(ctx, out) != 0 ||
           read_headers(ctx, out) != 0 || read_times(ctx, out) != 0 ||
           read_trust(ctx, out) != 0;
}

void
settings_fini(struct settings *settings)
{
    curl_slist_free_all(settings->fields);
    settings->fields = NULL;
}
