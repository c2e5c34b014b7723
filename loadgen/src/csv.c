/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "loadgen/adhoc.h"

/* Phases are words without commas and quotes (load_tag_word), so nothing has to be quoted. */
static int64_t end_of(const struct load_interval *in, struct mono_ns start)
{
    return base_mono_sub(base_mono_add(in->start_mono, in->length), start).ns;
}

static const struct {
    const char *name;
    size_t offset; /* of a uint64_t in struct load_counts */
} counts[] = {
    {"intended", offsetof(struct load_counts, intended)},
    {"sent", offsetof(struct load_counts, sent)},
    {"ok", offsetof(struct load_counts, ok)},
    {"missed", offsetof(struct load_counts, missed)},
    {"bytes_in", offsetof(struct load_counts, bytes_in)},
    {"bytes_out", offsetof(struct load_counts, bytes_out)},
};

static const struct {
    const char *name;
    size_t offset; /* of a struct dur_ns in struct load_interval */
} times[] = {
    {"response_p50_ns", offsetof(struct load_interval, p50)},
    {"response_p99_ns", offsetof(struct load_interval, p99)},
    {"response_max_ns", offsetof(struct load_interval, max)},
    {"late_p99_ns", offsetof(struct load_interval, late_p99)},
};
enum { COUNTS = sizeof counts / sizeof *counts, TIMES = sizeof times / sizeof *times };

bool load_csv_head(struct base_buf *out)
{
    base_buf_str(out, "end_s,start_unix_s,length_s,phase,in_flight");
    for (size_t i = 0; i < COUNTS; i++)
        base_buf_printf(out, ",%s", counts[i].name);
    for (size_t i = 0; i < TIMES; i++)
        base_buf_printf(out, ",%s", times[i].name);
    for (int i = 0; i < LOAD_FAIL_COUNT; i++)
        base_buf_printf(out, ",failed_%s", load_failure_name((enum load_failure)i));
    return base_buf_char(out, '\n');
}

/* From integers: printf's %f would follow the locale. */
static void append_seconds(struct base_buf *out, int64_t ns)
{
    base_buf_printf(out, "%" PRId64 ".%03d", ns / BASE_NS_PER_S,
                    (int)(ns % BASE_NS_PER_S / BASE_NS_PER_MS));
}

bool load_csv_row(struct base_buf *out, const struct load_interval *interval, struct mono_ns start)
{
    append_seconds(out, end_of(interval, start));
    base_buf_char(out, ',');
    append_seconds(out, interval->start.ns);
    base_buf_char(out, ',');
    append_seconds(out, interval->length.ns);
    base_buf_printf(out, ",%s,%" PRIu64, interval->phase, interval->in_flight);
    for (size_t i = 0; i < COUNTS; i++)
        base_buf_printf(out, ",%" PRIu64,
                        *(const uint64_t *)((const char *)&interval->counts + counts[i].offset));
    for (size_t i = 0; i < TIMES; i++)
        base_buf_printf(out, ",%" PRId64,
                        ((const struct dur_ns *)((const char *)interval + times[i].offset))->ns);
    for (int i = 0; i < LOAD_FAIL_COUNT; i++)
        base_buf_printf(out, ",%" PRIu64, interval->counts.failed[i]);
    return base_buf_char(out, '\n');
}
