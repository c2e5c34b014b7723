/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response times by when requests were due: the intervals of the nominal grid in which responses
 * may still come, each under its number, until they are closed. No clock, no log. (ADR 0024)
 *
 * Design notes. After a stall of a minute there are sixty of them, and a histogram takes a quarter
 * of a megabyte; so of each interval, phase and route the buckets in use are kept, some kilobytes,
 * and made a histogram again when it is handed out.
 */
#ifndef LOAD_INTENDED_H
#define LOAD_INTENDED_H

#include "model/hdr.h"

struct load_intended_interval;

struct load_intended {
    struct load_intended_interval *open; /* owned, ascending by number */
    size_t count, cap;
    struct hdr scratch;
};

bool load_intended_init(struct load_intended *intended, struct base_error *err);
void load_intended_fini(struct load_intended *intended); /* accepts a zeroed value */
/* So many values of a bucket, in the interval of this number: open, closed before or new. */
void load_intended_add(struct load_intended *intended, uint64_t number, uint32_t phase,
                       uint32_t route, int64_t ns, int64_t count);
/* All of a histogram, which may be one that was never used. */
void load_intended_add_all(struct load_intended *intended, uint64_t number, uint32_t phase,
                           uint32_t route, const struct hdr *hdr);

/* What is known of an interval that is closed. */
struct load_intended_line {
    uint64_t number;
    uint32_t phase;
    uint32_t route;
    const struct hdr *hdr; /* latencies (hdr_init_latency), not empty; valid during the call */
};
/* Closes all intervals with numbers below `end`: hands them out in ascending order, in each by
 * phase and route, and forgets them. What is added to one of them later makes it anew, so that it
 * is handed out again with the rest: the sum of all that is handed out is what was added. False as
 * soon as `take` says so. */
bool load_intended_close(struct load_intended *intended, uint64_t end,
                         bool (*take)(void *ctx, const struct load_intended_line *line,
                                      struct base_error *err),
                         void *ctx, struct base_error *err);

#endif
