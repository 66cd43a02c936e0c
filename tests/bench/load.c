/* tests/bench/load.c: the load generator: options and report.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX     120.0 /* signatures age: receivers allow 300 s */
#define RATE_MAX        1e6
#define CLOSED_LOOP_MAX 120000.0 /* more a second than any target takes */
#define SECRET_MAX      256
#define EXIT_USAGE      2

struct options {
    struct client_plan plan;
    char host[64]; /* "127.0.0.1:4242" */
    const char *path;
    char secret[SECRET_MAX];
    bool is_signed;
    double limit; /* events; 0: as many as the time may take */
    bool json;
};

static const char usage[] =
    "load: post signed, unique webhook events and time the answers\n"
    "\n"
    "  --url URL          http://ADDRESS:PORT/PATH (IPv4)\n"
    "  --secret TEXT      the endpoint's secret, whsec_...\n"
    "  --secret-file F    the same from a file\n"
    "  --unsigned         signatures of zeros instead; same size\n"
    "  --connections N    default 64\n"
    "  --seconds S        default 4\n"
    "  --rate N           open loop: N a second on a fixed schedule; latency\n"
    "                     counts from the scheduled time\n"
    "  --events N         at most N events (also how many are signed)\n"
    "  --new-connection   a connection for each request\n"
    "  --json             one line of JSON\n"
    "\n"
    "Status 0: every request was answered 2xx; 1: not; 2: usage.\n";

static int
bad(const char *what, const char *value)
{
    fprintf(stderr, "load: %s: %s\n", what, value);
    return -1;
}

static int
parse_number(const char *text, double min, double max, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= min && value <= max)) {
        return bad("not a number in range", text);
    }
    *out = value;
    return 0;
}

static int
parse_url(struct options *options, const char *url)
{
    static const char scheme[] = "http://";
    const char *host = url + strlen(scheme);
    size_t host_bytes = 0;
    if (strncmp(url, scheme, strlen(scheme)) == 0) {
        host_bytes = strcspn(host, "/");
    }
    if (host_bytes == 0 || host_bytes >= sizeof(options->host)) {
        return bad("not a URL that load can use", url);
    }
    memcpy(options->host, host, host_bytes);
    options->path = host[host_bytes] == '/' ? host + host_bytes : "/";

    char address[sizeof(options->host)];
    memcpy(address, options->host, sizeof(address));
    char *colon = strchr(address, ':');
    double port = 80;
    if (colon != NULL) {
        *colon = '\0';
        if (parse_number(colon + 1, 1, 65535, &port) != 0) {
            return -1;
        }
    }
    const char *ip = strcmp(address, "localhost") == 0 ? "127.0.0.1" : address;
    struct sockaddr_in *target = &options->plan.target;
    target->sin_family = AF_INET;
    target->sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, ip, &target->sin_addr) != 1) {
        return bad("not an IPv4 address", address);
    }
    return 0;
}

static int
use_secret(struct options *options, const char *text)
{
    size_t length = strcspn(text, " \t\r\n");
    if (length == 0 || length >= sizeof(options->secret)) {
        return bad("secret", "empty or too long");
    }
    memcpy(options->secret, text, length);
    options->secret[length] = '\0';
    options->is_signed = true;
    return 0;
}

static int
read_secret(struct options *options, const char *path)
{
    char text[SECRET_MAX + 2] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return bad(path, strerror(errno));
    }
    const char *line = fgets(text, sizeof(text), file);
    fclose(file);
    return use_secret(options, line != NULL ? line : "");
}

enum option_id {
    OPT_URL = 1,
    OPT_SECRET,
    OPT_SECRET_FILE,
    OPT_UNSIGNED,
    OPT_CONNECTIONS,
    OPT_SECONDS,
    OPT_RATE,
    OPT_EVENTS,
    OPT_NEW_CONNECTION,
    OPT_JSON,
};

static int
apply(struct options *options, int id)
{
    struct client_plan *plan = &options->plan;
    double number = 0;
    switch (id) {
    case OPT_URL:
        return parse_url(options, optarg);
    case OPT_SECRET:
        return use_secret(options, optarg);
    case OPT_SECRET_FILE:
        return read_secret(options, optarg);
    case OPT_UNSIGNED:
        options->is_signed = false;
        options->secret[0] = '\0';
        return 0;
    case OPT_CONNECTIONS:
        if (parse_number(optarg, 1, CLIENT_CONNECTIONS_MAX, &number) != 0) {
            return -1;
        }
        plan->connections = (size_t)number;
        return 0;
    case OPT_SECONDS:
        return parse_number(optarg, 0.1, SECONDS_MAX, &plan->seconds);
    case OPT_RATE:
        return parse_number(optarg, 1, RATE_MAX, &plan->rate);
    case OPT_EVENTS:
        return parse_number(optarg, 1, EVENTS_MAX, &options->limit);
    case OPT_NEW_CONNECTION:
        plan->new_connection = true;
        return 0;
    case OPT_JSON:
        options->json = true;
        return 0;
    default:
        return -1;
    }
}

static int
parse_options(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"url", required_argument, NULL, OPT_URL},
        {"secret", required_argument, NULL, OPT_SECRET},
        {"secret-file", required_argument, NULL, OPT_SECRET_FILE},
        {"unsigned", no_argument, NULL, OPT_UNSIGNED},
        {"connections", required_argument, NULL, OPT_CONNECTIONS},
        {"seconds", required_argument, NULL, OPT_SECONDS},
        {"rate", required_argument, NULL, OPT_RATE},
        {"events", required_argument, NULL, OPT_EVENTS},
        {"new-connection", no_argument, NULL, OPT_NEW_CONNECTION},
        {"json", no_argument, NULL, OPT_JSON},
        {NULL, 0, NULL, 0},
    };
    bool is_unsigned = false;
    int id = 0;
    while ((id = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (apply(options, id) != 0) {
            return -1;
        }
        is_unsigned = is_unsigned || id == OPT_UNSIGNED;
    }
    if (optind != argc || options->path == NULL) {
        return bad("usage", "--url is needed, and nothing but options");
    }
    if (options->is_signed == is_unsigned) {
        return bad("usage", "one of --secret, --secret-file, --unsigned");
    }
    return 0;
}

/* How many events to make: what the time can take at most. */
static size_t
event_count(const struct options *options)
{
    const struct client_plan *plan = &options->plan;
    double rate = plan->rate > 0.0 ? plan->rate : CLOSED_LOOP_MAX;
    double count = rate * plan->seconds + 1.0;
    if (options->limit > 0.0 && options->limit < count) {
        count = options->limit;
    }
    return count < EVENTS_MAX ? (size_t)count : EVENTS_MAX;
}

static uint64_t
failures(const struct client_result *r)
{
    return r->requests - r->ok;
}

static void
print_error(const char *name, uint64_t count, const char **separator)
{
    if (count > 0) {
        printf("%s\"%s\":%llu", *separator, name, (unsigned long long)count);
        *separator = ",";
    }
}

/* {"400":3,"broken":1}, for people and programs alike. */
static void
print_errors(const struct client_result *r)
{
    const char *separator = "";
    printf("{");
    for (int status = 0; status < CLIENT_STATUS_MAX; status++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", status);
        if (status / 100 != 2) {
            print_error(name, r->statuses[status], &separator);
        }
    }
    print_error("broken", r->broken, &separator);
    print_error("invalid", r->invalid, &separator);
    print_error("unanswered", r->unanswered, &separator);
    printf("}");
}

static void
print_json(const struct client_result *r)
{
    printf("{\"requests\":%llu,\"ok\":%llu,\"errors\":",
           (unsigned long long)r->requests, (unsigned long long)r->ok);
    print_errors(r);
    printf(",\"failed\":%llu,\"seconds\":%.3f,\"acks_per_s\":%.1f",
           (unsigned long long)failures(r), r->seconds, r->acks_per_s);
    printf(",\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f",
           histogram_ms(&r->latency, 50), histogram_ms(&r->latency, 90),
           histogram_ms(&r->latency, 99), (double)r->latency.max_ns / 1e6);
    printf(",\"lag_p99_ms\":%.3f,\"cpu_user_s\":%.3f,\"cpu_sys_s\":%.3f",
           histogram_ms(&r->lag, 99), r->cpu_user_s, r->cpu_sys_s);
    printf(",\"reconnects\":%llu,\"exhausted\":%s}\n",
           (unsigned long long)r->reconnects, r->exhausted ? "true" : "false");
}

static void
print_text(const struct client_result *r)
{
    printf("%.0f acks/s, p50 %.3f p90 %.3f p99 %.3f max %.3f ms; %llu of %llu "
           "ok in %.2f s; own cpu %.2f s",
           r->acks_per_s, histogram_ms(&r->latency, 50),
           histogram_ms(&r->latency, 90), histogram_ms(&r->latency, 99),
           (double)r->latency.max_ns / 1e6, (unsigned long long)r->ok,
           (unsigned long long)r->requests, r->seconds,
           r->cpu_user_s + r->cpu_sys_s);
    if (r->reconnects > 0) {
        printf("; %llu reconnects", (unsigned long long)r->reconnects);
    }
    if (failures(r) > 0) {
        printf("; %llu failed: ", (unsigned long long)failures(r));
        print_errors(r);
    }
    printf("\n");
}

static int
run(const struct options *options)
{
    struct events_plan plan = {
        .host = options->host,
        .path = options->path,
        .secret = options->is_signed ? options->secret : NULL,
        .close = options->plan.new_connection,
        .count = event_count(options),
    };
    struct events *events = NULL;
    if (events_open(&events, &plan) != 0) {
        return EXIT_FAILURE;
    }
    static struct client_result result;
    int rc = client_run(&options->plan, events, &result);
    events_close(events);
    if (rc != 0) {
        return EXIT_FAILURE;
    }
    if (options->json) {
        print_json(&result);
    } else {
        print_text(&result);
    }
    bool good = result.ok > 0 && failures(&result) == 0;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct options options = {
        .plan = {.connections = 64, .seconds = 4.0},
    };
    if (parse_options(&options, argc, argv) != 0) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return run(&options);
}
