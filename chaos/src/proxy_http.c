/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 between a client and a server, in step with both: requests that come in a row
 * (pipelining) are forwarded one at a time, so that each answer is known to be whose. Bodies pass
 * by their framing, large ones spliced. What is not plainly HTTP/1.1 passes unread from there on,
 * in both directions, as does what follows an upgrade.
 */
#include "proxy_http.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/text.h"
#include "proxy_flow.h"
#include "proxy_pace.h"

enum {
    room = 128 * 1024, /* of what has come and not gone, each way; more than a head may have */
    chunk = 32 * 1024,
    splice_from = 96 * 1024, /* shorter bodies are cheaper copied than piped */
    turns = 32,
    farewell_ms = 1000,
    pieces_a_second = 100
};

enum request_phase { REQUEST_HEAD, REQUEST_HELD, REQUEST_BODY, REQUEST_SENT };
enum answer_phase { ANSWER_NONE, ANSWER_HEAD, ANSWER_BODY };

/* What comes from one end and goes to the other. */
struct half {
    struct base_buf in;
    struct base_buf out;
    bool ended; /* that end has said its last */
    bool shut;  /* and the other knows */
    bool flowing;
    enum proxy_moved flow_wants;
    struct proxy_flow flow;
};

struct body {
    enum http_framing framing;
    uint64_t left;
    struct http_chunks chunks;
};

struct http_state {
    struct half half[2]; /* by the end that it comes from */
    enum request_phase request;
    enum answer_phase answer;
    struct body sent;  /* of the request */
    struct body heard; /* of the answer */
    bool discard;      /* the request's body goes nowhere: it has been answered here */
    bool tunnel;
    bool hit;         /* the request under way is one of those */
    bool last;        /* close when all has been written */
    bool farewell;    /* ... and read on until the client closes */
    char method[8];   /* of the request under way; "HEAD" and "CONNECT" matter */
    uint64_t allowed; /* truncate: bytes of the body that may still pass */
    bool paced;
    struct proxy_pace pace;
    struct io_timer timer; /* delay; farewell */
    struct io_timer hand;  /* slow body: the next piece; a turn that was cut short */
};

struct shared {
    struct base_rng rng;
};

static const struct http_rules *rules_of(const struct proxy_conn *conn)
{
    return proxy_conn_rules(conn);
}
static const struct fault_spec *spec_of(const struct proxy_conn *conn)
{
    return http_rules_spec(rules_of(conn));
}
static enum proxy_end other(enum proxy_end end)
{
    return end == PROXY_CLIENT ? PROXY_SERVER : PROXY_CLIENT;
}

static void http_share(void *shared, const void *rules, size_t number)
{
    struct shared *all = shared;
    base_rng_seed(&all->rng, http_rules_spec(rules)->http.seed + number);
}

/* Nothing of what comes will be looked at: it is left to the kernel, once what was read is gone. */
static bool large(const struct body *body)
{
    return body->framing == HTTP_UNTIL_CLOSE ||
           (body->framing == HTTP_SIZED && body->left >= splice_from);
}

static bool plain_answer(const struct http_state *state)
{
    return !state->paced && state->allowed == UINT64_MAX;
}

static bool unseen(const struct http_state *state, enum proxy_end end)
{
    if (state->tunnel)
        return true;
    if (end == PROXY_CLIENT)
        return state->request == REQUEST_BODY && !state->discard && large(&state->sent);
    return state->answer == ANSWER_BODY && plain_answer(state) && large(&state->heard);
}

/* --- bytes in and out --- */

static bool fill(struct proxy_conn *conn, enum proxy_end end)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[end];
    if (half->ended || half->flowing || half->in.len >= room || unseen(state, end))
        return false;
    char *at = base_buf_reserve(&half->in, chunk);
    ssize_t n = at != NULL ? recv(proxy_conn_fd(conn, end), at, chunk, MSG_DONTWAIT) : -1;
    if (n > 0) {
        half->in.len += (size_t)n;
        half->in.data[half->in.len] = '\0';
        return true;
    }
    if (n == 0)
        half->ended = true;
    else if (at == NULL || (errno != EAGAIN && errno != EINTR))
        proxy_conn_close(conn, PROXY_RESET);
    return n == 0;
}

static bool drain(struct proxy_conn *conn, enum proxy_end end)
{
    struct http_state *state = proxy_conn_state(conn);
    struct base_buf *out = &state->half[other(end)].out;
    if (out->len == 0)
        return false;
    ssize_t n = send(proxy_conn_fd(conn, end), out->data, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        base_buf_consume(out, (size_t)n);
    else if (errno != EAGAIN && errno != EINTR)
        proxy_conn_close(conn, PROXY_RESET);
    return n > 0;
}

static bool flow_on(struct proxy_conn *conn, enum proxy_end end)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[end];
    if (!half->flowing || half->out.len > 0)
        return false;
    half->flow_wants =
        proxy_flow_move(&half->flow, proxy_conn_fd(conn, end), proxy_conn_fd(conn, other(end)));
    if (half->flow_wants == PROXY_BROKEN)
        proxy_conn_close(conn, PROXY_RESET);
    if (half->flow_wants != PROXY_ENDED)
        return false;
    half->flowing = false;
    half->ended = half->ended || half->flow.budget > 0; /* it had more to say, and did not */
    struct body *body = end == PROXY_CLIENT ? &state->sent : &state->heard;
    body->left = half->flow.budget;
    return true;
}

static void flow_start(struct half *half, uint64_t budget)
{
    half->flow.budget = budget;
    half->flow.ended = false;
    half->flowing = true;
}

static void move_on(struct half *half, size_t n)
{
    (void)base_buf_append(&half->out, half->in.data, n);
    base_buf_consume(&half->in, n);
}

/* --- bodies --- */

static void body_begin(struct body *body, const struct http_head *head)
{
    *body = (struct body){.framing = head->framing, .left = head->size};
}

/* How many of the bytes are of the body; *result as of http_chunks_follow. */
static size_t body_follow(struct body *body, const struct base_buf *in, bool ended,
                          enum http_parse *result)
{
    if (body->framing == HTTP_CHUNKED)
        return http_chunks_follow(&body->chunks, in->data, in->len, result);
    if (body->framing == HTTP_UNTIL_CLOSE) {
        *result = ended ? HTTP_DONE : HTTP_MORE;
        return in->len;
    }
    size_t n = body->left < in->len ? (size_t)body->left : in->len;
    body->left -= n;
    *result = body->left == 0 ? HTTP_DONE : HTTP_MORE;
    return n;
}

static void give_up(struct http_state *state)
{
    state->tunnel = true;
    state->request = REQUEST_HEAD;
    state->answer = ANSWER_NONE;
}

/* --- requests --- */

static void forward_request(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[PROXY_CLIENT];
    struct http_head head;
    if (http_request_parse(half->in.data, half->in.len, &head) != HTTP_DONE)
        return; /* it was whole when it was looked at: nothing has been taken away since */
    move_on(half, head.len);
    state->answer = ANSWER_HEAD;
    state->request = state->sent.framing == HTTP_NO_BODY ? REQUEST_SENT : REQUEST_BODY;
}

static void answer_here(struct proxy_conn *conn, const struct http_head *head)
{
    struct http_state *state = proxy_conn_state(conn);
    http_rules_answer(rules_of(conn), head->close, http_text_is(head->method, "HEAD"),
                      &state->half[PROXY_SERVER].out);
    state->last = head->close;
    state->discard = state->sent.framing != HTTP_NO_BODY;
    state->request = state->discard ? REQUEST_BODY : REQUEST_SENT;
    base_buf_consume(&state->half[PROXY_CLIENT].in, head->len);
}

static bool is_hit(struct proxy_conn *conn, const struct http_head *head)
{
    struct shared *shared = proxy_conn_shared(conn);
    return http_rules_match(rules_of(conn), head) &&
           base_rng_unit(&shared->rng) < spec_of(conn)->http.share;
}

static void take_request(struct proxy_conn *conn, const struct http_head *head)
{
    struct http_state *state = proxy_conn_state(conn);
    const struct fault_spec *spec = spec_of(conn);
    state->hit = is_hit(conn, head);
    state->discard = false;
    body_begin(&state->sent, head);
    size_t len = head->method.len < sizeof state->method ? head->method.len : 0;
    memcpy(state->method, head->method.at, len);
    state->method[len] = '\0';
    if (state->hit && spec->http.action == FAULT_HTTP_ABORT) {
        answer_here(conn, head);
    } else if (state->hit && spec->http.action == FAULT_HTTP_DELAY) {
        state->request = REQUEST_HELD;
        io_timer_start(&state->timer, spec->http.time);
    } else {
        forward_request(conn);
    }
}

static bool request_head(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[PROXY_CLIENT];
    struct http_head head;
    /* An answer made here needs room the other way. */
    if (half->in.len == 0 || half->out.len >= room || state->half[PROXY_SERVER].out.len >= room)
        return false;
    enum http_parse result = http_request_parse(half->in.data, half->in.len, &head);
    if (result == HTTP_MORE && !half->ended)
        return false;
    if (result == HTTP_DONE)
        take_request(conn, &head);
    else
        give_up(state);
    return true;
}

static bool request_body(struct http_state *state)
{
    struct half *half = &state->half[PROXY_CLIENT];
    enum http_parse result;
    if (half->flowing || half->out.len >= room)
        return false;
    if (unseen(state, PROXY_CLIENT) && half->in.len == 0 && !half->ended) {
        flow_start(half, state->sent.left);
        return true;
    }
    if (half->in.len == 0 && state->sent.left > 0)
        return false;
    size_t n = body_follow(&state->sent, &half->in, half->ended, &result);
    if (state->discard)
        base_buf_consume(&half->in, n);
    else
        move_on(half, n);
    if (result == HTTP_DONE)
        state->request = REQUEST_SENT;
    else if (result == HTTP_BAD)
        give_up(state);
    return n > 0 || result != HTTP_MORE;
}

static bool step_request(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    switch (state->request) {
    case REQUEST_HEAD:
        return !state->last && request_head(conn);
    case REQUEST_HELD:
        return false;
    case REQUEST_BODY:
        return request_body(state);
    case REQUEST_SENT:
        if (state->answer != ANSWER_NONE || state->paced)
            return false;
        state->request = REQUEST_HEAD;
        return true;
    }
    return false;
}

/* --- answers --- */

static void answer_begin(struct proxy_conn *conn, const struct http_head *head)
{
    struct http_state *state = proxy_conn_state(conn);
    const struct fault_spec *spec = spec_of(conn);
    struct half *half = &state->half[PROXY_SERVER];
    bool final = head->status >= 200;
    bool upgraded = head->status == 101 ||
                    (base_str_eq(state->method, "CONNECT") && head->status < 300 && final);
    if (state->hit && final && spec->http.action == FAULT_HTTP_PATCH) {
        http_rules_patch(rules_of(conn), head, half->in.data, &half->out);
        base_buf_consume(&half->in, head->len);
    } else {
        move_on(half, head->len);
    }
    if (upgraded) {
        give_up(state);
        return;
    }
    if (!final)
        return; /* the next head is of the same answer: RFC 9110, 15.2 */
    body_begin(&state->heard, head);
    state->answer = head->framing == HTTP_NO_BODY ? ANSWER_NONE : ANSWER_BODY;
    state->allowed =
        state->hit && spec->http.action == FAULT_HTTP_TRUNCATE ? spec->http.bytes : UINT64_MAX;
    state->paced = state->hit && spec->http.action == FAULT_HTTP_SLOW_BODY;
    if (!state->paced)
        return;
    size_t piece = (size_t)spec->http.bytes / pieces_a_second;
    if (piece == 0)
        piece = 1;
    proxy_pace_fini(&state->pace);
    proxy_pace_init(&state->pace, piece,
                    (struct dur_ns){(int64_t)piece * BASE_NS_PER_S / (int64_t)spec->http.bytes});
}

static bool answer_head(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[PROXY_SERVER];
    struct http_head head;
    const struct http_text method = {state->method, strlen(state->method)};
    if (half->in.len == 0 || half->out.len >= room)
        return false;
    enum http_parse result = http_response_parse(half->in.data, half->in.len, method, &head);
    if (result == HTTP_MORE && !half->ended)
        return false;
    if (result == HTTP_DONE)
        answer_begin(conn, &head);
    else
        give_up(state);
    return true;
}

static bool answer_pass(struct http_state *state, size_t n)
{
    struct half *half = &state->half[PROXY_SERVER];
    if (state->paced) {
        proxy_pace_put(&state->pace, half->in.data, n, base_mono_now());
        base_buf_consume(&half->in, n);
        return true;
    }
    size_t part = state->allowed < n ? (size_t)state->allowed : n;
    bool cut = part < n;
    if (state->allowed != UINT64_MAX)
        state->allowed -= part;
    move_on(half, part);
    state->last = state->last || cut;
    return !cut;
}

static bool answer_body(struct http_state *state)
{
    struct half *half = &state->half[PROXY_SERVER];
    enum http_parse result;
    if (half->flowing || half->out.len >= room)
        return false;
    /* What has come is little enough to be held back as a whole. */
    if (state->paced && proxy_pace_room(&state->pace) < half->in.len)
        return false;
    if (unseen(state, PROXY_SERVER) && half->in.len == 0 && !half->ended) {
        flow_start(half, state->heard.framing == HTTP_SIZED ? state->heard.left : UINT64_MAX);
        return true;
    }
    bool closed = state->heard.framing == HTTP_UNTIL_CLOSE && half->ended;
    bool over = state->heard.framing == HTTP_SIZED && state->heard.left == 0;
    if (half->in.len == 0 && !closed && !over)
        return false;
    size_t n = body_follow(&state->heard, &half->in, half->ended, &result);
    if (!answer_pass(state, n))
        result = HTTP_DONE;
    if (result == HTTP_DONE)
        state->answer = ANSWER_NONE;
    else if (result == HTTP_BAD)
        give_up(state);
    return n > 0 || result != HTTP_MORE;
}

static bool step_answer(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[PROXY_SERVER];
    if (state->last)
        return false;
    if (state->answer == ANSWER_HEAD)
        return answer_head(conn);
    if (state->answer == ANSWER_BODY)
        return answer_body(state);
    /* A server that speaks unasked, as with 408 before it closes. */
    if (!state->tunnel && half->in.len > 0 && state->request != REQUEST_BODY) {
        give_up(state);
        return true;
    }
    return false;
}

/* The body's next piece goes out; nothing else may overtake it. */
static bool step_pace(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[PROXY_SERVER];
    struct mono_ns now = base_mono_now();
    struct mono_ns next;
    if (!state->paced || half->out.len > 0)
        return false;
    size_t due = proxy_pace_due(&state->pace, now);
    if (due > 0) {
        (void)base_buf_append(&half->out, state->pace.bytes.data, due);
        proxy_pace_went(&state->pace, due, now);
    }
    if (proxy_pace_next(&state->pace, now, &next))
        io_timer_start(&state->hand, base_mono_sub(next, now));
    if (state->pace.bytes.len == 0 && state->answer == ANSWER_NONE)
        state->paced = false;
    return due > 0 || !state->paced;
}

/* --- the whole --- */

static bool step_tunnel(struct http_state *state)
{
    bool moved = false;
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        struct half *half = &state->half[end];
        if (half->flowing || half->out.len >= room || (end == PROXY_SERVER && state->paced))
            continue;
        if (half->in.len > 0) {
            move_on(half, half->in.len);
            moved = true;
        } else if (!half->ended) {
            flow_start(half, UINT64_MAX);
            moved = true;
        }
    }
    return moved;
}

static bool idle(const struct half *half)
{
    return half->in.len == 0 && half->out.len == 0 && !half->flowing;
}

static void say_farewell(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    state->farewell = true;
    (void)shutdown(proxy_conn_fd(conn, PROXY_CLIENT), SHUT_WR);
    proxy_conn_watch(conn, PROXY_CLIENT, IO_READ);
    proxy_conn_watch(conn, PROXY_SERVER, 0);
    io_timer_start(&state->timer, base_dur_ms(farewell_ms));
}

static void pass_end(struct proxy_conn *conn, enum proxy_end end)
{
    struct http_state *state = proxy_conn_state(conn);
    struct half *half = &state->half[end];
    if (half->shut || !half->ended || !idle(half) || (end == PROXY_SERVER && state->paced))
        return;
    half->shut = true;
    (void)shutdown(proxy_conn_fd(conn, other(end)), SHUT_WR);
}

static void ends(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    if (state->last && state->half[PROXY_SERVER].out.len == 0) {
        say_farewell(conn);
        return;
    }
    /* A request that is held back, or whose answer was made here, still has something to do. */
    if (state->request != REQUEST_HELD)
        pass_end(conn, PROXY_CLIENT);
    pass_end(conn, PROXY_SERVER);
    bool server_gone = state->half[PROXY_SERVER].shut;
    if (server_gone && state->tunnel && !state->half[PROXY_CLIENT].shut)
        return; /* half closed, as it came */
    if (server_gone)
        proxy_conn_close(conn, PROXY_GRACEFUL);
}

static void watch(struct proxy_conn *conn)
{
    const struct http_state *state = proxy_conn_state(conn);
    unsigned events[2] = {0, 0};
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        const struct half *half = &state->half[end];
        enum proxy_end to = other((enum proxy_end)end);
        if (half->out.len > 0)
            events[to] |= IO_WRITE;
        else if (half->flowing)
            events[half->flow_wants == PROXY_WANTS_WRITE ? (int)to : end] |=
                half->flow_wants == PROXY_WANTS_WRITE ? IO_WRITE : IO_READ;
        if (!half->flowing && !half->ended && half->in.len < room && half->out.len < room)
            events[end] |= IO_READ;
    }
    proxy_conn_watch(conn, PROXY_CLIENT, events[PROXY_CLIENT]);
    proxy_conn_watch(conn, PROXY_SERVER, events[PROXY_SERVER]);
}

static bool turn(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    bool moved = false;
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++)
        moved = fill(conn, (enum proxy_end)end) || moved;
    if (proxy_conn_closed(conn))
        return false;
    if (state->tunnel)
        moved = step_tunnel(state) || moved;
    else
        moved = step_request(conn) || step_answer(conn) || moved;
    moved = step_pace(conn) || moved;
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER && !proxy_conn_closed(conn); end++) {
        moved = drain(conn, (enum proxy_end)end) || moved;
        if (!proxy_conn_closed(conn))
            moved = flow_on(conn, (enum proxy_end)end) || moved;
    }
    return moved;
}

static void go_on(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    int left = turns;
    while (left > 0 && !proxy_conn_closed(conn) && turn(conn))
        left--;
    if (!proxy_conn_closed(conn))
        ends(conn);
    if (proxy_conn_closed(conn) || state->farewell)
        return;
    watch(conn);
    if (left == 0)
        io_timer_start(&state->hand, (struct dur_ns){0});
}

static void on_timer(void *ctx)
{
    struct proxy_conn *conn = ctx;
    struct http_state *state = proxy_conn_state(conn);
    if (state->farewell) {
        proxy_conn_close(conn, PROXY_GRACEFUL);
        return;
    }
    forward_request(conn);
    go_on(conn);
}

static void on_hand(void *ctx)
{
    go_on(ctx);
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
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        base_buf_init(&state->half[end].in, room + chunk);
        base_buf_init(&state->half[end].out, (size_t)room * 2 + (size_t)chunk * 2);
        proxy_flow_init(&state->half[end].flow, 0);
    }
    io_timer_init(&state->timer, proxy_conn_loop(conn), on_timer, conn);
    io_timer_init(&state->hand, proxy_conn_loop(conn), on_hand, conn);
    go_on(conn);
}

static void http_finish(struct proxy_conn *conn)
{
    struct http_state *state = proxy_conn_state(conn);
    for (int end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        base_buf_fini(&state->half[end].in);
        base_buf_fini(&state->half[end].out);
        proxy_flow_fini(&state->half[end].flow);
    }
    proxy_pace_fini(&state->pace);
    io_timer_fini(&state->timer);
    io_timer_fini(&state->hand);
}

const struct proxy_driver proxy_http_driver = {
    .state_size = sizeof(struct http_state),
    .shared_size = sizeof(struct shared),
    .share = http_share,
    .begin = http_begin,
    .on_ready = http_on_ready,
    .finish = http_finish,
};
