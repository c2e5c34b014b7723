/* SPDX-License-Identifier: Apache-2.0 */
/* Which phase a request belongs to, by when it is due. Pure. */
#ifndef LOAD_SEGMENTS_H
#define LOAD_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

/* From this intended time (monotonic ns) on, requests belong to this phase. */
struct load_segment {
    int64_t from;
    uint32_t phase;
};

struct load_segments {
    struct load_segment *list; /* owned; in order of time, the first from before all time */
    size_t count;
};

/* Phase 0 all the time. */
void load_segments_init(struct load_segments *segments);
void load_segments_fini(struct load_segments *segments); /* accepts zeroed */
/* Planned ahead; the last so far begins no later. */
void load_segments_plan(struct load_segments *segments, const struct load_segment *segment);
/* From then on it is this phase, whatever was planned. There is one segment more after it. */
void load_segments_override(struct load_segments *segments, const struct load_segment *segment);
uint32_t load_segments_at(const struct load_segments *segments, int64_t at);

#endif
