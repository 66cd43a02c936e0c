/* core/cli/cmd_verify.c: `pegboard verify`: judges a saved request, and says
 * which rule it breaks and what usually causes that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "command.h"
#include "config/config.h"
#include "config/secret.h"
#include "error.h"
#include "input.h"
#include "stripe/digest.h"
#include "template/document.h"
#include "stripe/signature.h"
#include "target.h"

#define FIELD_NAME "Stripe-Signature:"

const struct flag verify_flags[] = {
    {"body", 0, "FILE", "the saved body, byte for byte; - for stdin"},
    {"header", 0, "VALUE", "value of its Stripe-Signature field"},
    {"secret-file", 0, "FILE", "signing secret; default: the configuration's"},
    {"endpoint", 0, "NAME",
     "endpoint of the configuration; default: the first"},
    {"at", 0, "SECONDS", "judge the age as of this time; default: now"},
    {"tolerance", 0, "DURATION", "default: the endpoint's, or 300s"},
    {NULL, 0, NULL, NULL},
};

/* A request, what is known to judge it, and the judgement. */
struct verify {
    const struct args *args;
    char *body;
    size_t len;
    const char *header; /* borrowed from the command line */
    struct config *config;
    const struct signature_keys *keys; /* the configuration's, or `own` */
    struct signature_keys *own;
    int trimmed; /* white space was cut off the secret */
    int unusual; /* the secret does not begin with whsec_ */
    int64_t now_s, tolerance_s;
    char sha256[DIGEST_HEX_ROOM];
    enum signature_verdict verdict;
    struct signature_result result;
    const char *cause; /* of a mismatch, found by trying; NULL: none found */
};

/* ---- Input ---------------------------------------------------------- */

static int
load_secret(struct verify *v, const char *path)
{
    struct error err;
    struct secret secret;
    if (input_secret(&secret, path, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    v->trimmed = secret.trimmed;
    v->unusual = strncmp(secret.text, "whsec_", 6) != 0;
    int rc = signature_keys_open(&v->own, &err);
    if (rc == RC_OK) {
        rc = signature_keys_add(v->own, path, secret.text, secret.len, &err);
    }
    secret_fini(&secret);
    v->keys = v->own;
    return rc == RC_OK ? 0 : command_error(EXIT_FAILED, "%s", err.text);
}

static int
load_config(struct verify *v)
{
    int code = args_config(v->args, &v->config);
    const struct config_endpoint *endpoint = NULL;
    if (code == 0) {
        code = target_endpoint(v->args, v->config, &endpoint);
    }
    if (code == 0) {
        v->keys = endpoint->keys;
        v->tolerance_s = endpoint->tolerance_s;
    }
    return code;
}

/* The value, also when the field's name was copied with it. */
static const char *
header_value(const char *header)
{
    size_t len = strlen(FIELD_NAME);
    return strncasecmp(header, FIELD_NAME, len) == 0 ? header + len : header;
}

static int
load_numbers(struct verify *v)
{
    int64_t tolerance_ms = v->tolerance_s * 1000;
    v->now_s = clock_wall_ms() / 1000;
    int code = args_int(v->args, "at", 0, INT64_C(999999999999), &v->now_s);
    if (code == 0) {
        code = args_duration(v->args, "tolerance", &tolerance_ms);
    }
    if (code == 0 && tolerance_ms < 1000) {
        code = args_error(v->args, "--tolerance is at least 1s");
    }
    v->tolerance_s = tolerance_ms / 1000;
    return code;
}

static int
load_all(struct verify *v)
{
    const char *body = args_value(v->args, "body");
    const char *header = args_value(v->args, "header");
    const char *secret = args_value(v->args, "secret-file");
    if (body == NULL || header == NULL) {
        return args_error(v->args, "--body FILE and --header VALUE are needed");
    }
    if (secret != NULL && strcmp(secret, "-") == 0 && strcmp(body, "-") == 0) {
        return args_error(v->args, "--body and --secret-file cannot both read "
                                   "standard input");
    }
    v->header = header_value(header);
    struct error err;
    int rc = input_read(body, INPUT_EVENT_MAX, &v->body, &v->len, &err);
    if (rc != RC_OK) {
        return command_error(rc == RC_NOT_FOUND ? EXIT_MISSING : EXIT_FAILED,
                             "%s", err.text);
    }
    int code = secret != NULL ? load_secret(v, secret) : load_config(v);
    return code != 0 ? code : load_numbers(v);
}

/* ---- Judgement ------------------------------------------------------ */

static enum signature_verdict
check_body(const struct verify *v, const char *body, size_t len,
           struct signature_result *result)
{
    return signature_check(v->keys, v->header, strlen(v->header), 1, body, len,
                           v->now_s, v->tolerance_s, result);
}

/* The body as it may have been before something changed it. The caller frees
 * it; NULL when the change does not apply. */
typedef char *undo_fn(const struct verify *v, size_t *len);

static char *
undo_last_newline(const struct verify *v, size_t *len)
{
    if (v->len == 0 || v->body[v->len - 1] != '\n') {
        return NULL;
    }
    *len = v->len - 1;
    *len -= *len > 0 && v->body[*len - 1] == '\r';
    char *out = malloc(*len + 1);
    return out != NULL ? memcpy(out, v->body, *len) : NULL;
}

static char *
undo_crlf(const struct verify *v, size_t *len)
{
    char *out = malloc(v->len + 1);
    *len = 0;
    for (size_t i = 0; out != NULL && i < v->len; i++) {
        if (v->body[i] != '\r') {
            out[(*len)++] = v->body[i];
        }
    }
    return out;
}

static char *
undo_compact(const struct verify *v, size_t *len)
{
    cJSON *root;
    char *out = NULL;
    if (document_parse(&root, v->body, v->len, NULL) == RC_OK) {
        if (document_print(root, &out, len) != RC_OK) {
            out = NULL;
        }
        cJSON_Delete(root);
    }
    return out;
}

static char *
undo_indent(const struct verify *v, size_t *len)
{
    cJSON *root;
    char *out = NULL;
    if (document_parse(&root, v->body, v->len, NULL) == RC_OK) {
        out = cJSON_PrintUnformatted(root); /* malloc()ed: no hooks are set */
        *len = out != NULL ? strlen(out) : 0;
        cJSON_Delete(root);
    }
    return out;
}

/* Undo the usual changes one by one, and see whether that makes it fit. */
static const char *
find_cause(const struct verify *v)
{
    static const struct {
        undo_fn *undo;
        const char *cause;
    } changes[] = {
        {undo_last_newline,
         "the body fits without its last line end: the file has one that the "
         "request had not"},
        {undo_crlf, "the body fits with LF in the place of CR LF: its line "
                    "ends were changed"},
        {undo_compact, "the body fits when indented by two spaces: something "
                       "printed it again in another form"},
        {undo_indent, "the body fits without its white space: something "
                      "printed it again, indented"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        size_t len;
        char *body = changes[i].undo(v, &len);
        if (body == NULL) {
            continue;
        }
        struct signature_result result;
        enum signature_verdict verdict = check_body(v, body, len, &result);
        free(body);
        if (verdict == SIGNATURE_OK || verdict == SIGNATURE_TOO_OLD ||
            verdict == SIGNATURE_AHEAD) {
            return changes[i].cause;
        }
    }
    return NULL;
}

static int
judge(struct verify *v)
{
    struct error err;
    unsigned char digest[DIGEST_BYTES];
    if (digest_sha256(v->body, v->len, digest, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    digest_hex(digest, v->sha256);
    v->verdict = check_body(v, v->body, v->len, &v->result);
    if (v->verdict == SIGNATURE_MISMATCH) {
        v->cause = find_cause(v);
    }
    return 0;
}

/* ---- Report --------------------------------------------------------- */

enum rule {
    RULE_HEADER = 0,
    RULE_TIMESTAMP = 1,
    RULE_V1 = 2,
    RULE_SECRET = 3,
    RULE_AGE = 4,
    RULE_COUNT = 5, /* also: none is broken */
};

static enum rule
broken_rule(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_HEADER_MISSING:
    case SIGNATURE_HEADER_MALFORMED:
        return RULE_HEADER;
    case SIGNATURE_TIMESTAMP_MISSING:
    case SIGNATURE_TIMESTAMP_INVALID:
        return RULE_TIMESTAMP;
    case SIGNATURE_NO_V1:
        return RULE_V1;
    case SIGNATURE_MISMATCH:
    case SIGNATURE_FAILED:
        return RULE_SECRET;
    case SIGNATURE_TOO_OLD:
    case SIGNATURE_AHEAD:
        return RULE_AGE;
    case SIGNATURE_OK:
        break;
    }
    return RULE_COUNT;
}

static void
print_detail(const struct verify *v, enum rule rule)
{
    const struct signature_result *result = &v->result;
    time_t at = (time_t)result->timestamp_s;
    struct tm tm;
    char stamp[32] = "";
    switch (rule) {
    case RULE_TIMESTAMP:
        if (gmtime_r(&at, &tm) != NULL) {
            strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S UTC", &tm);
        }
        printf(": %lld (%s)", (long long)result->timestamp_s, stamp);
        break;
    case RULE_V1:
        printf(": %u of them", result->v1_count);
        break;
    case RULE_SECRET:
        if (result->secret != NULL) {
            printf(": %s matches", result->secret);
        } else {
            printf(": none of %zu matches", signature_keys_count(v->keys));
        }
        break;
    case RULE_AGE:
        printf(": %lld s; %lld s are tolerated", (long long)result->age_s,
               (long long)v->tolerance_s);
        break;
    case RULE_HEADER:
    case RULE_COUNT:
        break;
    }
}

static void
print_rules(const struct verify *v)
{
    static const char *const names[RULE_COUNT] = {"header", "timestamp", "v1",
                                                  "secret", "age"};
    enum rule broken = broken_rule(v->verdict);
    for (unsigned i = RULE_HEADER; i < RULE_COUNT; i++) {
        enum rule rule = (enum rule)i;
        const char *state = rule < broken    ? "ok"
                            : rule == broken ? "FAILS"
                                             : "not looked at";
        printf("%-10s %s", names[i], state);
        if (rule < broken || (rule == broken && rule >= RULE_SECRET)) {
            print_detail(v, rule);
        }
        putchar('\n');
    }
}

static void
print_advice(const struct verify *v)
{
    printf("  %s\n", signature_verdict_help(v->verdict));
    if (v->cause != NULL) {
        printf("  Found by trying: %s.\n", v->cause);
    } else if (v->verdict == SIGNATURE_MISMATCH && v->unusual) {
        puts("  The secret does not begin with \"whsec_\", as signing secrets "
             "do.");
    }
    if (v->trimmed) {
        puts("  White space around the secret was cut off; another program may "
             "not do that.");
    }
    if (v->verdict == SIGNATURE_TOO_OLD && args_value(v->args, "at") == NULL) {
        printf("  For a saved request, judge the age as of its arrival: "
               "--at %lld\n",
               (long long)v->result.timestamp_s);
    }
}

static void
print_text(const struct verify *v)
{
    printf("body       %zu bytes, sha256 %s\n", v->len, v->sha256);
    print_rules(v);
    if (v->verdict == SIGNATURE_OK) {
        puts("valid");
    } else {
        printf("not valid: %s\n", signature_verdict_name(v->verdict));
        print_advice(v);
    }
}

static void
print_json(const struct verify *v)
{
    const struct signature_result *result = &v->result;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddBoolToObject(line, "valid", v->verdict == SIGNATURE_OK);
    cJSON_AddStringToObject(line, "verdict",
                            signature_verdict_name(v->verdict));
    cJSON_AddItemToObject(line, "timestamp",
                          document_integer(result->timestamp_s));
    cJSON_AddItemToObject(line, "age_s", document_integer(result->age_s));
    cJSON_AddItemToObject(line, "v1_count", document_integer(result->v1_count));
    cJSON_AddItemToObject(line, "secret",
                          result->secret != NULL
                              ? cJSON_CreateString(result->secret)
                              : cJSON_CreateNull());
    cJSON_AddItemToObject(line, "cause",
                          v->cause != NULL ? cJSON_CreateString(v->cause)
                                           : cJSON_CreateNull());
    cJSON_AddItemToObject(line, "body_bytes",
                          document_integer((int64_t)v->len));
    cJSON_AddStringToObject(line, "body_sha256", v->sha256);
    char *text = cJSON_PrintUnformatted(line);
    if (text != NULL) {
        puts(text);
    }
    cJSON_free(text);
    cJSON_Delete(line);
}

int
cmd_verify(const struct args *args)
{
    struct verify v = {.args = args, .tolerance_s = TARGET_TOLERANCE_S};
    int code = load_all(&v);
    if (code == 0) {
        code = judge(&v);
    }
    if (code == 0) {
        if (args_count(args, "json") > 0) {
            print_json(&v);
        } else {
            print_text(&v);
        }
        code = v.verdict == SIGNATURE_OK ? EXIT_OK : EXIT_FAILED;
    }
    free(v.body);
    signature_keys_close(v.own);
    config_close(v.config);
    return code;
}
