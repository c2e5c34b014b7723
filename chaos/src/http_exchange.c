/* SPDX-License-Identifier: Apache-2.0 */
#include "http_exchange.h"

#include <string.h>

#include "base/text.h"

enum {
    room = 128 * 1024, /* of what has come and not gone, each way; more than a head may have */
    splice_from = 96 * 1024, /* shorter bodies are cheaper copied than piped */
    pieces_a_second = 100
};

static const struct fault_spec *spec_of(const struct http_exchange *exchange)
{
    return http_rules_spec(exchange->rules);
}

void http_exchange_init(struct http_exchange *exchange, const struct http_rules *rules,
                        struct base_rng *rng)
{
    *exchange = (struct http_exchange){.rules = rules, .rng = rng};
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_half_init(&exchange->half[end], room);
}

void http_exchange_fini(struct http_exchange *exchange)
{
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        proxy_half_fini(&exchange->half[end]);
    proxy_pace_fini(&exchange->pace);
}

/* --- what is left unread --- */

static bool large(const struct http_body *body)
{
    return body->framing == HTTP_UNTIL_CLOSE ||
           (body->framing == HTTP_SIZED && body->left >= splice_from);
}

static bool unseen(const struct http_exchange *exchange, enum proxy_end from)
{
    bool plain_answer = !exchange->paced && exchange->allowed == UINT64_MAX;
    if (exchange->half[from].unwanted || exchange->last)
        return false;
    if (exchange->tunnel)
        return true;
    if (from == PROXY_CLIENT)
        return exchange->request == HTTP_REQUEST_BODY && !exchange->discard &&
               large(&exchange->sent);
    return exchange->answer == HTTP_ANSWER_BODY && plain_answer && large(&exchange->heard);
}

/* What is thrown away is read all the same: its sender may wait for that, and the answer behind. */
bool http_exchange_reads(const struct http_exchange *exchange, enum proxy_end from)
{
    if (exchange->last && from == PROXY_SERVER)
        return false;
    return proxy_half_wants(&exchange->half[from]) && !exchange->flow[from].wanted &&
           !unseen(exchange, from);
}

static bool full(const struct http_exchange *exchange, enum proxy_end from)
{
    return exchange->flow[from].wanted || exchange->half[from].out.len >= room;
}

/* Once what was read is gone. */
static bool flow_start(struct http_exchange *exchange, enum proxy_end from, uint64_t left)
{
    const struct proxy_half *half = &exchange->half[from];
    if (half->in.len > 0 || half->ended || !unseen(exchange, from))
        return false;
    exchange->flow[from] = (struct http_flow){.wanted = true, .left = left};
    return true;
}

void http_exchange_flowed(struct http_exchange *exchange, enum proxy_end from, uint64_t left)
{
    struct http_body *body = from == PROXY_CLIENT ? &exchange->sent : &exchange->heard;
    exchange->flow[from].wanted = false;
    exchange->half[from].ended = exchange->half[from].ended || left > 0;
    body->left = left;
}

/* --- bodies --- */

static void body_begin(struct http_body *body, const struct http_head *head)
{
    *body = (struct http_body){.framing = head->framing, .left = head->size};
}

/* How many of the bytes are of the body; *result as of http_chunks_follow. */
static size_t body_follow(struct http_body *body, const struct proxy_half *half,
                          enum http_parse *result)
{
    if (body->framing == HTTP_CHUNKED)
        return http_chunks_follow(&body->chunks, half->in.data, half->in.len, result);
    if (body->framing == HTTP_UNTIL_CLOSE) {
        *result = half->ended ? HTTP_DONE : HTTP_MORE;
        return half->in.len;
    }
    size_t n = body->left < half->in.len ? (size_t)body->left : half->in.len;
    body->left -= n;
    *result = body->left == 0 ? HTTP_DONE : HTTP_MORE;
    return n;
}

static void give_up(struct http_exchange *exchange)
{
    exchange->tunnel = true;
    exchange->request = HTTP_REQUEST_HEAD;
    exchange->answer = HTTP_ANSWER_NONE;
}

/* --- requests --- */

static void forward_request(struct http_exchange *exchange)
{
    struct proxy_half *half = &exchange->half[PROXY_CLIENT];
    struct http_head head;
    if (http_request_parse(half->in.data, half->in.len, &head) != HTTP_DONE)
        return; /* it was whole when it was looked at: nothing has been taken away since */
    if (exchange->hit && spec_of(exchange)->http.action == FAULT_HTTP_PATCH_REQUEST) {
        http_rules_patch(exchange->rules, &head, half->in.data, &half->out);
        base_buf_consume(&half->in, head.len);
    } else {
        proxy_half_move(half, head.len);
    }
    exchange->answer = HTTP_ANSWER_HEAD;
    exchange->request =
        exchange->sent.framing == HTTP_NO_BODY ? HTTP_REQUEST_SENT : HTTP_REQUEST_BODY;
}

/* Who waits for 100 Continue may keep the body to itself now, and says so only by closing: what
 * comes next could be either (RFC 9110, 10.1.1). */
static void answer_here(struct http_exchange *exchange, const struct http_head *head)
{
    exchange->last = head->close || head->expects;
    http_rules_answer(exchange->rules, head, exchange->last, &exchange->half[PROXY_SERVER].out);
    exchange->discard = exchange->sent.framing != HTTP_NO_BODY;
    exchange->request = exchange->discard ? HTTP_REQUEST_BODY : HTTP_REQUEST_SENT;
    base_buf_consume(&exchange->half[PROXY_CLIENT].in, head->len);
}

static void take_request(struct http_exchange *exchange, const struct http_head *head,
                         struct mono_ns now)
{
    const struct fault_spec *spec = spec_of(exchange);
    exchange->hit =
        http_rules_match(exchange->rules, head) && base_rng_unit(exchange->rng) < spec->http.share;
    exchange->discard = false;
    body_begin(&exchange->sent, head);
    size_t len = head->method.len < sizeof exchange->method ? head->method.len : 0;
    memcpy(exchange->method, head->method.at, len);
    exchange->method[len] = '\0';
    if (exchange->hit && spec->http.action == FAULT_HTTP_ABORT) {
        answer_here(exchange, head);
    } else if (exchange->hit && spec->http.action == FAULT_HTTP_DELAY) {
        exchange->request = HTTP_REQUEST_HELD;
        exchange->held_until =
            base_mono_add(now, proxy_pace_draw(spec->http.time, spec->http.jitter, exchange->rng));
    } else {
        forward_request(exchange);
    }
}

static bool request_head(struct http_exchange *exchange, struct mono_ns now)
{
    struct proxy_half *half = &exchange->half[PROXY_CLIENT];
    struct http_head head;
    /* An answer made here needs room the other way. */
    if (half->in.len == 0 || half->out.len >= room || exchange->half[PROXY_SERVER].out.len >= room)
        return false;
    enum http_parse result = http_request_parse(half->in.data, half->in.len, &head);
    if (result == HTTP_MORE && !half->ended)
        return false;
    if (result == HTTP_DONE)
        take_request(exchange, &head, now);
    else
        give_up(exchange);
    return true;
}

static bool request_body(struct http_exchange *exchange)
{
    struct proxy_half *half = &exchange->half[PROXY_CLIENT];
    enum http_parse result;
    if (full(exchange, PROXY_CLIENT))
        return false;
    if (flow_start(exchange, PROXY_CLIENT, exchange->sent.left))
        return true;
    if (half->in.len == 0 && exchange->sent.left > 0)
        return false;
    size_t n = body_follow(&exchange->sent, half, &result);
    if (exchange->discard)
        base_buf_consume(&half->in, n);
    else
        proxy_half_move(half, n);
    if (result == HTTP_DONE)
        exchange->request = HTTP_REQUEST_SENT;
    else if (result == HTTP_BAD && exchange->discard)
        exchange->last = true; /* where it ends nobody knows, and the server is not to guess */
    else if (result == HTTP_BAD)
        give_up(exchange);
    return n > 0 || result != HTTP_MORE;
}

static bool step_request(struct http_exchange *exchange, struct mono_ns now)
{
    switch (exchange->request) {
    case HTTP_REQUEST_HEAD:
        return request_head(exchange, now);
    case HTTP_REQUEST_HELD:
        if (base_mono_before(now, exchange->held_until))
            return false;
        forward_request(exchange);
        return true;
    case HTTP_REQUEST_BODY:
        return request_body(exchange);
    case HTTP_REQUEST_SENT:
        if (exchange->answer != HTTP_ANSWER_NONE || exchange->paced)
            return false;
        exchange->request = HTTP_REQUEST_HEAD;
        return true;
    }
    return false;
}

/* --- answers --- */

static void pace_begin(struct http_exchange *exchange)
{
    uint64_t bytes = spec_of(exchange)->http.bytes;
    size_t piece = (size_t)bytes / pieces_a_second;
    if (piece == 0)
        piece = 1;
    exchange->paced = true;
    proxy_pace_fini(&exchange->pace);
    proxy_pace_init(&exchange->pace, piece,
                    (struct dur_ns){(int64_t)piece * BASE_NS_PER_S / (int64_t)bytes});
}

static void answer_begin(struct http_exchange *exchange, const struct http_head *head)
{
    const struct fault_spec *spec = spec_of(exchange);
    struct proxy_half *half = &exchange->half[PROXY_SERVER];
    bool final = head->status >= 200;
    bool hit = exchange->hit && final;
    bool upgraded = head->status == 101 ||
                    (base_str_eq(exchange->method, "CONNECT") && head->status < 300 && final);
    if (hit && spec->http.action == FAULT_HTTP_PATCH) {
        http_rules_patch(exchange->rules, head, half->in.data, &half->out);
        base_buf_consume(&half->in, head->len);
    } else {
        proxy_half_move(half, head->len);
    }
    if (upgraded) {
        give_up(exchange);
        return;
    }
    if (!final)
        return; /* the next head is of the same answer: RFC 9110, 15.2 */
    body_begin(&exchange->heard, head);
    exchange->answer = head->framing == HTTP_NO_BODY ? HTTP_ANSWER_NONE : HTTP_ANSWER_BODY;
    exchange->allowed =
        hit && spec->http.action == FAULT_HTTP_TRUNCATE ? spec->http.bytes : UINT64_MAX;
    if (hit && spec->http.action == FAULT_HTTP_SLOW_BODY)
        pace_begin(exchange);
}

static bool answer_head(struct http_exchange *exchange)
{
    struct proxy_half *half = &exchange->half[PROXY_SERVER];
    struct http_head head;
    const struct http_text method = {exchange->method, strlen(exchange->method)};
    if (half->in.len == 0 || half->out.len >= room)
        return false;
    enum http_parse result = http_response_parse(half->in.data, half->in.len, method, &head);
    if (result == HTTP_MORE && !half->ended)
        return false;
    if (result == HTTP_DONE)
        answer_begin(exchange, &head);
    else
        give_up(exchange);
    return true;
}

/* false: no more of it may pass */
static bool answer_pass(struct http_exchange *exchange, size_t n, struct mono_ns now)
{
    struct proxy_half *half = &exchange->half[PROXY_SERVER];
    if (exchange->paced) {
        proxy_pace_put(&exchange->pace, half->in.data, n, now);
        base_buf_consume(&half->in, n);
        return true;
    }
    size_t part = exchange->allowed < n ? (size_t)exchange->allowed : n;
    bool cut = part < n;
    if (exchange->allowed != UINT64_MAX)
        exchange->allowed -= part;
    proxy_half_move(half, part);
    exchange->last = exchange->last || cut;
    return !cut;
}

static bool answer_body(struct http_exchange *exchange, struct mono_ns now)
{
    struct proxy_half *half = &exchange->half[PROXY_SERVER];
    enum http_parse result;
    if (full(exchange, PROXY_SERVER))
        return false;
    /* What has come is little enough to be held back as a whole. */
    if (exchange->paced && proxy_pace_room(&exchange->pace) < half->in.len)
        return false;
    if (flow_start(exchange, PROXY_SERVER,
                   exchange->heard.framing == HTTP_SIZED ? exchange->heard.left : UINT64_MAX))
        return true;
    bool closed = exchange->heard.framing == HTTP_UNTIL_CLOSE && half->ended;
    bool over = exchange->heard.framing == HTTP_SIZED && exchange->heard.left == 0;
    if (half->in.len == 0 && !closed && !over)
        return false;
    size_t n = body_follow(&exchange->heard, half, &result);
    if (!answer_pass(exchange, n, now))
        result = HTTP_DONE;
    if (result == HTTP_DONE)
        exchange->answer = HTTP_ANSWER_NONE;
    else if (result == HTTP_BAD)
        give_up(exchange);
    return n > 0 || result != HTTP_MORE;
}

static bool step_answer(struct http_exchange *exchange, struct mono_ns now)
{
    if (exchange->answer == HTTP_ANSWER_HEAD)
        return answer_head(exchange);
    if (exchange->answer == HTTP_ANSWER_BODY)
        return answer_body(exchange, now);
    /* A server that speaks unasked, as with 408 before it closes. */
    if (exchange->half[PROXY_SERVER].in.len == 0 || exchange->request == HTTP_REQUEST_BODY)
        return false;
    give_up(exchange);
    return true;
}

/* The body's next piece goes out; nothing else may overtake it. */
static bool step_pace(struct http_exchange *exchange, struct mono_ns now)
{
    struct proxy_half *half = &exchange->half[PROXY_SERVER];
    if (!exchange->paced || half->out.len > 0)
        return false;
    size_t due = proxy_pace_due(&exchange->pace, now);
    if (due > 0) {
        (void)base_buf_append(&half->out, exchange->pace.bytes.data, due);
        proxy_pace_went(&exchange->pace, due, now);
    }
    if (exchange->pace.bytes.len == 0 && exchange->answer == HTTP_ANSWER_NONE)
        exchange->paced = false;
    return due > 0 || !exchange->paced;
}

/* --- the whole --- */

static bool step_tunnel(struct http_exchange *exchange)
{
    bool moved = false;
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        struct proxy_half *half = &exchange->half[end];
        if (full(exchange, end) || (end == PROXY_SERVER && exchange->paced))
            continue;
        bool has = half->in.len > 0;
        if (has)
            proxy_half_move(half, half->in.len);
        moved = has || flow_start(exchange, end, UINT64_MAX) || moved;
    }
    return moved;
}

/* Whatever comes is thrown away. */
static bool step_last(struct http_exchange *exchange)
{
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        base_buf_clear(&exchange->half[end].in);
    return false;
}

bool http_exchange_step(struct http_exchange *exchange, struct mono_ns now)
{
    bool moved;
    if (exchange->last)
        moved = step_last(exchange);
    else if (exchange->tunnel)
        moved = step_tunnel(exchange);
    else
        moved = step_request(exchange, now) || step_answer(exchange, now);
    return step_pace(exchange, now) || moved;
}

bool http_exchange_next(const struct http_exchange *exchange, struct mono_ns now,
                        struct mono_ns *out)
{
    if (exchange->paced)
        return proxy_pace_next(&exchange->pace, now, out);
    if (exchange->tunnel || exchange->request != HTTP_REQUEST_HELD)
        return false;
    *out = exchange->held_until;
    return true;
}

bool http_exchange_ends(const struct http_exchange *exchange, enum proxy_end from)
{
    const struct proxy_half *half = &exchange->half[from];
    if (half->shut || !half->ended || half->in.len > 0 || half->out.len > 0 ||
        exchange->flow[from].wanted)
        return false;
    /* A request that is held back, or whose answer was made here, still has something to do. */
    return from == PROXY_SERVER ? !exchange->paced : exchange->request != HTTP_REQUEST_HELD;
}
