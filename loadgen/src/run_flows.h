/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has to do with flows. Between threads: only while workers wait, or after they ended.
 */
#ifndef LOAD_RUN_FLOWS_H
#define LOAD_RUN_FLOWS_H

#include "collector.h"
#include "worker.h"

/* The spec's flows made ready; NULL with the first mistake. */
struct load_program *load_run_program(const struct load_spec *spec, struct load_share share,
                                      struct base_error *err);
/* The first worker is ready: whether setup went well; err says which step did not, and why. */
bool load_run_set_up(const struct load_worker *first, struct base_error *err);
/* How many requests and passages were begun: what an iteration of the closed model is. */
uint64_t load_run_begun(const struct load_spec *spec, const struct load_shard *counts);
/* Into the result: what setup and teardown came to, and why steps failed. */
void load_run_report_flows(const struct load_worker *workers, uint32_t count,
                           struct load_collector *collector);

#endif
