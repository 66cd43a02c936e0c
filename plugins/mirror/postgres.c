/* plugins/mirror: a PostgreSQL server. No call of libpq that waits is made: all
 * waiting is for the socket, until the deadline. The server gives up by itself
 * a little earlier, so that nothing of ours stays locked there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sql.h"

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_FIRST_MS 200 /* how much earlier the server gives up */
#define SERVER_LEAST_MS 50

struct postgres {
    struct sql sql; /* first, so that one is the other */
    PGconn *conn;   /* NULL: not connected */
    char *url;
};

static void
postgres_close(struct sql *sql)
{
    struct postgres *p = (struct postgres *)sql;
    PQfinish(p->conn);
    p->conn = NULL;
    sql->ready = 0;
}

static int
down(struct postgres *p, const char *text)
{
    int rc = sql_because(&p->sql, SQL_DOWN, text);
    postgres_close(&p->sql);
    return rc;
}

/* Wait for POLLIN or POLLOUT. @return 0 when the time is over */
static int
wait_for(struct postgres *p, short events)
{
    struct pollfd fd = {.fd = PQsocket(p->conn), .events = events};
    for (;;) {
        int64_t left_ms = sql_left_ms(&p->sql);
        int n = poll(&fd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (n > 0) {
            return 1;
        } else if (left_ms == 0 || (n < 0 && errno != EINTR)) {
            return 0;
        }
    }
}

/* ---- Statements ------------------------------------------------------ */

/* By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
 * Only what is wrong with the value itself is never tried again. */
static int
judge(const char *state)
{
    if (strncmp(state, "22", 2) == 0 || strncmp(state, "54", 2) == 0) {
        return SQL_BAD; /* data exception; a limit of the program */
    } else if (strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0 ||
               strcmp(state, "57014") == 0) {
        return SQL_BUSY; /* deadlock and the like; lock_timeout;
                            statement_timeout */
    }
    return SQL_DOWN;
}

static int
take_error(struct postgres *p, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || text == NULL) {
        return down(p, PQerrorMessage(p->conn));
    }
    char line[400];
    snprintf(line, sizeof(line), "%s (%s)", text, state);
    int verdict = judge(state);
    return verdict == SQL_DOWN ? down(p, line)
                               : sql_because(&p->sql, verdict, line);
}

static void
give_rows(const PGresult *result, sql_row_fn *row, void *arg)
{
    const char *columns[16] = {NULL};
    int width = PQnfields(result) < 16 ? PQnfields(result) : 16;
    for (int i = 0; i < PQntuples(result); i++) {
        for (int j = 0; j < width; j++) {
            columns[j] =
                PQgetisnull(result, i, j) ? NULL : PQgetvalue(result, i, j);
        }
        row(arg, columns);
    }
}

static int
flush(struct postgres *p)
{
    for (;;) {
        int rc = PQflush(p->conn);
        if (rc == 0) {
            return SQL_OK;
        } else if (rc < 0) {
            return down(p, PQerrorMessage(p->conn));
        }
        /* The server may have to be rid of something before it reads on. */
        if (!wait_for(p, POLLIN | POLLOUT)) {
            return down(p, "no answer in time");
        }
        if (PQconsumeInput(p->conn) == 0) {
            return down(p, PQerrorMessage(p->conn));
        }
    }
}

/* Take all results of what was sent; the first error counts. */
static int
take_results(struct postgres *p, sql_row_fn *row, void *arg)
{
    int rc = flush(p);
    while (p->conn != NULL) {
        while (PQisBusy(p->conn)) {
            if (!wait_for(p, POLLIN)) {
                return down(p, "no answer in time");
            }
            if (PQconsumeInput(p->conn) == 0) {
                return down(p, PQerrorMessage(p->conn));
            }
        }
        PGresult *result = PQgetResult(p->conn);
        if (result == NULL) {
            return rc;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_TUPLES_OK && row != NULL) {
            give_rows(result, row, arg);
        } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
                   rc == SQL_OK) {
            rc = take_error(p, result);
        }
        PQclear(result);
    }
    return rc;
}

static int
run_simple(struct postgres *p, const char *text)
{
    if (!PQsendQuery(p->conn, text)) {
        return down(p, PQerrorMessage(p->conn));
    }
    return take_results(p, NULL, NULL);
}

static int
postgres_run(struct sql *sql, const char *text, const char *const *args,
             int count, sql_row_fn *row, void *arg)
{
    struct postgres *p = (struct postgres *)sql;
    if (!PQsendQueryParams(p->conn, text, count, NULL, args, NULL, NULL, 0)) {
        return down(p, PQerrorMessage(p->conn));
    }
    return take_results(p, row, arg);
}

/* ---- The connection -------------------------------------------------- */

/* A PQnoticeProcessor: what a server says beside its answers is for nobody. */
static void
hear_nothing(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static int
postgres_open(struct sql *sql)
{
    static const char *const names[] = {"dbname", "fallback_application_name",
                                        "client_encoding", NULL};
    struct postgres *p = (struct postgres *)sql;
    if (p->conn != NULL) {
        return SQL_OK;
    }
    const char *const values[] = {p->url, "pegboard mirror", "UTF8", NULL};
    p->conn = PQconnectStartParams(names, values, 1);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (p->conn == NULL || PQstatus(p->conn) == CONNECTION_BAD) {
        return down(p, p->conn == NULL ? "out of memory"
                                       : PQerrorMessage(p->conn));
    }
    (void)PQsetNoticeProcessor(p->conn, hear_nothing, NULL);
    while (next != PGRES_POLLING_OK) {
        if (!wait_for(p, next == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
            return down(p, "no connection in time");
        }
        next = PQconnectPoll(p->conn);
        if (next == PGRES_POLLING_FAILED) {
            return down(p, PQerrorMessage(p->conn));
        }
    }
    if (PQsetnonblocking(p->conn, 1) != 0) {
        return down(p, PQerrorMessage(p->conn));
    }
    return SQL_OK;
}

static int
postgres_begin(struct sql *sql, int64_t lock)
{
    struct postgres *p = (struct postgres *)sql;
    int64_t most_ms = sql_left_ms(&p->sql) - SERVER_FIRST_MS;
    if (most_ms < SERVER_LEAST_MS) {
        most_ms = SERVER_LEAST_MS;
    }
    char text[300];
    snprintf(text, sizeof(text),
             "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
             "SET LOCAL statement_timeout = %" PRId64 ";"
             "SET LOCAL idle_in_transaction_session_timeout = %" PRId64 ";"
             "SELECT pg_advisory_xact_lock(%" PRId64 ")",
             most_ms, most_ms + 2 * SERVER_FIRST_MS, lock);
    return run_simple(p, text);
}

static int
postgres_commit(struct sql *sql)
{
    return run_simple((struct postgres *)sql, "COMMIT");
}

static void
postgres_rollback(struct sql *sql)
{
    struct postgres *p = (struct postgres *)sql;
    if (p->conn != NULL) {
        (void)run_simple(p, "ROLLBACK");
    }
}

static void
postgres_free(struct sql *sql)
{
    struct postgres *p = (struct postgres *)sql;
    if (p->url != NULL) {
        explicit_bzero(p->url, strlen(p->url));
    }
    free(p->url);
    free(p);
}

static const struct sql_engine engine = {
    .name = "postgresql",
    .find_mirror = "SELECT to_regclass('stripe_mirror')",
    .open = postgres_open,
    .begin = postgres_begin,
    .run = postgres_run,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .close = postgres_close,
    .free = postgres_free,
};

/* A password with a "/" or "@" of its own makes libpq take parts of it for a
 * host, a port or a database: its messages would show them. */
static int
is_unambiguous(const char *url)
{
    const char *rest = strstr(url, "//") + 2;
    const char *at = strchr(rest, '@');
    return at == NULL || (memchr(rest, '/', (size_t)(at - rest)) == NULL &&
                          strchr(at + 1, '@') == NULL);
}

struct sql *
postgres_new(const char *url)
{
    PQconninfoOption *parts =
        is_unambiguous(url) ? PQconninfoParse(url, NULL) : NULL;
    struct postgres *p = parts != NULL ? calloc(1, sizeof(*p)) : NULL;
    PQconninfoFree(parts);
    if (p == NULL) {
        return NULL;
    }
    p->sql.engine = &engine;
    p->url = strdup(url);
    if (p->url == NULL) {
        postgres_free(&p->sql);
        return NULL;
    }
    /* libpq looks up names by itself, and waits for that. This makes a name
     * server that is silent cost 2 s, instead of 10. */
    (void)setenv("RES_OPTIONS", "timeout:1 attempts:2", 0);
    return &p->sql;
}
