/* tests/unit/test_inbox_kill.c: a process that stores events and closes
 * deliveries is killed at a random moment, and the file has all that was
 * acknowledged. What the system holds outlives a killed process, so this does
 * not see a missing flush: test_inbox_disk.c counts those.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS       10
#define PUTTERS      4
#define ALIVE_MAX_MS 150

/* What the child says, in one write each: kept whole by the pipe. */
struct word {
    char kind; /* 'p': the put of this number was acknowledged; 'f': the result
                  of its delivery was handed in */
    int number;
};

static int words; /* the child's end of the pipe */
static int first_number;

static void
say(char kind, int number)
{
    struct word word;
    memset(&word, 0, sizeof(word));
    word.kind = kind;
    word.number = number;
    if (write(words, &word, sizeof(word)) != sizeof(word)) {
        _exit(1);
    }
}

static void *
put_for_ever(void *arg)
{
    struct putter *p = arg;
    for (int n = first_number + (int)p->wait_ms;; n += PUTTERS) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%d", n);
        if (put_event(p->rig, id) != RC_OK) {
            _exit(1);
        }
        say('p', n);
    }
    return NULL;
}

/* Half of the deliveries are closed, a quarter comes again, and the last
 * quarter stays in hand. */
static void
close_for_ever(struct rig *rig)
{
    inbox_want(rig->inbox, rig->plugin, 8);
    for (;;) {
        struct inbox_claim *claim = await_claim(rig);
        int number = atoi(claim->event_id + strlen("evt_"));
        if (number % 4 != 3) {
            struct inbox_result *result =
                number % 4 == 2 && claim->attempt == 1
                    ? result_of(claim, INBOX_RETRY, INBOX_AGAIN)
                    : result_of(claim, INBOX_DONE, INBOX_CLOSE);
            inbox_finish(rig->inbox, result);
            say('f', number);
        }
        free(claim);
        inbox_want(rig->inbox, rig->plugin, 1);
    }
}

static void
run_until_killed(void)
{
    static struct rig rig;
    static struct putter putters[PUTTERS];
    void *state;
    if (start_rig(&state, &rig) != 0) {
        _exit(1);
    }
    for (int i = 0; i < PUTTERS; i++) {
        putters[i].rig = &rig;
        putters[i].wait_ms = i;
        if (pthread_create(&putters[i].thread, NULL, put_for_ever,
                           &putters[i]) != 0) {
            _exit(1);
        }
    }
    close_for_ever(&rig);
}

/* Run a child for a while and kill it. Returns what it said, in a stream. */
static FILE *
killed_child(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    FILE *said = tmpfile();
    assert_non_null(said);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        words = ends[1];
        run_until_killed();
    }
    close(ends[1]);

    /* Not before the first word: opening takes its time. */
    int64_t kill_ms = INT64_MAX;
    struct word word;
    while (read(ends[0], &word, sizeof(word)) == sizeof(word)) {
        fwrite(&word, sizeof(word), 1, said);
        if (kill_ms == INT64_MAX) {
            kill_ms = clock_mono_ms() + rand() % ALIVE_MAX_MS;
        }
        if (clock_mono_ms() >= kill_ms) {
            kill(child, SIGKILL);
        }
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    rewind(said);
    return said;
}

/* Each acknowledged event is there, with its body, and what is owed of it is
 * owed still or was tried. Returns the highest number. */
static int
check_words(FILE *said, unsigned *puts)
{
    struct word word;
    int highest = 0;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(inbox_path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT count(*), count(body.data), (SELECT count(*) FROM delivery"
            " d WHERE d.seq = event.seq) + (SELECT count(*) FROM attempt a"
            " WHERE a.seq = event.seq AND outcome = 0)"
            " FROM event JOIN body USING(seq) WHERE event_id = 'evt_' || ?1",
            -1, &stmt, NULL),
        SQLITE_OK);
    while (fread(&word, sizeof(word), 1, said) == 1) {
        highest = word.number > highest ? word.number : highest;
        *puts += word.kind == 'p';
        sqlite3_bind_int(stmt, 1, word.number);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmt, 0), 1);
        assert_int_equal(sqlite3_column_int(stmt, 1), 1);
        assert_int_equal(sqlite3_column_int(stmt, 2), 1); /* owed or done */
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return highest;
}

static void
killed_at_any_moment_it_has_all_it_acknowledged(void **state)
{
    (void)state;
    unsigned seed = (unsigned)clock_mono_us(), puts = 0;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < ROUNDS; round++) {
        FILE *said = killed_child();
        struct inbox_engine *engine = open_engine(); /* recovers the file */
        engine->ops->close(engine);
        assert_int_equal(ask_file(SOUND), 1);
        assert_int_equal(
            ask_file("SELECT count(*) FROM delivery WHERE state = 1"), 0);
        first_number = check_words(said, &puts) + 1000;
        fclose(said);
    }
    print_message("%u acknowledged\n", puts);
    assert_true(puts > ROUNDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(killed_at_any_moment_it_has_all_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
