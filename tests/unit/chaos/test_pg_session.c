/* SPDX-License-Identifier: Apache-2.0 */
/* Against a port where nobody listens, and a server that says what it is told to; a real one is in
 * tests/e2e/test_f_stores.py. */
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

#include "base/text.h"
#include "pg_session.h"

static void names_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *quoted;
    } cases[] = {
        {"users", "\"users\""},
        {"public.users", "\"public\".\"users\""},
        {"U\"; DROP TABLE t; --", "\"U\"\"; DROP TABLE t; --\""},
        {"\"", "\"\"\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *quoted = fault_pg_quote(cases[i].name);
        assert_string_equal(quoted, cases[i].quoted);
        free(quoted);
    }
}

struct seen {
    struct io_loop *loop;
    size_t answers;
    bool ok;
    char state[FAULT_PG_STATE];
    char message[256];
};

static void on_answer(void *ctx, const struct fault_pg_answer *answer)
{
    struct seen *seen = ctx;
    seen->answers++;
    seen->ok = answer->ok;
    (void)snprintf(seen->state, sizeof seen->state, "%s", answer->state);
    (void)snprintf(seen->message, sizeof seen->message, "%s", answer->message);
    io_loop_stop(seen->loop);
}

static int listening(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static const struct fault_credentials nobody = {.user = NULL};

static int load(void **state)
{
    (void)state;
    return fault_pg_load(NULL) ? 0 : -1;
}

static void nobody_listens(void **state)
{
    (void)state;
    struct base_error err;
    uint16_t port;
    int fd = listening(&port); /* bound, so that nobody else gets it, but not listening */
    struct seen seen = {.loop = io_loop_new(&err)};
    struct fault_pg_place place = {
        .address = "127.0.0.1", .port = port, .credentials = &nobody, .name = "t"};
    struct fault_pg *pg = fault_pg_open(seen.loop, &place, on_answer, &seen);
    assert_int_equal(seen.answers, 0); /* never from inside the call */
    io_loop_run(seen.loop);
    assert_int_equal(seen.answers, 1);
    assert_false(seen.ok);
    assert_string_equal(seen.state, "");
    assert_non_null(strstr(seen.message, "refused"));
    fault_pg_say(pg, "SELECT 1"); /* a lost session answers, too */
    assert_int_equal(seen.answers, 1);
    io_loop_run(seen.loop);
    assert_int_equal(seen.answers, 2);
    assert_false(seen.ok);
    fault_pg_free(pg);
    io_loop_free(seen.loop);
    close(fd);
}

/* protocol-message-formats.html: SSLRequest is answered with N, the startup with ErrorResponse. */
struct refuser {
    struct io_watch watch;
    int listener;
    int client;
    const char *words;
    size_t words_len;
    size_t rounds;
};

static void on_client(void *ctx, unsigned events)
{
    (void)events;
    struct refuser *refuser = ctx;
    char request[1024];
    if (refuser->client < 0) {
        refuser->client = accept(refuser->listener, NULL, NULL);
        io_watch_fini(&refuser->watch);
        refuser->watch.loop = NULL;
        return;
    }
    if (recv(refuser->client, request, sizeof request, 0) <= 0)
        return;
    if (refuser->rounds++ == 0)
        (void)send(refuser->client, "N", 1, 0);
    else
        (void)send(refuser->client, refuser->words, refuser->words_len, 0);
}

static void a_refusal_has_its_state(void **state)
{
    (void)state;
    static const char words[] = "E\0\0\0\x2aSFATAL\0VFATAL\0C53300\0Mno room at all\0\0";
    struct base_error err;
    uint16_t port;
    struct refuser refuser = {.client = -1, .words = words, .words_len = sizeof words - 1};
    refuser.listener = listening(&port);
    assert_int_equal(listen(refuser.listener, 1), 0);
    struct seen seen = {.loop = io_loop_new(&err)};
    struct fault_pg_place place = {
        .address = "127.0.0.1", .port = port, .credentials = &nobody, .name = "t"};
    struct fault_pg *pg = fault_pg_open(seen.loop, &place, on_answer, &seen);
    struct io_watch accepting = {0};
    io_watch_init(&refuser.watch, seen.loop, refuser.listener, on_client, &refuser);
    io_watch_set(&refuser.watch, IO_READ);
    while (refuser.client < 0)
        io_loop_run_once(seen.loop);
    io_watch_init(&accepting, seen.loop, refuser.client, on_client, &refuser);
    io_watch_set(&accepting, IO_READ);
    while (seen.answers == 0)
        io_loop_run_once(seen.loop);
    assert_false(seen.ok);
    assert_string_equal(seen.state, "53300");
    assert_non_null(strstr(seen.message, "no room at all"));
    fault_pg_free(pg);
    io_watch_fini(&accepting);
    io_loop_free(seen.loop);
    close(refuser.client);
    close(refuser.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_refusal_has_its_state),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
