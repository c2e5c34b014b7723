/* SPDX-License-Identifier: Apache-2.0 */
/* Histogram logs: .hlog version 1.3 (intervals with tags) and .hgrm (percentile table). */
#ifndef MODEL_HLOG_H
#define MODEL_HLOG_H

#include "base/clock.h"
#include "model/hdr.h"

/* One line. Start and length in seconds of the log's clock (start is epoch seconds here). */
struct hlog_entry {
    const char *tag; /* NULL: untagged; valid while the callback runs */
    double start;
    double length;
    double max;     /* the text's own maximum, in units of value/ratio (ms at ratio 1e6) */
    struct hdr hdr; /* valid while the callback runs */
    size_t line;
    const char *text; /* the histogram's own text, inside what is being read */
    size_t text_len;
};

/* Appends header lines: version, StartTime, legend. */
bool hlog_write_header(struct base_buf *out, struct wall_ns start);
/* tag must not hold a comma, space or newline (BASE_INVALID). ns values, ratio 1e6 for max. */
bool hlog_write_entry(struct base_buf *out, const char *tag, struct wall_ns start,
                      struct dur_ns length, const struct hdr *hdr, struct base_error *err);
/* Calls on_entry for each line in order, until it returns false. Accepts comments, a missing
 * legend, and BaseTime lines; damage is BASE_CORRUPT with the line number. start_time (epoch
 * seconds of the header, 0 when absent) may be NULL. */
bool hlog_read(const char *text, size_t len, double *start_time,
               bool (*on_entry)(void *ctx, struct hlog_entry *entry), void *ctx,
               struct base_error *err);
/* The same, and damage is told as "name:line: ". */
bool hlog_read_named(const char *name, const char *text, size_t len, double *start_time,
                     bool (*on_entry)(void *ctx, struct hlog_entry *entry), void *ctx,
                     struct base_error *err);

/* The percentile table of HdrHistogram's outputPercentileDistribution: 5 ticks per half distance,
 * values divided by ratio. */
bool hgrm_write(struct base_buf *out, const struct hdr *hdr, double ratio);

#endif
