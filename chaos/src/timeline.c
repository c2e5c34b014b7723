/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include <stdlib.h>

#include "base/text.h"

static bool before(const struct timeline_packet *a, const struct timeline_packet *b)
{
    return a->leaves.ns != b->leaves.ns ? a->leaves.ns < b->leaves.ns : a->order < b->order;
}

void timeline_add(struct timeline *line, struct timeline_packet packet)
{
    if (line->count == line->room) {
        line->room = line->room > 0 ? line->room * 2 : 64;
        line->heap = base_reallocarray(line->heap, line->room, sizeof *line->heap);
    }
    packet.order = line->next_order++;
    size_t at = line->count++;
    while (at > 0 && before(&packet, &line->heap[(at - 1) / 2])) {
        line->heap[at] = line->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    line->heap[at] = packet;
}

const struct timeline_packet *timeline_first(const struct timeline *line)
{
    return line->count > 0 ? line->heap : NULL;
}

struct timeline_packet timeline_take(struct timeline *line)
{
    struct timeline_packet first = line->heap[0];
    struct timeline_packet last = line->heap[--line->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < line->count && before(&line->heap[child + 1], &line->heap[child]))
            child++;
        if (child >= line->count || !before(&line->heap[child], &last))
            break;
        line->heap[at] = line->heap[child];
        at = child;
    }
    line->heap[at] = last;
    return first;
}

void timeline_fini(struct timeline *line)
{
    for (size_t i = 0; i < line->count; i++) {
        free(line->heap[i].data);
        free(line->heap[i].copy);
    }
    free(line->heap);
    *line = (struct timeline){0};
}
