/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few lines at the cursor of a terminal, drawn over and over. The cursor rests where they begin,
 * so that drawing is "clear from here on, write, go back", which stays right when the terminal is
 * made smaller, re-wraps its lines or scrolls. No mode of the terminal is changed: whatever ends
 * the program, there is nothing to put back but these lines.
 *
 * A terminal that takes nothing (Ctrl-S) is never waited for.
 */
#ifndef CLI_LIVE_VIEW_H
#define CLI_LIVE_VIEW_H

#include <stdbool.h>

#include "base/buf.h"

struct live_view {
    int fd; /* -1: there is no terminal to draw on */
    struct base_buf pending;
};

/* out_fd: where lines would go; it is left as it is. False when that is no terminal that can be
 * drawn on (TERM unset or dumb): write plain lines then. */
bool live_view_start(struct live_view *view, int out_fd);
bool live_view_on(const struct live_view *view);
/* How much room there is now. */
void live_view_size(const struct live_view *view, unsigned *cols, unsigned *lines);
/* text: lines separated by CR LF that fit into that size. */
void live_view_draw(struct live_view *view, const char *text);
void live_view_end(struct live_view *view); /* takes the lines away; idempotent */

#endif
