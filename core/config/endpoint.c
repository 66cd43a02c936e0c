/* core/config/endpoint.c: an endpoint's path and its secrets. No message ever
 * shows a secret: only what it was referred to as.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "error.h"
#include "config/secret.h"
#include "stripe/signature.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- The path ------------------------------------------------------- */

/* Returns what is wrong with it, or NULL. */
static const char *
path_fault(const char *path)
{
    if (path[0] != '/') {
        return "must begin with /, as /webhook";
    }
    if (strstr(path, "//") != NULL) {
        return "has // in it; write one /";
    }
    for (const char *at = path; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '?' || byte == '#') {
            return "has ? or # in it; write the path only";
        }
        if (byte <= ' ' || byte == 0x7f) {
            return "has a blank or a control character in it";
        }
        if (byte > 0x7f) {
            return "has a byte that is not ASCII; write it percent-encoded, "
                   "as senders do";
        }
        if (at[0] == '/' && at[1] == '.') {
            return "has a segment that begins with a dot, which proxies "
                   "rewrite";
        }
    }
    if (strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0) {
        return "is a health check of pegboard; choose another";
    }
    return NULL;
}

/* Paths with and without a slash at the end are one and the same. */
static void
cut_slash(char *path)
{
    size_t len = strlen(path);
    if (len > 1 && path[len - 1] == '/') {
        path[len - 1] = '\0';
    }
}

void
read_endpoint_path(const struct value *value)
{
    struct config_endpoint *endpoint = value->target;
    const struct config *config = value->build->config;
    char *path = build_check(value->build, strdup(value->text));
    if (path == NULL) {
        return;
    }
    const char *fault = path_fault(path);
    if (fault == NULL) {
        cut_slash(path);
        fault = path_fault(path);
    }
    if (fault != NULL) {
        value_error(value, "\"%.128s\" %s", value->text, fault);
        free(path);
        return;
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *other = &config->endpoints[i];
        if (other->path != NULL && strcmp(other->path, path) == 0) {
            value_error(value,
                        "%.128s is the path of [endpoint %s] on line %d, too; "
                        "give each a path of its own",
                        path, other->name, other->line);
            break;
        }
    }
    endpoint->path = path;
}

/* ---- The secrets ---------------------------------------------------- */

struct secret_set {
    const struct value *value;
    struct signature_keys *keys;
    struct secret seen[SIGNATURE_SECRETS_MAX]; /* to find one given twice */
    size_t count;
};

static int
is_reference(const char *ref)
{
    return strncmp(ref, "file:", 5) == 0 || strncmp(ref, "env:", 4) == 0;
}

/* "flie:secrets/main" is not meant to be the secret itself. */
static int
is_misspelled(const char *ref)
{
    size_t len = 0;
    while (isalpha((unsigned char)ref[len])) {
        len++;
    }
    return len > 0 && len <= 8 && ref[len] == ':' && !is_reference(ref);
}

static int
is_api_key(const char *text)
{
    return strncmp(text, "sk_", 3) == 0 || strncmp(text, "pk_", 3) == 0 ||
           strncmp(text, "rk_", 3) == 0;
}

static void
warn_about(const struct secret_set *set, const struct secret *secret,
           const char *name)
{
    const struct value *value = set->value;
    if (secret->literal) {
        value_warning(value, "a secret stands in the file itself; put it in a "
                             "file of its own and write file:PATH");
    }
    if (secret->trimmed) {
        value_warning(value,
                      "%.128s has white space around the secret, which "
                      "was cut off; take it out",
                      name);
    }
    if (strncmp(secret->text, "whsec_", 6) != 0) {
        value_warning(value,
                      "%.128s does not begin with whsec_; is it a signing "
                      "secret?",
                      name);
    }
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->seen[i].text, secret->text) == 0) {
            value_warning(value,
                          "%.128s is a secret that is given twice; take one "
                          "out",
                          name);
            return;
        }
    }
}

/* Takes the secret over, or reports why it is of no use. */
static void
take_secret(struct secret_set *set, struct secret *secret, const char *name)
{
    if (is_api_key(secret->text)) {
        value_error(set->value,
                    "%.128s is an API key, not a signing secret; that one "
                    "begins with whsec_ and is shown with the endpoint in "
                    "Stripe's Dashboard, under Webhooks",
                    name);
        secret_fini(secret);
        return;
    }
    if (strcmp(secret->text, "whsec_") == 0) {
        value_error(set->value,
                    "%.128s holds only whsec_, with which anybody could sign; "
                    "was the secret cut when it was copied?",
                    name);
        secret_fini(secret);
        return;
    }
    struct error err;
    int rc =
        signature_keys_add(set->keys, name, secret->text, secret->len, &err);
    if (rc != RC_OK) {
        value_error(set->value, "%s", err.text);
        secret_fini(secret);
        return;
    }
    warn_about(set, secret, name);
    set->seen[set->count++] = *secret;
}

static void
add_secret(struct secret_set *set, const char *ref)
{
    const struct value *value = set->value;
    if (ref[0] == '\0') {
        value_error(value, "there is nothing between two commas");
        return;
    }
    if (is_misspelled(ref)) {
        value_error(value,
                    "\"%.*s\" is not a kind of reference; write "
                    "file:PATH or env:NAME",
                    (int)strcspn(ref, ":") + 1, ref);
        return;
    }
    if (set->count == SIGNATURE_SECRETS_MAX) {
        value_error(value, "more than %d secrets; take old ones out",
                    SIGNATURE_SECRETS_MAX);
        return;
    }
    struct secret secret;
    struct error err;
    if (secret_read(&secret, ref, value->build->config->dir, &err) != RC_OK) {
        value_error(value, "%s", err.text);
        return;
    }
    take_secret(set, &secret, secret.literal ? "literal" : ref);
}

/* For `trigger`, which signs as Stripe would. */
static char *
first_item(const struct value *value)
{
    size_t len = strcspn(value->text, ",");
    while (len > 0 && value->text[len - 1] == ' ') {
        len--;
    }
    return build_check(value->build, strndup(value->text, len));
}

void
read_secrets(const struct value *value)
{
    struct config_endpoint *endpoint = value->target;
    if (value->text[0] == '\0') {
        value_error(value, "has no value: without a secret there is no start; "
                           "write file:PATH or env:NAME");
        return;
    }
    struct error err;
    if (signature_keys_open(&endpoint->keys, &err) != RC_OK) {
        value_error(value, "%s", err.text);
        return;
    }
    endpoint->first_secret_ref = first_item(value);

    struct secret_set set = {.value = value, .keys = endpoint->keys};
    struct list list;
    list_open(&list, value);
    const char *ref;
    while ((ref = list_next(&list)) != NULL) {
        add_secret(&set, ref);
    }
    list_close(&list);
    for (size_t i = 0; i < set.count; i++) {
        secret_fini(&set.seen[i]);
    }
}
