/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the HTTP/2 engine: http2.c (requests, slots and the driver's row) and
 * http2_wire.c (connections). */
#ifndef LOAD_HTTP2_WIRE_H
#define LOAD_HTTP2_WIRE_H

#include <stddef.h>

#include "http2_request.h"
#include "line.h"

enum { LOAD_H2_BUFFER = 65536 };

enum load_h2_slot_state {
    LOAD_H2_SLOT_COLD,   /* the worker does not know it yet */
    LOAD_H2_SLOT_PARKED, /* no room for it */
    LOAD_H2_SLOT_IDLE,   /* the worker may send */
    LOAD_H2_SLOT_BUSY,
    LOAD_H2_SLOT_RESTING, /* given up by the worker: parked at the loop's next turn */
    LOAD_H2_SLOT_CLOSED,
    LOAD_H2_SLOT_STATES
};

enum load_h2_wire_state {
    LOAD_H2_WIRE_OFF,      /* its line is not up */
    LOAD_H2_WIRE_GREETING, /* the peer's settings are to come */
    LOAD_H2_WIRE_OPEN,
    LOAD_H2_WIRE_DRAINING, /* no new requests */
    LOAD_H2_WIRE_CLOSED,
    LOAD_H2_WIRE_STATES
};

struct load_h2_slot {
    struct load_conn head;
    struct load_h2_wire *wire;
    struct load_h2_stream stream;
    TAILQ_ENTRY(load_h2_slot) rest;
    struct load_h2_head *fields;          /* of its own, or NULL */
    char *copy;                           /* a request's bytes to write fields into, or NULL... */
    const struct load_h2_request *copied; /* ...of this one */
    enum load_h2_slot_state state;
};

TAILQ_HEAD(load_h2_slots, load_h2_slot);
TAILQ_HEAD(load_h2_wires, load_h2_wire);

struct load_h2_wire {
    struct load_h2 *own;
    struct load_h2_slot *slots; /* own->slots_each of them */
    size_t opened;              /* slots that the worker has asked for */
    size_t offered;             /* idle or busy */
    size_t busy;
    uint32_t room; /* the peer's, as of when it was looked at last */
    struct load_line line;
    struct io_timer timer; /* the peer's settings are late */
    struct load_h2_session *session;
    char *left; /* bytes that the kernel did not take yet; NULL: none */
    size_t left_len;
    int64_t up_at;    /* after the TLS handshake */
    int64_t heard_at; /* bytes came */
    uint64_t answers; /* since it was opened */
    uint64_t asked;   /* requests, since then */
    enum load_h2_wire_state state;
    bool unread; /* there is more that no readiness will be reported for */
    bool due;    /* in that list */
    TAILQ_ENTRY(load_h2_wire) link;
};

/* Of one thread. */
struct load_h2 {
    struct load_pool *pool;
    const struct load_h2_request *requests; /* one a route; all threads' */
    struct load_h2_wire *wires;
    size_t wire_count;
    size_t slots_each;
    struct load_tls *tls; /* NULL: plain */
    char *in;             /* LOAD_H2_BUFFER each */
    char *out;
    struct io_timer turn;
    struct load_h2_wires due; /* with something to write, or to be opened anew, at the next turn */
    struct load_h2_slots resting;
    struct load_h2_wire *at_work; /* will be written to without being due; NULL: none */
};

static inline struct load_h2_slot *load_h2_slot_of(struct load_h2_stream *stream)
{
    return (struct load_h2_slot *)(void *)((char *)stream - offsetof(struct load_h2_slot, stream));
}

/* --- http2.c: slots --- */

/* Offers slots as far as there is room, or takes back what is beyond it. */
void load_h2_slots_fit(struct load_h2_wire *wire, int64_t now);
/* Reports the requests that ended; how many. */
size_t load_h2_slots_collect(struct load_h2_wire *wire, int64_t now);
/* Takes back all slots that are offered and idle. */
void load_h2_slots_withdraw(struct load_h2_wire *wire);
/* Ends all requests under way. */
void load_h2_slots_fail(struct load_h2_wire *wire, enum load_failure failure, enum load_cause cause,
                        int64_t now);

/* --- http2_wire.c --- */

void load_h2_wire_init(struct load_h2_wire *wire); /* its slots are known */
/* It will be served at the end of the loop's turn. */
void load_h2_wire_touch(struct load_h2_wire *wire);
/* Writes and, in an unusual case, reads. */
void load_h2_wire_serve(struct load_h2_wire *wire);
/* No new requests on it. */
void load_h2_wire_retire(struct load_h2_wire *wire);
void load_h2_wire_fini(struct load_h2_wire *wire); /* without callbacks; twice does no harm */

#endif
