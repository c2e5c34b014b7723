/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to one target: connect, send, receive, and come back after failure. Belongs to
 * its worker's thread. The hot path is one send and one recv; the epoll registration is made when
 * the connection is established and not touched again unless a send would block.
 *
 * Design notes. A connection is one state (table in conn.c) and carries one request at most. It
 * reports to its pool's owner: on_ready when it may take a request, on_end once for each request
 * given to it, on_unready when it was lost without a request, on_refused when connecting failed.
 * After on_ready or on_end the connection may be in any state, since the owner may have sent.
 *
 * A connection that answered before it was lost is opened again at once; one that was lost before
 * its first answer, or could not be made, waits (backoff.h). So a target that accepts and resets
 * cannot spin.
 *
 * Over TLS the handshake is a state of its own, within the connect limit; after it the same code
 * runs, with the record layer in between. An alert before the first answer is a failed attempt to
 * connect: with TLS 1.3 a server refuses a client's certificate after the client's handshake ended.
 */
#ifndef LOAD_CONN_H
#define LOAD_CONN_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "backoff.h"
#include "http_memo.h"
#include "http_request.h"
#include "io/loop.h"
#include "model/load.h"
#include "tls.h"
#include "waiting.h"

enum load_conn_state {
    LOAD_CONN_COLD, /* never tried */
    LOAD_CONN_CONNECTING,
    LOAD_CONN_SHAKING, /* hands: TLS */
    LOAD_CONN_IDLE,
    LOAD_CONN_SENDING,
    LOAD_CONN_WAITING, /* for the response's end */
    LOAD_CONN_BACKOFF,
    LOAD_CONN_CLOSED,
    LOAD_CONN_STATES
};

struct load_address {
    struct sockaddr_storage storage;
    socklen_t len;
    size_t number; /* among the target's */
};

/* What became of a request. */
struct load_outcome {
    bool answered; /* a whole response came */
    bool ok;
    enum load_failure failure; /* when not ok */
    enum load_cause cause;     /* LOAD_CAUSE_COUNT when the failure has none */
    int64_t first_at;          /* when bytes of the response came first; monotonic ns */
    int64_t at;
    uint64_t bytes_in;
};

struct load_conn;

/* What the connections of one worker share. */
struct load_pool {
    struct io_loop *loop;
    char *buffer; /* for recv; the parser keeps no bytes, so one serves all */
    size_t buffer_len;
    struct load_memo *memos; /* one a route: each has heads of its own */
    char **patched;          /* one a route: a copy of its request to write fields into, or NULL */
    struct dur_ns connect_limit;
    struct base_rng rng;
    size_t count;
    size_t settled;     /* connections whose first attempt has ended */
    size_t established; /* idle or with a request */
    size_t unreachable; /* last attempt to connect failed */
    uint64_t out_of_ports;
    enum load_cause refusal; /* of the last attempt to connect that failed */
    struct load_refusals {
        uint64_t attempts;
        const struct load_address *address; /* of the first of them */
    } refusals[LOAD_CAUSE_COUNT];
    struct load_tls *tls;       /* NULL: plain */
    char tls_why[LOAD_TLS_WHY]; /* the first reason; "" when there was none */
    void *ctx;
    void (*on_ready)(void *ctx, struct load_conn *conn, int64_t now);
    void (*on_unready)(void *ctx, struct load_conn *conn);
    void (*on_end)(void *ctx, struct load_conn *conn, const struct load_outcome *outcome);
    void (*on_refused)(void *ctx);
    void (*on_blocked)(void *ctx, int64_t ns); /* so long the kernel took for the whole request */
    /* How long it took; tls is negative without TLS. Before on_ready. */
    void (*on_opened)(void *ctx, struct dur_ns connect, struct dur_ns tls);
};

struct load_conn {
    struct io_watch watch;
    struct io_timer timer; /* the connect limit, or the back-off */
    struct load_pool *pool;
    const struct load_address *address;
    const struct load_address *source; /* NULL: the kernel's choice */
    TAILQ_ENTRY(load_conn) link;       /* the owner's */
    struct load_due due;               /* whose request this is; the owner's, set before sending */
    const struct load_request *request;
    const char *bytes; /* of the request, fields filled in */
    char *rest;        /* bytes of its own once a send fell short of patched ones; mostly NULL */
    size_t written;
    int64_t opened_at; /* connect(2) was called */
    int64_t connected_at;
    int64_t sent_at;
    int64_t first_at; /* bytes of the response came first */
    bool blocked;     /* the kernel did not take it at once */
    uint64_t bytes_in;
    uint64_t answers; /* on this connection since it was established */
    struct load_backoff backoff;
    struct load_tls_conn *tls; /* NULL: plain, or no socket */
    int fd;
    enum load_conn_state state;
    bool settled;
    bool unreachable;
    struct load_response response;
};

bool load_address_parse(const struct load_target *target, size_t number, struct load_address *out,
                        struct base_error *err);
/* Whether connections from it can be made; each target is tried for its family. */
bool load_source_check(const struct load_address *source, const char *text,
                       const struct load_address *targets, size_t target_count,
                       struct base_error *err);
void load_conn_init(struct load_conn *conn, struct load_pool *pool,
                    const struct load_address *address, const struct load_address *source);
void load_conn_open(struct load_conn *conn); /* cold or backing off */
/* The connection is idle; request stays the caller's. on_end may come from inside. */
void load_conn_send(struct load_conn *conn, const struct load_request *request, int64_t now);
/* Ends the request in flight as timed out, closing the connection. */
void load_conn_abort(struct load_conn *conn, int64_t now);
void load_conn_fini(struct load_conn *conn); /* without callbacks */
/* Every target refuses every connection: waiting for one is of no use. */
static inline bool load_pool_is_down(const struct load_pool *pool)
{
    return pool->unreachable == pool->count;
}

#endif
