/* tests/unit/test_config_listen.c: addresses to listen on and to trust, and
 * where the inbox is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include <arpa/inet.h>

static void
assert_address(const struct sockaddr_in *address, const char *host, int port)
{
    char text[INET_ADDRSTRLEN];
    assert_non_null(inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text)));
    assert_int_equal(address->sin_family, AF_INET);
    assert_string_equal(text, host);
    assert_int_equal(ntohs(address->sin_port), port);
}

/* `key = value` in [server] is refused with this message. */
static void
assert_server_refused(const char *key, const char *value, const char *message)
{
    char text[512];
    char finding[1024];
    snprintf(text, sizeof(text), ENDPOINT "[server]\n%s = %s\n", key, value);
    snprintf(finding, sizeof(finding), "t.ini:4: %s: %s\n", key, message);
    assert_refused(text, finding);
}

static void
several_addresses_are_listened_on(void **state)
{
    (void)state;
    struct config *config = assert_loads(
        ENDPOINT "[server]\nlisten = 127.0.0.1:4242, 10.0.0.5:80,0.0.0.0:0,\n"
                 "  0.0.0.0:0 , 127.0.0.1:65535\n");
    assert_int_equal(config->listen_count, 5);
    assert_address(&config->listen[0], "127.0.0.1", 4242);
    assert_address(&config->listen[1], "10.0.0.5", 80);
    assert_address(&config->listen[2], "0.0.0.0", 0);
    assert_address(&config->listen[4], "127.0.0.1", 65535);
    config_close(config);
}

static void
what_cannot_be_listened_on_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *item, *why;
    } rows[] = {
        {"https://127.0.0.1:443", "TLS ends in front"},
        {"127.0.0.1:443s", "TLS ends in front"},
        {"443s", "TLS ends in front"},
        {"[::1]:80", "only IPv4 is supported"},
        {"::1", "only IPv4 is supported"},
        {"[::1]", "only IPv4 is supported"},
        {"unix:/run/p.sock", "Unix sockets are not supported"},
        {"/run/p.sock", "Unix sockets are not supported"},
        {"http://127.0.0.1:80", "write address:port only"},
        {"localhost:4242", "host names are not looked up"},
        {"a.very.long.host.example.com:80", "host names are not looked up"},
        {"127.0.0.1", "write address and port"},
        {"4242", "write address and port"},
        {"", "write address and port"},
        {":4242", "write 0.0.0.0:PORT"},
        {"*:4242", "write 0.0.0.0:PORT"},
        {"127.1:80", "write an IPv4 address"},
        {"256.0.0.1:80", "write an IPv4 address"},
        {"127.0.0.1:65536", "0 to 65535"},
        {"127.0.0.1:-1", "0 to 65535"},
        {"127.0.0.1:", "0 to 65535"},
        {"127.0.0.1:http", "0 to 65535"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 ENDPOINT "[server]\nlisten = 127.0.0.1:1, %s\n", rows[i].item);
        write_file("t.ini", 0600, text);
        struct config *config;
        int rc;
        char *printed = load_file(&config, &rc);
        if (strstr(printed, "t.ini:4: listen: cannot listen on \"") == NULL ||
            strstr(printed, rows[i].why) == NULL) {
            fail_msg("\"%s\" gives: %s", rows[i].item, printed);
        }
        free(printed);
    }
}

static void
addresses_that_collide_are_refused(void **state)
{
    (void)state;
    assert_server_refused(
        "listen", "127.0.0.1:80, 127.0.0.1:80",
        "127.0.0.1:80 is covered twice; take one of the addresses out");
    assert_server_refused(
        "listen", "127.0.0.1:80, 0.0.0.0:80",
        "0.0.0.0:80 is covered twice; take one of the addresses out");
    assert_server_refused("listen", "",
                          "has no value; write an address, as 127.0.0.1:4242");
}

static void
sixteen_addresses_are_the_most(void **state)
{
    (void)state;
    static const char seven[] =
        "1.1.1.1:0, 1.1.1.1:0, 1.1.1.1:0, 1.1.1.1:0, 1.1.1.1:0, 1.1.1.1:0, "
        "1.1.1.1:0";
    char text[512];
    snprintf(text, sizeof(text),
             ENDPOINT "[server]\nlisten = %s,\n  %s, 1.1.1.1:0, 1.1.1.1:0\n",
             seven, seven);
    config_close(assert_loads(text));
    snprintf(text, sizeof(text),
             ENDPOINT "[server]\nlisten = %s,\n  %s,\n  1.1.1.1:0, 1.1.1.1:0, "
                      "1.1.1.1:0\n",
             seven, seven);
    assert_refused(text, "t.ini:4: listen: more than 16 addresses; listen on "
                         "0.0.0.0:PORT\n");
}

static void
proxies_are_single_addresses(void **state)
{
    (void)state;
    struct config *config =
        assert_loads(ENDPOINT "[server]\n"
                              "trusted_proxies = 10.0.0.1,10.0.0.2\n");
    assert_int_equal(config->trusted_proxy_count, 2);
    assert_int_equal(ntohl(config->trusted_proxies[1].s_addr), 0x0a000002);
    config_close(config);

    config = assert_loads(ENDPOINT "[server]\ntrusted_proxies =\n");
    assert_int_equal(config->trusted_proxy_count, 0);
    config_close(config);

    assert_server_refused("trusted_proxies", "10.0.0.0/8",
                          "\"10.0.0.0/8\" is not an IPv4 address; write single "
                          "addresses, as 127.0.0.1 (no names, no networks)");
    assert_server_refused("trusted_proxies", "10.0.0.1,",
                          "\"\" is not an IPv4 address; write single "
                          "addresses, as 127.0.0.1 (no names, no networks)");
}

static void
store_is_sqlite_relative_to_the_state(void **state)
{
    (void)state;
    struct config *config =
        assert_loads("[server]\nstate_dir = state\n"
                     "[inbox]\nstore = sqlite:a/b.db\n" ENDPOINT);
    assert_string_equal(config->state_dir, "./state");
    assert_string_equal(config->inbox_path, "./state/a/b.db");
    config_close(config);

    config = assert_loads("[inbox]\nstore = sqlite:/data/b.db\n" ENDPOINT);
    assert_string_equal(config->inbox_path, "/data/b.db");
    config_close(config);

    assert_refused(
        "[inbox]\nstore = postgresql://me:hidden@db/x\n" ENDPOINT,
        "t.ini:2: store: PostgreSQL is not supported by this version; write "
        "sqlite:PATH\n");
    assert_refused("[inbox]\nstore = inbox.db\n" ENDPOINT,
                   "t.ini:2: store: is not of the form sqlite:PATH, as "
                   "sqlite:inbox.db\n");
    assert_refused(
        "[inbox]\nstore = sqlite:\n[server]\nstate_dir = ~/x\n" ENDPOINT,
        "t.ini:2: store: is not of the form sqlite:PATH, as "
        "sqlite:inbox.db\n"
        "t.ini:4: state_dir: ~ is not expanded; write the whole "
        "path\n");
}

static void
admin_listens_on_this_machine_alone(void **state)
{
    (void)state;
    assert_refused("[admin]\nlisten = 0.0.0.0:4243\n" ENDPOINT,
                   "t.ini:2: listen: 0.0.0.0:4243 is not on this machine "
                   "alone; write an address of 127.0.0.0/8, and reach it "
                   "through ssh -L\n");
    assert_refused("[admin]\nlisten = 127.0.0.1:1, 127.0.0.1:2\n" ENDPOINT,
                   "t.ini:2: listen: cannot listen on \"127.0.0.1:1, "
                   "127.0.0.1:2\": there is one address for the admin API\n");
}

static void
short_retention_is_a_warning(void **state)
{
    (void)state;
    config_close(assert_loads("[inbox]\nretention = 4d\n" ENDPOINT));
    struct config *config = assert_loads_with(
        "[inbox]\nretention = 95h\n" ENDPOINT,
        "t.ini:2: warning: retention: 95h is short: Stripe repeats an event for three "
        "days, and a repeat of one that is forgotten is handled again; take "
        "4d or more\n");
    config_close(config);
    assert_refused("[inbox]\nretention = 999ms\n" ENDPOINT,
                   "t.ini:2: retention: 999ms is out of bounds; write 1s to "
                   "3650d\n");
    assert_refused("[inbox]\nretention = long\n" ENDPOINT,
                   "t.ini:2: retention: \"long\" is not a duration; write one "
                   "as 35d\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(several_addresses_are_listened_on),
        FOLDER_TEST(what_cannot_be_listened_on_is_explained),
        FOLDER_TEST(addresses_that_collide_are_refused),
        FOLDER_TEST(sixteen_addresses_are_the_most),
        FOLDER_TEST(proxies_are_single_addresses),
        FOLDER_TEST(store_is_sqlite_relative_to_the_state),
        FOLDER_TEST(admin_listens_on_this_machine_alone),
        FOLDER_TEST(short_retention_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
