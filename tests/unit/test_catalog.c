/* tests/unit/test_catalog.c: the event types that Stripe documents.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stripe/catalog.h"

#include "stripe/event.h"

#include <string.h>

#define TYPES     601
#define SNAPSHOTS 275

static void
table_is_sorted_and_complete(void **state)
{
    (void)state;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    assert_int_equal(count, TYPES);
    size_t snapshots = 0;
    for (size_t i = 0; i < count; i++) {
        snapshots += types[i].family == CATALOG_SNAPSHOT;
        if (i > 0 && strcmp(types[i - 1].name, types[i].name) >= 0) {
            fail_msg("%s is not after %s", types[i].name, types[i - 1].name);
        }
    }
    assert_int_equal(snapshots, SNAPSHOTS);
}

static void
rows_have_the_shape_that_readers_expect(void **state)
{
    (void)state;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    for (size_t i = 0; i < count; i++) {
        int versioned = strncmp(types[i].name, "v1.", 3) == 0 ||
                        strncmp(types[i].name, "v2.", 3) == 0;
        assert_int_equal(versioned, types[i].family == CATALOG_THIN);
        assert_true(event_pattern_valid(types[i].name));
        /* Room for a pattern in catalog_nearest()'s smallest buffer. */
        assert_true(strlen(types[i].name) + 3 <= 128);
        assert_null(strpbrk(types[i].object, " \t-"));
        if (types[i].family == CATALOG_SNAPSHOT) {
            assert_true(types[i].object[0] != '\0');
        }
    }
}

static void
every_type_is_found_by_name(void **state)
{
    (void)state;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(catalog_find(types[i].name), &types[i]);
    }
    assert_null(catalog_find(""));
    assert_null(catalog_find("a"));
    assert_null(catalog_find("zzz"));
    assert_null(catalog_find("charge"));
    assert_null(catalog_find("charge.succeeded "));
    assert_null(catalog_find("Charge.succeeded"));
}

static void
type_knows_its_object(void **state)
{
    (void)state;
    assert_string_equal(catalog_find("charge.dispute.created")->object,
                        "dispute");
    assert_string_equal(
        catalog_find("account.external_account.created")->object,
        "bank_account|card");
    assert_string_equal(catalog_find("v1.billing.meter.no_meter_found")->object,
                        "");
    assert_int_equal(catalog_find("v1.billing.meter.no_meter_found")->family,
                     CATALOG_THIN);
}

static const char *
nearest(const char *name)
{
    static char room[128];
    return catalog_nearest(name, room, sizeof(room));
}

static void
misspelled_name_finds_its_neighbour(void **state)
{
    (void)state;
    assert_string_equal(nearest("payment_intent.suceeded"),
                        "payment_intent.succeeded");
    assert_string_equal(nearest("invoice.piad"), "invoice.paid");
    assert_string_equal(nearest("charge.succeeded"), "charge.succeeded");
    assert_null(nearest("flux_capacitor.overcharged"));
    assert_null(nearest(""));
}

static void
misspelled_pattern_is_answered_as_a_pattern(void **state)
{
    (void)state;
    assert_string_equal(nearest("invoce.*"), "invoice.*");
    assert_string_equal(nearest("charge.dipsute.*"), "charge.dispute.*");
    assert_string_equal(nearest("v1.paymentintent.*"), "v1.payment_intent.*");
    assert_null(nearest("flux_capacitor.*"));
}

static void
neighbour_needs_room(void **state)
{
    (void)state;
    char room[sizeof("invoice.*")];
    assert_string_equal(catalog_nearest("invoce.*", room, sizeof(room)),
                        "invoice.*");
    assert_null(catalog_nearest("invoce.*", room, sizeof(room) - 1));
}

static void
very_long_word_has_no_neighbour(void **state)
{
    (void)state;
    char word[600];
    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_null(nearest(word));
    memcpy(word + sizeof(word) - 3, ".*", 3);
    assert_null(nearest(word));
    memcpy(word + EVENT_TYPE_MAX - 2, ".*", 3);
    assert_null(nearest(word));
}

static void
pattern_is_known_if_it_covers_a_type(void **state)
{
    (void)state;
    assert_true(catalog_pattern_known("*"));
    assert_true(catalog_pattern_known("charge.*"));
    assert_true(catalog_pattern_known("charge.dispute.*"));
    assert_true(catalog_pattern_known("v2.*"));
    assert_true(catalog_pattern_known("charge.succeeded"));
    assert_false(catalog_pattern_known("charge"));
    assert_false(catalog_pattern_known("charges.*"));
    assert_false(catalog_pattern_known("charge.succeeded.*"));
    assert_false(catalog_pattern_known("flux_capacitor.overcharged"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_sorted_and_complete),
        cmocka_unit_test(rows_have_the_shape_that_readers_expect),
        cmocka_unit_test(every_type_is_found_by_name),
        cmocka_unit_test(type_knows_its_object),
        cmocka_unit_test(misspelled_name_finds_its_neighbour),
        cmocka_unit_test(misspelled_pattern_is_answered_as_a_pattern),
        cmocka_unit_test(neighbour_needs_room),
        cmocka_unit_test(very_long_word_has_no_neighbour),
        cmocka_unit_test(pattern_is_known_if_it_covers_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
