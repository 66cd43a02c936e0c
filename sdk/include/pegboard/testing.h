/* pegboard/testing.h: call a plugin from a test program, without a daemon.
 *
 * The test program holds the plugin itself: it compiles the plugin's source, or
 * links its object. The kit is the code that runs in production (accessors,
 * options, store), in libpegboard-testing.a, with a clock, an allocator and a
 * store that the test commands. Any test framework will do, or none. C11 and
 * C++17.
 *
 *   pegt_host *host = pegt_open(&pegboard_plugin_v1);
 *   PEGT_CHECK(host, pegt_set_option(host, "greeting", "hi") == PEGT_OK);
 *   PEGT_CHECK(host, pegt_init(host) == PEGT_OK);
 *   PEGT_CHECK(host, pegt_set_event_file(host, "event.json") == PEGT_OK);
 *   PEGT_CHECK(host, pegt_handle(host) == PEG_DONE);
 *   pegt_close(host);
 *
 * Errors: a function that refuses returns PEGT_REFUSED, changes nothing, and
 * pegt_error() says why. When memory is out the program is aborted.
 *
 * Ownership: what goes in is copied, but for the descriptor. A text that comes
 * out is the host's; unless said otherwise it lives until the next call with
 * that host, and is never NULL.
 *
 * Threads: one thread at a time per host. The plugin's own threads may log, and
 * must have ended when pegt_close() frees the host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEGBOARD_TESTING_H
#define PEGBOARD_TESTING_H

#include <pegboard/plugin.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A runner with one plugin in it. */
typedef struct pegt_host pegt_host;

enum {
    PEGT_OK = 0,
    PEGT_REFUSED = -1, /* see pegt_error(); no verdict has this number */
};

/* ---- Life ----------------------------------------------------------- */

/**
 * Make a host for the plugin, and judge its descriptor as the runner does.
 *
 * @param plugin  borrowed until pegt_close(); mostly &pegboard_plugin_v1
 * @return never NULL; the caller's: pegt_close(). With a descriptor that breaks
 *         a rule pegt_error() says which, and all that follows is refused
 */
PEG_EXPORT pegt_host *pegt_open(const struct peg_plugin *plugin);

/** pegt_shutdown() if it is due, and free the host. Accepts NULL. */
PEG_EXPORT void pegt_close(pegt_host *host);

/** Why the last call was refused; "" when it was not. */
PEG_EXPORT const char *pegt_error(const pegt_host *host);

/**
 * Set an option, before pegt_init(). Refused like in the INI file: an option
 * that is not declared, a value that has not its type's form, a second value.
 * A path may be relative to the current folder. A secret is given as the plugin
 * shall see it, not as file:PATH or env:NAME.
 *
 * @return PEGT_OK or PEGT_REFUSED
 */
PEG_EXPORT int pegt_set_option(pegt_host *host, const char *name,
                               const char *value);

/**
 * Give the other options their defaults and call init(). Refused when a
 * required option has no value, or init() returns other than 0: pegt_error()
 * then has that number and the plugin's last error line. To be called once.
 *
 * @return PEGT_OK or PEGT_REFUSED
 */
PEG_EXPORT int pegt_init(pegt_host *host);

/** Call self_test(), after pegt_init().
 * @return PEGT_OK, also when the plugin has none; or PEGT_REFUSED */
PEG_EXPORT int pegt_self_test(pegt_host *host);

/** Call shutdown(), if there is one and init() was well. */
PEG_EXPORT void pegt_shutdown(pegt_host *host);

/** The plugin's peg_ctx, e.g. to look at `user`. Valid until pegt_close(). */
PEG_EXPORT peg_ctx *pegt_ctx(pegt_host *host);

/* ---- The event ------------------------------------------------------ */

/**
 * Take an event for the handle() calls that follow, with the facts that its
 * JSON tells, attempt 1, no signature, received now.
 *
 * @param json  NUL-terminated; refused when it is not JSON, or lacks the
 *              strings "id" and "type"
 * @return PEGT_OK or PEGT_REFUSED: the event before stays
 */
PEG_EXPORT int pegt_set_event(pegt_host *host, const char *json);

/** As pegt_set_event(), from a file. */
PEG_EXPORT int pegt_set_event_file(pegt_host *host, const char *path);

/**
 * Make a fact of the event at hand another than its JSON tells.
 *
 * @param field  PEG_META_* marked s, but for PEG_META_CHANGE, which is made of
 *               PEG_META_TYPE and PEG_META_OBJECT_ID
 * @param value  NULL or "" for absent
 * @return PEGT_OK or PEGT_REFUSED: no event, or no such field
 */
PEG_EXPORT int pegt_set_meta_str(pegt_host *host, int32_t field,
                                 const char *value);

/** @param field  PEG_META_* marked i. PEG_META_ATTEMPT is that of the next
 *                pegt_handle() and counts up from there */
PEG_EXPORT int pegt_set_meta_i64(pegt_host *host, int32_t field, int64_t value);

/** Whether an event of that type would be sent to the plugin: 1 or 0. */
PEG_EXPORT int pegt_wants(pegt_host *host, const char *type);

/* ---- Calling the handler -------------------------------------------- */

/**
 * Call handle() with the event at hand. Each call with one event is its next
 * attempt.
 *
 * @return what the daemon would make of it:
 *         PEG_DONE, PEG_SKIP, PEG_RETRY, PEG_FAIL  as returned
 *         PEG_RETRY      also: another number was returned; the store could not
 *                        be read, or not take what was written; more time than
 *                        peg_ms_left() gave has passed on the test's clock
 *         PEGT_REFUSED   not called: no pegt_init(), or no event
 */
PEG_EXPORT int32_t pegt_handle(pegt_host *host);

/** As pegt_handle(), with a function of the test, to try a part of a plugin
 * that takes the two handles. */
PEG_EXPORT int32_t pegt_call(pegt_host *host, peg_handle_fn *function);

/* About the last call: */

/** What the function itself returned. */
PEG_EXPORT int32_t pegt_returned(const pegt_host *host);

/** What peg_reason() said, or why the verdict is not what was returned; ""
 * for nothing. */
PEG_EXPORT const char *pegt_reason(const pegt_host *host);

/** What peg_retry_after() asked for; -1 for nothing. */
PEG_EXPORT int64_t pegt_delay_ms(const pegt_host *host);

/** Microseconds that it took, on the real clock. */
PEG_EXPORT int64_t pegt_took_us(const pegt_host *host);

/* ---- Time ----------------------------------------------------------- */

/** Set what peg_ms_left() starts from. 30000, the daemon's default, if this is
 * not called.
 * @param ms  1 or more */
PEG_EXPORT void pegt_set_timeout(pegt_host *host, int64_t ms);

/** Let time pass for peg_ms_left(). To be called while handle() runs: from what
 * the test puts in place of a server, a database, sleep(). No other time
 * passes there. */
PEG_EXPORT void pegt_advance(pegt_host *host, int64_t ms);

/** Let `ms` pass with every peg_ms_left(), from the second on: for handlers
 * that work until time is up. 0 for none. */
PEG_EXPORT void pegt_set_step(pegt_host *host, int64_t ms);

/* ---- Memory --------------------------------------------------------- */

/** Have the nth peg_scratch() from now return NULL, that one alone: 1 for the
 * next, 0 for none. */
PEG_EXPORT void pegt_fail_scratch(pegt_host *host, unsigned nth);

/** Calls of peg_scratch() by the last pegt_handle(), so that a test can fail
 * each in turn. */
PEG_EXPORT unsigned pegt_scratch_calls(const pegt_host *host);

/* ---- The store ------------------------------------------------------ */

/**
 * Write a key. Between calls of handle() that is what was there before; from
 * within one it is another event that writes, and a handler that has read this
 * key is called again, as in production, without counting an attempt.
 *
 * @return PEGT_OK; PEGT_REFUSED beyond one of the PEG_STORE_* limits
 */
PEG_EXPORT int pegt_store_put(pegt_host *host, const char *key,
                              const void *bytes, size_t len);

/** Delete a key, which need not exist. */
PEG_EXPORT int pegt_store_delete(pegt_host *host, const char *key);

/**
 * Read a key, as the verdicts so far have left it.
 *
 * @param len  gets the length in bytes; may be NULL
 * @return the bytes, with a NUL behind them; NULL when there is no such key.
 *         Valid until pegt_close() or the next pegt_store_get()
 */
PEG_EXPORT const char *pegt_store_get(pegt_host *host, const char *key,
                                      size_t *len);

/** How many keys there are. */
PEG_EXPORT size_t pegt_store_count(const pegt_host *host);

/** Have the nth key that a handler reads from now on yield PEG_FAILED, that one
 * alone: 1 for the next, 0 for none. A key that this call of handle() has
 * touched before is not read again, so does not count. */
PEG_EXPORT void pegt_fail_store(pegt_host *host, unsigned nth);

/* ---- The log -------------------------------------------------------- */

/** Lines logged so far. */
PEG_EXPORT size_t pegt_log_count(pegt_host *host);

/** Line `index`, from 0; "" behind the last. Valid until pegt_log_clear(). */
PEG_EXPORT const char *pegt_log_text(pegt_host *host, size_t index);

/** Its PEG_LOG_* level; -1 behind the last. */
PEG_EXPORT int32_t pegt_log_level(pegt_host *host, size_t index);

/** How many lines of that level have `part` in them. */
PEG_EXPORT size_t pegt_logged(pegt_host *host, int32_t level, const char *part);

/** Forget the lines so far. */
PEG_EXPORT void pegt_log_clear(pegt_host *host);

/* ---- When a test fails ---------------------------------------------- */

/** Print the last error, verdict, reason and all log lines. */
PEG_EXPORT void pegt_dump(pegt_host *host, FILE *out);

/** For PEGT_CHECK(): say what failed, pegt_dump() to stderr, abort(). */
PEG_EXPORT void pegt_fail(pegt_host *host, const char *file, int line,
                          const char *condition)
#if defined(__GNUC__)
    __attribute__((noreturn))
#endif
    ;

/** assert() that says what the plugin said, and that NDEBUG, which CMake's
 * Release builds define, does not take away. */
#define PEGT_CHECK(host, condition)                                            \
    ((condition) ? (void)0 : pegt_fail((host), __FILE__, __LINE__, #condition))

#ifdef __cplusplus
}
#endif

#endif
