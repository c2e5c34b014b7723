/* SPDX-License-Identifier: Apache-2.0 */
#include "intended.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { BUCKETS_MIN = 64, COMPACT_AT = 4096 };

/* A value stands for its bucket; several entries may be of the same one. */
struct bucket {
    int64_t value;
    int64_t count;
};

/* Of one phase and route. */
struct spread {
    uint32_t phase;
    uint32_t route;
    struct bucket *buckets; /* owned */
    size_t count, cap;
};

struct load_intended_interval {
    uint64_t number;
    struct spread *spreads; /* owned, by phase and route */
    size_t count;
};

bool load_intended_init(struct load_intended *intended, struct base_error *err)
{
    struct load_intended made = {.open = NULL};
    if (!hdr_init_latency(&made.scratch, err))
        return false;
    *intended = made;
    return true;
}

static void interval_fini(struct load_intended_interval *interval)
{
    for (size_t i = 0; i < interval->count; i++)
        free(interval->spreads[i].buckets);
    free(interval->spreads);
}

void load_intended_fini(struct load_intended *intended)
{
    for (size_t i = 0; i < intended->count; i++)
        interval_fini(&intended->open[i]);
    free(intended->open);
    hdr_fini(&intended->scratch);
    *intended = (struct load_intended){.open = NULL};
}

static struct load_intended_interval *interval_of(struct load_intended *intended, uint64_t number)
{
    size_t at = intended->count; /* mostly it is one of the last */
    while (at > 0 && intended->open[at - 1].number > number)
        at--;
    if (at > 0 && intended->open[at - 1].number == number)
        return &intended->open[at - 1];
    if (intended->count == intended->cap) {
        intended->cap = intended->cap == 0 ? 8 : intended->cap * 2;
        intended->open = base_reallocarray(intended->open, intended->cap, sizeof *intended->open);
    }
    memmove(intended->open + at + 1, intended->open + at,
            (intended->count - at) * sizeof *intended->open);
    intended->open[at] = (struct load_intended_interval){.number = number};
    intended->count++;
    return &intended->open[at];
}

static bool before(const struct spread *spread, uint32_t phase, uint32_t route)
{
    return spread->phase != phase ? spread->phase < phase : spread->route < route;
}

static struct spread *spread_of(struct load_intended_interval *interval, uint32_t phase,
                                uint32_t route)
{
    size_t low = 0, high = interval->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (before(&interval->spreads[middle], phase, route))
            low = middle + 1;
        else
            high = middle;
    }
    struct spread *at = low < interval->count ? &interval->spreads[low] : NULL;
    if (at != NULL && at->phase == phase && at->route == route)
        return at;
    interval->spreads =
        base_reallocarray(interval->spreads, interval->count + 1, sizeof *interval->spreads);
    memmove(interval->spreads + low + 1, interval->spreads + low,
            (interval->count - low) * sizeof *interval->spreads);
    interval->spreads[low] = (struct spread){.phase = phase, .route = route};
    interval->count++;
    return &interval->spreads[low];
}

/* All of it in the scratch histogram. */
static const struct hdr *whole(struct load_intended *intended, const struct spread *spread)
{
    hdr_reset(&intended->scratch);
    for (size_t i = 0; i < spread->count; i++)
        hdr_record_n(&intended->scratch, spread->buckets[i].value, spread->buckets[i].count);
    return &intended->scratch;
}

/* One entry for each bucket. */
static void compact(struct load_intended *intended, struct spread *spread)
{
    struct hdr_iter iter;
    hdr_iter_init(&iter, whole(intended, spread));
    spread->count = 0;
    while (hdr_iter_next(&iter))
        spread->buckets[spread->count++] = (struct bucket){iter.value, iter.count};
}

static void push(struct load_intended *intended, struct spread *spread, int64_t ns, int64_t count)
{
    bool full = spread->count == spread->cap;
    if (full && spread->cap >= COMPACT_AT)
        compact(intended, spread);
    if (full && spread->count * 2 >= spread->cap) { /* compacting was of no use, or not tried */
        spread->cap = spread->cap == 0 ? BUCKETS_MIN : spread->cap * 2;
        spread->buckets = base_reallocarray(spread->buckets, spread->cap, sizeof *spread->buckets);
    }
    spread->buckets[spread->count++] = (struct bucket){ns, count};
}

void load_intended_add(struct load_intended *intended, uint64_t number, uint32_t phase,
                       uint32_t route, int64_t ns, int64_t count)
{
    push(intended, spread_of(interval_of(intended, number), phase, route), ns, count);
}

void load_intended_add_all(struct load_intended *intended, uint64_t number, uint32_t phase,
                           uint32_t route, const struct hdr *hdr)
{
    struct hdr_iter iter;
    if (hdr->total == 0)
        return;
    struct spread *spread = spread_of(interval_of(intended, number), phase, route);
    for (hdr_iter_init(&iter, hdr); hdr_iter_next(&iter);)
        push(intended, spread, iter.value, iter.count);
}

static void drop_first(struct load_intended *intended, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        interval_fini(&intended->open[i]);
    intended->count -= count;
    memmove(intended->open, intended->open + count, intended->count * sizeof *intended->open);
}

bool load_intended_close(struct load_intended *intended, uint64_t end,
                         bool (*take)(void *ctx, const struct load_intended_line *line,
                                      struct base_error *err),
                         void *ctx, struct base_error *err)
{
    size_t closed = 0;
    bool good = true;
    while (good && closed < intended->count && intended->open[closed].number < end) {
        const struct load_intended_interval *interval = &intended->open[closed++];
        for (size_t i = 0; good && i < interval->count; i++) {
            const struct spread *spread = &interval->spreads[i];
            const struct load_intended_line line = {.number = interval->number,
                                                    .phase = spread->phase,
                                                    .route = spread->route,
                                                    .hdr = whole(intended, spread)};
            good = take(ctx, &line, err);
        }
    }
    drop_first(intended, closed);
    return good;
}
