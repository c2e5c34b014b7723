/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the workers of a distributed run: fetches the plan, sends its share, and hands what it
 * recorded to the leader. Without its leader (or without Redis) it stops: load that nobody commands
 * is an attack. Functions block for a round trip to Redis, two seconds at most; load is sent by
 * threads that do not wait for that.
 */
#ifndef LOADGEN_CLUSTER_WORKER_H
#define LOADGEN_CLUSTER_WORKER_H

#include "loadgen/run.h"

struct load_member;

struct load_member_events {
    void *ctx;
    void (*on_joined)(void *ctx, uint32_t index, uint32_t workers);
    void (*on_interval)(void *ctx, const struct load_interval *interval, struct mono_ns start);
    /* The last call, one of both. finished: the leader has everything. */
    void (*on_finished)(void *ctx, const struct load_result *result);
    void (*on_error)(void *ctx, const struct base_error *err);
};

/* Waits up to `patience` for the run to be there. NULL with err: BASE_INVALID for a run that is
 * unknown, full or cannot be sent. */
struct load_member *load_member_join(struct io_loop *loop, const char *host, uint16_t port,
                                     const char *run, struct dur_ns patience,
                                     const struct load_member_events *events,
                                     struct base_error *err);
void load_member_stop(struct load_member *member); /* no new requests; the leader is told */
void load_member_free(struct load_member *member); /* accepts NULL */

#endif
