/* tests/sdk/test_kit_plain.c: a plugin and its test in one file, as C11 and as
 * C++17, without a test framework.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/testing.h>

#include <string.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str prefix, id, before;
    if (peg_option_str(ctx, "prefix", &prefix) != PEG_OK ||
        peg_meta_str(ev, PEG_META_OBJECT_ID, &id) != PEG_OK) {
        return PEG_FAIL;
    }
    size_t size = prefix.len + id.len + 1;
    char *key = (char *)peg_scratch(ev, size);
    if (key == NULL) {
        return PEG_RETRY;
    }
    snprintf(key, size, "%s%s", prefix.ptr, id.ptr);
    int32_t status = peg_store_get(ev, key, &before);
    if (status != PEG_ABSENT) {
        return status == PEG_OK ? PEG_SKIP : PEG_RETRY;
    }
    peg_info(ctx, "new: %s", key);
    return peg_store_put(ev, key, "1", 1) == PEG_OK ? PEG_DONE : PEG_FAIL;
}

static const peg_option options[] = {
    {"prefix", PEG_OPTION_STRING, PEG_OPTION_REQUIRED, NULL, "of keys"},
};

PEG_PLUGIN(.name = "once", .version = "1.0", PEG_EVENTS("charge.*"),
           PEG_OPTIONS(options), .handle = handle);

/* One host after the other in one process. */
static void
test(const char *prefix, const char *line)
{
    pegt_host *host = pegt_open(&pegboard_plugin_v1);
    PEGT_CHECK(host, pegt_init(host) == PEGT_REFUSED);
    PEGT_CHECK(host, pegt_set_option(host, "prefix", prefix) == PEGT_OK);
    PEGT_CHECK(host, pegt_init(host) == PEGT_OK);
    PEGT_CHECK(host, pegt_wants(host, "charge.refunded"));
    PEGT_CHECK(host, pegt_set_event(host, "{\"id\":\"evt_1\",\"type\":"
                                          "\"charge.refunded\",\"data\":"
                                          "{\"object\":{\"id\":\"ch_1\"}}}") ==
                         PEGT_OK);
    pegt_fail_scratch(host, 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_RETRY);
    pegt_fail_store(host, 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_RETRY);
    PEGT_CHECK(host, pegt_store_count(host) == 0);
    PEGT_CHECK(host, pegt_handle(host) == PEG_DONE);
    PEGT_CHECK(host, pegt_logged(host, PEG_LOG_INFO, line) == 1);
    PEGT_CHECK(host, pegt_store_count(host) == 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_SKIP);
    PEGT_CHECK(host,
               pegt_set_meta_str(host, PEG_META_OBJECT_ID, "") == PEGT_OK);
    PEGT_CHECK(host, pegt_handle(host) == PEG_FAIL);
    pegt_close(host);
}

int
main(void)
{
    test("a:", "new: a:ch_1");
    test("b:", "new: b:ch_1");
    puts("passed");
    return 0;
}
