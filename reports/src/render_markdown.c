/* SPDX-License-Identifier: Apache-2.0 */
/* report.md: the tables in GitHub's Markdown, cut to what a step summary may hold. */
#include "base/cleanup.h"
#include "escape.h"
#include "render.h"

enum { CELL_MAX = 400, ROWS_MAX = 400, ROOM_FOR_NOTES = 4096 };

static void cells(struct base_buf *out, char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)base_buf_str(out, "| ");
        escape_md(out, texts[i], CELL_MAX);
        (void)base_buf_char(out, ' ');
    }
    (void)base_buf_str(out, "|\n");
}

static void table(const struct view_table *t, struct base_buf *out)
{
    (void)base_buf_printf(out, "\n## %s\n\n", t->title);
    if (t->note != NULL)
        (void)base_buf_printf(out, "%s\n\n", t->note);
    for (size_t i = 0; i < t->column_count; i++)
        (void)base_buf_printf(out, "| %s ", t->columns[i].title);
    (void)base_buf_str(out, "|\n");
    for (size_t i = 0; i < t->column_count; i++)
        (void)base_buf_str(out, t->columns[i].kind == VIEW_NUMBER ? "| ---: " : "| --- ");
    (void)base_buf_str(out, "|\n");
    for (size_t i = 0; i < t->row_count && i < ROWS_MAX; i++)
        cells(out, t->rows[i].cells, t->column_count);
    if (t->row_count > ROWS_MAX)
        (void)base_buf_printf(out, "\n%zu more rows are in report.html.\n",
                              t->row_count - ROWS_MAX);
}

static void problems(const struct view *view, struct base_buf *out)
{
    for (size_t i = 0; i < view->problem_count && i < ROWS_MAX; i++) {
        const struct verdict_objective *o = view->objectives[i].is;
        if (view->objectives[i].told)
            continue;
        (void)base_buf_printf(out, "%s- **%s** %s **", i == 0 ? "\n" : "",
                              view_status_word(o->status), verdict_source_name(o->source));
        escape_md(out, o->name, CELL_MAX);
        (void)base_buf_str(out, "**: ");
        escape_md(out, o->measured, CELL_MAX);
        (void)base_buf_str(out, " (expected: ");
        escape_md(out, o->expected, CELL_MAX);
        (void)base_buf_printf(out, "). %s", view->objectives[i].advice);
        (void)base_buf_str(out, view->objectives[i].also == NULL ? "" : " Also: ");
        escape_md(out, view->objectives[i].also, CELL_MAX);
        (void)base_buf_char(out, '\n');
    }
}

static void tiles(const struct view *view, struct base_buf *out)
{
    for (size_t i = 0; i < view->tile_count; i++) {
        (void)base_buf_printf(out, "%s- %s: **", i == 0 ? "\n" : "", view->tiles[i].label);
        escape_md(out, view->tiles[i].value, CELL_MAX);
        (void)base_buf_str(out, "** ");
        escape_md(out, view->tiles[i].detail, CELL_MAX);
        (void)base_buf_char(out, '\n');
    }
}

void render_markdown(const struct view *view, struct base_buf *out)
{
    (void)base_buf_str(out, "# squall: ");
    escape_md(out, view->headline, CELL_MAX);
    (void)base_buf_str(out, "\n\n");
    escape_md(out, view->facts, 2L * CELL_MAX);
    (void)base_buf_char(out, '\n');
    problems(view, out);
    tiles(view, out);
    for (size_t i = 0; i < view->table_count; i++) {
        if (view->tables[i].row_count == 0)
            continue;
        BASE_AUTO_BUF struct base_buf text;
        size_t room = RENDER_MARKDOWN_MAX - ROOM_FOR_NOTES;
        base_buf_init(&text, room > out->len ? room - out->len : 0);
        table(&view->tables[i], &text);
        if (text.failed)
            (void)base_buf_printf(out, "\n## %s\n\nToo large for this page: see report.html.\n",
                                  view->tables[i].title);
        else
            (void)base_buf_append(out, text.data, text.len);
    }
}
