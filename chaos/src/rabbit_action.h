/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done to a RabbitMQ node, each as steps of one target, and what they share. */
#ifndef CHAOS_RABBIT_ACTION_H
#define CHAOS_RABBIT_ACTION_H

#include "rabbit_api.h"
#include "toll.h"

struct fault_rabbit_names {
    char **list;
    size_t count;
};

struct fault_rabbit_subject {
    struct fault_store_subject *store;
    const struct fault_spec *spec;
    struct fault_rabbit *api;
    const char *vhost_name; /* the virtual host */
    char *vhost;            /* encoded */
    struct mono_ns began;   /* the step, where it polls */
    struct io_timer wait;   /* within a step; then: */
    void (*waited)(struct fault_rabbit_subject *subject);

    struct fault_rabbit_names watched; /* closeConnections: that are to be gone, or to live */
    struct fault_rabbit_names users;   /* whose connections a strike closes */
    size_t struck;                     /* so many these have */
    bool struck_all;                   /* none of the answers was a refusal */
    size_t answers_due;
    struct fault_rabbit *hand; /* of strikes that no step waits for */
    struct io_timer again;     /* between steps; then: */
    void (*due)(struct fault_rabbit_subject *subject);
    struct fault_toll toll;

    char *queue;     /* fillQueue: its path */
    size_t messages; /* that are to lie in it */
    size_t sent;
    bool lost; /* it was gone, unasked */
};

/* By enum fault_step; own: a struct fault_rabbit_subject. */
struct fault_rabbit_steps {
    void (*step[FAULT_STEP_COUNT])(void *own);
};
extern const struct fault_rabbit_steps fault_rabbit_close;
extern const struct fault_rabbit_steps fault_rabbit_fill;

void fault_rabbit_names_fini(struct fault_rabbit_names *names);
/* Of a cluster's nodes, as /api/nodes lists them: the running one that has the least memory left
 * below its watermark, for at any node's all publishers are blocked. NULL: one does not tell yet,
 * as for some seconds after its start, or none runs. */
const json_t *fault_rabbit_tightest(const json_t *nodes);
/* The step ends. */
void fault_rabbit_ok(struct fault_rabbit_subject *subject);
void fault_rabbit_fail(struct fault_rabbit_subject *subject, enum fault_outcome outcome,
                       const char *what, const struct fault_rest_answer *answer); /* or NULL */

#endif
