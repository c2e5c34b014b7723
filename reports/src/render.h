/* SPDX-License-Identifier: Apache-2.0 */
/* Renderers: pure, bytes appended to out. The caller checks out->failed once. */
#ifndef REPORTS_RENDER_H
#define REPORTS_RENDER_H

#include "chart.h"
#include "view.h"

/* GitHub takes 1 MiB for a step summary and shows nothing of a larger one. */
enum { RENDER_MARKDOWN_MAX = 1000 * 1000 };

extern const char
    *const report_output_names[]; /* of what is rendered into files; NULL-terminated */

void render_terminal(const struct report *report, const struct view *view, bool colour,
                     struct base_buf *out);
void render_markdown(const struct view *view, struct base_buf *out);
void render_html(const struct report *report, const struct view *view,
                 const struct chart charts[static CHART_COUNT], struct base_buf *out);
/* The page's style sheet, in parts, NULL at the end (html_style.c). */
extern const char *const render_style[];
void render_junit(const struct report *report, const struct verdict *verdict, struct base_buf *out);
/* verdict.json: struct verdict, and beside it the raw numbers of each SLO and the state of each
 * file of the evidence. */
void render_verdict(const struct report *report, const struct verdict *verdict,
                    struct base_buf *out);

#endif
