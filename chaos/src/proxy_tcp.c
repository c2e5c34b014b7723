/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Toxics act on the answers, the bytes from server to client; requests pass untouched. Where the
 * bytes do not matter they are spliced; only latency and slicer hold them here.
 */
#include "proxy_tcp.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "proxy_flow.h"
#include "proxy_pace.h"
#include "proxy_settle.h"

enum { farewell_ms = 1000, chunk_bytes = 64 * 1024 };

struct shared {
    struct base_rng rng;
};

struct tcp_state {
    bool hit; /* else all passes untouched */
    struct proxy_flow up;
    struct proxy_flow down;
    struct proxy_pace pace; /* latency, slicer */
    bool paced;
    bool server_ended; /* paced: it has said its last */
    bool server_reset; /* it is gone; what it had said is passed on still */
    struct mono_ns end_due;
    bool up_shut;
    bool down_shut;
    bool ending; /* the toxic has struck, the timer does the rest */
    struct proxy_settle settle;
    struct io_timer timer; /* of the toxic */
    struct io_timer hand;  /* paced: the next bytes */
};

static const struct proxy_tcp_rules *rules_of(const struct proxy_conn *conn)
{
    return proxy_conn_rules(conn);
}

static bool has(const struct proxy_conn *conn, enum fault_toxic toxic)
{
    const struct tcp_state *state = proxy_conn_state(conn);
    return state->hit && rules_of(conn)->toxic == toxic;
}

static void tcp_share(void *value, const void *rules, size_t number)
{
    const struct proxy_tcp_rules *own = rules;
    struct shared *shared = value;
    base_rng_seed(&shared->rng, own->seed + number);
}

static bool wants_server(const struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    struct shared *shared = proxy_conn_shared(conn);
    state->hit = base_rng_unit(&shared->rng) < rules_of(conn)->share;
    return !has(conn, FAULT_TOXIC_TIMEOUT);
}

/* --- the ends --- */

static void shut(struct proxy_conn *conn, enum proxy_end end)
{
    struct tcp_state *state = proxy_conn_state(conn);
    if (end == PROXY_CLIENT && state->server_reset) {
        state->ending = true;
        proxy_settle_start(&state->settle);
        return;
    }
    (void)shutdown(proxy_conn_fd(conn, end), SHUT_WR);
    if (end == PROXY_CLIENT)
        state->down_shut = true;
    else
        state->up_shut = true;
    if (state->up_shut && state->down_shut)
        proxy_conn_close(conn, PROXY_GRACEFUL);
}

/* The budget of answers is spent. */
static void strike(struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    state->ending = true;
    proxy_conn_watch(conn, PROXY_CLIENT, 0);
    proxy_conn_watch(conn, PROXY_SERVER, 0);
    if (has(conn, FAULT_TOXIC_RESET_BYTES)) {
        proxy_settle_start(&state->settle);
        return;
    }
    /* Closing while the client still sends would reset it, and what it has not read yet. */
    (void)shutdown(proxy_conn_fd(conn, PROXY_CLIENT), SHUT_WR);
    proxy_conn_watch(conn, PROXY_CLIENT, IO_READ);
    io_timer_start(&state->timer, base_dur_ms(farewell_ms));
}

static void on_timer(void *ctx)
{
    struct proxy_conn *conn = ctx;
    switch (rules_of(conn)->toxic) {
    case FAULT_TOXIC_SLOW_CLOSE:
        shut(conn, PROXY_CLIENT);
        break;
    case FAULT_TOXIC_TIMEOUT:
    case FAULT_TOXIC_LIMIT_DATA:
        proxy_conn_close(conn, PROXY_GRACEFUL);
        break;
    default:
        proxy_conn_close(conn, PROXY_RESET);
        break;
    }
}

/* --- answers that pass at once --- */

static void answers_ended(struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    bool spent = state->down.budget == 0;
    if (spent)
        strike(conn);
    else if (!has(conn, FAULT_TOXIC_SLOW_CLOSE))
        shut(conn, PROXY_CLIENT);
    else if (!io_timer_active(&state->timer))
        io_timer_start(&state->timer, rules_of(conn)->time);
}

static void move_down(struct proxy_conn *conn, unsigned *client, unsigned *server)
{
    struct tcp_state *state = proxy_conn_state(conn);
    if (state->down_shut)
        return;
    switch (proxy_flow_move(&state->down, proxy_conn_fd(conn, PROXY_SERVER),
                            proxy_conn_fd(conn, PROXY_CLIENT))) {
    case PROXY_WANTS_READ:
        *server |= IO_READ;
        break;
    case PROXY_WANTS_WRITE:
        *client |= IO_WRITE;
        break;
    case PROXY_SOURCE_GONE:
        state->server_reset = true;
        shut(conn, PROXY_CLIENT);
        break;
    case PROXY_ENDED:
        answers_ended(conn);
        break;
    case PROXY_SINK_GONE:
    case PROXY_NO_PIPE:
        proxy_conn_close(conn, PROXY_RESET);
        break;
    }
}

/* --- answers that wait --- */

static void read_paced(struct proxy_conn *conn, struct mono_ns now)
{
    struct tcp_state *state = proxy_conn_state(conn);
    char chunk[chunk_bytes];
    size_t room = proxy_pace_room(&state->pace);
    if (state->server_ended || room == 0)
        return;
    ssize_t n =
        read(proxy_conn_fd(conn, PROXY_SERVER), chunk, room < sizeof chunk ? room : sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        proxy_pace_put(&state->pace, chunk, (size_t)n, now);
        return;
    }
    state->server_ended = true;
    state->server_reset = state->server_reset || n < 0;
    state->end_due = state->pace.piece > 0 ? now : base_mono_add(now, state->pace.time);
}

/* true: the client does not take more for now */
static bool write_paced(struct proxy_conn *conn, struct mono_ns now)
{
    struct tcp_state *state = proxy_conn_state(conn);
    size_t due;
    while ((due = proxy_pace_due(&state->pace, now)) > 0) {
        ssize_t n = send(proxy_conn_fd(conn, PROXY_CLIENT), state->pace.bytes.data, due,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n < 0) {
            proxy_conn_close(conn, PROXY_RESET);
            return false;
        }
        proxy_pace_went(&state->pace, (size_t)n, now);
    }
    return false;
}

static void pace_down(struct proxy_conn *conn, unsigned *client, unsigned *server)
{
    struct tcp_state *state = proxy_conn_state(conn);
    struct mono_ns now = base_mono_now();
    struct mono_ns next;
    if (state->down_shut)
        return;
    read_paced(conn, now);
    bool full = write_paced(conn, now);
    if (proxy_conn_closed(conn))
        return;
    if (full)
        *client |= IO_WRITE;
    else if (proxy_pace_next(&state->pace, now, &next))
        io_timer_start(&state->hand, base_mono_sub(next, now));
    else if (state->server_ended && state->pace.bytes.len == 0 &&
             base_mono_before(now, state->end_due))
        io_timer_start(&state->hand, base_mono_sub(state->end_due, now));
    else if (state->server_ended && state->pace.bytes.len == 0)
        shut(conn, PROXY_CLIENT);
    if (!state->server_ended && proxy_pace_room(&state->pace) > 0)
        *server |= IO_READ;
}

/* --- the whole --- */

static void move_up(struct proxy_conn *conn, unsigned *client, unsigned *server)
{
    struct tcp_state *state = proxy_conn_state(conn);
    if (state->up_shut)
        return;
    switch (proxy_flow_move(&state->up, proxy_conn_fd(conn, PROXY_CLIENT),
                            proxy_conn_fd(conn, PROXY_SERVER))) {
    case PROXY_WANTS_READ:
        *client |= IO_READ;
        break;
    case PROXY_WANTS_WRITE:
        *server |= IO_WRITE;
        break;
    case PROXY_ENDED:
        shut(conn, PROXY_SERVER);
        break;
    case PROXY_SINK_GONE: /* it may have answered before */
        state->server_reset = true;
        state->up_shut = true;
        break;
    case PROXY_SOURCE_GONE:
    case PROXY_NO_PIPE:
        proxy_conn_close(conn, PROXY_RESET);
        break;
    }
}

static void go_on(struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    unsigned client = 0;
    unsigned server = 0;
    move_up(conn, &client, &server);
    if (proxy_conn_closed(conn))
        return;
    if (state->paced)
        pace_down(conn, &client, &server);
    else
        move_down(conn, &client, &server);
    if (proxy_conn_closed(conn) || state->ending)
        return;
    proxy_conn_watch(conn, PROXY_CLIENT, client);
    proxy_conn_watch(conn, PROXY_SERVER, server);
}

/* Nothing is forwarded; what comes is read, to notice when the client gives up. */
static void swallow(struct proxy_conn *conn)
{
    char chunk[4096];
    ssize_t n = read(proxy_conn_fd(conn, PROXY_CLIENT), chunk, sizeof chunk);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        proxy_conn_close(conn, PROXY_GRACEFUL);
}

static void tcp_on_ready(struct proxy_conn *conn, enum proxy_end end)
{
    (void)end;
    const struct tcp_state *state = proxy_conn_state(conn);
    if (state->ending || has(conn, FAULT_TOXIC_TIMEOUT))
        swallow(conn);
    else
        go_on(conn);
}

static void on_hand(void *ctx)
{
    const struct tcp_state *state = proxy_conn_state(ctx);
    if (!state->ending)
        go_on(ctx);
}

static void tcp_begin(struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    struct shared *shared = proxy_conn_shared(conn);
    const struct proxy_tcp_rules *rules = rules_of(conn);
    bool sliced = has(conn, FAULT_TOXIC_SLICER);
    bool limited = has(conn, FAULT_TOXIC_LIMIT_DATA) || has(conn, FAULT_TOXIC_RESET_BYTES);
    bool timed = has(conn, FAULT_TOXIC_RESET_TIME) || has(conn, FAULT_TOXIC_TIMEOUT);
    io_timer_init(&state->timer, proxy_conn_loop(conn), on_timer, conn);
    io_timer_init(&state->hand, proxy_conn_loop(conn), on_hand, conn);
    proxy_settle_init(&state->settle, conn);
    proxy_flow_init(&state->up, UINT64_MAX);
    proxy_flow_init(&state->down, limited ? rules->bytes : UINT64_MAX);
    state->paced = sliced || has(conn, FAULT_TOXIC_LATENCY);
    if (state->paced)
        proxy_pace_init(&state->pace, sliced ? (size_t)rules->bytes : 0, rules->time);
    proxy_pace_vary(&state->pace, rules->jitter, &shared->rng);
    if (timed && rules->time.ns > 0)
        io_timer_start(&state->timer, rules->time);
    if (has(conn, FAULT_TOXIC_TIMEOUT))
        proxy_conn_watch(conn, PROXY_CLIENT, IO_READ);
    else
        go_on(conn);
}

static void tcp_finish(struct proxy_conn *conn)
{
    struct tcp_state *state = proxy_conn_state(conn);
    io_timer_fini(&state->timer);
    io_timer_fini(&state->hand);
    proxy_settle_fini(&state->settle);
    proxy_flow_fini(&state->up);
    proxy_flow_fini(&state->down);
    proxy_pace_fini(&state->pace);
}

const struct proxy_driver proxy_tcp_driver = {
    .state_size = sizeof(struct tcp_state),
    .shared_size = sizeof(struct shared),
    .share = tcp_share,
    .wants_server = wants_server,
    .begin = tcp_begin,
    .on_ready = tcp_on_ready,
    .finish = tcp_finish,
};
