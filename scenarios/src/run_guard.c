/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ends a run early: abort conditions that hold, and thresholds with `abort: true` that fail,
 * both over sliding windows of the generator's intervals (model/window.h). A window that is not yet
 * full judges nothing. Reports judge the same thresholds again from the run directory. An abort
 * condition is no evidence but a brake, so it does not ask for as many events as a threshold does,
 * and takes no answer at all for slower than any.
 */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

void run_guard_init(struct run *run)
{
    const struct plan *plan = run->plan;
    struct dur_ns interval = plan->load.interval;
    run->abort_windows = base_calloc(plan->abort_count, sizeof(struct load_window *));
    run->threshold_windows = base_calloc(plan->threshold_count, sizeof(struct load_window *));
    for (size_t i = 0; i < plan->abort_count; i++)
        run->abort_windows[i] =
            load_window_new(&plan->aborts[i].when, NULL, NULL, plan->aborts[i].over, interval);
    for (size_t i = 0; i < plan->threshold_count; i++) {
        const struct plan_threshold *t = &plan->thresholds[i];
        if (t->abort)
            run->threshold_windows[i] =
                load_window_new(&t->expect, t->phase, t->route, t->over, interval);
    }
}

static void free_windows(struct load_window ***windows, size_t count)
{
    for (size_t i = 0; *windows != NULL && i < count; i++)
        load_window_free((*windows)[i]);
    free(*windows);
    *windows = NULL;
}

void run_guard_fini(struct run *run)
{
    free_windows(&run->abort_windows, run->plan->abort_count);
    free_windows(&run->threshold_windows, run->plan->threshold_count);
}

void run_guard_histogram(struct run *run, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr)
{
    for (size_t i = 0; i < run->plan->abort_count; i++)
        load_window_histogram(run->abort_windows[i], phase, route, kind, hdr);
    for (size_t i = 0; i < run->plan->threshold_count; i++)
        if (run->threshold_windows[i] != NULL)
            load_window_histogram(run->threshold_windows[i], phase, route, kind, hdr);
}

static char *say(const char *what, const char *name, const struct expectation *expect, double value)
{
    char measured[EXPECT_TEXT] = "no answer to any request";
    if (isfinite(value))
        expectation_format_value(expect, value, measured);
    return base_str_printf("%s%s: measured %s", what, name, measured);
}

static char *push_abort(struct run *run, size_t i, const struct load_interval *interval)
{
    const struct plan_abort *condition = &run->plan->aborts[i];
    struct load_window *window = run->abort_windows[i];
    if (load_window_interval(window, interval) == LOAD_WINDOW_OPEN)
        return NULL;
    double value = load_window_measure(window).value;
    if (isnan(value) || !expectation_holds(&condition->when, value))
        return NULL;
    return say("", condition->name, &condition->when, value);
}

static char *push_threshold(struct run *run, size_t i, const struct load_interval *interval)
{
    const struct plan_threshold *t = &run->plan->thresholds[i];
    struct load_window *window = run->threshold_windows[i];
    if (window == NULL || load_window_interval(window, interval) != LOAD_WINDOW_FAILS)
        return NULL;
    return say("threshold ", t->name, &t->expect, load_window_measure(window).value);
}

/* Every window sees every interval, whoever ends the run. */
char *run_guard_push(struct run *run, const struct load_interval *interval)
{
    char *why = NULL;
    for (size_t i = 0; i < run->plan->abort_count + run->plan->threshold_count; i++) {
        size_t aborts = run->plan->abort_count;
        char *hit =
            i < aborts ? push_abort(run, i, interval) : push_threshold(run, i - aborts, interval);
        if (why == NULL)
            why = hit;
        else
            free(hit);
    }
    return why;
}
