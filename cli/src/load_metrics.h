/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOAD_METRICS_H
#define CLI_LOAD_METRICS_H

#include "io/http_server.h"
#include "loadgen/adhoc.h"

struct load_metrics {
    void *ctx;
    bool (*write)(void *ctx, struct base_buf *out); /* what there is, in Prometheus' text format */
};

/* Serves them at /metrics of adhoc's address and port, on the loop, until it is freed; metrics must
 * outlive it. Says where on standard error unless quiet. */
struct io_server *load_metrics_start(struct io_loop *loop, const struct load_adhoc *adhoc,
                                     struct load_metrics *metrics, struct base_error *err);

#endif
