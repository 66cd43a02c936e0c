/* core/http/civet.c: one CivetWeb context at one address.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/civet.h"

#include "clock.h"
#include "error.h"
#include "http/server.h"
#include "http/sockets.h"
#include "log.h"

#include <civetweb.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Who is in the middle of a handshake when we stop listening gets so long. */
#define HANDSHAKE_MS 100

/* How often it is looked whether all have been accepted. */
#define LOOK_MS 5

const char *
civet_address(const struct sockaddr_in *address, char room[CIVET_ADDRESS_MAX])
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
    snprintf(room, CIVET_ADDRESS_MAX, "%s:%u", host, ntohs(address->sin_port));
    return room;
}

/* ---- CivetWeb's calls ----------------------------------------------- */

static struct civet *
civet_of(const struct mg_connection *conn)
{
    return mg_get_user_data(mg_get_context(conn));
}

void *
civet_owner(const struct mg_connection *conn)
{
    return civet_of(conn)->owner;
}

static int
on_log(const struct mg_connection *conn, const char *text)
{
    (void)conn;
    struct log_value value;
    log_write(LOG_DEBUG, "http", "civetweb says", "text=%s",
              log_quote(&value, text, strlen(text)));
    return 1;
}

static int
on_open(const struct mg_connection *conn, void **data)
{
    (void)data;
    atomic_fetch_add(&civet_of(conn)->connections, 1);
    return 0;
}

static void
on_closed(const struct mg_connection *conn)
{
    atomic_fetch_sub(&civet_of(conn)->connections, 1);
}

/* ---- Starting ------------------------------------------------------- */

/* The settings that are the same everywhere; idle connections live for 5 s. */
static const char *const fixed[] = {"enable_keep_alive",
                                    "yes",
                                    "keep_alive_timeout_ms",
                                    "5000",
                                    "tcp_nodelay",
                                    "1",
                                    "connection_queue",
                                    "256",
                                    "listen_backlog",
                                    "1024",
                                    "decode_url",
                                    "no",
                                    "enable_auth_domain_check",
                                    "no",
                                    "access_control_allow_methods",
                                    "",
                                    NULL};

static int
start_context(struct civet *civet, const struct civet_settings *settings,
              struct error *err)
{
    char where[CIVET_ADDRESS_MAX], threads[24], timeout_ms[24], head_max[24];
    char text[256] = "";
    civet_address(&settings->address, where);
    snprintf(threads, sizeof(threads), "%lld", (long long)settings->threads);
    snprintf(timeout_ms, sizeof(timeout_ms), "%lld",
             (long long)settings->timeout_ms);
    snprintf(head_max, sizeof(head_max), "%d", SERVER_HEAD_MAX);
    const char *options[8 + sizeof(fixed) / sizeof(fixed[0])] = {
        "listening_ports",    where,      "num_threads",      threads,
        "request_timeout_ms", timeout_ms, "max_request_size", head_max};
    memcpy(options + 8, fixed, sizeof(fixed));
    const struct mg_callbacks callbacks = {
        .begin_request = settings->on_request,
        .http_error = settings->on_error,
        .log_message = on_log,
        .init_connection = on_open,
        .connection_closed = on_closed,
    };
    struct mg_init_data init = {.callbacks = &callbacks,
                                .user_data = civet,
                                .configuration_options = options};
    struct mg_error_data error = {.text = text,
                                  .text_buffer_size = sizeof(text)};
    civet->context = mg_start2(&init, &error);
    return civet->context != NULL
               ? RC_OK
               : error_set(err, RC_IO, "%s: cannot listen on %s: %s (%s)",
                           settings->module, where, text, settings->advice);
}

/* Port 0 has become a real one, and there is a socket now. */
static int
find_socket(struct civet *civet, const struct civet_settings *settings,
            struct error *err)
{
    struct mg_server_port port;
    char where[CIVET_ADDRESS_MAX];
    if (mg_get_server_ports(civet->context, 1, &port) > 0) {
        civet->address.sin_port = htons((uint16_t)port.port);
    }
    civet->listening = sockets_listening_at(&civet->address);
    return civet->listening >= 0
               ? RC_OK
               : error_set(err, RC_IO,
                           "%s: cannot find the socket at %s (is there no "
                           "/proc, or are there too few descriptors?)",
                           settings->module,
                           civet_address(&civet->address, where));
}

int
civet_start(struct civet *civet, const struct civet_settings *settings,
            struct error *err)
{
    memset(civet, 0, sizeof(*civet));
    civet->owner = settings->owner;
    civet->address = settings->address;
    civet->listening = -1;
    civet->quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (civet->quiet < 0) {
        return error_errno(err, RC_IO, errno, "%s: no eventfd",
                           settings->module);
    }
    int rc = start_context(civet, settings, err);
    if (rc != RC_OK) {
        close(civet->quiet);
        return rc;
    }
    rc = find_socket(civet, settings, err);
    if (rc != RC_OK) {
        civet_stop(civet);
    }
    return rc;
}

/* ---- Ending --------------------------------------------------------- */

static void
pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* CivetWeb's master thread sleeps in a poll of its listening socket, for two
 * seconds at most, and would turn without a rest around one that was shut down.
 * So an eventfd takes the place of the socket, under its number. It can be
 * read from here on: that ends the poll, and as it is no socket nothing is
 * accepted from it. */
static void
take_socket_away(struct civet *civet)
{
    eventfd_write(civet->quiet, 1);
    shutdown(civet->listening, SHUT_RD);
    /* As dup3(), of which the thread sanitizer would say that it races with
     * the close() at the master's end: it does not see CivetWeb's flags. */
    syscall(SYS_dup3, civet->quiet, civet->listening, O_CLOEXEC);
    civet->is_deaf = 1;
}

void
civet_deafen(struct civet *civet, int64_t wait_ms)
{
    int64_t now_ms = clock_mono_ms();
    int64_t handshakes_ms = now_ms + HANDSHAKE_MS;
    int64_t end_ms = now_ms + wait_ms;
    sockets_refuse(civet->listening);
    while ((sockets_waiting(civet->listening) > 0 ||
            clock_mono_ms() < handshakes_ms) &&
           clock_mono_ms() < end_ms) {
        pause_ms(LOOK_MS);
    }
    take_socket_away(civet);
    pause_ms(LOOK_MS); /* it sees that; if not, it is late when it shall end */
    eventfd_t value;
    eventfd_read(civet->quiet, &value);
}

int
civet_is_idle(const struct civet *civet)
{
    return atomic_load(&civet->connections) == 0 &&
           sockets_open_at(&civet->address) == 0;
}

void
civet_stop(struct civet *civet)
{
    if (civet->context == NULL) {
        return;
    }
    if (civet->is_deaf) {
        eventfd_write(civet->quiet, 1); /* wake it */
    } else if (civet->listening >= 0) {
        take_socket_away(civet);
    }
    sockets_end_at(&civet->address); /* or their threads sleep up to 2 s */
    mg_stop(civet->context);         /* closes what is at `listening` */
    close(civet->quiet);
    civet->context = NULL;
}
