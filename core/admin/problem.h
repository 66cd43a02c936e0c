/* core/admin/problem.h: what can be wrong with a request, as RFC 9457 wants it
 * told: every problem has a code for programs and a text for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROBLEM_H
#define CORE_PROBLEM_H

struct cJSON;

enum problem_code {
    PROBLEM_NONE = 0,
    PROBLEM_BAD_REQUEST,  /* 400 */
    PROBLEM_PARAMETER,    /* 400: of the query */
    PROBLEM_BODY,         /* 400: not JSON, or not what was expected */
    PROBLEM_CURSOR,       /* 400 */
    PROBLEM_UNAUTHORIZED, /* 401 */
    PROBLEM_ORIGIN,       /* 403 */
    PROBLEM_NOT_FOUND,    /* 404: no such path */
    PROBLEM_NO_EVENT,     /* 404 */
    PROBLEM_NO_PLUGIN,    /* 404 */
    PROBLEM_NO_JOB,       /* 404 */
    PROBLEM_METHOD,       /* 405 */
    PROBLEM_SLOW,         /* 408 */
    PROBLEM_NOT_SERVED,   /* 409 */
    PROBLEM_JOB_ENDED,    /* 409 */
    PROBLEM_MANY_JOBS,    /* 409 */
    PROBLEM_OFFLINE,      /* 409: only a daemon can */
    PROBLEM_RELOAD,       /* 409: the new configuration is refused */
    PROBLEM_TOO_LARGE,    /* 413 */
    PROBLEM_NOT_JSON,     /* 415 */
    PROBLEM_HOST,         /* 421 */
    PROBLEM_TOO_WIDE,     /* 422: a bulk action on everything */
    PROBLEM_REFUSED,      /* 422 */
    PROBLEM_TRIES,        /* 429 */
    PROBLEM_INTERNAL,     /* 500 */
    PROBLEM_UNLOADED,     /* 500: a reload failed by the machine's fault */
    PROBLEM_VERSION,      /* 505 */
    PROBLEM_STORE,        /* 503 */
    PROBLEM_QUERY_SLOW,   /* 503 */
    PROBLEM_STREAMS,      /* 503 */
    PROBLEM_MANY_RELOADS, /* 503: too many wait for one */
    PROBLEM_STOPPING,     /* 503 */
    PROBLEM_COUNT,
};

/** Zero it before. */
struct problem {
    enum problem_code code;
    char detail[640], hint[320];
    char member[96];     /* what is to blame, "" for nothing in particular: a
                            parameter, or with '/' in front a JSON Pointer */
    const char *allowed; /* words that would do, blanks between; or NULL */
};

/** Set code and detail, forgetting what was there. @return RC_INVALID */
int problem_set(struct problem *problem, enum problem_code code,
                const char *detail, ...) __attribute__((format(printf, 3, 4)));

void problem_hint(struct problem *problem, const char *hint, ...)
    __attribute__((format(printf, 2, 3)));

/** Say which parameter or member it is. `base` is "" or a pointer in front of
 * `name`; NULL for a parameter. */
void problem_blame(struct problem *problem, const char *base, const char *name,
                   const char *allowed);

int problem_status(const struct problem *problem);

/**
 * The document. NULL when out of memory.
 *
 * @param instance  path of the request
 */
struct cJSON *problem_json(const struct problem *problem, const char *instance);

/** Move more members into a document. It keeps those that it has. Both may be
 * NULL. */
void problem_add(struct cJSON *json, struct cJSON *members);

#endif
