/* SPDX-License-Identifier: Apache-2.0 */
/* One target of a fault that throttles disks: its control group, the rules that are set there, and
 * the meters that show them. */
#ifndef CHAOS_THROTTLE_TARGET_H
#define CHAOS_THROTTLE_TARGET_H

#include "engine.h"
#include "resolve.h"
#include "throttle_meter.h"

struct throttle_target {
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    char *group;
    struct fault_throttle throttle;
    struct fault_strain strain; /* the group's cgroup.procs; none when found in the journal */
    struct throttle_meter meters[FAULT_THROTTLE_RULES]; /* of each rule */
    void *witness;                                      /* throttle_witness.h; NULL: none */
};

/* on_measured: of each meter, with the fault. */
void throttle_target_init(struct throttle_target *of, struct fault *fault,
                          void (*on_measured)(void *ctx));
/* Finds its group, opens what is needed there for these limits of the device, and a file in the
 * folder for each meter. */
bool throttle_target_prepare(struct throttle_target *of, const char *folder, const char *device,
                             struct base_error *err);
void throttle_target_close(struct throttle_target *of);

/* Starts the meter of a rule; most: that its window may last while the rule holds. */
bool throttle_target_measure(struct throttle_target *of, size_t rule, enum fault_step step,
                             struct dur_ns most, struct base_error *err);
void throttle_target_cancel(struct throttle_target *of);
/* What the meters measured last is what it should be in that step; record: as evidence. */
bool throttle_target_shown(const struct throttle_target *of, enum fault_step step, bool record);
/* The kernel has what it should have. set: all rules are ours; else none is; foreign: nor anybody
 * else's. record: as evidence. */
bool throttle_target_is_set(const struct throttle_target *of, enum fault_step step, bool set,
                            bool foreign, bool record);

json_t *throttle_target_to_json(const struct throttle_target *of, const char *device);
bool throttle_target_from_json(struct throttle_target *of, const json_t *json,
                               struct base_error *err);

#endif
