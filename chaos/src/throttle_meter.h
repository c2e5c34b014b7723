/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a throttled group has no more of a disk than it is to have: a probe (io_probe.h) in the
 * group for each rule, with a file that is written once, while nothing is throttled. */
#ifndef CHAOS_THROTTLE_METER_H
#define CHAOS_THROTTLE_METER_H

#include "io_probe.h"
#include "throttle.h"

struct io_loop;

struct throttle_meter { /* of one rule */
    const struct fault_throttle *throttle;
    const char *group;
    size_t rule;
    int file; /* -1: none yet */
    struct fault_io_probe *probe;
    struct fault_io_probe_result last;
    bool busy;
    void (*on_done)(void *ctx);
    void *ctx;
};

/* A file in the folder; it must be possible to go past the page cache there. */
bool throttle_meter_open(struct throttle_meter *meter, const char *folder, struct base_error *err);
void throttle_meter_close(struct throttle_meter *meter);
/* What is under way; on_done does not follow. */
void throttle_meter_cancel(struct throttle_meter *meter);

/* When nothing is throttled (first: it never was before), else while it is, or was a moment ago;
 * on_done follows. groups: cgroup.procs of the group, open. most: that the window may last. */
bool throttle_meter_free_run(struct throttle_meter *meter, struct io_loop *loop,
                             const struct fault_strain *groups, bool first, struct base_error *err);
bool throttle_meter_held_run(struct throttle_meter *meter, struct io_loop *loop,
                             const struct fault_strain *groups, struct dur_ns most,
                             struct base_error *err);

/* What was measured last shows a disk that gives more than the rule allows by `share`; it shows the
 * rule at work. text: as evidence, with what was expected. */
enum { THROTTLE_METER_TEXT = 128 };
struct throttle_meter_words {
    const char *metric;
    char value[THROTTLE_METER_TEXT];
    char expected[THROTTLE_METER_TEXT];
};
bool throttle_meter_is_free(const struct throttle_meter *meter, double share,
                            struct throttle_meter_words *words);
bool throttle_meter_is_held(const struct throttle_meter *meter, struct throttle_meter_words *words);

#endif
