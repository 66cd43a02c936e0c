/* tests/unit/test_inbox_kill.c: a process that stores events, closes deliveries
 * and enrols generations is killed at a random moment, and the file has all
 * that was acknowledged, and each generation whole. What the system holds
 * outlives a killed process, so this does not see a missing flush:
 * test_inbox_disk.c counts those. SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define ROUNDS       10
#define PUTTERS      4
#define ALIVE_MAX_US 150000

/* What the child says, in one write each: kept whole by the pipe. */
struct word {
    char kind; /* 'p': the put of this number was acknowledged; 'f': the result
                  of its delivery was handed in; 'e': the generation of this
                  number was enrolled */
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
start_putters(struct rig *rig)
{
    static struct putter putters[PUTTERS];
    for (int i = 0; i < PUTTERS; i++) {
        putters[i].rig = rig;
        putters[i].wait_ms = i;
        if (pthread_create(&putters[i].thread, NULL, put_for_ever,
                           &putters[i]) != 0) {
            _exit(1);
        }
    }
}

static void
run_until_killed(struct rig *rig)
{
    start_putters(rig);
    close_for_ever(rig);
}

/* Whether one comes before that time. */
static int
wait_for_word(int fd, int64_t until_us)
{
    struct pollfd next = {.fd = fd, .events = POLLIN};
    int64_t left_us = until_us - clock_mono_us();
    struct timespec left = {.tv_nsec = left_us * 1000};
    return left_us > 0 && ppoll(&next, 1, &left, NULL) > 0;
}

/* Run a child for a while and kill it. Returns what it said, in a stream. */
static FILE *
killed_child(void (*run)(struct rig *rig))
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
        static struct rig rig;
        void *state;
        if (start_rig(&state, &rig) == 0) {
            run(&rig);
        }
        _exit(1);
    }
    close(ends[1]);

    /* Not before the first word: opening takes its time. Then whenever it is,
     * since what is to be met lies between two words. */
    struct word word;
    assert_int_equal(read(ends[0], &word, sizeof(word)), sizeof(word));
    int64_t kill_us = clock_mono_us() + rand() % ALIVE_MAX_US;
    do {
        fwrite(&word, sizeof(word), 1, said);
    } while (wait_for_word(ends[0], kill_us) &&
             read(ends[0], &word, sizeof(word)) == sizeof(word));
    kill(child, SIGKILL);
    while (read(ends[0], &word, sizeof(word)) == sizeof(word)) {
        fwrite(&word, sizeof(word), 1, said);
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
        FILE *said = killed_child(run_until_killed);
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

/* ---- Enrolling ------------------------------------------------------ */

#define ENROLLED 3
#define KILLS    20
#define BACKLOG  600 /* events of four objects: a change of order takes time */

/* All of a generation follows from its number, so that a part of another would
 * show. */
static int
enrol_number(struct rig *rig, int64_t number)
{
    static const char *const names[ENROLLED] = {"first", "second", "third"};
    struct inbox_policy policies[ENROLLED];
    struct inbox_plugin plugins[ENROLLED];
    struct inbox_generation generation = {.previous = number - 1};
    struct inbox_enrolment enrolment = {.policies = policies,
                                        .count = ENROLLED,
                                        .plugins = plugins,
                                        .generation = &generation};
    snprintf(generation.inputs, sizeof(generation.inputs), "%lld",
             (long long)number);
    for (int i = 0; i < ENROLLED; i++) {
        policies[i] =
            (struct inbox_policy){.name = names[i],
                                  .order = (enum inbox_order)(number % 3),
                                  .digest = generation.inputs};
    }
    return inbox_enrol(rig->inbox, &enrolment, NULL) == RC_OK &&
           generation.number == number;
}

static int
put_backlog(struct rig *rig)
{
    int rc = RC_OK;
    for (int i = 0; i < BACKLOG && rc == RC_OK; i++) {
        struct arrival a;
        char id[32];
        snprintf(id, sizeof(id), "evt_%d", i);
        arrive(&a, id, ENROLLED);
        snprintf(a.event.object_id, sizeof(a.event.object_id), "pi_%d", i % 4);
        rc = inbox_put(rig->inbox, &a.put, PATIENCE_MS);
    }
    return rc == RC_OK;
}

static void
enrol_until_killed(struct rig *rig)
{
    struct inbox_generation last;
    if (inbox_generation(rig->inbox, &last, NULL) != RC_OK) {
        return;
    }
    int64_t number = last.number + 1;
    if (!enrol_number(rig, number) || !put_backlog(rig)) {
        return;
    }
    inbox_want(rig->inbox, rig->plugin, 50); /* and some stay leased */
    do {
        say('e', (int)number++);
    } while (enrol_number(rig, number));
}

static int
highest_word(FILE *said)
{
    struct word word;
    int highest = 0;
    while (fread(&word, sizeof(word), 1, said) == 1) {
        highest = word.number > highest ? word.number : highest;
    }
    return highest;
}

/* The last acknowledged or the one that was under way; and if one, then all of
 * it. */
static void
check_generation(int acknowledged)
{
    int64_t number = ask_file("SELECT number FROM generation");
    assert_in_range(number, acknowledged, acknowledged + 1);
    assert_int_equal(ask_file("SELECT count(*) FROM generation"
                              " WHERE inputs = number"
                              " AND previous = number - 1"),
                     1);
    assert_int_equal(ask_file("SELECT count(*) FROM plugin, generation"
                              " WHERE digest = inputs AND ord = number % 3"),
                     ENROLLED);
    assert_int_equal(ask_file("SELECT count(*) FROM delivery, plugin"
                              " WHERE plugin.id = delivery.plugin"
                              " AND (lane <> '') <> (ord <> 0)"),
                     0);
    assert_int_equal(ask_file("SELECT count(*) FROM (SELECT 1 FROM delivery"
                              " WHERE lane <> '' GROUP BY plugin, lane"
                              " HAVING sum(state IN (0, 1)) <> 1)"),
                     0);
}

static void
killed_while_enrolling_it_has_whole_generations(void **state)
{
    (void)state;
    unsigned seed = (unsigned)clock_mono_us();
    print_message("seed %u\n", seed);
    srand(seed);
    int highest = 0;
    for (int round = 0; round < KILLS; round++) {
        FILE *said = killed_child(enrol_until_killed);
        int acknowledged = highest_word(said);
        fclose(said);
        assert_true(acknowledged > highest); /* never given twice */
        highest = acknowledged;
        struct inbox_engine *engine = NULL;
        assert_int_equal(sqlite_open(&engine, inbox_path, NULL), RC_OK);
        engine->ops->close(engine);
        assert_int_equal(ask_file(SOUND), 1);
        check_generation(acknowledged);
    }
    print_message("%d generations\n", highest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(killed_at_any_moment_it_has_all_it_acknowledged),
        INBOX_TEST(killed_while_enrolling_it_has_whole_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
