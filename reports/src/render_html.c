/* SPDX-License-Identifier: Apache-2.0 */
/* report.html: one file, no scripts, nothing loaded from elsewhere (its policy forbids it). */
#include <string.h>

#include "escape.h"
#include "render.h"

static const char *tone_class(enum view_tone tone)
{
    static const char *const classes[] = {
        [VIEW_PLAIN] = "plain", [VIEW_GOOD] = "good", [VIEW_BAD] = "bad", [VIEW_WARN] = "warn"};
    return classes[tone];
}

/* Colours: contrast of at least 4.5 with the background in both themes; no state is told by colour
 * alone. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d8dee4;"
    "--grid:#dfe3e8;--shade:#fbe3c8;--good:#116329;--bad:#b3261e;--warn:#8a4b00;--card:#f6f8fa;"
    "--c1:#0550ae;--c2:#c4320a;--c3:#7a3e9d;--c4:#6e7781;--c5:#116329;--c6:#9a6700;--c7:#0b7285;"
    "--c8:#a61e6b}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0f141a;--fg:#e6edf3;--dim:#9aa5b1;"
    "--line:#30363d;--grid:#2a313a;--shade:#4a3218;--good:#56d364;--bad:#ff7b72;--warn:#e3b341;"
    "--card:#171d24;--c1:#79c0ff;--c2:#ff9b70;--c3:#d2a8ff;--c4:#8b949e;--c5:#7ee787;--c6:#e3b341;"
    "--c7:#66d9e8;--c8:#ff8cc6}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--bg);"
    "color:var(--fg);font:15px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:.2rem 0;overflow-wrap:anywhere}h2{font-size:1.15rem;"
    "margin:1.6rem 0 .4rem}p{margin:.3rem 0;overflow-wrap:anywhere}.dim{color:var(--dim)}\n"
    "header{border-left:.5rem solid var(--line);padding:.4rem .8rem;background:var(--card)}"
    "header.good{border-color:var(--good)}header.bad{border-color:var(--bad)}"
    "header.warn{border-color:var(--warn)}\n"
    ".scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}table{border-collapse:collapse;"
    "width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:600;"
    "white-space:nowrap}td{min-width:4rem;max-width:32rem;overflow-wrap:anywhere}\n"
    "td.good,.good h1{color:var(--good)}td.bad,.bad h1{color:var(--bad)}"
    "td.warn,.warn h1{color:var(--warn)}td.good,td.bad,td.warn{font-weight:600}\n"
    "figure{margin:.4rem 0}figure svg{display:block;width:100%;min-width:34rem;height:auto}"
    "ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.3rem 0}"
    ".key{display:inline-block;width:1.2rem;height:.25rem;margin-right:.4rem;"
    "vertical-align:middle}.area{height:.9rem;background:var(--shade)}\n"
    ".k1{background:var(--c1)}.k2{background:var(--c2)}.k3{background:var(--c3)}"
    ".k4{background:var(--c4)}.k5{background:var(--c5)}.k6{background:var(--c6)}"
    ".k7{background:var(--c7)}.k8{background:var(--c8)}\n"
    "pre{overflow-x:auto;background:var(--card);padding:.6rem}summary{cursor:pointer}\n"
    "@media print{details{display:none}}\n";

static void head(const struct view *view, struct base_buf *out)
{
    (void)base_buf_str(out,
                       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                       "style-src 'unsafe-inline'\">\n<title>squall: ");
    escape_xml(out, view->headline);
    (void)base_buf_printf(
        out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<header class=\"%s\">\n<h1>", style,
        tone_class(view->tone));
    escape_xml(out, view->headline);
    (void)base_buf_str(out, "</h1>\n<p>");
    escape_xml(out, view->facts);
    (void)base_buf_str(out, "</p>\n");
}

static void table(const struct view_table *t, struct base_buf *out)
{
    (void)base_buf_printf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", t->id, t->title);
    if (t->note != NULL)
        (void)base_buf_printf(out, "<p class=\"dim\">%s</p>\n", t->note);
    (void)base_buf_str(out, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (size_t i = 0; i < t->column_count; i++)
        (void)base_buf_printf(out, "<th scope=\"col\">%s</th>", t->columns[i]);
    (void)base_buf_str(out, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < t->row_count; r++) {
        (void)base_buf_str(out, "<tr>");
        for (size_t i = 0; i < t->column_count; i++) {
            (void)base_buf_printf(out, i == 0 ? "<td class=\"%s\">" : "<td>",
                                  tone_class(t->rows[r].tone));
            escape_xml(out, t->rows[r].cells[i]);
            (void)base_buf_str(out, "</td>");
        }
        (void)base_buf_str(out, "</tr>\n");
    }
    (void)base_buf_str(out, "</tbody>\n</table></div>\n</section>\n");
}

static void chart(const struct chart *c, struct base_buf *out)
{
    (void)base_buf_printf(out, "<section id=\"chart-%s\">\n<h2>%s</h2>\n", c->id, c->title);
    if (c->svg == NULL) {
        (void)base_buf_str(out, "<p class=\"missing\">");
        escape_xml(out, c->why);
        (void)base_buf_str(out, "</p>\n</section>\n");
        return;
    }
    (void)base_buf_printf(out, "<p class=\"dim\">%s</p>\n<figure>\n<ul class=\"legend\">\n",
                          c->note);
    for (size_t i = 0; i < c->legend_count; i++) {
        const struct chart_legend *l = &c->legend[i];
        if (l->area)
            (void)base_buf_str(out, "<li><span class=\"key area\"></span>");
        else
            (void)base_buf_printf(out, "<li><span class=\"key k%d\"></span>", l->colour);
        escape_xml(out, l->text);
        (void)base_buf_str(out, "</li>\n");
    }
    (void)base_buf_str(out, "</ul>\n<div class=\"scroll\" role=\"img\" aria-label=\"");
    escape_xml(out, c->title);
    (void)base_buf_str(out, "\">");
    (void)base_buf_str(out, c->svg);
    (void)base_buf_str(out, "</div>\n</figure>\n</section>\n");
}

static bool before_charts(const struct view_table *t)
{
    static const char *const ids[] = {"objectives", "faults", "fault-evidence", "slos",
                                      "reconcile"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (strcmp(t->id, ids[i]) == 0)
            return true;
    }
    return false;
}

static void tables(const struct view *view, bool first_half, struct base_buf *out)
{
    for (size_t i = 0; i < view->table_count; i++) {
        if (view->tables[i].row_count > 0 && before_charts(&view->tables[i]) == first_half)
            table(&view->tables[i], out);
    }
}

static void folded_text(const char *title, const char *text, struct base_buf *out)
{
    (void)base_buf_printf(out, "<details>\n<summary>%s</summary>\n<pre>", title);
    escape_xml(out, text);
    (void)base_buf_str(out, "</pre>\n</details>\n");
}

void render_html(const struct report *report, const struct view *view,
                 const struct chart charts[static CHART_COUNT], struct base_buf *out)
{
    head(view, out);
    if (report->have_plan && report->plan.description != NULL &&
        report->plan.description[0] != '\0') {
        (void)base_buf_str(out, "<p>");
        escape_xml(out, report->plan.description);
        (void)base_buf_str(out, "</p>\n");
    }
    (void)base_buf_str(out, "</header>\n<main>\n");
    tables(view, true, out);
    for (int i = 0; i < CHART_COUNT; i++)
        chart(&charts[i], out);
    tables(view, false, out);
    if (report->scenario != NULL)
        folded_text("scenario.yaml", report->scenario, out);
    (void)base_buf_str(out, "</main>\n</body>\n</html>\n");
}
