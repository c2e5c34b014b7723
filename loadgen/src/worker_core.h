/* SPDX-License-Identifier: Apache-2.0 */
/* Between worker_thread.c (the thread and its mailbox), worker.c (requests and connections) and
 * worker_owed.c (what is still to come). All on the worker's thread but load_worker_arm, which runs
 * before there is one. */
#ifndef LOAD_WORKER_CORE_H
#define LOAD_WORKER_CORE_H

#include "worker.h"

bool load_worker_arm(struct load_worker *worker, struct base_error *err);
void load_worker_warm(struct load_worker *worker); /* opens connections, then reports ready */
void load_worker_go(struct load_worker *worker, int64_t start);
void load_worker_end(struct load_worker *worker, int64_t at); /* nothing becomes due any more */
void load_worker_teardown(struct load_worker *worker);        /* after done; then reports torn */
/* Sends what the connection's due says, from now on in flight. */
void load_worker_send(struct load_worker *worker, struct load_conn *conn, int64_t now);
/* A connection is there for whoever comes. */
void load_worker_free(struct load_worker *worker, struct load_conn *conn);
/* The phase in force at a moment. */
uint32_t load_worker_phase(const struct load_worker *worker, int64_t intended);
/* No response is to come whose request was due before this; INT64_MAX: none at all is. */
int64_t load_worker_owed(const struct load_worker *worker, int64_t now);
/* CPU time of the calling thread, ns. */
int64_t load_worker_cpu(void);
/* Raises a flag of the mailbox and wakes the reader. */
void load_worker_report(struct load_worker *worker, bool *what);

static inline struct load_shard *load_worker_shard(struct load_worker *worker)
{
    return &worker->shards[worker->active];
}

static inline struct load_conn *load_worker_conn(const struct load_worker *worker, size_t index)
{
    return (struct load_conn *)(void *)(worker->conns + index * worker->pool.driver->conn_size);
}

#endif
