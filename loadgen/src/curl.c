/* SPDX-License-Identifier: Apache-2.0 */
#include "curl.h"

#include <stdlib.h>

#include "base/text.h"
#include "curl_slot.h"
#include "io/curl_late.h"

/* One for each route; threads share it. */
struct requests {
    size_t count;
    struct load_curl_request *list;
};

/* Over HTTP/1.1 some connections share a multi handle: for each request it looks through all of its
 * own for one that is free. Each of HTTP/2's has its own: a multi handle opens as many as it likes
 * when requests come faster than connections (7.88), and here no more are in flight than the one
 * can carry. */
enum { CONNECTIONS_EACH = 16 };

struct thread {
    struct load_watches watches; /* of the sockets of all of them */
    struct load_curl *list;
    size_t count;
    size_t connections_each;
    struct curl_slist **headers;
    size_t routes;
};

#define TO(state) (1U << LOAD_CURL_##state)
static const unsigned moves[LOAD_CURL_STATES] = {
    [LOAD_CURL_COLD] = TO(READY) | TO(CLOSED),
    [LOAD_CURL_READY] = TO(BUSY) | TO(CLOSED),
    [LOAD_CURL_BUSY] = TO(READY) | TO(RESTING) | TO(CLOSED),
    [LOAD_CURL_RESTING] = TO(READY) | TO(CLOSED),
    [LOAD_CURL_CLOSED] = 0,
};

/* The one function that changes a slot's state. */
static void move(struct load_curl_slot *slot, enum load_curl_state to)
{
    if ((moves[slot->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    slot->own->active += (to == LOAD_CURL_BUSY) - (slot->state == LOAD_CURL_BUSY);
    slot->state = to;
}

/* --- the end of a request --- */

/* The request is over: the easy handle is free for the next. */
static void end(struct load_curl_slot *slot, struct load_outcome *outcome)
{
    struct load_pool *pool = slot->head.pool;
    struct load_curl *own = slot->own;
    (void)curl_multi_remove_handle(own->turns.multi, slot->easy);
    move(slot, outcome->answered ? LOAD_CURL_READY : LOAD_CURL_RESTING);
    pool->on_end(pool->ctx, &slot->head, outcome);
    if (outcome->answered) {
        pool->on_ready(pool->ctx, &slot->head, outcome->at);
        return;
    }
    TAILQ_INSERT_TAIL(&own->resting, slot, rest);
    io_timer_start(&own->turn, (struct dur_ns){0});
}

static void collect(void *ctx)
{
    struct load_curl *own = ctx;
    CURLMsg *message;
    int left;
    if (own->collecting)
        return;
    own->collecting = true;
    while ((message = curl_multi_info_read(own->turns.multi, &left)) != NULL) {
        CURLcode result = message->data.result; /* the message dies with its handle's removal */
        char *private = NULL;
        struct load_outcome outcome = {.at = base_mono_now().ns};
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct load_curl_slot *slot = (struct load_curl_slot *)(void *)private;

        load_curl_judge(slot, (int)result, &outcome);
        end(slot, &outcome);
    }
    own->collecting = false;
}

static void on_turn(void *ctx)
{
    struct load_curl *own = ctx;
    struct load_pool *pool = own->pool;
    struct load_curl_slots rested = TAILQ_HEAD_INITIALIZER(rested);
    TAILQ_CONCAT(&rested, &own->resting, rest);
    struct load_curl_slot *slot;
    collect(own);
    while ((slot = TAILQ_FIRST(&rested)) != NULL) {
        TAILQ_REMOVE(&rested, slot, rest);
        move(slot, LOAD_CURL_READY);
        pool->on_ready(pool->ctx, &slot->head, base_mono_now().ns);
    }
}

/* --- the row --- */

static void curl_open(struct load_conn *conn)
{
    struct load_curl_slot *slot = load_curl_slot_of(conn);
    struct load_pool *pool = conn->pool;
    move(slot, LOAD_CURL_READY);
    load_conn_settle(conn, true); /* as far as is known */
    pool->on_ready(pool->ctx, conn, base_mono_now().ns);
}

static void curl_send(struct load_conn *conn)
{
    struct load_curl_slot *slot = load_curl_slot_of(conn);
    struct load_curl *own = slot->own;
    int running = 0;
    if (slot->easy == NULL)
        load_curl_easy_make(slot);
    load_curl_easy_fill(slot);
    slot->first_at = 0;
    slot->file_at = 0;
    slot->socket_error = 0;
    slot->sending = false;
    slot->again = false;
    slot->why[0] = '\0';
    move(slot, LOAD_CURL_BUSY);
    (void)curl_multi_add_handle(own->turns.multi, slot->easy);
    /* Sends at once, without a turn of the loop. */
    (void)curl_multi_socket_action(own->turns.multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (!own->collecting && running < own->active)
        io_timer_start(&own->turn, (struct dur_ns){0});
}

static void curl_abort(struct load_conn *conn, int64_t now)
{
    struct load_curl_slot *slot = load_curl_slot_of(conn);
    struct load_outcome outcome = {.at = now};
    load_curl_judge_late(slot, &outcome);
    end(slot, &outcome);
}

static void curl_init(struct load_conn *conn)
{
    struct thread *thread = conn->pool->engine;
    size_t number = conn->pool->count - 1; /* this one is counted already */
    load_curl_slot_of(conn)->own = &thread->list[number / thread->connections_each];
}

static void curl_fini(struct load_conn *conn)
{
    struct load_curl_slot *slot = load_curl_slot_of(conn);
    if (slot->state == LOAD_CURL_CLOSED)
        return;
    if (slot->state == LOAD_CURL_BUSY)
        (void)curl_multi_remove_handle(slot->own->turns.multi, slot->easy);
    if (slot->state == LOAD_CURL_RESTING)
        TAILQ_REMOVE(&slot->own->resting, slot, rest);
    curl_easy_cleanup(slot->easy);
    curl_url_cleanup(slot->url);
    curl_slist_free_all(slot->headers);
    curl_slist_free_all(slot->connect_to);
    free(slot->copy);
    move(slot, LOAD_CURL_CLOSED);
}

static void discard(void *prepared)
{
    struct requests *requests = prepared;
    if (requests == NULL)
        return;
    for (size_t i = 0; i < requests->count; i++)
        load_curl_request_fini(&requests->list[i]);
    free(requests->list);
    free(requests);
}

static bool prepare(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    if (!io_curl_load(err))
        return false;
    struct requests *requests = base_calloc(1, sizeof *requests);
    requests->count = spec->route_count;
    requests->list = base_calloc(spec->route_count, sizeof *requests->list);
    for (size_t i = 0; i < spec->route_count; i++) {
        if (!load_curl_request_build(&requests->list[i], spec, &spec->routes[i], err)) {
            discard(requests);
            return false;
        }
    }
    *prepared = requests;
    return true;
}

/* connections: that it may keep. */
static bool make_multi(struct load_curl *own, size_t connections, struct base_error *err)
{
    TAILQ_INIT(&own->resting);
    io_timer_init(&own->turn, own->pool->loop, on_turn, own);
    if (!load_curl_turns_init(&own->turns, own->watches, true, collect, own, err))
        return false;
    /* By default it follows the handles that were added, and throws warm connections away. */
    (void)curl_multi_setopt(own->turns.multi, CURLMOPT_MAXCONNECTS, (long)connections);
    return true;
}

/* libcurl would find out with the first connection that a file cannot be used. */
static bool check_tls(const struct load_tls_spec *spec, struct base_error *err)
{
    struct load_tls *tls =
        spec->server_name == NULL ? NULL : load_tls_new(spec, 0, LOAD_TLS_OFFERS_HTTP1, err);
    load_tls_free(tls);
    return spec->server_name == NULL || tls != NULL;
}

static bool make_headers(struct thread *thread, const struct requests *requests,
                         struct base_error *err)
{
    thread->routes = requests->count;
    thread->headers = base_calloc(requests->count, sizeof(void *));
    for (size_t i = 0; i < requests->count; i++) {
        const struct load_curl_request *request = &requests->list[i];
        if (request->moving_head)
            continue;
        thread->headers[i] = load_curl_headers(request, request->whole.bytes);
        if (thread->headers[i] == NULL)
            return base_fail(err, BASE_LIMIT, "out of memory for request headers");
    }
    return true;
}

static bool pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    const struct requests *requests = prepared;
    const struct load_spec *spec = pool->spec;
    struct thread *thread = base_calloc(1, sizeof *thread);
    size_t each = spec->http2 ? 1 : CONNECTIONS_EACH;
    size_t count = (pool->connections + each - 1) / each;
    pool->engine = thread;
    thread->connections_each = each;
    thread->watches = (struct load_watches){.loop = pool->loop, .on_ready = load_curl_turns_go_on};
    thread->list = base_calloc(count, sizeof *thread->list);
    if (!check_tls(&spec->tls, err) || !make_headers(thread, requests, err))
        return false;
    for (; thread->count < count; thread->count++) {
        struct load_curl *own = &thread->list[thread->count];
        *own = (struct load_curl){.pool = pool,
                                  .requests = requests->list,
                                  .headers = thread->headers,
                                  .watches = &thread->watches};
        if (!make_multi(own, each, err))
            return false;
    }
    return true;
}

static void fini_multi(struct load_curl *own)
{
    load_curl_turns_fini(&own->turns);
    io_timer_fini(&own->turn);
    free(own->tls.protocol);
}

static void pool_fini(struct load_pool *pool)
{
    struct thread *thread = pool->engine;
    if (thread == NULL)
        return;
    for (size_t i = 0; i < thread->count; i++)
        fini_multi(&thread->list[i]);
    load_watches_fini(&thread->watches);
    for (size_t i = 0; i < thread->routes; i++)
        curl_slist_free_all(thread->headers[i]);
    free(thread->headers);
    free(thread->list);
    free(thread);
    pool->engine = NULL;
}

static void count_tls(const struct load_pool *pool, struct load_tls_result *out)
{
    const struct thread *thread = pool->engine;
    for (size_t i = 0; i < thread->count; i++) {
        const struct load_tls_result *tls = &thread->list[i].tls;
        out->handshakes += tls->handshakes;
        out->resumed += tls->resumed;
        if (out->protocol == NULL)
            out->protocol = base_str_dup(tls->protocol);
    }
}

const struct load_driver load_curl_driver = {
    .name = "curl",
    .conn_size = sizeof(struct load_curl_slot),
    .resolves = true,
    .prepare = prepare,
    .discard = discard,
    .pool_init = pool_init,
    .pool_fini = pool_fini,
    .count_tls = count_tls,
    .init = curl_init,
    .open = curl_open,
    .send = curl_send,
    .abort = curl_abort,
    .fini = curl_fini,
};
