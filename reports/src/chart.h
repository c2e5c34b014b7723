/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charts: gnuplot draws SVG from numbers alone. No name of a phase, fault or route ever reaches
 * gnuplot, whose language can run programs: legends are the renderer's, matched by number. Colours
 * come out as CSS variables, so that one picture serves light and dark pages.
 */
#ifndef REPORTS_CHART_H
#define REPORTS_CHART_H

#include "reports/judge.h"

enum { CHART_COLOURS = 8 }; /* CSS variables --c1..--c8 */

struct chart_legend {
    char *text;
    int colour; /* 1..CHART_COLOURS; 0: a remark, nothing is drawn of it */
    bool area;  /* a shaded span with a number, not a line */
};

struct chart {
    const char *id; /* a word */
    const char *title;
    const char *note;
    struct chart_legend *legend;
    size_t legend_count;
    char *svg; /* NULL: not drawn */
    char *why; /* why not; NULL when drawn */
};

enum { CHART_COUNT = 3 };

/* Draws all charts; program is gnuplot's name or path. Never fails: what cannot be drawn says why.
 */
void chart_draw_all(const struct report *report, const char *program,
                    struct chart out[static CHART_COUNT]);
void chart_fini(struct chart *chart);

/* What gnuplot is told (chart_script.c). Appended to out; false when there is nothing to draw. */
bool chart_script_percentiles(const struct report *report, struct chart *chart,
                              struct base_buf *out);
bool chart_script_rate(const struct report *report, struct chart *chart, struct base_buf *out);
bool chart_script_latency(const struct report *report, struct chart *chart, struct base_buf *out);

/* gnuplot's output to what stands in the page: only the <svg> element, ids made its own by prefix,
 * marked colours replaced by CSS. NULL when there is no whole <svg> in it. free() it. */
char *chart_adapt_svg(const char *text, const char *prefix);

#endif
