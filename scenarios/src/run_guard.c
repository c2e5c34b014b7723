/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abort conditions over sliding windows of the generator's intervals. Counts are summed over the
 * window; a latency statistic of a window is the largest of its intervals', and infinite when
 * requests were due and none was answered, which errs on the side of aborting. Intervals carry no
 * histogram but p50, p99 and max: the parser refuses the others (check.c). A window that is not yet
 * full judges nothing.
 */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

void run_guard_init(struct run *run)
{
    const struct plan *plan = run->plan;
    run->windows = base_calloc(plan->abort_count, sizeof *run->windows);
    for (size_t i = 0; i < plan->abort_count; i++) {
        int64_t length = plan->load.interval.ns > 0 ? plan->load.interval.ns : BASE_NS_PER_S;
        int64_t n = (plan->aborts[i].over.ns + length - 1) / length;
        run->windows[i].cap = n < 1 ? 1 : (size_t)n;
        run->windows[i].ring = base_calloc(run->windows[i].cap, sizeof *run->windows[i].ring);
    }
}

void run_guard_fini(struct run *run)
{
    for (size_t i = 0; run->windows != NULL && i < run->plan->abort_count; i++)
        free(run->windows[i].ring);
    free(run->windows);
    run->windows = NULL;
}

static void push(struct run_window *window, const struct load_interval *interval)
{
    size_t at = (window->first + window->len) % window->cap;
    if (window->len == window->cap)
        window->first = (window->first + 1) % window->cap;
    else
        window->len++;
    window->ring[at] = *interval;
    window->ring[at].phase = NULL; /* borrowed; of no use here */
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? (double)NAN : (double)part / (double)whole;
}

static double largest(const struct run_window *window, const struct expectation *when)
{
    int64_t most = 0;
    bool median = when->stat == EXPECT_QUANTILE && when->quantile <= 0.5;
    for (size_t i = 0; i < window->cap; i++) {
        const struct load_interval *in = &window->ring[i];
        int64_t value = when->stat == EXPECT_MAX ? in->max.ns : median ? in->p50.ns : in->p99.ns;
        most = value > most ? value : most;
    }
    return (double)most;
}

static double measure(const struct run_window *window, const struct expectation *when)
{
    struct load_counts sum = {0};
    int64_t ns = 0;
    for (size_t i = 0; i < window->cap; i++) {
        load_counts_add(&sum, &window->ring[i].counts);
        ns += window->ring[i].length.ns;
    }
    switch (when->stat) {
    case EXPECT_ERRORS:
        return ratio(load_counts_failed(&sum) + sum.missed, sum.intended);
    case EXPECT_ACHIEVED_RATE:
        return ratio(load_counts_delivered(&sum), sum.intended);
    case EXPECT_RATE:
        return ns == 0 ? (double)NAN : (double)sum.ok * (double)BASE_NS_PER_S / (double)ns;
    case EXPECT_COUNT:
        return (double)sum.ok;
    case EXPECT_QUANTILE:
    case EXPECT_MAX:
        if (sum.ok == 0) /* no answer at all is slower than any */
            return sum.intended == 0 ? (double)NAN : (double)INFINITY;
        return largest(window, when);
    case EXPECT_MEAN:
        break;
    }
    return (double)NAN;
}

const struct plan_abort *run_guard_push(struct run *run, const struct load_interval *interval,
                                        double *measured)
{
    const struct plan_abort *hit = NULL;
    for (size_t i = 0; i < run->plan->abort_count; i++) {
        const struct plan_abort *condition = &run->plan->aborts[i];
        struct run_window *window = &run->windows[i];
        push(window, interval);
        if (hit != NULL || window->len < window->cap)
            continue;
        double value = measure(window, &condition->when);
        if (!isnan(value) && expectation_holds(&condition->when, value)) {
            hit = condition;
            *measured = value;
        }
    }
    return hit;
}
