/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOAD_METRICS_H
#define CLI_LOAD_METRICS_H

#include "io/http_server.h"
#include "loadgen/adhoc.h"

/* Serves a run's figures at /metrics of adhoc's address and port, on the run's loop, until it is
 * freed (before the run). Says where on standard error unless quiet. */
struct io_server *load_metrics_start(struct io_loop *loop, const struct load_adhoc *adhoc,
                                     struct load_run *run, struct base_error *err);

#endif
