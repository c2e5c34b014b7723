/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done to a Redis server, each as steps of one target, and what they share. */
#ifndef CHAOS_REDIS_ACTION_H
#define CHAOS_REDIS_ACTION_H

#include "redis_session.h"
#include "redis_storm.h"
#include "toll.h"

struct fault_redis_subject {
    struct fault_store_subject *store;
    const struct fault_spec *spec;
    struct fault_redis *probe; /* of the step under way; NULL: none */
    struct fault_redis
        *held; /* pause, sleep, evict: by whose commands it goes on; killClients: the canary */
    struct io_timer wait; /* within a step; then: */
    void (*waited)(struct fault_redis_subject *subject);
    struct mono_ns asked; /* the question whose answer is waited for */
    struct mono_ns began; /* the step, where it polls */
    struct io_timer again;
    void (*due)(struct fault_redis_subject *subject);

    bool under_way; /* pause, evict: the step apply waits for the first of them */

    size_t answers_due; /* pause: links that have not begun; fill, sleep: of the step */

    size_t keys; /* fill */
    bool apart;  /* in a database of their own */
    size_t size; /* of each */
    int64_t used_before;

    int64_t watermark;        /* killClients: whoever has a smaller id must be gone */
    struct fault_redis *hand; /* sleep: who measures, logged in before it */
    struct fault_toll toll;

    struct { /* evict */
        struct fault_redis_storm plan;
        struct fault_redis_state before; /* when its first key was written */
        bool on;                         /* whatever its session is answered counts */
        size_t written;
        size_t target;               /* so many are to be written now */
        bool gone[FAULT_REDIS_KEYS]; /* evicted itself: to be written once more */
        int64_t rewritten;
        bool all_there;           /* when it was looked last */
        int rounds;               /* left, in which those are written again */
        struct fault_redis_roll { /* a look at all that were written */
            size_t looked;
            size_t there;
            int64_t bytes; /* of those */
        } roll;
        void (*settled)(struct fault_redis_subject *subject); /* all are written and there */
        int64_t peak;      /* memory that the server was seen to use */
        int64_t evicted;   /* keys at the begin of the look under way */
        int64_t left_over; /* of the fault's own, when they were removed; -1: not known */
    } storm;

    int pings; /* sleep: of the step, and how long one took at most */
    double longest_ms;
};

/* By enum fault_step; own: a struct fault_redis_subject. */
struct fault_redis_steps {
    void (*step[FAULT_STEP_COUNT])(void *own);
};
extern const struct fault_redis_steps fault_redis_pause;
extern const struct fault_redis_steps fault_redis_fill;
extern const struct fault_redis_steps fault_redis_kill;
extern const struct fault_redis_steps fault_redis_sleep;
extern const struct fault_redis_steps fault_redis_evict;
/* Steps of what goes on as long as `held` is there. */
void fault_redis_held_renew(void *own);
void fault_redis_held_revert(void *own);

struct fault_redis *fault_redis_session(const struct fault_redis_subject *subject);
/* A session for a step's questions, in place of the one before. */
void fault_redis_probe(struct fault_redis_subject *subject);
#define FAULT_REDIS_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The step ends. */
void fault_redis_ok(struct fault_redis_subject *subject);
void fault_redis_fail(struct fault_redis_subject *subject, enum fault_outcome outcome,
                      const char *what, const struct fault_redis_answer *answer); /* may be NULL */
/* Number behind "key:" in the answer to INFO; -1: there is none. */
int64_t fault_redis_info(const struct fault_redis_answer *answer, const char *key);

#endif
