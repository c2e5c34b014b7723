/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of each packet of one direction: from the impairment and a seed, packet after
 * packet. Pure: the same arrivals meet the same fates.
 */
#ifndef CHAOS_IMPAIR_H
#define CHAOS_IMPAIR_H

#include <stddef.h>

#include "base/random.h"
#include "model/fault.h"

/* Of lossStates: where the last packet was. */
enum impair_state {
    IMPAIR_CALM,       /* passed, outside of bursts */
    IMPAIR_LOST_ALONE, /* lost there */
    IMPAIR_LOST,       /* lost in a burst */
    IMPAIR_PASSED      /* passed in a burst */
};

struct impair {
    struct fault_impairment what;
    struct base_rng rng;
    double wander; /* the last packet's jitter as a standard normal value */
    bool bursting; /* Gilbert-Elliott: in the bad state */
    enum impair_state state;
    struct mono_ns link_free; /* rate: when the last packet will have left */
};

/* How much later than due packets went, while the process that held them waited for a processor: a
 * tenth of them no later than `low`, 0.316 no later than `high`. That is the root of a tenth: of
 * two ways a tenth at least were both no later, so that the first decile of round trips has no more
 * of it than twice `high`, and hardly less than twice `low`. */
struct impair_lateness {
    struct dur_ns low;
    struct dur_ns high;
};

struct impair_fate {
    bool drop;
    bool duplicate;    /* the copy leaves with the packet, and is not corrupted */
    bool corrupt;      /* flip_bit of the packet, counted from the first bit that may be flipped */
    uint64_t flip_bit; /* any number: take the remainder by the bits there are */
    struct mono_ns leaves;
};

void impair_init(struct impair *impair, const struct fault_impairment *what, uint64_t seed);
/* bytes: from the IP header on. Packets come in the order of their arrival. */
struct impair_fate impair_packet(struct impair *impair, struct mono_ns now, size_t bytes);

/* Whether fates differ by packet: then packets must be seen as the wire has them, not merged. */
bool impair_counts_packets(const struct fault_impairment *what);
/* The share lost in the long run: of loss, or of bursts and what is between them. */
double impair_mean_loss(const struct fault_impairment *what);
/* How long packets may wait for the link, beyond which they are dropped. */
struct dur_ns impair_backlog(const struct fault_impairment *what);

#endif
