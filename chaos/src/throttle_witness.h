/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who feels it when a disk is throttled: what a fault shows beside the disk itself, for each
 * target. It is asked in the steps that measure, when the disk has shown what it should.
 */
#ifndef CHAOS_THROTTLE_WITNESS_H
#define CHAOS_THROTTLE_WITNESS_H

#include "throttle_target.h"

struct throttle_witness {
    /* A refusal costs nothing yet. on_done: after each ask, on the loop, never from inside a call.
     */
    void *(*open)(const struct throttle_target *of, void (*on_done)(void *ctx), void *ctx,
                  struct base_error *err);
    void (*close)(void *own);
    /* device: that is throttled. most: that it may take while the rule holds. */
    void (*ask)(void *own, enum fault_step step, const char *device, struct dur_ns most);
    bool (*busy)(const void *own);
    /* What was seen last is what it should be in that step; false: err says what else. record: as
     * evidence, also what was seen of one that is still busy. */
    bool (*shown)(void *own, bool record, struct base_error *err);
    void (*cancel)(void *own); /* on_done does not follow */
};

extern const struct throttle_witness throttle_pg_commits; /* commits at a PostgreSQL server */

#endif
