/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader of a distributed run: hands out the plan, starts all workers at one moment, merges
 * what they record and names those that are missing. It sends no load itself. Functions block for
 * round trips to Redis, two seconds each at most.
 *
 * The result is client_limited, and so no evidence, when a worker was lost or fell silent, ended
 * early by itself, was its own limit, or when what came does not add up to what the schedule says.
 */
#ifndef LOADGEN_CLUSTER_LEADER_H
#define LOADGEN_CLUSTER_LEADER_H

#include "loadgen/adhoc.h"
#include "loadgen/run.h"

struct load_leader;

struct load_leader_config {
    const char *host; /* of Redis */
    uint16_t port;
    const char *run; /* a name that nobody else uses */
    uint32_t workers;
    struct dur_ns patience; /* until all have joined */
};

struct load_leader_events {
    /* Without on_ready; intervals are those of all workers together, and on_histogram tells their
     * response times by phase and route, one for each worker. */
    struct load_events run;
    void (*on_joined)(void *ctx, const char *name, uint32_t index); /* ctx as run.ctx */
};

/* spec and what config points to must outlive the leader; spec has a connection for each worker at
 * least (BASE_INVALID). */
struct load_leader *load_leader_start(struct io_loop *loop, const struct load_spec *spec,
                                      const struct load_leader_config *config,
                                      const struct load_leader_events *events,
                                      struct base_error *err);
void load_leader_stop(struct load_leader *leader); /* as load_run_stop */
/* After on_finished; owned by the leader. */
const struct load_result *load_leader_result(const struct load_leader *leader);
struct load_totals load_leader_totals(struct load_leader *leader);
/* The merged histogram log. */
bool load_leader_write_log(struct load_leader *leader, int fd, struct base_error *err);
/* As load_run_expose and load_run_metrics: what workers have sent so far, with whether they take
 * part and how long they have been silent. Right after load_leader_start. */
bool load_leader_expose(struct load_leader *leader, struct base_error *err);
bool load_leader_metrics(const struct load_leader *leader, struct base_buf *out);
void load_leader_free(struct load_leader *leader); /* accepts NULL; workers then stop */

#endif
