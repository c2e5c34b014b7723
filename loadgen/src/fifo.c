/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "pipe.h"
#include "stream_pool.h"

struct fifo {
    struct load_pipe pipe;
    bool fresh;   /* nothing has come on this connection */
    bool started; /* the parser is at the oldest request's response */
    _Alignas(max_align_t) unsigned char parser[LOAD_PARSER_MAX];
};

/* Of one thread. */
struct extra {
    const struct load_protocol *protocol;
    const struct load_request *requests; /* one a route */
    char *memories;                      /* one a route, of protocol->memory_size each */
};

static struct fifo *of(struct load_pipe *pipe)
{
    return (struct fifo *)(void *)pipe; /* its first member */
}

static const struct extra *extra_of(const struct fifo *fifo)
{
    return fifo->pipe.own->extra;
}

static void begin(struct load_pipe *pipe, int64_t now)
{
    struct fifo *fifo = of(pipe);
    fifo->fresh = true;
    fifo->started = false;
    load_pipe_ready(pipe, now);
}

static void send_request(struct load_pipe *pipe, struct load_place *place)
{
    const struct load_conn *head = &place->head;
    const struct load_request *request = &extra_of(of(pipe))->requests[head->due.route];
    char *bytes = load_pipe_room(pipe, request->len);
    if (bytes == NULL)
        return;
    memcpy(bytes, request->bytes, request->len);
    if (request->patch_count > 0)
        load_request_patch(request, bytes, head->due.number, &head->pool->rng);
}

/* Those behind a response that was the connection's last. */
static bool leave(struct fifo *fifo)
{
    load_pipe_lose(&fifo->pipe, NULL, load_cause_failure(LOAD_CAUSE_BEHIND), LOAD_CAUSE_BEHIND,
                   NULL);
    return false;
}

/* False: it was the last. */
static bool answer(struct fifo *fifo, struct load_place *place, int64_t now)
{
    struct load_outcome outcome = {.cause = LOAD_CAUSE_COUNT, .at = now};
    bool last = !extra_of(fifo)->protocol->judge(fifo->parser, &outcome);
    fifo->started = false;
    load_pipe_answer(&fifo->pipe, place, &outcome, last);
    return !last || leave(fifo);
}

static bool nonsense(struct fifo *fifo, const char *why)
{
    load_pool_note_malformed(fifo->pipe.wire.pool, why);
    load_pipe_lose(&fifo->pipe, NULL, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT, NULL);
    return false;
}

static void start(struct fifo *fifo, struct load_place *place, int64_t now)
{
    const struct extra *extra = extra_of(fifo);
    if (fifo->fresh || extra->protocol->next == NULL)
        extra->protocol->start(fifo->parser, &extra->requests[place->head.due.route]);
    fifo->fresh = false;
    fifo->started = true;
    place->first_at = now;
}

static bool received(struct load_pipe *pipe, const char *data, size_t len, int64_t now)
{
    struct fifo *fifo = of(pipe);
    const struct extra *extra = extra_of(fifo);
    const struct load_protocol *protocol = extra->protocol;
    bool held = false; /* by the parser: bytes behind the last response */
    while (len > 0 || held) {
        struct load_place *place = load_wire_oldest(&pipe->wire);
        if (place == NULL)
            return nonsense(fifo, LOAD_MORE_THAN_ASKED);
        if (!fifo->started)
            start(fifo, place, now);
        size_t used;
        char *memory = extra->memories + place->head.due.route * protocol->memory_size;
        enum load_parse parse = protocol->feed(fifo->parser, memory, data, len, &used);
        place->bytes_in += used;
        if (parse == LOAD_PARSE_BAD)
            return nonsense(fifo, protocol->fault(fifo->parser));
        if (parse == LOAD_PARSE_MORE)
            return true;
        if (!answer(fifo, place, now))
            return false;
        held = protocol->next != NULL && protocol->next(fifo->parser);
        used = protocol->next != NULL ? len : used;
        data += used;
        len -= used;
    }
    return true;
}

static void ended(struct load_pipe *pipe, int64_t now)
{
    struct fifo *fifo = of(pipe);
    struct load_place *place = load_wire_oldest(&pipe->wire);
    if (place == NULL || !fifo->started ||
        extra_of(fifo)->protocol->eof(fifo->parser) != LOAD_PARSE_DONE)
        return;
    if (answer(fifo, place, now))
        (void)leave(fifo);
}

static void fini(struct load_pipe *pipe)
{
    struct fifo *fifo = of(pipe);
    if (extra_of(fifo)->protocol->fini != NULL)
        extra_of(fifo)->protocol->fini(fifo->parser);
}

static const struct load_pipe_speech speech = {.size = sizeof(struct fifo),
                                               .begin = begin,
                                               .send = send_request,
                                               .received = received,
                                               .ended = ended,
                                               .fini = fini};

/* --- the rows --- */

static bool pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    bool made = load_pipes_init(pool, &speech, prepared, err);
    struct load_pipes *pipes = pool->engine;
    struct extra *extra = base_calloc(1, sizeof *extra);
    extra->protocol = load_stream_prepared(prepared, &extra->requests);
    extra->memories = base_calloc(load_spec_routes(pool->spec), extra->protocol->memory_size + 1);
    pipes->extra = extra;
    return made;
}

static void pool_fini(struct load_pool *pool)
{
    struct load_pipes *pipes = pool->engine;
    struct extra *extra = pipes != NULL ? pipes->extra : NULL;
    if (extra != NULL)
        free(extra->memories);
    free(extra);
    load_pipes_fini(pool);
}

/* What says that a connection ends with its response, or is another protocol's from then on. */
static bool is_hop(const char *line)
{
    static const char *const names[] = {"Connection:", "Upgrade:"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool check(const struct load_spec *spec, struct base_error *err)
{
    for (size_t i = 0; i < spec->route_count; i++) {
        const struct load_route *route = &spec->routes[i];
        if (route->body_file != NULL)
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": a body from a file cannot be pipelined", route->name);
        for (size_t k = 0; k < route->header_count; k++)
            if (is_hop(route->headers[k]))
                return base_fail(err, BASE_INVALID,
                                 "route \"%s\": header \"%s\" says what becomes of the connection, "
                                 "which is not this request's alone when pipelined",
                                 route->name, route->headers[k]);
    }
    return true;
}

static bool prepare_http1(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    return check(spec, err) && load_stream_prepare(&load_http1_protocol, spec, prepared, err);
}

static bool prepare_redis(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    return load_stream_prepare(&load_redis_protocol, spec, prepared, err);
}

#define FIFO                                                                                       \
    .conn_size = sizeof(struct load_place), .discard = load_stream_discard,                        \
    .pool_init = pool_init, .pool_fini = pool_fini, .count_tls = load_pipes_count_tls,             \
    .init = load_pipe_init, .open = load_pipe_open, .send = load_pipe_send,                        \
    .abort = load_pipe_abort, .fini = load_pipe_fini

const struct load_driver load_http1_fifo_driver = {.name = "http1", .prepare = prepare_http1, FIFO};
const struct load_driver load_redis_fifo_driver = {.name = "redis", .prepare = prepare_redis, FIFO};
