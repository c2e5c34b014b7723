/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds over sliding windows: latency.hlog and the load's intervals side by side, in the order
 * in which they were written, as the runner saw them. Response times by when requests were due are
 * of no interval of the load; where they are all there is they are of an earlier release, which
 * wrote them by when requests ended. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/hlog.h"

struct sliding {
    const struct report *report;
    struct load_window **windows; /* NULL for thresholds of the whole */
    size_t interval;              /* whose histograms are coming in */
};

static void close_interval(struct sliding *sliding)
{
    const struct load_result *load = &sliding->report->load;
    for (size_t i = 0; i < sliding->report->plan.threshold_count; i++)
        if (sliding->windows[i] != NULL)
            (void)load_window_interval(sliding->windows[i], &load->intervals[sliding->interval]);
    sliding->interval++;
}

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct sliding *sliding = ctx;
    const struct load_result *load = &sliding->report->load;
    char *tag = base_str_dup(entry->tag == NULL ? "" : entry->tag);
    char *rest = tag;
    const char *phase = strsep(&rest, "/");
    const char *route = strsep(&rest, "/");
    bool response = base_str_eq(rest, LOAD_RESPONSE);
    bool told = rest != NULL && !(response && sliding->report->by_end);
    while (told && sliding->interval < load->interval_count &&
           load_window_entry_is_later(entry->start, load->intervals[sliding->interval].start))
        close_interval(sliding);
    for (size_t i = 0; told && i < sliding->report->plan.threshold_count; i++)
        if (sliding->windows[i] != NULL)
            load_window_histogram(sliding->windows[i], phase, route, response ? LOAD_ENDED : rest,
                                  &entry->hdr);
    free(tag);
    return true;
}

/* false: there are none, and nothing to read for. */
static bool open_windows(struct sliding *sliding)
{
    const struct plan *plan = &sliding->report->plan;
    bool any = false;
    for (size_t i = 0; i < plan->threshold_count; i++) {
        const struct plan_threshold *t = &plan->thresholds[i];
        if (t->over.ns == 0)
            continue;
        any = true;
        sliding->windows[i] =
            load_window_new(&t->expect, t->phase, t->route, t->over, plan->load.interval);
    }
    return any;
}

void fold_windows(struct report *report, const struct report_bytes *hlog)
{
    size_t count = report->have_plan ? report->plan.threshold_count : 0;
    struct sliding sliding = {.report = report};
    sliding.windows = base_calloc(count, sizeof(struct load_window *));
    report->windows = base_calloc(count, sizeof *report->windows);
    bool any = count > 0 && open_windows(&sliding);
    /* A damaged end is stated by fold_hlog. */
    if (any && hlog->data != NULL)
        (void)hlog_read(hlog->data, hlog->len, NULL, on_entry, &sliding, NULL);
    while (any && sliding.interval < report->load.interval_count)
        close_interval(&sliding);
    for (size_t i = 0; i < count; i++) {
        if (sliding.windows[i] != NULL)
            report->windows[i] = *load_window_total(sliding.windows[i]);
        load_window_free(sliding.windows[i]);
    }
    free(sliding.windows);
}
