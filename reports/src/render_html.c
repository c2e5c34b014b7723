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

static void head(const struct view *view, struct base_buf *out)
{
    (void)base_buf_str(out,
                       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                       "style-src 'unsafe-inline'\">\n<title>squall: ");
    escape_xml(out, view->headline);
    (void)base_buf_str(out, "</title>\n<style>\n");
    for (size_t i = 0; render_style[i] != NULL; i++)
        (void)base_buf_str(out, render_style[i]);
    (void)base_buf_printf(out, "</style>\n</head>\n<body>\n<header class=\"%s\">\n<h1>",
                          tone_class(view->tone));
    escape_xml(out, view->headline);
    (void)base_buf_str(out, "</h1>\n<p class=\"facts\">");
    escape_xml(out, view->facts);
    (void)base_buf_str(out, "</p>\n");
}

static void problem(const struct view_objective *p, struct base_buf *out)
{
    const struct verdict_objective *o = p->is;
    const struct {
        const char *label;
        const char *text;
    } lines[] = {{"Expected", o->expected},
                 {"Measured", o->measured},
                 {"Next", p->advice},
                 {"Also", p->also}};
    (void)base_buf_printf(out, "<div class=\"problem %s\">\n<h3><span class=\"tag\">%s</span> ",
                          tone_class(p->tone), view_status_word(o->status));
    escape_xml(out, o->name);
    (void)base_buf_printf(out, " <span class=\"dim\">%s, %s</span></h3>\n<dl>",
                          verdict_source_name(o->source), verdict_reason_name(o->reason));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i].text == NULL)
            continue;
        (void)base_buf_printf(out, "<dt>%s</dt><dd>", lines[i].label);
        escape_xml(out, lines[i].text);
        (void)base_buf_str(out, "</dd>");
    }
    (void)base_buf_str(out, "</dl>\n</div>\n");
}

static void problems(const struct view *view, struct base_buf *out)
{
    if (view->problem_count == 0)
        return;
    (void)base_buf_str(out, "<section id=\"not-met\" class=\"long\">\n<h2>What was not met</h2>\n");
    for (size_t i = 0; i < view->problem_count; i++) {
        if (!view->objectives[i].told)
            problem(&view->objectives[i], out);
    }
    (void)base_buf_str(out, "</section>\n");
}

static void tiles(const struct view *view, struct base_buf *out)
{
    if (view->tile_count == 0)
        return;
    (void)base_buf_str(out, "<ul class=\"tiles\">\n");
    for (size_t i = 0; i < view->tile_count; i++) {
        const struct view_tile *tile = &view->tiles[i];
        (void)base_buf_printf(out, "<li class=\"%s\">%s<b>", tone_class(tile->tone), tile->label);
        escape_xml(out, tile->value);
        (void)base_buf_str(out, "</b><span>");
        escape_xml(out, tile->detail);
        (void)base_buf_str(out, "</span></li>\n");
    }
    (void)base_buf_str(out, "</ul>\n");
}

/* The class of a column's cells. */
static const char *kind_class(enum view_kind kind)
{
    static const char *const classes[] = {
        [VIEW_WORD] = "word", [VIEW_NUMBER] = "num", [VIEW_NAME] = "name", [VIEW_TEXT] = "text"};
    return classes[kind];
}

static void table_row(const struct view_table *t, const struct view_row *row, struct base_buf *out)
{
    (void)base_buf_str(out, "<tr>");
    for (size_t i = 0; i < t->column_count; i++) {
        bool tag = i == 0 && row->tone != VIEW_PLAIN;
        (void)base_buf_printf(out, "<td class=\"%s%s%s\">%s", kind_class(t->columns[i].kind),
                              tag ? " " : "", tag ? tone_class(row->tone) : "",
                              tag ? "<span class=\"tag\">" : "");
        escape_xml(out, row->cells[i]);
        (void)base_buf_str(out, tag ? "</span></td>" : "</td>");
    }
    (void)base_buf_str(out, "</tr>\n");
}

/* A box that scrolls must be reached by keyboard too: tabindex. */
static void table(const struct view_table *t, struct base_buf *out)
{
    enum { SHORT_ROWS = 12 };
    (void)base_buf_printf(out, "<section id=\"%s\"%s>\n<h2>%s</h2>\n", t->id,
                          t->row_count > SHORT_ROWS ? " class=\"long\"" : "", t->title);
    if (t->note != NULL) {
        (void)base_buf_str(out, "<p class=\"dim\">");
        escape_xml(out, t->note);
        (void)base_buf_str(out, "</p>\n");
    }
    (void)base_buf_printf(out,
                          "<div class=\"scroll\" role=\"region\" aria-label=\"%s\" "
                          "tabindex=\"0\"><table>\n<thead><tr>",
                          t->title);
    for (size_t i = 0; i < t->column_count; i++)
        (void)base_buf_printf(out, "<th scope=\"col\" class=\"%s\">%s</th>",
                              kind_class(t->columns[i].kind), t->columns[i].title);
    (void)base_buf_str(out, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < t->row_count; r++)
        table_row(t, &t->rows[r], out);
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
        else if (l->colour > 0)
            (void)base_buf_printf(out, "<li><span class=\"key k%d\"></span>", l->colour);
        else
            (void)base_buf_str(out, "<li>");
        escape_xml(out, l->text);
        (void)base_buf_str(out, "</li>\n");
    }
    (void)base_buf_str(out, "</ul>\n<div class=\"scroll\" role=\"img\" aria-label=\"");
    escape_xml(out, c->title);
    (void)base_buf_str(out, "\">");
    (void)base_buf_str(out, c->svg);
    (void)base_buf_str(out, "</div>\n</figure>\n</section>\n");
}

static void table_of_id(const struct view *view, const char *id, struct base_buf *out)
{
    for (size_t i = 0; i < view->table_count; i++) {
        if (view->tables[i].row_count > 0 && strcmp(view->tables[i].id, id) == 0)
            table(&view->tables[i], out);
    }
}

static void chart_of_id(const struct chart charts[static CHART_COUNT], const char *id,
                        struct base_buf *out)
{
    for (int i = 0; i < CHART_COUNT; i++) {
        if (strcmp(charts[i].id, id) == 0)
            chart(&charts[i], out);
    }
}

/* In the order in which somebody asks who was woken by it. */
static void parts(const struct view *view, const struct chart charts[static CHART_COUNT],
                  struct base_buf *out)
{
    static const struct {
        const char *id;
        bool chart;
    } order[] = {{"faults", false},   {"gates", false},       {"arrivals", false},
                 {"rate", true},      {"latency", true},      {"objectives", false},
                 {"slos", false},     {"reconcile", false},   {"percentiles", true},
                 {"load", false},     {"fault-times", false}, {"fault-evidence", false},
                 {"timeline", false}, {"probes", false},      {"queries", false},
                 {"evidence", false}};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (order[i].chart)
            chart_of_id(charts, order[i].id, out);
        else
            table_of_id(view, order[i].id, out);
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
    problems(view, out);
    tiles(view, out);
    parts(view, charts, out);
    if (report->scenario != NULL)
        folded_text("scenario.yaml", report->scenario, out);
    (void)base_buf_str(out, "</main>\n</body>\n</html>\n");
}
