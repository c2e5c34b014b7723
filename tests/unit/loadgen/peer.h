/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of an engine to a peer that says what it was told to, on the loopback: what comes
 * of requests when it is nonsense. The peer is a thread with a blocking socket. */
#ifndef TESTS_LOADGEN_PEER_H
#define TESTS_LOADGEN_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "driver.h"

enum { PEER_REQUESTS = 8 };

/* It waits until so many bytes have come since the last step, then says this. */
struct peer_step {
    size_t after;
    const char *bytes;
    size_t len;
};
#define PEER_SAYS(after, text)                                                                     \
    {                                                                                              \
        after, text, sizeof text - 1                                                               \
    }

struct peer {
    int listener;
    const struct peer_step *steps;
    size_t step_count;
    const char *behind; /* NULL, or: PEER_GAP in a step stands for as much as came behind this */
    bool closes; /* its half, behind its last word; the other side always ends the connection */
    char seen[65536];
    size_t seen_len;
    pthread_t thread;
};

struct peer_run {
    struct peer peer;
    struct io_loop *loop;
    struct io_timer watchdog;
    struct load_pool pool;
    struct load_address address;
    void *prepared;
    char *conns;
    unsigned to_send, sent, ended, refused;
    struct load_outcome outcomes[PEER_REQUESTS]; /* in the order in which they ended */
    uint64_t numbers[PEER_REQUESTS];
};

static void peer_wait(struct peer *peer, int fd, size_t more)
{
    size_t until = peer->seen_len + more;
    while (peer->seen_len < until && until <= sizeof peer->seen) {
        ssize_t n = recv(fd, peer->seen + peer->seen_len, sizeof peer->seen - peer->seen_len, 0);
        if (n <= 0)
            return;
        peer->seen_len += (size_t)n;
    }
}

#define PEER_GAP "@@@@@@@@@@@@@@@@"

/* What a step says, with what the other side has made up filled in; free() it. */
static char *peer_words(const struct peer *peer, const struct peer_step *step)
{
    enum { GAP = sizeof PEER_GAP - 1 };
    char *words = base_calloc(step->len + 1, 1);
    memcpy(words, step->bytes, step->len);
    const char *made = peer->behind == NULL
                           ? NULL
                           : memmem(peer->seen, peer->seen_len, peer->behind, strlen(peer->behind));
    for (char *gap = words; made != NULL && (gap = memmem(gap, step->len - (size_t)(gap - words),
                                                          PEER_GAP, GAP)) != NULL;)
        memcpy(gap, made + strlen(peer->behind), GAP);
    return words;
}

static void *peer_work(void *arg)
{
    struct peer *peer = arg;
    int fd = accept(peer->listener, NULL, NULL);
    for (size_t i = 0; i < peer->step_count; i++) {
        peer_wait(peer, fd, peer->steps[i].after);
        char *words = peer_words(peer, &peer->steps[i]);
        (void)send(fd, words, peer->steps[i].len, MSG_NOSIGNAL);
        free(words);
    }
    if (peer->closes)
        (void)shutdown(fd, SHUT_WR); /* closed with bytes unread it would be reset */
    peer_wait(peer, fd, sizeof peer->seen - peer->seen_len);
    (void)close(fd);
    return NULL;
}

static void peer_check_over(struct peer_run *run)
{
    if (run->refused > 0 || (run->ended == run->sent && run->to_send == 0))
        io_loop_stop(run->loop);
}

static void peer_on_ready(void *ctx, struct load_conn *conn, int64_t now)
{
    struct peer_run *run = ctx;
    if (run->to_send == 0)
        return;
    run->to_send--;
    conn->due = (struct load_due){.number = run->sent++};
    conn->sent_at = now;
    run->pool.driver->send(conn);
}

static void peer_on_unready(void *ctx, struct load_conn *conn)
{
    (void)ctx;
    (void)conn;
}

static void peer_on_end(void *ctx, struct load_conn *conn, const struct load_outcome *outcome)
{
    struct peer_run *run = ctx;
    assert_true(run->ended < PEER_REQUESTS);
    run->numbers[run->ended] = conn->due.number;
    run->outcomes[run->ended++] = *outcome;
    if (!outcome->answered)
        run->to_send = 0; /* no second connection: there is one peer for one */
    peer_check_over(run);
}

static void peer_on_refused(void *ctx)
{
    struct peer_run *run = ctx;
    run->refused++;
    peer_check_over(run);
}

static void peer_on_blocked(void *ctx, int64_t ns)
{
    (void)ctx;
    (void)ns;
}

static void peer_on_opened(void *ctx, struct dur_ns connect, struct dur_ns tls)
{
    (void)ctx;
    (void)connect;
    (void)tls;
}

static void peer_on_watchdog(void *ctx)
{
    (void)ctx;
    fail_msg("nothing came of it within 20 s");
}

static void peer_listen(struct peer_run *run)
{
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&run->address.storage;
    run->peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    run->address.len = sizeof *address;
    struct sockaddr *any = (struct sockaddr *)(void *)address;
    assert_int_equal(bind(run->peer.listener, any, sizeof *address), 0);
    assert_int_equal(listen(run->peer.listener, 1), 0);
    assert_int_equal(getsockname(run->peer.listener, any, &run->address.len), 0);
}

/* Opens a connection of the driver, with as many places as the spec says, and sends so many
 * requests of its first route as places get free; until all have ended or the connection was
 * refused. */
static void peer_run_gaps(struct peer_run *run, const struct load_driver *driver,
                          const struct load_spec *spec, unsigned requests,
                          const struct peer_step *steps, size_t step_count, bool closes,
                          const char *behind)
{
    *run = (struct peer_run){.to_send = requests};
    run->peer =
        (struct peer){.steps = steps, .step_count = step_count, .closes = closes, .behind = behind};
    peer_listen(run);
    assert_int_equal(pthread_create(&run->peer.thread, NULL, peer_work, &run->peer), 0);
    run->loop = io_loop_new_direct(NULL); /* as load threads have it */
    io_timer_init(&run->watchdog, run->loop, peer_on_watchdog, run);
    io_timer_start(&run->watchdog, (struct dur_ns){20 * BASE_NS_PER_S});
    struct base_error err;
    if (!driver->prepare(spec, &run->prepared, &err))
        fail_msg("%s", err.message);
    run->pool = (struct load_pool){.driver = driver,
                                   .spec = spec,
                                   .loop = run->loop,
                                   .connect_limit = {10 * BASE_NS_PER_S},
                                   .connections = 1,
                                   .count = spec->pipeline > 1 ? spec->pipeline : 1,
                                   .ctx = run,
                                   .on_ready = peer_on_ready,
                                   .on_unready = peer_on_unready,
                                   .on_end = peer_on_end,
                                   .on_refused = peer_on_refused,
                                   .on_blocked = peer_on_blocked,
                                   .on_opened = peer_on_opened};
    base_rng_seed(&run->pool.rng, 1);
    assert_true(driver->pool_init(&run->pool, run->prepared, &err));
    run->conns = base_calloc(run->pool.count, driver->conn_size);
    for (size_t i = 0; i < run->pool.count; i++) {
        struct load_conn *conn = (struct load_conn *)(void *)(run->conns + i * driver->conn_size);
        conn->pool = &run->pool;
        conn->address = &run->address;
        driver->init(conn);
    }
    driver->open((struct load_conn *)(void *)run->conns);
    io_loop_run(run->loop);
}

static void peer_run(struct peer_run *run, const struct load_driver *driver,
                     const struct load_spec *spec, unsigned requests, const struct peer_step *steps,
                     size_t step_count, bool closes)
{
    peer_run_gaps(run, driver, spec, requests, steps, step_count, closes, NULL);
}

static void peer_end(struct peer_run *run)
{
    const struct load_driver *driver = run->pool.driver;
    for (size_t i = 0; i < run->pool.count; i++)
        driver->fini((struct load_conn *)(void *)(run->conns + i * driver->conn_size));
    driver->pool_fini(&run->pool);
    driver->discard(run->prepared);
    free(run->conns);
    (void)pthread_join(run->peer.thread, NULL);
    (void)close(run->peer.listener);
    io_timer_fini(&run->watchdog);
    io_loop_free(run->loop);
}

/* What became of each request, in the order in which they ended: its number and + ok, - an error
 * reply or 500, ! nonsense, ~ behind another, . closed, ? anything else. */
static void peer_fates(const struct peer_run *run, char out[static 2 * PEER_REQUESTS + 1])
{
    for (unsigned k = 0; k < run->ended; k++) {
        const struct load_outcome *outcome = &run->outcomes[k];
        bool error = outcome->cause == LOAD_CAUSE_REPLY || outcome->failure == LOAD_FAIL_HTTP_5XX;
        out[2 * k] = (char)('0' + run->numbers[k]);
        out[2 * k + 1] = outcome->ok                              ? '+'
                         : error                                  ? '-'
                         : outcome->cause == LOAD_CAUSE_BEHIND    ? '~'
                         : outcome->cause == LOAD_CAUSE_CLOSED    ? '.'
                         : outcome->failure == LOAD_FAIL_PROTOCOL ? '!'
                                                                  : '?';
    }
    out[2 * run->ended] = '\0';
    if (strchr(out, '!') != NULL) /* and what was wrong is said */
        assert_string_not_equal(run->pool.malformed, "");
}

#endif
