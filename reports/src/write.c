/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "manifest.h"
#include "render.h"
#include "reports/report.h"

static const size_t output_max = (size_t)256 << 20;

/* Everything that is rendered from one report. */
struct rendering {
    const struct report *report;
    const struct verdict *verdict;
    const struct view *view;
    const struct chart *charts;
};

static void put_verdict(const struct rendering *r, struct base_buf *out)
{
    render_verdict(r->report, r->verdict, out);
}
static void put_markdown(const struct rendering *r, struct base_buf *out)
{
    render_markdown(r->view, out);
}
static void put_html(const struct rendering *r, struct base_buf *out)
{
    render_html(r->report, r->view, r->charts, out);
}
static void put_junit(const struct rendering *r, struct base_buf *out)
{
    render_junit(r->report, r->verdict, out);
}

/* The verdict first: on a disk with little room left it is what counts. */
const char *const report_output_names[] = {"verdict.json", "junit.xml", "report.md", "report.html",
                                           NULL};
static void (*const outputs[])(const struct rendering *r, struct base_buf *out) = {
    put_verdict, put_junit, put_markdown, put_html};
enum { OUTPUT_COUNT = sizeof outputs / sizeof outputs[0] };

static bool write_output(const char *run_dir, size_t which, const struct rendering *r,
                         struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, output_max);
    outputs[which](r, &text);
    BASE_AUTO_FREE char *path = base_str_printf("%s/%s", run_dir, report_output_names[which]);
    if (text.failed)
        return base_fail(err, BASE_LIMIT, "%s would be larger than %zu bytes", path, output_max);
    return base_file_write(path, text.data, text.len, 0644, err);
}

static bool write_all(const char *run_dir, const struct rendering *r, bool keep_seal,
                      struct base_error *err)
{
    for (size_t i = 0; i < OUTPUT_COUNT; i++) {
        if (!write_output(run_dir, i, r, err))
            return false;
    }
    return manifest_write(run_dir, keep_seal ? report_output_names : NULL, err);
}

bool report_write(const char *run_dir, const struct report_options *options, struct verdict *out,
                  struct base_error *err)
{
    static const struct report_options none = {0};
    const struct report_options *opt = options == NULL ? &none : options;
    struct report report = {0};
    if (!report_read(run_dir, &report, err))
        return false;
    struct verdict verdict = {0};
    struct view view = {0};
    struct chart charts[CHART_COUNT] = {0};
    report_judge(&report, &verdict);
    view_build(&report, &verdict, &view);
    chart_draw_all(&report, opt->gnuplot == NULL ? "gnuplot" : opt->gnuplot, charts);
    if (opt->terminal != NULL)
        render_terminal(&report, &view, opt->colour, opt->terminal);
    struct rendering rendering = {&report, &verdict, &view, charts};
    bool ok = write_all(run_dir, &rendering, opt->keep_seal, err);
    for (int i = 0; i < CHART_COUNT; i++)
        chart_fini(&charts[i]);
    view_fini(&view);
    report_fini(&report);
    if (ok)
        *out = verdict;
    else
        verdict_fini(&verdict);
    return ok || base_fail_context(err, "report of %s", run_dir);
}
