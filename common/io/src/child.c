/* SPDX-License-Identifier: Apache-2.0 */
/* Children whose exit arrives on the loop. How they are started: child_spawn.c. */
#include "io/child.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/file.h"
#include "child_spawn.h"

struct io_child {
    pid_t pid;
    int pidfd;
    struct mono_ns started;
    struct io_watch watch;
    void (*on_exit)(void *ctx, const struct io_child_exit *exit);
    void *ctx;
};

struct io_child_spec io_child_spec_default(const char *const *argv)
{
    return (struct io_child_spec){.argv = argv,
                                  .stdin_fd = -1,
                                  .stdout_fd = -1,
                                  .stderr_fd = -1,
                                  .netns_fd = -1,
                                  .cgroup_procs_fd = -1};
}

static void child_exited(void *ctx, unsigned events)
{
    (void)events;
    struct io_child *child = ctx;
    struct io_child_exit exit = {.pid = child->pid};
    if (!io_child_collect(child->pidfd, WNOHANG, &exit))
        return;
    exit.lived = base_mono_sub(base_mono_now(), child->started);
    io_watch_fini(&child->watch);
    base_fd_close(&child->pidfd);
    if (child->on_exit != NULL)
        child->on_exit(child->ctx, &exit);
}

struct io_child *io_child_start(struct io_loop *loop, const struct io_child_spec *spec,
                                void (*on_exit)(void *ctx, const struct io_child_exit *exit),
                                void *ctx, struct base_error *err)
{
    struct io_child *child = calloc(1, sizeof *child);
    if (child == NULL) {
        (void)base_fail_errno(err, "cannot start a child");
        return NULL;
    }
    child->started = base_mono_now();
    if (!io_child_launch(spec, &child->pid, &child->pidfd, err)) {
        free(child);
        return NULL;
    }
    child->on_exit = on_exit;
    child->ctx = ctx;
    io_watch_init(&child->watch, loop, child->pidfd, child_exited, child);
    io_watch_set(&child->watch, IO_READ);
    return child;
}

pid_t io_child_pid(const struct io_child *child)
{
    return child->pid;
}

static bool pidfd_exited(int pidfd)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0;
}

bool io_child_signal(struct io_child *child, int number)
{
    /* The kernel accepts signals to a zombie; the caller wants to know. */
    if (child->pidfd < 0 || pidfd_exited(child->pidfd))
        return false;
    return io_child_pidfd_signal(child->pidfd, number);
}

void io_child_free(struct io_child *child)
{
    if (child == NULL)
        return;
    io_watch_fini(&child->watch);
    base_fd_close(&child->pidfd);
    free(child);
}
