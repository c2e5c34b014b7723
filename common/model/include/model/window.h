/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statistic over a sliding window of the load's intervals: the same code judges while the load
 * runs (from squall-load's lines and the log that it writes) and afterwards (from the run
 * directory), so both come to the same result.
 *
 * Design notes. For each interval its histograms are told first, then the interval itself. Response
 * times are those of what ended in it (LOAD_ENDED), so that a window that has gone by is settled,
 * and a load can be ended for it. A window
 * is as many of the last intervals as together are about `over` long (half an interval is left for
 * their being uneven; a short one at the end is no window of its own); it moves on with every
 * interval and says nothing before it is full. Of each interval the buckets that are in use are
 * kept, some kilobytes, and added up again when they are asked for, so percentiles of a window are
 * exact and not made of its intervals' percentiles.
 *
 * With a phase only intervals of that phase count, and a window never spans a gap between two
 * stretches of it. What came to its end after the phase counts for latency and errors. Rates and
 * counts leave out intervals in which the phase began or ended: they would show less than there
 * was.
 */
#ifndef MODEL_WINDOW_H
#define MODEL_WINDOW_H

#include "model/expectation.h"
#include "model/hdr.h"
#include "model/load.h"

/* A statistic with what it rests on. */
struct load_measure {
    double value;  /* NaN: there is none; of latencies infinite when nothing was answered */
    double events; /* that it rests on: responses for latencies, requests for the others */
    double need;   /* fewer make it no estimate: a quantile q needs 10/(1-q) */
};

/* Of counts and response times (NULL: none) over so many seconds (0: unknown). */
struct load_measure load_measure(const struct expectation *expect, const struct load_counts *counts,
                                 const struct hdr *response, double seconds);
bool load_measure_is_latency(enum expect_stat stat);

enum load_window_state {
    LOAD_WINDOW_OPEN,    /* not full yet, or not of this phase */
    LOAD_WINDOW_STARVED, /* too few events */
    LOAD_WINDOW_HOLDS,
    LOAD_WINDOW_FAILS
};

/* What all windows so far were. */
struct load_window_sum {
    uint64_t full;
    uint64_t starved;
    uint64_t failed;
    double worst; /* of those judged; NaN: none was */
    struct load_measure first_failed;
    struct mono_ns failed_at; /* end of the first that failed */
};

struct load_window;

/* phase, route: NULL for all. interval: the planned length of one. Heap; aborts without memory. */
struct load_window *load_window_new(const struct expectation *expect, const char *phase,
                                    const char *route, struct dur_ns over, struct dur_ns interval);
void load_window_free(struct load_window *window); /* accepts NULL */
/* A histogram of the interval that is told next; what the window does not ask for is ignored,
 * response times by when requests were due among it. */
void load_window_histogram(struct load_window *window, const char *phase, const char *route,
                           const char *kind, const struct hdr *hdr);
enum load_window_state load_window_interval(struct load_window *window,
                                            const struct load_interval *interval);
/* Of the window as it is now; value NaN while it is open. */
struct load_measure load_window_measure(const struct load_window *window);
const struct load_window_sum *load_window_total(const struct load_window *window);

/* Whether a line of the log, which tells its start in seconds to the millisecond, belongs to an
 * interval after the one that starts at `start`. */
bool load_window_entry_is_later(double entry_start, struct wall_ns start);

#endif
