/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a worker and what carries its requests: one row for each engine, and what connections of
 * every engine have in common. Everything but prepare and discard belongs to the worker's thread.
 *
 * Design notes. A connection carries one request at most; where a protocol has several on one wire
 * (HTTP/2), it is one of these. It reports to its pool's owner: on_ready when it may take a
 * request, on_end once for each request given to it, on_unready when it was lost without a request,
 * on_refused when connecting failed. After on_ready or on_end the connection may be in any state,
 * since the owner may have sent.
 *
 * What a request is only the engine knows: it prepares one for each route of the spec, once a run,
 * and every thread's pool reads those. The owner says by due.route which one it wants.
 */
#ifndef LOAD_DRIVER_H
#define LOAD_DRIVER_H

#include <sys/queue.h>

#include "address.h"
#include "base/random.h"
#include "io/loop.h"
#include "tls.h"
#include "waiting.h"

/* What became of a request. */
struct load_outcome {
    bool answered; /* a whole response came */
    bool ok;
    enum load_failure failure; /* when not ok */
    enum load_cause cause;     /* LOAD_CAUSE_COUNT when the failure has none */
    unsigned status;           /* HTTP's, when it is what failed; 0: none */
    int64_t first_at;          /* when bytes of the response came first; monotonic ns */
    int64_t at;
    uint64_t bytes_in;
    uint64_t bytes_out;
    const char *why; /* of a cause, in the target's words; NULL: it said none */
};

struct load_conn;
struct load_driver;

enum { LOAD_WHY = LOAD_TLS_WHY };
enum { LOAD_STATUSES = 1000 }; /* of HTTP: three digits */

/* Where several requests share a connection: what they met. */
struct load_stream_troubles {
    uint32_t allowed; /* the fewest at once that a target allows, when fewer than asked; 0: none */
    uint64_t lost;    /* connections that ended with requests under way */
    size_t most;      /* requests under way on one of these */
};

/* Messages that came to consumers without belonging to a request, and consumers that were lost. */
struct load_delivery_troubles {
    uint64_t foreign; /* published by somebody else */
    uint64_t again;   /* delivered before, or behind a request that had ended */
    uint64_t cancelled;
};

/* Attempts to connect that failed. */
struct load_refusals {
    uint64_t attempts;
    const struct load_address *address; /* of the first of them; NULL: the engine does not know */
};

/* What the connections of one worker share. */
struct load_pool {
    const struct load_driver *driver;
    void *engine; /* the driver's own */
    const struct load_spec *spec;
    struct io_loop *loop;
    struct load_dials *dials; /* who connects; NULL: its lines do (line.h), or the engine */
    struct dur_ns connect_limit;
    struct base_rng rng;
    size_t connections; /* on the wire; count is more where each of them has several streams */
    size_t count;
    size_t settled;     /* connections whose first attempt has ended */
    size_t established; /* idle or with a request */
    size_t unreachable; /* last attempt to connect failed */
    uint64_t out_of_ports;
    enum load_cause refusal; /* why there is no connection: of the last attempt that failed, or of
                                the last that was lost before its first answer */
    struct load_refusals refusals[LOAD_CAUSE_COUNT];
    char whys[LOAD_CAUSE_COUNT][LOAD_WHY]; /* the first in the target's words; "": it said none */
    char malformed[LOAD_WHY]; /* what was wrong with the first response that was; "": none was */
    struct load_stream_troubles streams;
    struct load_delivery_troubles deliveries;
    uint64_t statuses[LOAD_STATUSES]; /* requests that failed by them */
    void *ctx;
    void (*on_ready)(void *ctx, struct load_conn *conn, int64_t now);
    void (*on_unready)(void *ctx, struct load_conn *conn);
    void (*on_end)(void *ctx, struct load_conn *conn, const struct load_outcome *outcome);
    void (*on_refused)(void *ctx);
    void (*on_blocked)(void *ctx, int64_t ns); /* so long the kernel took for the whole request */
    /* How long it took; tls is negative without TLS. Before on_ready. */
    void (*on_opened)(void *ctx, struct dur_ns connect, struct dur_ns tls);
};

/* The head of every engine's connection. */
struct load_conn {
    struct load_pool *pool;
    const struct load_address *address;
    const struct load_address *source; /* NULL: the kernel's choice */
    TAILQ_ENTRY(load_conn) link;       /* the owner's */
    struct load_due due;               /* whose request this is; the owner's, set before sending */
    int64_t sent_at;                   /* the owner's, set before sending */
    bool settled;
    bool unreachable;
};

struct load_driver {
    const char *name;
    size_t conn_size; /* of a connection, whose head is a struct load_conn */
    bool resolves;    /* targets may be names where somebody else connects to them: a proxy */
    bool flows;       /* it can send what is no route's own request: due.errand */

    /* What all threads read while they run; before there are any. BASE_INVALID for what this engine
     * cannot send. */
    bool (*prepare)(const struct load_spec *spec, void **prepared, struct base_error *err);
    void (*discard)(void *prepared); /* accepts NULL */

    /* Sets pool->engine; called with the rest filled in. On failure pool_fini is called all the
     * same, which accepts a pool without an engine. */
    bool (*pool_init)(struct load_pool *pool, const void *prepared, struct base_error *err);
    void (*pool_fini)(struct load_pool *pool); /* after its connections' fini */
    /* Adds what became of TLS so far to out, which is for one run. */
    void (*count_tls)(const struct load_pool *pool, struct load_tls_result *out);

    void (*init)(struct load_conn *conn); /* zeroed, but for its head */
    void (*open)(struct load_conn *conn); /* never tried, or lost */
    /* The connection is ready. on_end may come from inside. */
    void (*send)(struct load_conn *conn);
    /* Ends the request in flight as timed out. */
    void (*abort)(struct load_conn *conn, int64_t now);
    void (*fini)(struct load_conn *conn); /* without callbacks; twice does no harm */
};

/* The engine that sends what the spec asks for. */
const struct load_driver *load_driver_of(const struct load_spec *spec);

/* --- for engines --- */

/* An attempt to connect has ended. */
void load_conn_settle(struct load_conn *conn, bool reached);
/* Counts an attempt to connect that failed; why: of TLS or a session, or NULL. */
void load_conn_note_refusal(struct load_conn *conn, enum load_cause cause, const char *why);
void load_pool_note_why(struct load_pool *pool, enum load_cause cause, const char *why);
/* Of the first request that fails by LOAD_FAIL_PROTOCOL. */
void load_pool_note_malformed(struct load_pool *pool, const char *why);
/* The target's words about a request, if it had any. */
static inline void load_pool_note_outcome(struct load_pool *pool,
                                          const struct load_outcome *outcome)
{
    if (__builtin_expect(outcome->why != NULL, 0))
        load_pool_note_why(pool, outcome->cause, outcome->why);
}
enum load_cause load_cause_of_errno(int error); /* of an attempt to connect */

/* status >= 400 */
static inline enum load_failure load_failure_of_status(unsigned status)
{
    return status < 500 ? LOAD_FAIL_HTTP_4XX : status < 600 ? LOAD_FAIL_HTTP_5XX : LOAD_FAIL_STATUS;
}

/* Of an HTTP response: 2xx and 3xx are what a browser or client would go on with. */
static inline void load_outcome_status(struct load_outcome *outcome, unsigned status)
{
    outcome->ok = status < 400;
    if (outcome->ok)
        return;
    outcome->status = status;
    outcome->failure = load_failure_of_status(status);
}

/* Counted where the request is, so that both agree: a step of a flow may have failed otherwise. */
static inline void load_pool_note_status(struct load_pool *pool, const struct load_outcome *outcome)
{
    unsigned status = outcome->status;
    if (status > 0 && status < LOAD_STATUSES && load_failure_of_status(status) == outcome->failure)
        pool->statuses[status]++;
}

/* Every target refuses every connection: waiting for one is of no use. */
static inline bool load_pool_is_down(const struct load_pool *pool)
{
    return pool->unreachable == pool->count;
}

#endif
