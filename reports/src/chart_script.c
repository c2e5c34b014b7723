/* SPDX-License-Identifier: Apache-2.0 */
/* gnuplot scripts: numbers and our own words only. Marked colours (#0101xx, #0200xx) are replaced
 * in chart.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "chart.h"

static void legend(struct chart *chart, char *text, int colour, bool area)
{
    chart->legend =
        base_reallocarray(chart->legend, chart->legend_count + 1, sizeof *chart->legend);
    chart->legend[chart->legend_count++] =
        (struct chart_legend){.text = text, .colour = colour, .area = area};
}

static void head(struct base_buf *out, const char *x, const char *y)
{
    (void)base_buf_printf(out,
                          "set terminal svg size 860,340 dynamic font 'sans-serif,13' "
                          "background rgb '#010104'\n"
                          "set encoding utf8\n"
                          "set border 3 lc rgb '#010101'\n"
                          "set tics nomirror textcolor rgb '#010101'\n"
                          "set grid lt 1 lc rgb '#010102' dt 1\n"
                          "set xlabel '%s' textcolor rgb '#010101'\n"
                          "set ylabel '%s' textcolor rgb '#010101'\n"
                          "unset key\n",
                          x, y);
}

/* A round number not below value. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    static const double steps[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (value <= steps[i] * power * (1 + 1e-9))
            return steps[i] * power;
    }
    return 10 * power;
}

static double ms_of(int64_t ns)
{
    return (double)ns / (double)BASE_NS_PER_MS;
}

/* Latencies spread over decades; the axis covers whole ones, so that gnuplot has nothing to warn
 * of. */
static void log_range(struct base_buf *out, double least, double most)
{
    double low = pow(10, floor(log10(least > 0 ? least : 1e-3)));
    double high = pow(10, ceil(log10(most > low ? most : low * 10) + 1e-9));
    (void)base_buf_printf(out, "set logscale y\nset format y '%%g'\nset yrange [%.9g:%.9g]\n", low,
                          high > low ? high : low * 10);
}

/* --- percentiles --- */

struct span {
    double x_max; /* log10 1/(1-p) */
    double y_min;
    double y_max;
};

/* One block of points: 1/(1-p) of the responses at or below v, and v: a step function, as a
 * histogram holds no more. The last bucket, where p is 1, ends where the largest of so many is
 * expected, at 1 - 1/2n, so that a single response is seen too. Points nearer than a hundredth of a
 * decade cannot be told apart. */
static void percentile_block(const struct hdr *hdr, size_t number, struct base_buf *out,
                             struct span *span)
{
    struct hdr_iter iter;
    double last_x = -1;
    (void)base_buf_printf(out, "$d%zu << EOD\n", number);
    hdr_iter_init(&iter, hdr);
    while (hdr_iter_next(&iter)) {
        bool end = iter.cumulative >= hdr->total;
        double rest = end ? 0.5 : (double)(hdr->total - iter.cumulative);
        double x = log10((double)hdr->total / rest);
        double y = ms_of(iter.value > 0 ? iter.value : 1);
        if (!end && last_x >= 0 && x - last_x < 0.01)
            continue;
        if (last_x < 0)
            (void)base_buf_printf(out, "0 %.6g\n", y);
        last_x = x;
        (void)base_buf_printf(out, "%.6g %.6g\n", x, y);
        span->x_max = x > span->x_max ? x : span->x_max;
        span->y_max = y > span->y_max ? y : span->y_max;
        span->y_min = y < span->y_min ? y : span->y_min;
    }
    (void)base_buf_str(out, "EOD\n");
}

static void percentile_axis(struct base_buf *out, double x_max)
{
    double whole = ceil(x_max > 1 ? x_max : 1);
    static const char *const tics = /* labels of tics are formats: %% is a per cent sign */
        "set xtics ('0' 0, '50%%' 0.30103, '90%%' 1, '99%%' 2, '99.9%%' 3, '99.99%%' 4, "
        "'99.999%%' 5, '99.9999%%' 6, '99.99999%%' 7, '99.999999%%' 8, '99.9999999%%' 9)\n";
    (void)base_buf_str(out, tics);
    (void)base_buf_printf(out, "set xrange [0:%.9g]\n", whole);
}

static void plot_blocks(struct base_buf *out, const char *with, const int *colours, size_t count)
{
    (void)base_buf_str(out, "plot ");
    for (size_t i = 0; i < count; i++)
        (void)base_buf_printf(out, "%s$d%zu using 1:2 with %s lw 2 lc rgb '#02000%d'",
                              i > 0 ? ", " : "", i, with, colours[i]);
    (void)base_buf_str(out, "\n");
}

bool chart_script_percentiles(const struct report *report, struct chart *chart,
                              struct base_buf *out)
{
    struct span span = {.y_min = (double)INFINITY};
    int colours[CHART_COLOURS];
    size_t count = 0;
    size_t undrawn = 0;
    head(out, "percentile", "response time (ms)");
    for (size_t i = 0; i <= report->phase_count; i++) {
        const char *phase = i == 0 ? NULL : report->phases[i - 1].name;
        struct hdr hdr = {0};
        if (i > 0 && !report_phase_is_new(report, i - 1))
            continue;
        bool any = report_histogram(report, phase, NULL, "response", &hdr, NULL) && hdr.total > 0;
        undrawn += any && count == CHART_COLOURS ? 1 : 0;
        if (any && count < CHART_COLOURS) {
            percentile_block(&hdr, count, out, &span);
            colours[count] = (int)count + 1;
            legend(chart, base_str_dup(phase == NULL ? "whole run" : phase), colours[count], false);
            count++;
        }
        hdr_fini(&hdr);
    }
    if (count == 0)
        return false;
    if (undrawn > 0)
        legend(chart, base_str_printf("%zu more phases: see Load and latency", undrawn), 0, false);
    percentile_axis(out, span.x_max);
    log_range(out, span.y_min, span.y_max);
    plot_blocks(out, "fsteps", colours, count);
    return true;
}

/* --- over time --- */

static double since_start(const struct report *report, struct wall_ns at)
{
    return (double)(at.ns - report->course.load_start.ns) / (double)BASE_NS_PER_S;
}

static double time_end(const struct report *report)
{
    double end = 0;
    for (size_t i = 0; i < report->load.interval_count; i++) {
        const struct load_interval *interval = &report->load.intervals[i];
        double at = since_start(report, interval->start) + base_dur_to_s(interval->length);
        end = at > end ? at : end;
    }
    return end;
}

/* Faults as shaded spans with their numbers. One that was never seen to go is drawn to the end. */
static void shade_faults(const struct report *report, struct chart *chart, struct base_buf *out,
                         double end)
{
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *fault = &report->faults[i];
        if (fault->applied_at.ns == 0)
            continue;
        double from = since_start(report, fault->applied_at);
        double to = fault->gone_at.ns == 0 ? end : since_start(report, fault->gone_at);
        from = fmin(fmax(from, 0), end);
        to = fmin(fmax(to, from), end);
        (void)base_buf_printf(out,
                              "set object %zu rectangle from %.6f,graph 0 to %.6f,graph 1 "
                              "fc rgb '#010103' fillstyle solid 1 noborder behind\n"
                              "set label %zu '%zu' at %.6f,graph 0.94 center "
                              "textcolor rgb '#010101'\n",
                              i + 1, from, to, i + 1, i + 1, (from + to) / 2);
        legend(chart, base_str_printf("%zu: %s", i + 1, fault->name), 1, true);
    }
}

static void time_axis(struct base_buf *out, double end)
{
    (void)base_buf_printf(out, "set xrange [0:%.6f]\n", end > 0 ? end : 1);
}

bool chart_script_rate(const struct report *report, struct chart *chart, struct base_buf *out)
{
    static const char *const names[] = {"due", "succeeded", "failed or missed"};
    static const int colours[] = {4, 1, 2};
    enum { LINES = 3 };
    double most = 1;
    double end = time_end(report);
    if (report->load.interval_count == 0)
        return false;
    head(out, "seconds since the load began", "requests a second");
    for (size_t line = 0; line < LINES; line++) {
        (void)base_buf_printf(out, "$d%zu << EOD\n", line);
        for (size_t i = 0; i < report->load.interval_count; i++) {
            const struct load_interval *at = &report->load.intervals[i];
            double length = base_dur_to_s(at->length);
            const double counts[LINES] = {
                (double)at->counts.intended, (double)at->counts.ok,
                (double)(load_counts_failed(&at->counts) + at->counts.missed)};
            double rate = length > 0 ? counts[line] / length : 0;
            (void)base_buf_printf(out, "%.6f %.6g\n", since_start(report, at->start) + length / 2,
                                  rate);
            most = rate > most ? rate : most;
        }
        (void)base_buf_str(out, "EOD\n");
        legend(chart, base_str_dup(names[line]), colours[line], false);
    }
    shade_faults(report, chart, out, end);
    time_axis(out, end);
    (void)base_buf_printf(out, "set yrange [0:%.9g]\n", round_up(most * 1.02));
    plot_blocks(out, "lines", colours, LINES);
    return true;
}

/* One point in time of the curves: p50, p99 and maximum of what belongs there. */
enum { LATENCY_LINES = 3 };
struct latency_at {
    double x;
    int64_t ns[LATENCY_LINES];
};

static struct latency_at point_at(const struct report *report, struct wall_ns start,
                                  struct dur_ns length, struct dur_ns p50, struct dur_ns p99,
                                  struct dur_ns max)
{
    return (struct latency_at){since_start(report, start) + base_dur_to_s(length) / 2,
                               {p50.ns, p99.ns, max.ns}};
}

/* By when requests were due; of a log that does not tell it, by when they ended. */
static size_t latency_points(const struct report *report, struct latency_at **out)
{
    size_t count = 0;
    struct latency_at *points =
        base_calloc(2 * report->due_count + report->load.interval_count + 1, sizeof *points);
    for (size_t i = 0; i < report->due_count; i++) {
        const struct report_due *at = &report->due[i];
        if (i > 0 && at->start.ns - report->due[i - 1].start.ns > at->length.ns * 3 / 2)
            points[count++] = (struct latency_at){.x = since_start(report, at->start)}; /* a gap */
        points[count++] = point_at(report, at->start, at->length, at->p50, at->p99, at->max);
    }
    for (size_t i = 0; report->due_count == 0 && i < report->load.interval_count; i++) {
        const struct load_interval *at = &report->load.intervals[i];
        points[count++] = point_at(report, at->start, at->length, at->p50, at->p99, at->max);
    }
    *out = points;
    return count;
}

bool chart_script_latency(const struct report *report, struct chart *chart, struct base_buf *out)
{
    static const char *const names[] = {"p50", "p99", "maximum"};
    static const int colours[] = {1, 3, 2};
    double most = 0;
    double least = (double)INFINITY;
    double end = time_end(report);
    struct latency_at *points;
    size_t count = latency_points(report, &points);
    end =
        count > 0 ? fmax(end, points[count - 1].x) : end; /* of the grid the last goes beyond it */
    chart->note =
        report->due_count > 0
            ? "Response time of the requests that were due in each interval, whenever they "
              "ended. Shaded: as above."
            : "Response time of the requests that ended in each interval. Shaded: as above.";
    head(out, "seconds since the load began", "response time (ms)");
    for (size_t line = 0; line < LATENCY_LINES; line++) {
        (void)base_buf_printf(out, "$d%zu << EOD\n", line);
        for (size_t i = 0; i < count; i++) {
            double y = ms_of(points[i].ns[line]);
            if (!(y > 0)) { /* there is none: an empty line breaks the curve */
                (void)base_buf_str(out, "\n");
                continue;
            }
            (void)base_buf_printf(out, "%.6f %.6g\n", points[i].x, y);
            most = y > most ? y : most;
            least = y < least ? y : least;
        }
        (void)base_buf_str(out, "EOD\n");
        legend(chart, base_str_dup(names[line]), colours[line], false);
    }
    free(points);
    if (!(most > 0))
        return false;
    shade_faults(report, chart, out, end);
    time_axis(out, end);
    log_range(out, least, most);
    plot_blocks(out, "lines", colours, LATENCY_LINES);
    return true;
}
