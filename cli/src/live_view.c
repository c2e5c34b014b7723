/* SPDX-License-Identifier: Apache-2.0 */
#include "live_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { DEFAULT_COLS = 80, DEFAULT_LINES = 24, PENDING_MAX = 65536 };

/* ECMA-48: erase from the cursor to the end of the page. */
static const char clear_below[] = "\r\x1b[J";

bool live_view_start(struct live_view *view, int out_fd)
{
    const char *term = getenv("TERM");
    *view = (struct live_view){.fd = -1};
    if (!isatty(out_fd) || term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
        return false;
    /* An open file of our own: O_NONBLOCK on the one we were given would be the shell's too. */
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", out_fd);
    view->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    base_buf_init(&view->pending, PENDING_MAX);
    return view->fd >= 0;
}

bool live_view_on(const struct live_view *view)
{
    return view->fd >= 0;
}

void live_view_size(const struct live_view *view, unsigned *cols, unsigned *lines)
{
    struct winsize size = {0};
    (void)ioctl(view->fd, TIOCGWINSZ, &size);
    *cols = size.ws_col > 0 ? size.ws_col : DEFAULT_COLS;
    *lines = size.ws_row > 0 ? size.ws_row : DEFAULT_LINES;
}

/* Whether all is written. */
static bool flush(struct live_view *view)
{
    while (view->pending.len > 0) {
        ssize_t n = write(view->fd, view->pending.data, view->pending.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        base_buf_consume(&view->pending, (size_t)n);
    }
    return true;
}

static unsigned count_breaks(const char *text)
{
    unsigned breaks = 0;
    for (; *text != '\0'; text++)
        breaks += *text == '\n';
    return breaks;
}

void live_view_draw(struct live_view *view, const char *text)
{
    unsigned breaks = count_breaks(text);
    /* Half a frame must be followed by its other half, or the cursor is not where it should be. */
    if (!live_view_on(view) || !flush(view))
        return;
    base_buf_clear(&view->pending);
    base_buf_printf(&view->pending, "%s%s\r", clear_below, text);
    if (breaks > 0)
        base_buf_printf(&view->pending, "\x1b[%uA", breaks);
    (void)flush(view);
}

void live_view_end(struct live_view *view)
{
    if (!live_view_on(view))
        return;
    if (flush(view)) {
        base_buf_clear(&view->pending);
        base_buf_str(&view->pending, clear_below);
        (void)flush(view);
    }
    base_buf_fini(&view->pending);
    base_fd_close(&view->fd);
}
