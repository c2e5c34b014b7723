/* SPDX-License-Identifier: Apache-2.0 */
#include "model/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { INTERVALS_MAX = 1000000 }; /* more than eleven days of seconds */

struct bucket {
    int64_t value;
    int64_t count;
};

/* What is kept of one interval. */
struct slot {
    struct load_counts counts;
    struct dur_ns length;
    struct bucket *buckets; /* owned */
    size_t bucket_count;
};

struct load_window {
    struct expectation expect;
    char *phase;
    char *route;
    int64_t enough; /* ns; half an interval less than `over`: none is exactly as long as planned */
    struct slot *ring; /* owned */
    size_t cap;        /* grows with the intervals that there are, up to `most` */
    size_t most;
    size_t first;
    size_t len;
    struct slot next; /* the interval whose histograms are coming in */
    struct load_measure now;
    struct load_window_sum sum;
};

bool load_measure_is_latency(enum expect_stat stat)
{
    return stat == EXPECT_QUANTILE || stat == EXPECT_MEAN || stat == EXPECT_MAX;
}

/* No answer at all is slower than any; but as evidence it is none (events 0). */
static struct load_measure of_latency(const struct expectation *expect,
                                      const struct load_counts *counts, const struct hdr *hdr)
{
    bool silent = counts->intended > 0 && counts->ok == 0;
    struct load_measure out = {.value = silent ? (double)INFINITY : (double)NAN, .need = 1};
    if (expect->stat == EXPECT_QUANTILE && expect->quantile < 1)
        out.need = 10 / (1 - expect->quantile) * (1 - 1e-9);
    if (hdr == NULL || hdr->total == 0)
        return out;
    out.events = (double)hdr->total;
    out.value = expect->stat == EXPECT_MEAN  ? hdr_mean(hdr)
                : expect->stat == EXPECT_MAX ? (double)hdr_max(hdr)
                                             : (double)hdr_value_at_quantile(hdr, expect->quantile);
    return out;
}

static struct load_measure of_counts(const struct expectation *expect,
                                     const struct load_counts *counts, double seconds)
{
    double intended = (double)counts->intended;
    double bad = (double)(load_counts_failed(counts) + counts->missed);
    struct load_measure out = {.value = (double)NAN, .events = intended, .need = 1};
    if (counts->intended == 0)
        return out;
    if (expect->stat == EXPECT_ERRORS)
        out.value = bad / intended;
    else if (expect->stat == EXPECT_ACHIEVED_RATE)
        out.value = (double)load_counts_delivered(counts) / intended;
    else if (expect->stat == EXPECT_COUNT)
        out.value = (double)counts->ok;
    else if (seconds > 0)
        out.value = (double)counts->ok / seconds;
    return out;
}

struct load_measure load_measure(const struct expectation *expect, const struct load_counts *counts,
                                 const struct hdr *response, double seconds)
{
    return load_measure_is_latency(expect->stat) ? of_latency(expect, counts, response)
                                                 : of_counts(expect, counts, seconds);
}

struct load_window *load_window_new(const struct expectation *expect, const char *phase,
                                    const char *route, struct dur_ns over, struct dur_ns interval)
{
    struct load_window *window = base_calloc(1, sizeof *window);
    int64_t length = interval.ns > 0 ? interval.ns : BASE_NS_PER_S;
    window->expect = *expect;
    window->phase = base_str_dup(phase);
    window->route = base_str_dup(route);
    window->enough = over.ns > length ? over.ns - length / 2 : (length + 1) / 2;
    size_t planned = over.ns / length < INTERVALS_MAX ? (size_t)(over.ns / length) : INTERVALS_MAX;
    window->most = 2 * planned + 4; /* some are short: the last, for one */
    window->now = (struct load_measure){.value = (double)NAN};
    window->sum.worst = (double)NAN;
    return window;
}

static void clear(struct slot *slot)
{
    free(slot->buckets);
    *slot = (struct slot){.buckets = NULL};
}

void load_window_free(struct load_window *window)
{
    if (window == NULL)
        return;
    for (size_t i = 0; i < window->cap; i++)
        clear(&window->ring[i]);
    free(window->ring);
    clear(&window->next);
    free(window->phase);
    free(window->route);
    free(window);
}

static bool asked_for(const char *wanted, const char *name)
{
    return wanted == NULL || base_str_eq(wanted, name);
}

void load_window_histogram(struct load_window *window, const char *phase, const char *route,
                           const char *kind, const struct hdr *hdr)
{
    struct slot *slot = &window->next;
    struct hdr_iter iter;
    size_t used = 0;
    if (!load_measure_is_latency(window->expect.stat) || !base_str_eq(kind, LOAD_ENDED) ||
        !asked_for(window->phase, phase) || !asked_for(window->route, route))
        return;
    for (hdr_iter_init(&iter, hdr); hdr_iter_next(&iter);)
        used++;
    slot->buckets =
        base_reallocarray(slot->buckets, slot->bucket_count + used, sizeof *slot->buckets);
    for (hdr_iter_init(&iter, hdr); hdr_iter_next(&iter);)
        slot->buckets[slot->bucket_count++] = (struct bucket){iter.value, iter.count};
}

/* The counts that the window asks for, and how many requests were due of other phases. */
static struct load_counts counts_of(const struct load_window *window,
                                    const struct load_interval *interval, uint64_t *others)
{
    struct load_counts counts = {.intended = 0};
    *others = 0;
    if (window->phase == NULL && window->route == NULL)
        return interval->counts;
    for (size_t i = 0; i < interval->part_count; i++) {
        const struct load_part *part = &interval->parts[i];
        bool here = asked_for(window->phase, part->phase);
        if (here && asked_for(window->route, part->route))
            load_counts_add(&counts, &part->counts);
        if (!here)
            *others += part->counts.intended;
    }
    return counts;
}

/* Does the interval belong into a window at all? */
static bool counts_here(const struct load_window *window, const struct load_counts *counts,
                        uint64_t others)
{
    static const struct load_counts none;
    enum expect_stat stat = window->expect.stat;
    bool flow = stat == EXPECT_RATE || stat == EXPECT_COUNT || stat == EXPECT_ACHIEVED_RATE;
    if (flow)
        return others == 0 && (window->phase == NULL || counts->intended > 0);
    return window->phase == NULL || memcmp(counts, &none, sizeof none) != 0;
}

static void empty(struct load_window *window)
{
    for (size_t i = 0; i < window->cap; i++)
        clear(&window->ring[i]);
    window->first = window->len = 0;
    window->now = (struct load_measure){.value = (double)NAN};
}

static void drop_first(struct load_window *window)
{
    clear(&window->ring[window->first]);
    window->first = (window->first + 1) % window->cap;
    window->len--;
}

static void grow(struct load_window *window)
{
    size_t cap = window->cap == 0 ? 16 : window->cap * 2;
    cap = cap < window->most ? cap : window->most;
    struct slot *ring = base_calloc(cap, sizeof *ring);
    for (size_t i = 0; i < window->len; i++)
        ring[i] = window->ring[(window->first + i) % window->cap];
    free(window->ring);
    window->ring = ring;
    window->cap = cap;
    window->first = 0;
}

/* Takes the interval in and drops those that are not needed any more; false: not full yet. */
static bool push(struct load_window *window)
{
    if (window->len == window->most)
        drop_first(window);
    else if (window->len == window->cap)
        grow(window);
    window->ring[(window->first + window->len++) % window->cap] = window->next;
    window->next = (struct slot){.buckets = NULL};
    int64_t ns = 0;
    for (size_t i = 0; i < window->len; i++)
        ns += window->ring[(window->first + i) % window->cap].length.ns;
    while (window->len > 1 && ns - window->ring[window->first].length.ns >= window->enough) {
        ns -= window->ring[window->first].length.ns;
        drop_first(window);
    }
    return ns >= window->enough;
}

static struct load_measure measure(const struct load_window *window)
{
    struct load_counts counts = {.intended = 0};
    int64_t ns = 0;
    bool latency = load_measure_is_latency(window->expect.stat);
    struct hdr all = {.counts = NULL};
    if (latency && !hdr_init_latency(&all, NULL))
        abort(); /* as base_calloc does */
    for (size_t i = 0; i < window->len; i++) {
        const struct slot *slot = &window->ring[(window->first + i) % window->cap];
        load_counts_add(&counts, &slot->counts);
        ns += slot->length.ns;
        for (size_t k = 0; latency && k < slot->bucket_count; k++)
            hdr_record_n(&all, slot->buckets[k].value, slot->buckets[k].count);
    }
    struct load_measure out =
        load_measure(&window->expect, &counts, &all, base_dur_to_s((struct dur_ns){ns}));
    hdr_fini(&all);
    return out;
}

static bool worse(const struct expectation *expect, double a, double b)
{
    bool small_is_good = expect->op == EXPECT_LT || expect->op == EXPECT_LE;
    return isnan(b) || (small_is_good ? a > b : a < b);
}

static enum load_window_state note(struct load_window *window, struct mono_ns end)
{
    struct load_window_sum *sum = &window->sum;
    const struct load_measure *now = &window->now;
    sum->full++;
    if (isnan(now->value) || now->events < now->need) {
        sum->starved++;
        return LOAD_WINDOW_STARVED;
    }
    if (worse(&window->expect, now->value, sum->worst))
        sum->worst = now->value;
    if (expectation_holds(&window->expect, now->value))
        return LOAD_WINDOW_HOLDS;
    if (sum->failed++ == 0) {
        sum->first_failed = *now;
        sum->failed_at = end;
    }
    return LOAD_WINDOW_FAILS;
}

enum load_window_state load_window_interval(struct load_window *window,
                                            const struct load_interval *interval)
{
    uint64_t others;
    window->next.counts = counts_of(window, interval, &others);
    window->next.length = interval->length;
    if (!counts_here(window, &window->next.counts, others)) {
        clear(&window->next);
        empty(window);
        return LOAD_WINDOW_OPEN;
    }
    if (!push(window))
        return LOAD_WINDOW_OPEN;
    window->now = measure(window);
    return note(window, base_mono_add(interval->start_mono, interval->length));
}

struct load_measure load_window_measure(const struct load_window *window)
{
    return window->now;
}

const struct load_window_sum *load_window_total(const struct load_window *window)
{
    return &window->sum;
}

bool load_window_entry_is_later(double entry_start, struct wall_ns start)
{
    return entry_start > (double)start.ns / 1e9 + 0.001;
}
