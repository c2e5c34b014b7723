/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load run: threads that send requests by a schedule fixed beforehand, and a reader on the
 * caller's loop that merges what they record at each interval.
 *
 * Design notes. All functions belong to the loop's thread; callbacks come from it, none of them
 * from inside load_run_start. The worker threads are private: each has its own loop, connections
 * and histograms, and meets the reader at interval boundaries only.
 *
 * Order of events: on_started once connections are open (or have failed once), then on_interval
 * about every spec->interval, last on_finished. on_error may come at any time, ends the run, and
 * is the last call; what was recorded until then is in the log.
 *
 * A sample lies in the interval in which its request ended, and a response time in the log also in
 * the one in which it was due (model/load.h); its phase is the one in force when the
 * request was due. A request for which no connection could be made at all (every attempt of the
 * thread's connections failed) counts as sent and failed with "connect"; one that waited `timeout`
 * for a connection that was busy counts as missed.
 */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include "io/loop.h"
#include "model/hdr.h"
#include "model/load.h"

struct load_run;

enum load_kind {
    LOAD_KIND_RESPONSE,   /* from the intended send, successful */
    LOAD_KIND_SERVICE,    /* from the actual send, successful */
    LOAD_KIND_FAILED,     /* from the intended send */
    LOAD_KIND_SCHEDULE,   /* actual minus intended send */
    LOAD_KIND_FIRST_BYTE, /* from the actual send, successful */
    LOAD_KIND_CONNECT,    /* of a connection */
    LOAD_KIND_TLS,        /* of a connection: the handshake */
    LOAD_KIND_COUNT
};

struct load_events {
    void *ctx;
    void (*on_started)(void *ctx, struct mono_ns mono, struct wall_ns wall);
    void (*on_interval)(void *ctx, const struct load_interval *interval);
    /* NULL, or: each histogram of the interval that is told next; response times by when requests
     * ended, under LOAD_ENDED. */
    void (*on_histogram)(void *ctx, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr);
    void (*on_finished)(void *ctx);
    void (*on_error)(void *ctx, const struct base_error *err);
    /* NULL: the load starts as soon as it can. Otherwise it waits for load_run_go, and this is
     * called once when connections are open (or have failed once). */
    void (*on_ready)(void *ctx);
    /* Of one of several processes whose flows have a teardown: its load has ended, and it waits for
     * load_run_teardown. Called once, unless that has been said before. */
    void (*on_ended)(void *ctx);
};

/* Part `index` of the one schedule that `of` processes send together. The first of them does the
 * setup of flows: what setup left it hands to the others (load_run_bequest, load_run_inherit). One
 * of them tears down when all have ended; none finishes before it is told which
 * (load_run_teardown). */
struct load_share {
    uint32_t index;
    uint32_t of;
};

/* An even part of so many things that are dealt out in turn. */
static inline uint64_t load_share_even(struct load_share share, uint64_t all)
{
    return all / share.of + (share.index < all % share.of ? 1 : 0);
}

/* spec must outlive the run. hlog_fd: where the histogram log goes (the caller's; -1: nowhere),
 * an interval's lines written before its on_interval, what is left of response times by when
 * requests were due before on_finished. Raises the soft limit of open files as needed. NULL
 * with err: BASE_INVALID for what cannot be sent, BASE_LIMIT for too few file descriptors. */
struct load_run *load_run_start(struct io_loop *loop, const struct load_spec *spec, int hlog_fd,
                                const struct load_events *events, struct base_error *err);
/* The same for one of several processes; spec says what all of them do together, but for the
 * connections, which are this one's own. */
struct load_run *load_run_start_share(struct io_loop *loop, const struct load_spec *spec,
                                      struct load_share share, int hlog_fd,
                                      const struct load_events *events, struct base_error *err);
/* Starts a load that said on_ready: its schedule begins at mono, which is called wall in its
 * records. BASE_TIMEOUT when that has passed, or before on_ready. */
bool load_run_go(struct load_run *run, struct mono_ns mono, struct wall_ns wall,
                 struct base_error *err);
/* After on_ready: what setup left here for the other processes; NULL: nothing. json_decref() it.
 * BASE_INVALID for what cannot be handed over. */
bool load_run_bequest(const struct load_run *run, json_t **out, struct base_error *err);
/* In those others: between on_ready and load_run_go, or between on_ended and load_run_teardown. */
bool load_run_inherit(struct load_run *run, const json_t *bequest, struct base_error *err);
/* Of several processes: what setup made is torn down here, after on_ended, or not here. The first
 * word counts. */
void load_run_teardown(struct load_run *run, bool here);
/* Requests intended from now on belong to this phase; a name may come back. BASE_INVALID when it
 * cannot be part of a tag. */
bool load_run_phase(struct load_run *run, const char *name, struct base_error *err);
void load_run_stop(struct load_run *run); /* no new requests; on_finished within timeout */
/* After on_finished; owned by the run. */
const struct load_result *load_run_result(const struct load_run *run);
/* All samples of a kind so far, over phases and routes; NULL when there are none. */
const struct hdr *load_run_total(const struct load_run *run, enum load_kind kind);
/* Keeps histograms by phase and route too (a quarter of a megabyte each), for load_run_metrics.
 * Right after load_run_start. */
void load_run_expose(struct load_run *run);
/* Appends what there is up to the last interval's end, in Prometheus' text format 0.0.4. */
bool load_run_metrics(const struct load_run *run, struct base_buf *out);
void load_run_free(struct load_run *run); /* accepts NULL; ends the threads, in-flight or not */

#endif
