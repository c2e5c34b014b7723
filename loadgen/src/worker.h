/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of a run: its share of the schedule, its connections, its loop, its records.
 *
 * Design notes. A worker shares nothing while it works. It meets the reader through a mailbox
 * under a lock, looked at only when the reader wakes it: orders go in (start, phases, swap, stop,
 * quit), reports come out (ready, swapped, done). The two shards change hands in the swap, so at
 * every moment each of them belongs to one side.
 *
 * A due request takes the connection that has been free longest; that spreads requests evenly over
 * targets and keeps none from going stale. Without one it waits in line.
 */
#ifndef LOAD_WORKER_H
#define LOAD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "driver.h"
#include "loadgen/flows.h"
#include "recorder.h"
#include "schedule.h"
#include "segments.h"
#include "users.h"

struct load_flows;

TAILQ_HEAD(load_conn_list, load_conn);

struct load_mailbox {
    pthread_mutex_t lock;
    struct load_segment *segments; /* owned */
    size_t segment_count;
    bool go;
    int64_t start;
    bool stop;
    int64_t stop_at;
    bool swap;
    bool quit;
    bool ready; /* connections are open, or have failed once */
    bool swapped;
    bool done; /* no request will end any more */
    bool teardown;
    bool torn; /* it has been done */
};

struct load_worker {
    struct load_mailbox mail;
    atomic_bool closing; /* set before the clock is read for mail.stop_at: nothing later is begun */
    struct io_wake wake; /* reader wakes worker */
    pthread_t thread;
    bool running;           /* thread is to be joined */
    struct io_wake *reader; /* worker wakes reader */
    struct load_shard shards[2];
    unsigned active; /* worker's between swaps; the reader knows it is the one it did not get */

    /* Below: the worker's thread only. */
    const struct load_spec *spec;
    struct io_loop *loop;
    struct load_schedule schedule; /* open model */
    struct load_users users;       /* closed model */
    bool closed;
    struct load_flows *flows; /* NULL: there are none */
    struct io_alarm alarm;    /* the next arrival, the end, or the last moment */
    struct io_timer sweep;    /* timeouts, and the end of warming up */
    bool sweeping;
    bool opening; /* warm_up is at work */
    bool warm;    /* ready has been reported */
    bool started;
    bool pending; /* `next` is the next arrival */
    bool prompt;  /* more may be due when a request ends: closed model, flows */
    bool coarse;  /* the alarm may be late: no connection is free */
    int64_t alarm_at;
    bool draining; /* nothing more becomes due */
    bool over;     /* done has been reported */
    bool quitting;
    struct load_arrival next;
    int64_t start;
    int64_t end; /* of the schedule */
    struct load_segment *segments;
    size_t segment_count;
    size_t segment; /* in force at the last arrival */
    struct load_pool pool;
    char *conns; /* pool.count of them, of pool.driver->conn_size each: load_worker_conn */
    size_t opened;
    struct load_conn_list free_conns; /* longest free first */
    struct load_conn_list in_flight;  /* longest sent first */
    struct load_waiting waiting;
    uint64_t answered;
    int64_t cpu_mark;
    int64_t span_mark;
    int64_t waited_mark;
    int schedstat;    /* the thread's; -1: none */
    int64_t seen_at;  /* when the loop last looked at the clock while at work */
    int64_t slept_at; /* the last wait for events, from... */
    int64_t woke_at;  /* ...to; of the one before, while what became due in that is still there */
};

struct load_worker_setup {
    const struct load_spec *spec;
    const struct load_replay *replay;  /* NULL: none */
    atomic_uint_least64_t *iterations; /* left for all users; NULL: no bound */
    const struct load_driver *driver;
    const void *prepared;                 /* by the driver */
    struct load_program *program;         /* NULL: no flows */
    const struct load_address *addresses; /* one a target */
    const struct load_address *sources;   /* NULL when there are none */
    uint32_t index;
    bool once;      /* it does the setup of flows */
    uint32_t share; /* of the schedule: its arrivals' numbers modulo shares */
    uint32_t shares;
    uint32_t first; /* number of its first connection over all workers */
    uint32_t conns;
    struct io_wake *reader;
};

/* Makes everything and starts the thread; on failure nothing is left. */
bool load_worker_start(struct load_worker *worker, const struct load_worker_setup *setup,
                       struct base_error *err);
void load_worker_join(struct load_worker *worker); /* after an order to quit */
void load_worker_fini(struct load_worker *worker); /* joined, or never started; accepts zeroed */

#endif
