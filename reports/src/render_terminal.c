/* SPDX-License-Identifier: Apache-2.0 */
/* The summary that ends a run: a line for each objective, then what to look at. */
#include "escape.h"
#include "render.h"

static const char *colour_of(enum view_tone tone, bool colour)
{
    static const char *const codes[] = {[VIEW_PLAIN] = "",
                                        [VIEW_GOOD] = "\x1b[32m",
                                        [VIEW_BAD] = "\x1b[31m",
                                        [VIEW_WARN] = "\x1b[33m"};
    return colour ? codes[tone] : "";
}

static void word(struct base_buf *out, enum view_tone tone, bool colour, const char *text)
{
    (void)base_buf_printf(out, "%s%-12s%s", colour_of(tone, colour), text, colour ? "\x1b[0m" : "");
}

static void objective(const struct verdict_objective *o, bool colour, struct base_buf *out)
{
    (void)base_buf_str(out, "  ");
    word(out, view_status_tone(o->status, o->advisory), colour, view_status_word(o->status));
    (void)base_buf_printf(out, " %-10s", verdict_source_name(o->source));
    escape_terminal(out, o->name);
    (void)base_buf_str(out, o->advisory ? " (advisory): " : ": ");
    escape_terminal(out, o->measured);
    if (o->status != VERDICT_PASS) {
        (void)base_buf_str(out, "\n                           expected: ");
        escape_terminal(out, o->expected);
        (void)base_buf_printf(out, " [%s]", verdict_reason_name(o->reason));
    }
    (void)base_buf_char(out, '\n');
}

void render_terminal(const struct report *report, const struct verdict *verdict,
                     const struct view *view, bool colour, struct base_buf *out)
{
    (void)base_buf_str(out, colour_of(view->tone, colour));
    escape_terminal(out, view->headline);
    (void)base_buf_str(out, colour ? "\x1b[0m\n" : "\n");
    escape_terminal(out, view->facts);
    (void)base_buf_char(out, '\n');
    for (size_t i = 0; i < verdict->objective_count; i++)
        objective(&verdict->objectives[i], colour, out);
    for (size_t i = 0; i < report->plan.skipped_count; i++) {
        (void)base_buf_str(out, "  ");
        word(out, VIEW_WARN, colour, "SKIPPED");
        (void)base_buf_str(out, " fault     ");
        escape_terminal(out, report->plan.skipped[i].name);
        (void)base_buf_str(out, " was NOT injected: this run says nothing about it\n");
    }
}
