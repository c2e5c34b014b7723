/* SPDX-License-Identifier: Apache-2.0 */
#include "segments.h"

#include <stdlib.h>

#include "base/text.h"

void load_segments_init(struct load_segments *segments)
{
    *segments = (struct load_segments){.list = base_calloc(1, sizeof *segments->list), .count = 1};
    segments->list[0].from = INT64_MIN;
}

void load_segments_fini(struct load_segments *segments)
{
    free(segments->list);
    *segments = (struct load_segments){.list = NULL};
}

static void insert(struct load_segments *segments, const struct load_segment *segment)
{
    size_t at = segments->count++;
    segments->list = base_reallocarray(segments->list, segments->count, sizeof *segments->list);
    for (; segments->list[at - 1].from > segment->from; at--)
        segments->list[at] = segments->list[at - 1];
    segments->list[at] = *segment;
}

void load_segments_plan(struct load_segments *segments, const struct load_segment *segment)
{
    insert(segments, segment);
}

/* Workers remember how far they are in the list, and see by its length that it is another: what
 * was planned stays in it, under the new name. */
void load_segments_override(struct load_segments *segments, const struct load_segment *segment)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->list[i].from > segment->from)
            segments->list[i].phase = segment->phase;
    insert(segments, segment);
}

uint32_t load_segments_at(const struct load_segments *segments, int64_t at)
{
    size_t i = segments->count - 1;
    while (i > 0 && segments->list[i].from > at)
        i--;
    return segments->list[i].phase;
}
