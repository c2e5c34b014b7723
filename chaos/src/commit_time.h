/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long commits must take whose flush of the write-ahead log goes to a disk that is throttled.
 * One after the other, as those of one session: each waits for a flush of known size, which takes
 * no less of the limit than that; others in the group share what is allowed. Pure.
 */
#ifndef CHAOS_COMMIT_TIME_H
#define CHAOS_COMMIT_TIME_H

#include "base/clock.h"
#include "throttle.h"

/* The rule by which commits are slowed, of writes; NULL: none is. */
const struct fault_throttle_rule *commit_rule(const struct fault_throttle *throttle);
/* Bytes of WAL that each commit is to flush: so many that a limit in bytes is felt, and few enough
 * that a measurement is no load of its own. */
uint64_t commit_bytes(const struct fault_throttle_rule *rule);
/* How long to measure while the limit holds, before which it is let settle. */
struct dur_ns commit_held_window(const struct fault_throttle_rule *rule, struct dur_ns most);
struct dur_ns commit_settle(void);
/* While nothing is limited so many are enough, however soon they are done. */
bool commit_free_enough(const struct fault_throttle_rule *rule, size_t count, struct dur_ns took);

struct commit_window { /* what was measured */
    size_t count;      /* of commits, one after the other; 0: nothing was measured */
    struct dur_ns took;
    double group_rate; /* what the whole group had meanwhile a second, in the unit of the rule */
};

enum { COMMIT_TEXT = 128 };
struct commit_words {
    char metric[COMMIT_TEXT];
    char value[COMMIT_TEXT];
    char expected[COMMIT_TEXT];
};
/* The group has written to the device what they must have flushed there. */
bool commit_is_written(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                       struct commit_words *words);
/* They are `share` times as fast as the limit allows. */
bool commit_is_free(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                    double share, struct commit_words *words);
/* They take as long as the limit says: not less, and not more either, unless the group used up what
 * it is allowed. free: as measured before. */
bool commit_is_held(const struct fault_throttle_rule *rule, const struct commit_window *seen,
                    const struct commit_window *free, struct commit_words *words);

#endif
