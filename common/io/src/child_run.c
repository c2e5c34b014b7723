/* SPDX-License-Identifier: Apache-2.0 */
/* Running a child to its end without a loop, its output collected. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "child_env.h"
#include "child_spawn.h"

enum { TAIL = 512, RUN_CHUNK = 16384, DRAIN_READS = 8 };

struct run {
    const struct io_child_spec *spec;
    struct base_buf *out;
    int pidfd;
    int output; /* -1 after its end */
    struct mono_ns deadline;
    char line[TAIL]; /* the line that is arriving, cut */
    size_t line_len;
    char last[TAIL]; /* the last complete line that was not empty */
};

static void run_keep(struct base_buf *out, const char *data, size_t len)
{
    size_t room = out->failed ? 0 : out->max - out->len;
    if (room > 0)
        (void)base_buf_append(out, data, len < room ? len : room);
    if (len > room)
        out->failed = true;
}

static void run_end_line(struct run *run)
{
    if (run->line_len > 0) {
        memcpy(run->last, run->line, run->line_len);
        run->last[run->line_len] = '\0';
    }
    run->line_len = 0;
}

static void run_follow_lines(struct run *run, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            run_end_line(run);
        else if (run->line_len < TAIL - 1)
            run->line[run->line_len++] = data[i];
    }
}

/* Takes what is there now, without waiting: a full pipe (64 KiB, pipe(7)) at least, yet bounded, so
 * that a child that writes without end does not outrun the deadline here. */
static void run_drain(struct run *run)
{
    char chunk[RUN_CHUNK];
    for (int reads = 0; reads < DRAIN_READS && run->output >= 0; reads++) {
        ssize_t got = read(run->output, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            base_fd_close(&run->output);
            return;
        }
        if (run->out != NULL)
            run_keep(run->out, chunk, (size_t)got);
        run_follow_lines(run, chunk, (size_t)got);
    }
}

/* false when the deadline passed first. */
static bool run_wait(struct run *run)
{
    for (;;) {
        int64_t left = base_mono_sub(run->deadline, base_mono_now()).ns;
        if (left <= 0)
            return false;
        struct pollfd fds[2] = {{.fd = run->pidfd, .events = POLLIN},
                                {.fd = run->output, .events = POLLIN}};
        struct timespec timeout = {.tv_sec = left / BASE_NS_PER_S, .tv_nsec = left % BASE_NS_PER_S};
        if (ppoll(fds, 2, &timeout, NULL) < 0)
            continue; /* EINTR; the deadline ends it */
        if (fds[1].revents != 0)
            run_drain(run);
        if (fds[0].revents != 0)
            return true;
    }
}

static bool run_timed_out(struct run *run, struct dur_ns deadline, struct base_error *err)
{
    struct io_child_exit exit;
    (void)io_child_pidfd_signal(run->pidfd, SIGKILL);
    (void)io_child_collect(run->pidfd, 0, &exit);
    char text[BASE_DUR_TEXT];
    base_dur_format(deadline, text);
    return base_fail(err, BASE_TIMEOUT, "%s did not finish within %s and was killed",
                     run->spec->argv[0], text);
}

static bool run_verdict(struct run *run, struct base_error *err)
{
    struct io_child_exit exit;
    (void)io_child_collect(run->pidfd, 0, &exit);
    run_drain(run);
    run_end_line(run);
    if (!exit.signaled && exit.status == 0)
        return true;
    BASE_AUTO_FREE char *command = io_child_command(run->spec->argv);
    return base_fail(err, BASE_UNAVAILABLE, "%s: %s %d: %s", command,
                     exit.signaled ? "killed by signal" : "exit status", exit.status,
                     run->last[0] != '\0' ? run->last : "(no output)");
}

static bool run_pipe(struct io_child_spec *spec, struct run *run, int *out_write,
                     struct base_error *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return base_fail_errno(err, "cannot run %s: no pipe", spec->argv[0]);
    run->output = pipe_fds[0];
    *out_write = spec->stdout_fd = spec->stderr_fd = pipe_fds[1];
    return base_fd_set_nonblocking(run->output, err);
}

bool io_child_run(const struct io_child_spec *spec, struct dur_ns deadline, struct base_buf *out,
                  struct base_error *err)
{
    struct io_child_spec piped = *spec;
    struct run run = {.spec = spec, .out = out, .pidfd = -1, .output = -1};
    run.deadline = base_mono_add(base_mono_now(), deadline);
    int output_write = -1;
    pid_t pid = -1;
    bool ok = run_pipe(&piped, &run, &output_write, err) &&
              io_child_launch(&piped, &pid, &run.pidfd, err);
    base_fd_close(&output_write);
    if (ok)
        ok = run_wait(&run) ? run_verdict(&run, err) : run_timed_out(&run, deadline, err);
    base_fd_close(&run.output);
    base_fd_close(&run.pidfd);
    return ok;
}
