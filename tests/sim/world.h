/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole experiment in memory: a clock that jumps from event to event, a load generator, an agent
 * that keeps the control protocol (lease, expiry, journal replay) and can die at any step, and a
 * disk that can fill up. What the platform suffers is judged by the kernel's rules, not by what
 * anybody says: a fault is in force from its apply to the first of revert, expiry and lease end.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/random.h"
#include "scenarios/run.h"

enum { WORLD_FAULTS = 3, WORLD_PROBES = 4, WORLD_EVENTS = 4096, WORLD_PENDING = 256 };

enum world_death {
    DIE_NEVER,
    DIE_BEFORE_WORK, /* the request is lost */
    DIE_AFTER_WORK,  /* carried out, but the answer is lost */
    DIE_STOPPED      /* SIGSTOP: connected to, never answering; what it held lives by its lease */
};

struct world_fault {
    bool applied;
    bool reverted;
    bool revert_asked;
    int renewals;
    bool forgotten; /* the agent came back without its journal */
    int64_t applied_at, lease_until, expires_at, reverted_at;
    struct fault_record record;
};

struct world_pending {
    int64_t at;
    void (*deliver)(struct world_pending *pending);
    struct world *world;
    size_t index;
    enum run_request request;
};

struct world {
    /* what the test sets before world_run */
    struct plan plan;
    enum world_death death;
    int death_step;           /* the n-th request that reaches the agent, from 0 */
    bool journal_lost;        /* when it comes back, it knows nothing */
    int64_t agent_back_after; /* ns; -1: never */
    bool ineffective[WORLD_FAULTS];
    bool refused[WORLD_FAULTS];
    bool halted; /* refused: the agent was halted after the run began */
    bool stuck[WORLD_FAULTS];
    bool joins[WORLD_FAULTS]; /* its first renewal finds one that has joined, its second a missed
                                 one */
    int64_t slow_gone;        /* ns from the revert to its absence being measured */
    int disk_full_at;         /* the n-th event, from 0; -1: never */
    int64_t signal_at;        /* -1: none */
    int64_t second_signal_at; /* -1: none */
    int64_t halt_at;          /* -1: none */
    int64_t load_dies_at;     /* -1: never */
    int64_t load_hangs_at;    /* it says nothing any more, and ends only when killed; -1: never */
    bool load_ignores_stop;
    int failing_check;        /* its number; -1: none */
    int64_t probe_fails_from; /* its answers are bad in between; -1: never */
    int64_t probe_fails_until;
    int64_t operator_after;    /* continues a suspended run so much later; -1: nobody is there */
    int64_t operator_calls_at; /* whether it is suspended or not; -1: never */
    bool queries_fail;
    bool queries_hang;
    double error_share; /* of each interval's requests */
    struct base_rng rng;

    /* what happened */
    struct run *run;
    int64_t now;
    int64_t finished_at; /* 0: never */
    struct world_fault faults[WORLD_FAULTS];
    bool agent_dead;
    int64_t agent_back_at;
    int requests;
    bool load_running, load_stopping;
    int64_t load_started_at, load_ended_at;
    int64_t queried_from; /* where the range of the last query begins */
    int renewals_after_revert;
    int64_t probed[WORLD_PROBES]; /* how often each was asked */
    int64_t probed_first[WORLD_PROBES];
    int64_t probed_last[WORLD_PROBES];
    char told[256]; /* the phases that the generator was told, with a space behind each */
    int64_t suspended_at, continued_at;
    bool listening;              /* for an operator */
    bool broken_while_suspended; /* a fault was in force, or was asked for */
    char *events[WORLD_EVENTS];
    size_t event_count;
    int64_t wake_at;
    struct world_pending pending[WORLD_PENDING];
    size_t pending_count;
};

void world_init(struct world *world); /* a plan of three faults, all well */
void world_run(struct world *world);  /* until finished, or an hour of its time */
void world_fini(struct world *world);
bool world_in_force(const struct world *world, size_t fault, int64_t at);
bool world_any_in_force(const struct world *world, int64_t at);
size_t world_count(const struct world *world, const char *event);
/* Position of the first such event, or WORLD_EVENTS. */
size_t world_position(const struct world *world, const char *event);

#endif
