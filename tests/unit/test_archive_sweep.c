/* tests/unit/test_archive_sweep.c: what a sweep removes, and above all what it
 * leaves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "archive_fixture.h"

static void
sweep(long long kept, struct made *live)
{
    struct generation *generation = live != NULL ? &live->generation : NULL;
    archive_sweep(STATE, &kept, 1, &generation, live != NULL);
}

static void
kept_and_live_ones_stay_with_their_copies(void **state)
{
    (void)state;
    struct made live;
    keep(5, "", "a=old");
    keep(6, "", "a=kept b=both");
    make(&live, "", "a=live b=both");
    sweep(6, &live);
    assert_false(exists(STATE "/generations/5"));
    assert_true(exists(STATE "/generations/6"));
    assert_false(has_copy("old"));
    assert_true(has_copy("kept"));
    assert_true(has_copy("both"));
    assert_true(has_copy("live"));

    struct archived archived = {0};
    assert_int_equal(archive_find(&archived, STATE, 6, NULL), RC_OK);
    archived_fini(&archived);
}

static void
two_may_be_kept_and_two_may_live(void **state)
{
    (void)state;
    struct made first, second;
    keep(5, "", "a=five");
    keep(6, "", "a=six");
    keep(7, "", "a=seven");
    make(&first, "", "a=first");
    make(&second, "", "a=second");
    const long long kept[] = {7, 5};
    struct generation *live[] = {&first.generation, &second.generation};
    archive_sweep(STATE, kept, 2, live, 2);
    assert_true(exists(STATE "/generations/5"));
    assert_false(exists(STATE "/generations/6"));
    assert_true(exists(STATE "/generations/7"));
    assert_true(has_copy("five") && has_copy("seven"));
    assert_true(has_copy("first") && has_copy("second"));
    assert_false(has_copy("six"));
}

static void
leftovers_go(void **state)
{
    (void)state;
    keep(6, "", "a=kept");
    write_file(STATE "/plugins/.new-aZ09xy", 0444, "half");
    assert_int_equal(mkdir(STATE "/generations/.new-7", 0700), 0);
    write_file(STATE "/generations/.new-7/pegboard.ini", 0600, "half");
    sweep(6, NULL);
    assert_false(exists(STATE "/plugins/.new-aZ09xy"));
    assert_false(exists(STATE "/generations/.new-7"));
    assert_true(has_copy("kept"));
}

static void
what_is_not_ours_stays(void **state)
{
    (void)state;
    static const char *const files[] = {
        STATE "/plugins/readme",       STATE "/plugins/other.so",
        STATE "/plugins/.new-abc",     STATE "/plugins/.new-abcde.",
        STATE "/plugins/.new-abcdefg", STATE "/generations/5",
        STATE "/generations/notes",    STATE "/generations/.new-8",
    };
    static const char *const folders[] = {
        STATE "/generations/007",
        STATE "/generations/-1",
        STATE "/generations/7.bak",
        STATE "/generations/.new-7x",
        STATE "/generations/99999999999999999999",
    };
    char path[PATH_MAX], longer[PATH_MAX + 4];
    keep(6, "", "");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        write_file(files[i], 0600, "theirs");
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_int_equal(mkdir(folders[i], 0700), 0);
    }
    path_of(path, "a folder");
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(longer, sizeof(longer), "%s.gz", path);
    write_file(longer, 0600, "theirs");
    sweep(6, NULL);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_true(exists(files[i]));
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_true(exists(folders[i]));
    }
    assert_true(exists(path));
    assert_true(exists(longer));
}

static void
file_of_theirs_in_an_old_one_stays(void **state)
{
    (void)state;
    keep(5, "", "");
    write_file(STATE "/generations/5/notes", 0600, "theirs");
    sweep(6, NULL);
    assert_true(exists(STATE "/generations/5/notes"));
    assert_false(exists(STATE "/generations/5/pegboard.ini"));
}

/* Folders elsewhere, with names and files as ours. */
static void
links_lead_nowhere(void **state)
{
    (void)state;
    char path[PATH_MAX];
    keep(6, "", "a=kept");
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    write_file("elsewhere/pegboard.ini", 0600, "theirs");
    assert_int_equal(symlink("../../elsewhere", STATE "/generations/5"), 0);
    assert_int_equal(symlink("../../elsewhere", STATE "/generations/.new-4"),
                     0);
    path_of(path, "elsewhere");
    assert_int_equal(symlink("../../elsewhere/pegboard.ini", path), 0);
    assert_int_equal(
        symlink("../../elsewhere/pegboard.ini", STATE "/plugins/.new-abcdef"),
        0);
    sweep(6, NULL);
    assert_true(exists("elsewhere/pegboard.ini"));
    assert_true(exists(STATE "/generations/5"));
    assert_true(exists(path));
    assert_true(has_copy("kept"));
}

static void
folder_that_is_a_link_is_not_swept(void **state)
{
    (void)state;
    keep(5, "", "a=one");
    assert_int_equal(rename(STATE "/generations", "elsewhere"), 0);
    assert_int_equal(symlink("../elsewhere", STATE "/generations"), 0);
    sweep(6, NULL);
    assert_true(exists("elsewhere/5/pegboard.ini"));
    assert_true(has_copy("one")); /* who knows what is kept there? */

    assert_int_equal(unlink(STATE "/generations"), 0);
    assert_int_equal(rename(STATE "/plugins", "copies"), 0);
    assert_int_equal(symlink("../copies", STATE "/plugins"), 0);
    sweep(6, NULL);
    assert_true(has_copy("one"));
}

static void
no_copy_goes_while_a_list_cannot_be_read(void **state)
{
    (void)state;
    keep(5, "", "a=old");
    keep(6, "", "a=kept");
    write_file(STATE "/generations/6/plugins", 0600, "a");
    sweep(6, NULL);
    assert_false(exists(STATE "/generations/5"));
    assert_true(exists(STATE "/generations/6"));
    assert_true(has_copy("kept"));
    assert_true(has_copy("old"));
}

static void
nothing_to_sweep_is_no_fault(void **state)
{
    (void)state;
    sweep(6, NULL); /* no STATE at all */
    assert_int_equal(mkdir(STATE, 0700), 0);
    sweep(6, NULL);
    keep(5, "", "a=old");
    sweep(6, NULL); /* 6 was never kept */
    assert_false(exists(STATE "/generations/5"));
    assert_false(has_copy("old"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(kept_and_live_ones_stay_with_their_copies),
        FOLDER_TEST(two_may_be_kept_and_two_may_live),
        FOLDER_TEST(leftovers_go),
        FOLDER_TEST(what_is_not_ours_stays),
        FOLDER_TEST(file_of_theirs_in_an_old_one_stays),
        FOLDER_TEST(links_lead_nowhere),
        FOLDER_TEST(folder_that_is_a_link_is_not_swept),
        FOLDER_TEST(no_copy_goes_while_a_list_cannot_be_read),
        FOLDER_TEST(nothing_to_sweep_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
