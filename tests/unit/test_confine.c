/* tests/unit/test_confine.c: what a plugin may do, as its section says it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "plugin/confinement.h"

static void
confinement_has_defaults(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    struct config *config = assert_loads(ENDPOINT "[plugin p]\n");
    const struct config_plugin *plugin = &config->plugins[0];
    assert_int_equal(plugin->sandbox, SANDBOX_BASIC);
    assert_int_equal(plugin->sandbox_required, 0);
    assert_null(plugin->data_dir);
    assert_null(plugin->user);
    assert_int_equal(plugin->tcp_port_count, 0);
    assert_int_equal(plugin->limit_files, 256);
    assert_int_equal(plugin->limit_file_size, 64 << 20);
    assert_int_equal(plugin->limit_memory, 0);
    assert_int_equal(plugin->limit_processes, 0);
    assert_int_equal(plugin->core_dumps, 0);
    assert_int_equal(plugin->recycle_events, 10000);
    assert_int_equal(plugin->recycle_age_ms, 24 * 3600 * 1000);
    assert_int_equal(plugin->recycle_memory, 0);
    config_close(config);
}

static void
sandboxes_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "basic", "files", "strict"};
    write_file("plugins/p.so", 0644, "");
    for (int level = SANDBOX_NONE; level <= SANDBOX_STRICT; level++) {
        char text[128];
        snprintf(text, sizeof(text), ENDPOINT "[plugin p]\nsandbox = %s\n",
                 names[level]);
        struct config *config = assert_loads(text);
        assert_int_equal(config->plugins[0].sandbox, level);
        config_close(config);
    }
    assert_refused(ENDPOINT "[plugin p]\nsandbox = file\n",
                   "t.ini:4: sandbox: \"file\" is not one of: none basic "
                   "files strict; did you mean \"files\"?\n");
}

static void
data_dir_is_a_folder_of_its_own(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
#define STATE "[server]\nstate_dir = state\n" ENDPOINT "[plugin p]\n"
    struct config *config = assert_loads(STATE "data_dir = p-data\n");
    assert_string_equal(config->plugins[0].data_dir, "./state/p-data");
    config_close(config);
    config = assert_loads(STATE "data_dir = /srv/p..x\n");
    assert_string_equal(config->plugins[0].data_dir, "/srv/p..x");
    config_close(config);

    static const char *const no_paths[] = {"", "~/x", "..", "a/../b", "/a/.."};
    for (size_t i = 0; i < sizeof(no_paths) / sizeof(no_paths[0]); i++) {
        char text[160], finding[256];
        snprintf(text, sizeof(text), STATE "data_dir = %s\n", no_paths[i]);
        snprintf(finding, sizeof(finding),
                 "t.ini:6: data_dir: \"%s\" is no path for it; write one as "
                 "p-data, which is in state_dir, or one that begins with /, "
                 "without ..\n",
                 no_paths[i]);
        assert_refused(text, finding);
    }
    assert_refused(STATE "data_dir = .\n",
                   "t.ini:6: data_dir: ./state/. has state_dir in it, which no "
                   "plugin may write; write a folder of its own\n");
    static const char *const taken[] = {"plugins", "generations/", "plugins/p"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        char text[160], finding[256];
        snprintf(text, sizeof(text), STATE "data_dir = %s\n", taken[i]);
        snprintf(finding, sizeof(finding),
                 "t.ini:6: data_dir: ./state/%s is where code of plugins is; "
                 "write a folder of its own\n",
                 taken[i]);
        assert_refused(text, finding);
    }
    assert_refused("[server]\nstate_dir = /srv/state\n[inbox]\nstore = "
                   "sqlite:/inbox/i.db\n" ENDPOINT
                   "[plugin p]\ndata_dir = /inbox\n",
                   "t.ini:8: data_dir: /inbox has the inbox in it, which no "
                   "plugin may write; write a folder of its own\n");
#undef STATE
}

static void
ports_go_with_files(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    struct config *config = assert_loads(
        ENDPOINT "[plugin p]\ntcp_connect = 1, 443,65535\nsandbox = files\n");
    assert_int_equal(config->plugins[0].tcp_port_count, 3);
    assert_int_equal(config->plugins[0].tcp_ports[2], 65535);
    config_close(config);
    assert_refused(
        ENDPOINT "[plugin p]\nsandbox = files\ntcp_connect = 0, 65536,, x\n",
        "t.ini:5: tcp_connect: \"0\" is no port; write numbers as 443, 5432\n"
        "t.ini:5: tcp_connect: \"65536\" is no port; write numbers as 443, "
        "5432\n"
        "t.ini:5: tcp_connect: \"\" is no port; write numbers as 443, 5432\n"
        "t.ini:5: tcp_connect: \"x\" is no port; write numbers as 443, 5432\n");
    assert_refused(ENDPOINT
                   "[plugin p]\nsandbox = files\ntcp_connect = 1,2,3,4,"
                   "5,6,7,8,9,10,11,12,13,14,15,16,17\n",
                   "t.ini:5: tcp_connect: 17 is one port too many: at most "
                   "16\n");
    assert_refused(ENDPOINT "[plugin p]\ntcp_connect = 443\n",
                   "t.ini:4: tcp_connect: is only for sandbox = files: the "
                   "others allow any port, and strict allows none; write that, "
                   "or take this line out\n");
    assert_refused(ENDPOINT "[plugin p]\nsandbox = files\ntcp_connect =\n",
                   "t.ini:5: tcp_connect: has no value; for any port take the "
                   "line out, for none at all write sandbox = strict\n");
}

static void
users_are_for_root(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    if (geteuid() != 0) {
        char finding[256];
        snprintf(finding, sizeof(finding),
                 "t.ini:4: user: only a daemon that runs as root can give a "
                 "plugin a user, and this is user %u; start it as root, or "
                 "take this line out\n",
                 (unsigned)geteuid());
        assert_refused(ENDPOINT "[plugin p]\nuser = nobody\n", finding);
        return;
    }
    struct config *config =
        assert_loads(ENDPOINT "[plugin p]\nuser = nobody\n");
    assert_string_equal(config->plugins[0].user, "nobody");
    assert_int_equal(config->plugins[0].uid, 65534);
    assert_int_equal(config->plugins[0].gid, 65534);
    config_close(config);
    config = assert_loads(ENDPOINT "[plugin p]\nuser = 65534\n");
    assert_int_equal(config->plugins[0].uid, 65534);
    config_close(config);
    assert_refused(ENDPOINT "[plugin p]\nuser = nobdy\n",
                   "t.ini:4: user: there is no user \"nobdy\"; make one with "
                   "useradd --system, or write another\n");
    assert_refused(ENDPOINT "[plugin p]\nuser = 54321\n",
                   "t.ini:4: user: there is no user \"54321\"; make one with "
                   "useradd --system, or write another\n");
    assert_refused(ENDPOINT "[plugin p]\nuser = root\n",
                   "t.ini:4: user: root is what the daemon is; a user for a "
                   "plugin has to be another\n");
}

static void
limits_leave_room_to_work(void **state)
{
    (void)state;
    write_file("plugins/p.so", 0644, "");
    assert_refused(ENDPOINT
                   "[plugin p]\nlimit_files = 31\nlimit_memory = 8191K\n"
                   "recycle_memory = 1\n",
                   "t.ini:4: limit_files: 31 is out of bounds; write 32 to "
                   "65536\n"
                   "t.ini:5: limit_memory: 8191K is too little to work with; "
                   "write 0 or 8M at least\n"
                   "t.ini:6: recycle_memory: 1 is too little to work with; "
                   "write 0 or 8M at least\n");
    struct config *config = assert_loads_with(
        ENDPOINT "[plugin p]\nlimit_memory = 8M\nlimit_processes = 7\n",
        "t.ini:5: warning: limit_processes: counts all processes of the "
        "daemon's user, so that other plugins may not start; give this one a "
        "user of its own\n");
    assert_int_equal(config->plugins[0].limit_memory, 8 << 20);
    assert_int_equal(config->plugins[0].limit_processes, 7);
    config_close(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(confinement_has_defaults),
        FOLDER_TEST(sandboxes_have_names),
        FOLDER_TEST(data_dir_is_a_folder_of_its_own),
        FOLDER_TEST(ports_go_with_files),
        FOLDER_TEST(users_are_for_root),
        FOLDER_TEST(limits_leave_room_to_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
