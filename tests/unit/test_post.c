/* tests/unit/test_post.c: bodies arrive as they were, and failures are told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_fixture.h"

#include "cli/post.h"
#include "error.h"

static struct post *
open_post(const char *url)
{
    struct post *post;
    struct error err = {0};
    if (post_open(&post, url, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return post;
}

static void
body_and_fields_arrive_as_stripe_sends_them(void **state)
{
    (void)state;
    struct server server = {.status = 202};
    server_start(&server);
    struct post *post = open_post(server.url);
    struct post_answer answer;
    const char body[] = "{\"a\":\"\0\"}\n";
    assert_int_equal(
        post_send(post, "t=1,v1=ab", body, sizeof(body) - 1, &answer, NULL),
        RC_OK);
    assert_int_equal(answer.status, 202);
    assert_string_equal(answer.body, "{\"received\":true}");
    assert_int_equal(answer.len, 17);
    assert_in_range(answer.elapsed_ms, 0, 5000);
    post_close(post);
    server_stop(&server);
    assert_int_equal(server.body_len, sizeof(body) - 1);
    assert_memory_equal(server.body, body, sizeof(body) - 1);
    assert_memory_equal(server.head, "POST /webhook HTTP/1.1\r\n", 24);
    assert_non_null(strstr(server.head, "\r\nStripe-Signature: t=1,v1=ab\r\n"));
    assert_non_null(strstr(server.head, "\r\nContent-Type: application/json;"));
    assert_non_null(strstr(server.head, "\r\nUser-Agent: pegboard/"));
}

static void
connection_is_kept(void **state)
{
    (void)state;
    struct server server = {.status = 200};
    server_start(&server);
    struct post *post = open_post(server.url);
    for (int i = 0; i < 5; i++) {
        struct post_answer answer;
        assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, NULL), RC_OK);
    }
    post_close(post);
    server_stop(&server);
    assert_int_equal(server.requests, 5);
    assert_int_equal(server.connections, 1);
}

static void
redirects_are_answers_like_others(void **state)
{
    (void)state;
    struct server server = {.status = 307};
    server_start(&server);
    struct post *post = open_post(server.url);
    struct post_answer answer;
    assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, NULL), RC_OK);
    assert_int_equal(answer.status, 307);
    post_close(post);
    server_stop(&server);
    assert_int_equal(server.requests, 1);
}

static void
long_answer_is_cut_and_the_next_one_is_whole(void **state)
{
    (void)state;
    struct server server = {.status = 500,
                            .answer_len = POST_ANSWER_MAX + 70000};
    server_start(&server);
    struct post *post = open_post(server.url);
    struct post_answer answer;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, NULL), RC_OK);
        assert_int_equal(answer.status, 500);
        assert_int_equal(answer.len, POST_ANSWER_MAX);
        assert_int_equal(strlen(answer.body), POST_ANSWER_MAX);
    }
    post_close(post);
    server_stop(&server);
    assert_int_equal(server.connections, 1);
}

static void
proxy_of_the_environment_is_not_asked_for_this_machine(void **state)
{
    (void)state;
    struct server server = {.status = 200};
    server_start(&server);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct post *post = open_post(server.url);
    struct post_answer answer;
    assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, NULL), RC_OK);
    unsetenv("http_proxy");
    post_close(post);
    server_stop(&server);
}

static void
nobody_there_comes_with_advice(void **state)
{
    (void)state;
    struct server server = {.status = 200};
    server_start(&server);
    server_stop(&server); /* now its port is surely closed */
    struct post *post = open_post(server.url);
    struct post_answer answer;
    struct error err = {0};
    assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, &err), RC_CLOSED);
    assert_non_null(strstr(err.text, server.url));
    assert_non_null(strstr(err.text, "Is pegboard running?"));
    post_close(post);
}

static void
hanging_up_is_an_error(void **state)
{
    (void)state;
    struct server server = {.hang_up = 1};
    server_start(&server);
    struct post *post = open_post(server.url);
    struct post_answer answer;
    struct error err = {0};
    assert_int_equal(post_send(post, "t=1", "{}", 2, &answer, &err), RC_CLOSED);
    assert_non_null(
        strstr(err.text, "closed the connection without an answer"));
    post_close(post);
    server_stop(&server);
}

static void
only_web_addresses_are_opened(void **state)
{
    (void)state;
    struct post *post = NULL;
    struct error err = {0};
    assert_int_equal(post_open(&post, "file:///etc/passwd", &err), RC_INVALID);
    assert_null(post);
    assert_int_equal(post_open(&post, "127.0.0.1:4242", &err), RC_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_and_fields_arrive_as_stripe_sends_them),
        cmocka_unit_test(connection_is_kept),
        cmocka_unit_test(redirects_are_answers_like_others),
        cmocka_unit_test(long_answer_is_cut_and_the_next_one_is_whole),
        cmocka_unit_test(
            proxy_of_the_environment_is_not_asked_for_this_machine),
        cmocka_unit_test(nobody_there_comes_with_advice),
        cmocka_unit_test(hanging_up_is_an_error),
        cmocka_unit_test(only_web_addresses_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
