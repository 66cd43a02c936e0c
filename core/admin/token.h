/* core/admin/token.h: the secret that opens the admin API, and where it is.
 *
 * A daemon keeps two files in its state folder, readable by its user alone:
 * operator.token, made at first start and kept, and admin.url, where it
 * listens, made at each start and removed at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TOKEN_H
#define CORE_TOKEN_H

struct error;

#define TOKEN_PREFIX  "pgb_op_"
#define TOKEN_MAX     80 /* with its NUL */
#define TOKEN_URL_MAX 64

/** Read the token of a state folder; with `make` it is made if absent. A file
 * that others can read is refused. @return RC_OK, RC_NOT_FOUND, RC_INVALID,
 * RC_IO */
int token_load(const char *state_dir, int make, char *out, struct error *err);

/** As token_load(), from any file. */
int token_read(const char *path, char *out, struct error *err);

/** Whether they are equal, in constant time. */
int token_matches(const char *token, const char *given);

/**
 * Tell where the admin API of that state folder is, for as long as this process
 * lives: the file is locked, so that one left behind by a kill -9 sends nobody,
 * with a token in hand, to whoever has that port by now.
 *
 * @param held  set on success only; the caller owns it: token_withdraw()
 * @return RC_OK or RC_IO
 */
int token_publish(int *held, const char *state_dir, const char *url,
                  struct error *err);

/** There is no admin API any more. */
int token_withdraw(int held, const char *state_dir, struct error *err);

/** Where it is. @return RC_OK or RC_NOT_FOUND: no daemon runs there */
int token_where(const char *state_dir, char *url, struct error *err);

#endif
