/* SPDX-License-Identifier: Apache-2.0 */
/* The summary that ends a run: what went wrong first, a line for each objective, ASCII, at most
 * LINE_MAX columns. */
#include <string.h>

#include "base/cleanup.h"
#include "escape.h"
#include "render.h"

enum { LINE_WIDTH = 110, STATUS_WIDTH = 13, SOURCE_WIDTH = 10, NAME_WIDTH_MAX = 32 };
static const size_t text_max = (size_t)1 << 20;

static const char *colour_of(enum view_tone tone, bool colour)
{
    static const char *const codes[] = {[VIEW_PLAIN] = "",
                                        [VIEW_GOOD] = "\x1b[32m",
                                        [VIEW_BAD] = "\x1b[31m",
                                        [VIEW_WARN] = "\x1b[33m"};
    return colour ? codes[tone] : "";
}

static void pad(struct base_buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)base_buf_char(out, ' ');
}

/* How much of text goes into room columns: up to a space, or all of them when there is none. */
static size_t fitting(const char *text, size_t room)
{
    size_t len = strlen(text);
    if (len <= room)
        return len;
    for (size_t at = room; at > 0; at--) {
        if (text[at] == ' ')
            return at;
    }
    return room;
}

/* Text from column on, broken at spaces; further lines begin at indent. Ends its line. */
static void wrapped(struct base_buf *out, const char *text, size_t column, size_t indent)
{
    BASE_AUTO_BUF struct base_buf plain;
    base_buf_init(&plain, text_max);
    escape_terminal(&plain, text);
    const char *at = plain.failed ? "(too long to show)" : plain.data;
    for (;;) {
        size_t len = fitting(at, LINE_WIDTH - column);
        (void)base_buf_append(out, at, len);
        (void)base_buf_char(out, '\n');
        at += len;
        at += strspn(at, " ");
        if (*at == '\0')
            return;
        pad(out, indent);
        column = indent;
    }
}

/* The first columns of a line; returns how many they are. */
static size_t line_head(struct base_buf *out, const char *status, enum view_tone tone, bool colour,
                        const char *source, const char *name, size_t name_width)
{
    BASE_AUTO_BUF struct base_buf plain;
    base_buf_init(&plain, text_max);
    escape_terminal(&plain, name);
    const char *shown = plain.failed ? "?" : plain.data;
    (void)base_buf_printf(out, "  %s%-*s%s%-*s", colour_of(tone, colour), STATUS_WIDTH, status,
                          colour ? "\x1b[0m" : "", SOURCE_WIDTH, source);
    size_t start = 2 + STATUS_WIDTH + SOURCE_WIDTH;
    size_t len = strlen(shown);
    if (len <= name_width) {
        (void)base_buf_printf(out, "%-*s  ", (int)name_width, shown);
    } else { /* the name has a line of its own */
        wrapped(out, shown, start, start);
        pad(out, start + name_width + 2);
    }
    return start + name_width + 2;
}

static void labelled(struct base_buf *out, const char *label, const char *text, size_t indent)
{
    pad(out, indent);
    (void)base_buf_str(out, label);
    wrapped(out, text, indent + strlen(label), indent + strlen(label));
}

static void objective(const struct view_objective *row, bool colour, size_t name_width,
                      struct base_buf *out)
{
    const struct verdict_objective *o = row->is;
    size_t indent = line_head(out, view_status_word(o->status), row->tone, colour,
                              verdict_source_name(o->source), o->name, name_width);
    wrapped(out, o->measured, indent, indent);
    /* What the abort left unjudged says so itself, a dozen times. */
    if (o->status == VERDICT_PASS || (o->reason == REASON_ABORTED && row->told))
        return;
    labelled(out, "expected: ", o->expected, indent);
    labelled(out, "reason: ", verdict_reason_name(o->reason), indent);
    if (o->advisory)
        labelled(out, "", "advisory: does not decide", indent);
}

static size_t name_width_of(const struct view *view, const struct plan *plan)
{
    size_t width = 4;
    for (size_t i = 0; i < view->objective_count; i++) {
        size_t len = strlen(view->objectives[i].is->name);
        width = len > width && len <= NAME_WIDTH_MAX ? len : width;
    }
    for (size_t i = 0; i < plan->skipped_count; i++) {
        size_t len = strlen(plan->skipped[i].name);
        width = len > width && len <= NAME_WIDTH_MAX ? len : width;
    }
    return width;
}

void render_terminal(const struct report *report, const struct view *view, bool colour,
                     struct base_buf *out)
{
    size_t width = name_width_of(view, &report->plan);
    (void)base_buf_str(out, colour_of(view->tone, colour));
    wrapped(out, view->headline, 0, 0);
    (void)base_buf_str(out, colour ? "\x1b[0m" : "");
    wrapped(out, view->facts, 0, 2);
    for (size_t i = 0; i < report->plan.skipped_count; i++) {
        size_t indent = line_head(out, "SKIPPED", VIEW_WARN, colour, "fault",
                                  report->plan.skipped[i].name, width);
        wrapped(out, "was NOT injected: this run says nothing about it", indent, indent);
    }
    for (size_t i = 0; i < view->objective_count; i++)
        objective(&view->objectives[i], colour, width, out);
}
