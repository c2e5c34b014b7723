/* SPDX-License-Identifier: Apache-2.0 */
/* A run at a glance: rows of items that flow into as many lines as the width makes of them. ASCII
 * only, so that a byte is a column. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loadgen/adhoc.h"
#include "summary.h"

enum { LABEL = 10, NARROW = 36, NARROW_INDENT = 1, ITEM_TEXT = 64, GAP = 2 };

struct flow {
    struct base_buf *out;
    size_t cols;
    size_t lines;  /* that may be used */
    size_t used;   /* lines begun */
    size_t column; /* of the line that is being filled */
    bool fresh;    /* nothing but the label is on it */
};

static void put(struct flow *flow, const char *text)
{
    size_t room = flow->cols > flow->column ? flow->cols - flow->column : 0;
    size_t len = strlen(text);
    len = len < room ? len : room;
    if (flow->used > flow->lines)
        return;
    base_buf_append(flow->out, text, len);
    flow->column += len;
}

static void new_line(struct flow *flow)
{
    flow->used++;
    flow->column = 0;
    if (flow->used > 1 && flow->used <= flow->lines)
        base_buf_str(flow->out, "\r\n");
}

static void begin_row(struct flow *flow, const char *label)
{
    char text[LABEL + 1];
    (void)snprintf(text, sizeof text, "%-*s", LABEL, label);
    new_line(flow);
    if (flow->cols >= NARROW)
        put(flow, text);
    flow->fresh = true;
}

static void item(struct flow *flow, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void item(struct flow *flow, const char *format, ...)
{
    char text[ITEM_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!flow->fresh && flow->column + GAP + strlen(text) > flow->cols) {
        new_line(flow);
        char indent[LABEL + 1];
        (void)snprintf(indent, sizeof indent, "%*s", flow->cols < NARROW ? NARROW_INDENT : LABEL,
                       "");
        put(flow, indent);
    } else if (!flow->fresh) {
        put(flow, "  ");
    }
    flow->fresh = false;
    put(flow, text);
}

static void time_item(struct flow *flow, const char *name, struct dur_ns time)
{
    char text[LOAD_TIME_TEXT];
    load_time_text(time.ns, text);
    item(flow, "%s %s", name, text);
}

static void failure_row(struct flow *flow, const struct load_counts *total)
{
    begin_row(flow, "errors");
    if (load_counts_failed(total) == 0)
        item(flow, "no errors");
    for (int i = 0; i < LOAD_FAIL_COUNT; i++)
        if (total->failed[i] > 0)
            item(flow, "%s %" PRIu64, load_failure_name((enum load_failure)i), total->failed[i]);
}

/* Most wanted first: a terminal of few lines shows these. */
bool load_glance_text(struct base_buf *out, const struct load_glance *glance, unsigned cols,
                      unsigned lines)
{
    const struct load_interval *last = glance->last;
    struct flow flow = {.out = out, .cols = cols, .lines = lines};
    double length = base_dur_to_s(last->length);
    begin_row(&flow, "load");
    item(&flow, "%.1f of %.6gs", base_dur_to_s(glance->elapsed), base_dur_to_s(glance->duration));
    item(&flow, "rate %.1f/s", length > 0 ? (double)last->counts.sent / length : 0.0);
    item(&flow, "in flight %" PRIu64, last->in_flight);
    begin_row(&flow, "response");
    time_item(&flow, "p50", last->p50);
    time_item(&flow, "p99", last->p99);
    time_item(&flow, "max", last->max);
    failure_row(&flow, glance->total);
    begin_row(&flow, "requests");
    item(&flow, "ok %" PRIu64, glance->total->ok);
    item(&flow, "failed %" PRIu64, load_counts_failed(glance->total));
    item(&flow, "missed %" PRIu64, glance->total->missed);
    begin_row(&flow, "schedule");
    time_item(&flow, "late p99", last->late_p99);
    item(&flow, "phase %s", last->phase);
    return !out->failed;
}
