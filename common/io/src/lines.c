/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines out of a byte stream. A line that lies whole in one read is handed out from the stack;
 * only a line split over reads is collected in `pending`, which is moved to the stack for the
 * call, so that a callback may finish (and free) the reader while it still holds its line.
 */
#include "io/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { CHUNK = 16384, READS_PER_TURN = 8 };

/* Both return false when the callback finished the reader: it must not be touched any more. */
static bool deliver(struct io_lines *lines, char *line, size_t len)
{
    bool finished = false;
    lines->finished = &finished; // cppcheck-suppress autoVariables ; taken back below
    lines->on_line(lines->ctx, line, len);
    if (finished)
        return false;
    lines->finished = NULL;
    return true;
}

static bool deliver_pending(struct io_lines *lines)
{
    struct base_buf line = lines->pending;
    base_buf_init(&lines->pending, line.max);
    bool alive = deliver(lines, line.data, line.len);
    if (alive && lines->pending.cap == 0) { /* keep the memory for the next split line */
        base_buf_clear(&line);
        lines->pending = line;
    } else {
        base_buf_fini(&line);
    }
    return alive;
}

static void collect(struct io_lines *lines, const char *data, size_t len)
{
    if (lines->overlong || base_buf_append(&lines->pending, data, len))
        return;
    lines->overlong = true;
    base_buf_clear(&lines->pending);
}

/* One line's end was found: data[0..len) completes it, and data[len] may be overwritten. */
static bool complete(struct io_lines *lines, char *data, size_t len)
{
    if (lines->pending.len > 0)
        collect(lines, data, len);
    if (lines->overlong) {
        lines->overlong = false;
        return true;
    }
    if (lines->pending.len > 0)
        return deliver_pending(lines);
    if (len > lines->pending.max)
        return true;
    data[len] = '\0';
    return deliver(lines, data, len);
}

static bool split(struct io_lines *lines, char *data, size_t len)
{
    while (len > 0) {
        char *newline = memchr(data, '\n', len);
        if (newline == NULL) {
            collect(lines, data, len);
            return true;
        }
        size_t line = (size_t)(newline - data);
        if (!complete(lines, data, line))
            return false;
        data += line + 1;
        len -= line + 1;
    }
    return true;
}

static void end(struct io_lines *lines, const struct base_error *err)
{
    io_watch_set(&lines->watch, 0);
    if (lines->pending.len > 0 && !lines->overlong && !deliver_pending(lines))
        return;
    lines->on_end(lines->ctx, err);
}

static void lines_ready(void *ctx, unsigned events)
{
    (void)events;
    struct io_lines *lines = ctx;
    char chunk[CHUNK];
    /* A writer that never pauses must not keep the loop from its other work. */
    for (int reads = 0; reads < READS_PER_TURN; reads++) {
        ssize_t got = read(lines->fd, chunk, sizeof chunk);
        if (got > 0) {
            if (!split(lines, chunk, (size_t)got))
                return;
        } else if (got == 0) {
            end(lines, NULL);
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            struct base_error err;
            (void)base_fail_errno(&err, "cannot read lines from descriptor %d", lines->fd);
            end(lines, &err);
            return;
        }
    }
}

bool io_lines_init(struct io_lines *lines, struct io_loop *loop, int fd, size_t max,
                   void (*on_line)(void *ctx, char *line, size_t len),
                   void (*on_end)(void *ctx, const struct base_error *err), void *ctx,
                   struct base_error *err)
{
    if (!base_fd_set_nonblocking(fd, err))
        return false;
    *lines = (struct io_lines){.fd = fd, .ctx = ctx, .on_line = on_line, .on_end = on_end};
    base_buf_init(&lines->pending, max);
    io_watch_init(&lines->watch, loop, fd, lines_ready, lines);
    io_watch_set(&lines->watch, IO_READ);
    return true;
}

void io_lines_fini(struct io_lines *lines)
{
    if (lines->watch.loop == NULL)
        return;
    if (lines->finished != NULL)
        *lines->finished = true;
    io_watch_fini(&lines->watch);
    base_buf_fini(&lines->pending);
    base_fd_close(&lines->fd);
}
