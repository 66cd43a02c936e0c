/* core/http/reply.h: answers of the admin port, each in one write.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

struct api_answer;
struct mg_connection;
struct problem;

/** Send an answer. @param close  the connection ends with it */
void reply_send(struct mg_connection *conn, const struct api_answer *answer,
                int close);

/** Send a problem, and end the connection. */
void reply_problem(struct mg_connection *conn, const struct problem *problem,
                   const char *path);

/** Send plain text, with its length alone for HEAD, and end the connection. */
void reply_text(struct mg_connection *conn, int status, const char *body,
                int head_only);

#endif
