/* tests/bench/bare.c: the yardstick: a CivetWeb server that reads the body and
 * answers as Pegboard does, with the same settings, and does nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <civetweb.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 8192

static const char answer_kept[] = "HTTP/1.1 200 OK\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: 17\r\n"
                                  "\r\n"
                                  "{\"received\":true}";
static const char answer_closing[] = "HTTP/1.1 200 OK\r\n"
                                     "Content-Type: application/json\r\n"
                                     "Content-Length: 17\r\n"
                                     "Connection: close\r\n"
                                     "\r\n"
                                     "{\"received\":true}";

static int
answer(struct mg_connection *conn, void *unused)
{
    (void)unused;
    char bytes[READ_BYTES];
    while (mg_read(conn, bytes, sizeof(bytes)) > 0) {
    }
    const char *wish = mg_get_header(conn, "Connection");
    if (wish != NULL && strcmp(wish, "close") == 0) {
        mg_write(conn, answer_closing, strlen(answer_closing));
    } else {
        mg_write(conn, answer_kept, strlen(answer_kept));
    }
    return 200;
}

static struct mg_context *
start(const char *listen)
{
    const char *settings[] = {
        "listening_ports",
        listen,
        "num_threads",
        "128",
        "connection_queue",
        "256",
        "listen_backlog",
        "1024",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "5000",
        "request_timeout_ms",
        "10000",
        "tcp_nodelay",
        "1",
        "decode_url",
        "no",
        "access_control_allow_methods",
        "",
        NULL,
    };
    struct mg_callbacks callbacks;
    memset(&callbacks, 0, sizeof(callbacks));
    struct mg_context *context = mg_start(&callbacks, NULL, settings);
    if (context != NULL) {
        mg_set_request_handler(context, "/", answer, NULL);
    }
    return context;
}

/* Serves until a signal; the first line of output tells the port. */
int
main(int argc, char **argv)
{
    const char *listen = argc > 1 ? argv[1] : "127.0.0.1:0";
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, NULL); /* before threads inherit */

    mg_init_library(0);
    struct mg_context *context = start(listen);
    struct mg_server_port port;
    if (context == NULL || mg_get_server_ports(context, 1, &port) != 1) {
        fprintf(stderr, "bare: cannot listen on %s\n", listen);
        return EXIT_FAILURE;
    }
    printf("%d\n", port.port);
    fflush(stdout);

    int signal_number = 0;
    sigwait(&ending, &signal_number);
    mg_stop(context);
    mg_exit_library();
    return EXIT_SUCCESS;
}
