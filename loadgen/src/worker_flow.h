/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flows of one worker: passages under way, those who pause between two steps, and the steps of
 * setup and teardown (worker_once.c). All on the worker's thread but init and fini.
 *
 * Design notes. A step becomes due as an arrival does and from then on is a request like any other:
 * it waits for a connection, is sent, ends, is recorded. Its errand (errand.h) says what is sent
 * and where the response's bytes go. The passage goes on when the step has ended
 * (load_flows_go_on).
 */
#ifndef LOAD_WORKER_FLOW_H
#define LOAD_WORKER_FLOW_H

#include "driver.h"
#include "passage.h"

struct load_worker;

LIST_HEAD(load_passages, load_passage);

/* Steps that run once, one after the other, on the first worker. */
struct load_once {
    bool active;
    bool wants; /* a step waits for a connection */
    bool sent;  /* it is under way */
    enum load_part_of part;
    uint32_t flow;                /* the one under work */
    struct load_passage *passage; /* of it; NULL: none */
    struct io_timer timer;        /* the pause behind a step, or the wait for a connection */
    struct load_once_result *results;
    size_t result_count;
    void (*on_ready)(void *ctx, struct load_conn *conn,
                     int64_t now); /* of the load; kept meanwhile */
    bool failed;                   /* setup has, or was given up: no load */
    bool undoing;  /* so what it made is torn down, before anybody hears that it failed */
    bool torn;     /* the teardown has begun; there is no second one */
    uint32_t made; /* flows, from the first, whose setup has made something */
    bool half;     /* the last of those was not set up to its end */
};

struct load_flows {
    struct load_program *program; /* all workers' */
    bool first;                   /* it does setup */
    struct load_passages passages;
    struct load_passage **heap; /* those who pause, the first to be ready on top */
    size_t pausing;
    size_t cap;
    size_t alive;
    struct load_jar **jars; /* closed model: by user and flow; each made when first needed */
    size_t jar_count;
    char **whys;  /* by step and failure: of the first that failed so; NULL: none */
    uint64_t cut; /* passages that the end of the load ended */
    bool stopped; /* nothing becomes due any more */
    struct load_outcome judged;
    struct load_once once;
};

/* NULL when the spec has no flows. users: of the closed model, in this worker. */
struct load_flows *load_flows_new(struct load_program *program, bool first, uint32_t users);
void load_flows_free(struct load_flows *flows); /* accepts NULL */
/* When the first of those who pause is ready, monotonic ns; INT64_MAX: nobody pauses. */
static inline int64_t load_flows_next(const struct load_flows *flows)
{
    return flows->pausing == 0 ? INT64_MAX : flows->heap[0]->ready;
}

/* From when on a request that is due could have been sent: a step, not before the answer to the one
 * before it. */
static inline int64_t load_flows_since(const struct load_due *due)
{
    return __builtin_expect(due->errand == NULL, 1) ? due->intended
                                                    : load_passage_of(due->errand)->ready;
}

/* Begins a passage for an arrival; fills in due's route and errand. False: it cannot be, and has
 * been counted but for its first step, which has failed with "input". */
bool load_flows_begin(struct load_worker *worker, uint32_t flow, struct load_due *due);
/* Takes the first of those who pause; fills in due. False: its request cannot be made. */
bool load_flows_take(struct load_worker *worker, struct load_due *due);
/* Of a response to an errand: what the step makes of it, until the next call. */
const struct load_outcome *load_flows_judge(struct load_worker *worker, const struct load_due *due,
                                            const struct load_outcome *outcome);
/* The step has ended. True: another will follow. False: the passage is over, what was left of it
 * has been counted, and due->errand is gone. */
bool load_flows_go_on(struct load_worker *worker, const struct load_due *due, int64_t now, bool ok);
/* Ends those who pause; whoever is under way ends with the step that he is at. */
void load_flows_stop(struct load_worker *worker);

/* --- setup and teardown --- */

/* False: there are no such steps here. Ends in load_worker_report of ready or torn. */
bool load_once_begin(struct load_worker *worker, enum load_part_of part);
void load_once_refused(struct load_worker *worker); /* none can be made */
void load_once_ended(struct load_worker *worker, struct load_conn *conn,
                     const struct load_outcome *outcome);
void load_once_timer(void *ctx); /* the worker */
/* The load begins whatever setup has come to: a stop came first. What it made is left to
 * LOAD_PART_TEARDOWN. */
void load_once_abandon(struct load_worker *worker);

static inline bool load_once_is(const struct load_due *due)
{
    return due->errand != NULL && load_passage_of(due->errand)->part != LOAD_PART_STEPS;
}

#endif
