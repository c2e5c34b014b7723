/* SPDX-License-Identifier: Apache-2.0 */
/* Against a server of a few lines; a real one is in tests/e2e/test_f_stores.py. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "redis_session.h"

enum { answers_max = 8 };

struct fixture {
    struct io_loop *loop;
    int listener;
    int client; /* the server's end */
    uint16_t port;
    struct fault_redis *redis;
    size_t count;
    struct {
        bool ok;
        bool lost;
        int64_t number;
        char text[64];
    } answers[answers_max];
    bool free_at_once;
};

static void on_answer(void *ctx, const struct fault_redis_answer *answer)
{
    struct fixture *fixture = ctx;
    assert_true(fixture->count < answers_max);
    fixture->answers[fixture->count].ok = answer->ok;
    fixture->answers[fixture->count].lost = answer->lost;
    fixture->answers[fixture->count].number = answer->number;
    (void)snprintf(fixture->answers[fixture->count].text, sizeof fixture->answers[0].text, "%s",
                   answer->text);
    fixture->count++;
    if (!fixture->free_at_once)
        return;
    fault_redis_free(fixture->redis);
    fixture->redis = NULL;
}

static void begin(struct fixture *fixture, const struct fault_credentials *who)
{
    struct base_error err;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *fixture = (struct fixture){.loop = io_loop_new(&err)};
    fixture->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fixture->listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(listen(fixture->listener, 1), 0);
    fixture->port = ntohs(at.sin_port);
    fixture->redis = fault_redis_open(fixture->loop, "127.0.0.1", fixture->port, who);
    fixture->client = accept(fixture->listener, NULL, NULL); /* the kernel has connected it */
    assert_true(fixture->client >= 0);
}

static void end(struct fixture *fixture)
{
    fault_redis_free(fixture->redis);
    close(fixture->client);
    close(fixture->listener);
    io_loop_free(fixture->loop);
}

static void ask(struct fixture *fixture, const char *word)
{
    fault_redis_ask(fixture->redis, (const char *const[]){word, NULL}, on_answer, fixture);
}

/* What the session has sent must be exactly that. */
static void assert_sent(struct fixture *fixture, const char *wanted)
{
    char got[512] = "";
    size_t len = 0;
    while (len < strlen(wanted)) {
        io_loop_run_once(fixture->loop);
        ssize_t more = recv(fixture->client, got + len, sizeof got - 1 - len, MSG_DONTWAIT);
        len += more > 0 ? (size_t)more : 0;
    }
    assert_string_equal(got, wanted);
}

static void says(struct fixture *fixture, const char *bytes)
{
    assert_int_equal(send(fixture->client, bytes, strlen(bytes), 0), strlen(bytes));
}

static void until(struct fixture *fixture, size_t count)
{
    while (fixture->count < count)
        io_loop_run_once(fixture->loop);
    assert_int_equal(fixture->count, count);
}

static const struct fault_credentials nobody = {.user = NULL};

static void answers_come_in_their_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &nobody);
    ask(&fixture, "A");
    ask(&fixture, "B");
    ask(&fixture, "C");
    ask(&fixture, "D");
    assert_int_equal(fixture.count, 0);
    assert_sent(&fixture, "*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n*1\r\n$1\r\nC\r\n*1\r\n$1\r\nD\r\n");
    says(&fixture, "+OK\r\n:42\r\n$3\r\nx"); /* cut where a packet may end */
    until(&fixture, 2);
    says(&fixture, "yz\r\n-ERR no\r\n");
    until(&fixture, 4);
    assert_true(fixture.answers[0].ok);
    assert_string_equal(fixture.answers[0].text, "OK");
    assert_int_equal(fixture.answers[1].number, 42);
    assert_string_equal(fixture.answers[2].text, "xyz");
    assert_false(fixture.answers[3].ok || fixture.answers[3].lost);
    assert_string_equal(fixture.answers[3].text, "ERR no");
    end(&fixture);
}

static void a_loss_answers_all(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &nobody);
    ask(&fixture, "A");
    ask(&fixture, "B");
    assert_sent(&fixture, "*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n");
    says(&fixture, "+OK\r\n");
    assert_int_equal(shutdown(fixture.client, SHUT_RDWR), 0);
    until(&fixture, 2);
    assert_true(fixture.answers[0].ok);
    assert_true(fixture.answers[1].lost && !fixture.answers[1].ok);
    ask(&fixture, "C");
    assert_int_equal(fixture.count, 2); /* never from inside the call */
    until(&fixture, 3);
    assert_true(fixture.answers[2].lost);
    end(&fixture);
}

static void what_is_no_answer_is_a_loss(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &nobody);
    ask(&fixture, "A");
    says(&fixture, "HTTP/1.1 400 Bad Request\r\n");
    until(&fixture, 1);
    assert_true(fixture.answers[0].lost);
    end(&fixture);
}

static void the_password_comes_first(void **state)
{
    (void)state;
    static char user[] = "u";
    static char password[] = "pw";
    struct fixture fixture;
    begin(&fixture, &(struct fault_credentials){.user = user, .password = password});
    ask(&fixture, "A");
    assert_sent(&fixture, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$2\r\npw\r\n*1\r\n$1\r\nA\r\n");
    says(&fixture, "-WRONGPASS no\r\n");
    until(&fixture, 1);
    assert_false(fixture.answers[0].ok);
    assert_string_equal(fixture.answers[0].text, "WRONGPASS no");
    end(&fixture);
}

static void it_may_be_freed_by_an_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, &nobody);
    fixture.free_at_once = true;
    ask(&fixture, "A");
    ask(&fixture, "B");
    says(&fixture, "+OK\r\n+OK\r\n");
    until(&fixture, 1);
    assert_null(fixture.redis);
    end(&fixture);
    begin(&fixture, &nobody);
    fixture.free_at_once = true;
    ask(&fixture, "A");
    ask(&fixture, "B");
    assert_int_equal(shutdown(fixture.client, SHUT_RDWR), 0);
    until(&fixture, 1);
    assert_null(fixture.redis);
    end(&fixture);
}

static void no_address(void **state)
{
    (void)state;
    struct base_error err;
    struct fixture fixture = {.loop = io_loop_new(&err)};
    fixture.redis = fault_redis_open(fixture.loop, "store.example", 1, &nobody);
    ask(&fixture, "A");
    until(&fixture, 1);
    assert_true(fixture.answers[0].lost);
    fault_redis_free(fixture.redis);
    io_loop_free(fixture.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_their_turn),   cmocka_unit_test(a_loss_answers_all),
        cmocka_unit_test(what_is_no_answer_is_a_loss),  cmocka_unit_test(the_password_comes_first),
        cmocka_unit_test(it_may_be_freed_by_an_answer), cmocka_unit_test(no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
