/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of an HTTP exchange (http_exchange.h): bytes in and out, large bodies spliced, and
 * how a connection ends. */
#include "proxy_http.h"

#include <errno.h>
#include <sys/socket.h>

#include "http_exchange.h"
#include "proxy_flow.h"
#include "proxy_settle.h"

enum { turns = 32, farewell_ms = 1000 };

struct http_state {
    struct http_exchange exchange;
    struct proxy_flow flow[2];
    enum proxy_moved flow_wants[2];
    bool farewell;         /* the client has been told that it is over; it is waited for */
    struct io_timer timer; /* farewell */
    struct io_timer hand;  /* what becomes due; a turn that was cut short */
    struct proxy_settle settle;
};

struct shared {
    struct base_rng rng;
};

static void http_share(void *shared, const void *rules, size_t number)
{
    struct shared *all = shared;
    base_rng_seed(&all->rng, http_rules_spec(rules)->http.seed + number);
}

/* --- what passes unread --- */

static void flow_over(struct proxy_conn *conn, enum proxy_end from)
{
    struct http_state *state = proxy_conn_state(conn);
    struct proxy_half *half = &state->exchange.half[from];
    enum proxy_moved how = state->flow_wants[from];
    bool client_gone = how == (from == PROXY_CLIENT ? PROXY_SOURCE_GONE : PROXY_SINK_GONE);
    if (client_gone || how == PROXY_NO_PIPE) {
        proxy_conn_close(conn, PROXY_RESET);
        return;
    }
    half->reset = how == PROXY_SOURCE_GONE;
    half->unwanted = how == PROXY_SINK_GONE;
    if (half->unwanted)
        state->exchange.flow[from].wanted = false;
    else
        http_exchange_flowed(&state->exchange, from, state->flow[from].budget);
}

static bool flow_on(struct proxy_conn *conn, enum proxy_end from)
{
    struct http_state *state = proxy_conn_state(conn);
    const struct http_flow *wanted = &state->exchange.flow[from];
    struct proxy_flow *flow = &state->flow[from];
    if (!wanted->wanted || state->exchange.half[from].out.len > 0)
        return false;
    if (flow->budget == 0) {
        flow->budget = wanted->left;
        flow->ended = false;
    }
    state->flow_wants[from] =
        proxy_flow_move(flow, proxy_conn_fd(conn, from), proxy_conn_fd(conn, proxy_other(from)));
    if (state->flow_wants[from] == PROXY_WANTS_READ || state->flow_wants[from] == PROXY_WANTS_WRITE)
        return false;
    flow_over(conn, from);
    flow->budget = 0;
    return !proxy_conn_closed(conn);
}

/* --- the ends --- */

/* Closing while the client still sends would reset it, and what it has not read yet. */
static void say_farewell(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    state->farewell = true;
    (void)shutdown(proxy_conn_fd(conn, PROXY_CLIENT), SHUT_WR);
    proxy_conn_watch(conn, PROXY_CLIENT, IO_READ);
    proxy_conn_watch(conn, PROXY_SERVER, 0);
    io_timer_start(&state->timer, base_dur_ms(farewell_ms));
}

static void server_gone(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct proxy_half *half = state->exchange.half;
    if (proxy_half_server_reset(half)) {
        proxy_settle_start(&state->settle);
        return;
    }
    if (!half[PROXY_SERVER].shut)
        proxy_half_pass_end(conn, half, PROXY_SERVER);
    bool tunnel = state->exchange.tunnel; /* which is half closed as it came */
    if (tunnel ? half[PROXY_CLIENT].shut : half[PROXY_CLIENT].ended)
        proxy_conn_close(conn, PROXY_GRACEFUL);
    else if (!tunnel)
        say_farewell(conn);
}

static void ends(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct http_exchange *exchange = &state->exchange;
    if (exchange->last && exchange->half[PROXY_SERVER].out.len == 0) {
        say_farewell(conn);
        return;
    }
    if (http_exchange_ends(exchange, PROXY_CLIENT))
        proxy_half_pass_end(conn, exchange->half, PROXY_CLIENT);
    if (exchange->half[PROXY_SERVER].shut || http_exchange_ends(exchange, PROXY_SERVER))
        server_gone(conn);
}

/* --- the whole --- */

static void watch(struct proxy_conn *conn)
{
    const struct http_state *state = proxy_conn_state(conn);
    const struct http_exchange *exchange = &state->exchange;
    unsigned events[2] = {0, 0};
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        const struct proxy_half *half = &exchange->half[end];
        enum proxy_end to = proxy_other(end);
        bool flows = exchange->flow[end].wanted;
        bool writes = flows && state->flow_wants[end] == PROXY_WANTS_WRITE;
        if (half->out.len > 0 || writes)
            events[to] |= IO_WRITE;
        else if (flows)
            events[end] |= IO_READ;
        if (http_exchange_reads(exchange, end) && half->out.len < half->room)
            events[end] |= IO_READ;
    }
    proxy_conn_watch(conn, PROXY_CLIENT, events[PROXY_CLIENT]);
    proxy_conn_watch(conn, PROXY_SERVER, events[PROXY_SERVER]);
}

static bool turn(struct proxy_conn *conn, struct mono_ns now)
{
    struct http_state *state = proxy_conn_state(conn);
    struct http_exchange *exchange = &state->exchange;
    bool moved = false;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++)
        if (http_exchange_reads(exchange, end))
            moved = proxy_half_fill(conn, exchange->half, end) || moved;
    if (!proxy_conn_closed(conn))
        moved = http_exchange_step(exchange, now) || moved;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn);
         end++) {
        moved = proxy_half_drain(conn, exchange->half, end) || moved;
        if (!proxy_conn_closed(conn))
            moved = flow_on(conn, end) || moved;
    }
    return moved && !proxy_conn_closed(conn);
}

static void go_on(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct mono_ns now = base_mono_now();
    struct mono_ns next = now;
    int left = turns;
    while (left > 0 && turn(conn, now))
        left--;
    if (!proxy_conn_closed(conn))
        ends(conn);
    if (proxy_conn_closed(conn) || state->farewell || proxy_settle_begun(&state->settle))
        return;
    watch(conn);
    if (left == 0 || http_exchange_next(&state->exchange, now, &next))
        io_timer_start(&state->hand, base_mono_sub(next, now));
}

static void on_hand(void *ctx)
{
    struct proxy_conn *conn = ctx;
    const struct http_state *state = proxy_conn_state(conn);
    if (!state->farewell && !proxy_settle_begun(&state->settle))
        go_on(conn);
}

static void on_farewell(void *ctx)
{
    proxy_conn_close(ctx, PROXY_GRACEFUL);
}

static void http_on_ready(struct proxy_conn *conn, enum proxy_end end)
{
    const struct http_state *state = proxy_conn_state(conn);
    char ignored[4096];
    (void)end;
    if (!state->farewell) {
        go_on(conn);
        return;
    }
    ssize_t n = recv(proxy_conn_fd(conn, PROXY_CLIENT), ignored, sizeof ignored, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        proxy_conn_close(conn, PROXY_GRACEFUL);
}

static void http_begin(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct shared *shared = proxy_conn_shared(conn);
    http_exchange_init(&state->exchange, proxy_conn_rules(conn), &shared->rng);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_flow_init(&state->flow[end], 0);
    io_timer_init(&state->timer, proxy_conn_loop(conn), on_farewell, conn);
    io_timer_init(&state->hand, proxy_conn_loop(conn), on_hand, conn);
    proxy_settle_init(&state->settle, conn);
    go_on(conn);
}

static void http_finish(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    http_exchange_fini(&state->exchange);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_flow_fini(&state->flow[end]);
    io_timer_fini(&state->timer);
    io_timer_fini(&state->hand);
    proxy_settle_fini(&state->settle);
}

const struct proxy_driver proxy_http_driver = {
    .state_size = sizeof(struct http_state),
    .shared_size = sizeof(struct shared),
    .share = http_share,
    .begin = http_begin,
    .on_ready = http_on_ready,
    .finish = http_finish,
};
