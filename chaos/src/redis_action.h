/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done to a Redis server, each as steps of one target, and what they share. */
#ifndef CHAOS_REDIS_ACTION_H
#define CHAOS_REDIS_ACTION_H

#include "redis_session.h"
#include "toll.h"

struct fault_redis_subject {
    struct fault_store_subject *store;
    const struct fault_spec *spec;
    struct fault_redis *probe; /* of the step under way; NULL: none */
    struct fault_redis *held;  /* pause: by whose commands it goes on; killClients: the canary */
    struct io_timer wait;      /* within a step; then: */
    void (*waited)(struct fault_redis_subject *subject);
    struct mono_ns asked; /* the question whose answer is waited for */
    struct mono_ns began; /* the step, where it polls */
    struct io_timer again;
    void (*due)(struct fault_redis_subject *subject);

    bool under_way; /* pause: the step apply waits for the first of them */

    size_t keys; /* fill */
    size_t size; /* of each */
    int64_t used_before;
    size_t answers_due;

    int64_t watermark; /* killClients: whoever has a smaller id must be gone */
    struct fault_redis *hand;
    struct fault_toll toll;
};

/* By enum fault_step; own: a struct fault_redis_subject. */
struct fault_redis_steps {
    void (*step[FAULT_STEP_COUNT])(void *own);
};
extern const struct fault_redis_steps fault_redis_pause;
extern const struct fault_redis_steps fault_redis_fill;
extern const struct fault_redis_steps fault_redis_kill;

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
