/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The percentile table that HdrHistogram's plotter reads: a row wherever a recorded value reaches
 * the next percentile level, and levels that come closer as they near 100, five to each halving of
 * the distance that is left. Columns, widths and levels are those of the Java library's
 * outputPercentileDistribution.
 */
#include <inttypes.h>
#include <math.h>

#include "model/hlog.h"

static const double ticks_per_half_distance = 5;

static double next_level(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;
    return level + 100 / (ticks_per_half_distance * exp2(halvings));
}

static void append_rows(struct base_buf *out, const struct hdr *hdr, double ratio)
{
    int decimals = hdr->significant_figures;
    double level = 0;
    struct hdr_iter iter;
    hdr_iter_init(&iter, hdr);
    while (hdr_iter_next(&iter)) {
        bool last = iter.cumulative >= hdr->total;
        double reached = 100 * (double)iter.cumulative / (double)hdr->total;
        /* With very many values `reached` rounds to 100 before the last one, and then the levels
         * end where a double has none between one and the next. */
        while (reached >= level) {
            double next = next_level(level);
            (void)base_buf_printf(out, "%12.*f %2.12f %10" PRId64 " %14.2f\n", decimals,
                                  (double)iter.value / ratio, level / 100, iter.cumulative,
                                  1 / (1 - level / 100));
            if (last || !(next > level) || next >= 100)
                break;
            level = next;
        }
    }
    if (hdr->total > 0)
        (void)base_buf_printf(out, "%12.*f %2.12f %10" PRId64 "\n", decimals,
                              (double)iter.value / ratio, 1.0, iter.cumulative);
}

bool hgrm_write(struct base_buf *out, const struct hdr *hdr, double ratio)
{
    int decimals = hdr->significant_figures;
    (void)base_buf_printf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                          "1/(1-Percentile)");
    append_rows(out, hdr, ratio);
    (void)base_buf_printf(out, "#[Mean    = %12.*f, StdDeviation   = %12.*f]\n", decimals,
                          hdr_mean(hdr) / ratio, decimals, hdr_stddev(hdr) / ratio);
    (void)base_buf_printf(out, "#[Max     = %12.*f, Total count    = %12" PRId64 "]\n", decimals,
                          (double)hdr_max(hdr) / ratio, hdr->total);
    return base_buf_printf(out, "#[Buckets = %12" PRId32 ", SubBuckets     = %12" PRId32 "]\n",
                           hdr->bucket_count, hdr->sub_bucket_count);
}
