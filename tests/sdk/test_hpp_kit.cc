/* tests/sdk/test_hpp_kit.cc: what the runner's try does not call, and failures
 * that it cannot make.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/testing.h>

#include <cstdio>
#include <cstring>

static pegt_host *
open_host(const char *where)
{
    pegt_host *host = pegt_open(&pegboard_plugin_v1);
    PEGT_CHECK(host, pegt_set_option(host, "throw", where) == PEGT_OK);
    PEGT_CHECK(
        host, pegt_set_event(
                  host, "{\"id\":\"evt_1\",\"type\":\"charge.updated\","
                        "\"livemode\":false,\"data\":{\"object\":{\"id\":"
                        "\"ch_1\",\"amount\":5,\"metadata\":{}}}}") == PEGT_OK);
    return host;
}

int
main()
{
    const peg_plugin &plugin = pegboard_plugin_v1;
    if (std::strcmp(plugin.events[1], "charge.*") != 0 ||
        plugin.events[2] != nullptr) {
        return 1;
    }
    pegt_host *host = open_host("init");
    PEGT_CHECK(host, pegt_init(host) == PEGT_REFUSED);
    PEGT_CHECK(host,
               std::strcmp(pegt_error(host),
                           "init() returned 1: no database at init") == 0);
    pegt_close(host);

    host = open_host("self_test");
    PEGT_CHECK(host, pegt_init(host) == PEGT_OK);
    PEGT_CHECK(host, pegt_self_test(host) == PEGT_REFUSED);
    PEGT_CHECK(host, std::strcmp(pegt_error(host),
                                 "self_test() returned 1: not well") == 0);
    pegt_close(host);

    host = open_host("nowhere");
    PEGT_CHECK(host, pegt_init(host) == PEGT_OK);
    PEGT_CHECK(host, pegt_self_test(host) == PEGT_OK);
    pegt_fail_store(host, 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_RETRY);
    PEGT_CHECK(
        host, std::strcmp(pegt_reason(host), "the store cannot tell now") == 0);
    pegt_fail_scratch(host, 1);
    PEGT_CHECK(host, pegt_handle(host) == PEG_RETRY);
    PEGT_CHECK(host, std::strcmp(pegt_reason(host), "std::bad_alloc") == 0);
    PEGT_CHECK(host, pegt_store_count(host) == 0);
    PEGT_CHECK(host, pegt_handle(host) == PEG_DONE);
    PEGT_CHECK(host,
               std::strcmp(pegt_store_get(host, "count", nullptr), "1") == 0);
    pegt_shutdown(host);
    PEGT_CHECK(host, pegt_ctx(host)->user == nullptr);
    PEGT_CHECK(host, pegt_logged(host, PEG_LOG_INFO, "3 at the end") == 1);
    pegt_close(host);
    std::puts("passed");
    return 0;
}
