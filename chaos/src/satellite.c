/* SPDX-License-Identifier: Apache-2.0 */
#include "satellite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    keep_max = 64,
    own_keeps = 1,
    pid_most = 1 << 22 /* PID_MAX_LIMIT; as a deadline it would be 4 ms after the boot */
};

struct fault_satellite {
    const char *name;
    pid_t between; /* 0: buried */
    pid_t pid;     /* 0: it has not been said yet */
    int line;
    int pidfd;
    struct io_watch watch;
    struct io_watch death; /* of the pidfd */
    int64_t told;          /* the deadline that it was told last */
    int64_t holds;         /* the last that it has repeated */
    bool doomed;           /* was to be killed before it was known */
    struct base_error why; /* it never was one; code BASE_OK: it was */
    void (*on_held)(void *ctx);
    void (*on_end)(void *ctx);
    void *ctx;
};

/* --- in the satellite --- */

void fault_satellite_wait(int line, struct dur_ns most)
{
    struct pollfd fd = {.fd = line, .events = POLLIN};
    struct timespec time = {.tv_sec = most.ns / BASE_NS_PER_S, .tv_nsec = most.ns % BASE_NS_PER_S};
    if (most.ns > 0)
        (void)ppoll(&fd, 1, &time, NULL);
}

bool fault_satellite_holds(int line, struct mono_ns *deadline)
{
    for (;;) {
        int64_t told = 0;
        ssize_t got = recv(line, &told, sizeof told, MSG_DONTWAIT);
        if (got == (ssize_t)sizeof told) {
            deadline->ns = told;
            (void)send(line, &told, sizeof told, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else if (got >= 0) {
            return false;
        } else if (errno == EAGAIN) {
            return base_mono_before(base_mono_now(), *deadline);
        } else if (errno != EINTR) {
            return false;
        }
    }
}

/* A person who stops the agent's service by a signal to all of it means the agent. */
static void ignore_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction normal = {.sa_handler = SIG_DFL};
    static const int deaf_to[] = {SIGHUP,  SIGINT,  SIGTERM, SIGPIPE, SIGQUIT, SIGUSR1,
                                  SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &normal, NULL); /* EINVAL for SIGKILL, SIGSTOP and libc's own */
    for (size_t i = 0; i < sizeof deaf_to / sizeof *deaf_to; i++)
        (void)sigaction(deaf_to[i], &ignore, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All but `keep`, which is sorted: the agent's sockets must close when it dies, and standard output
 * may be a pipe that somebody reads to its end. */
static void close_others(const int *keep, size_t count)
{
    unsigned from = 0;
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)keep[i] > from)
            (void)close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    (void)close_range(from, ~0U, 0);
}

struct launch {
    const struct fault_satellite_spec *spec;
    int line;
    int keep[keep_max + own_keeps]; /* sorted */
    size_t keep_count;
    struct mono_ns deadline;
};

static _Noreturn void satellite_main(const struct launch *launch)
{
    ignore_signals();
    close_others(launch->keep, launch->keep_count);
    (void)prctl(PR_SET_NAME, (unsigned long)(uintptr_t)launch->spec->name, 0UL, 0UL, 0UL);
    (void)send(launch->line, &launch->deadline.ns, sizeof launch->deadline.ns, MSG_NOSIGNAL);
    launch->spec->run(launch->spec->run_ctx, launch->line, launch->deadline);
    _exit(0);
}

/* Its first message is whom it has started; below 0: why it could not, an errno. */
static _Noreturn void between_main(const struct launch *launch)
{
    (void)setsid();
    pid_t pid = fork();
    if (pid == 0)
        satellite_main(launch);
    int64_t said = pid > 0 ? pid : -errno;
    (void)send(launch->line, &said, sizeof said, MSG_NOSIGNAL);
    _exit(0);
}

/* --- in the agent --- */

static int by_number(const void *a, const void *b)
{
    const int *x = a;
    const int *y = b;
    return (*x > *y) - (*x < *y);
}

/* The one between lives no longer than it takes to say whom it has started. */
static void bury(struct fault_satellite *satellite, int how)
{
    if (satellite->between > 0 && waitpid(satellite->between, NULL, how) != 0)
        satellite->between = 0;
}

/* It never was, or cannot be told from others: one that is there nevertheless ends by itself, as if
 * the agent had died. */
static void give_up(struct fault_satellite *satellite)
{
    io_watch_fini(&satellite->watch);
    base_fd_close(&satellite->line);
    satellite->on_end(satellite->ctx);
}

static void on_death(void *ctx, unsigned events)
{
    (void)events;
    struct fault_satellite *satellite = ctx;
    io_watch_set(&satellite->death, 0);
    satellite->on_end(satellite->ctx);
}

/* The line still being open shows that the pid was not another process's yet. */
static bool meet(struct fault_satellite *satellite, int64_t said)
{
    struct base_error *err = &satellite->why;
    struct pollfd fd = {.fd = satellite->line, .events = POLLIN};
    errno = said < 0 ? (int)-said : 0;
    if (errno != 0)
        return base_fail_errno(err, "cannot fork %s a second time", satellite->name);
    satellite->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)said, 0U);
    if (satellite->pidfd < 0)
        return base_fail_errno(err, "cannot watch %s", satellite->name);
    if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP) != 0)
        return base_fail(err, BASE_UNAVAILABLE, "%s ended at once", satellite->name);
    satellite->pid = (pid_t)said;
    io_watch_init(&satellite->death, satellite->watch.loop, satellite->pidfd, on_death, satellite);
    if (satellite->doomed)
        fault_satellite_kill(satellite);
    return true;
}

/* What the two say comes in any order: who it is, and the deadline that it has understood. */
static void on_line(void *ctx, unsigned events)
{
    (void)events;
    struct fault_satellite *satellite = ctx;
    int64_t said = 0;
    ssize_t got = recv(satellite->line, &said, sizeof said, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bury(satellite, WNOHANG);
    if (got != (ssize_t)sizeof said) {
        /* A process closes its line before it lets go of all that it holds: not yet the end. */
        io_watch_set(&satellite->watch, 0);
        if (satellite->pid > 0) {
            io_watch_set(&satellite->death, IO_READ);
            return;
        }
        (void)base_fail(&satellite->why, BASE_UNAVAILABLE, "%s ended before it had begun",
                        satellite->name);
        give_up(satellite);
        return;
    }
    bool deadline = said > pid_most;
    if (!deadline && !meet(satellite, said)) {
        give_up(satellite);
        return;
    }
    satellite->holds = deadline ? said : satellite->holds;
    if (satellite->pid > 0 && satellite->holds == satellite->told)
        satellite->on_held(satellite->ctx);
}

static pid_t fork_between(const struct launch *launch, struct base_error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        between_main(launch);
    int sys = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = sys;
    if (pid < 0)
        (void)base_fail_errno(err, "cannot fork %s", launch->spec->name);
    return pid;
}

static bool prepare_launch(struct launch *launch, struct base_error *err)
{
    const struct fault_satellite_spec *spec = launch->spec;
    if (spec->keep_count > keep_max)
        return base_fail(err, BASE_LIMIT, "%s would need %zu descriptors, more than %d", spec->name,
                         spec->keep_count, keep_max);
    for (size_t i = 0; i < spec->keep_count; i++)
        launch->keep[i] = spec->keep[i];
    launch->keep[spec->keep_count] = launch->line;
    launch->keep_count = spec->keep_count + own_keeps;
    qsort(launch->keep, launch->keep_count, sizeof *launch->keep, by_number);
    return true;
}

struct fault_satellite *fault_satellite_start(struct io_loop *loop,
                                              const struct fault_satellite_spec *spec,
                                              struct mono_ns deadline, struct base_error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        (void)base_fail_errno(err, "cannot make a line to %s", spec->name);
        return NULL;
    }
    BASE_AUTO_FD int theirs = ends[1];
    struct fault_satellite *satellite = base_calloc(1, sizeof *satellite);
    *satellite = (struct fault_satellite){.name = spec->name,
                                          .line = ends[0],
                                          .pidfd = -1,
                                          .told = deadline.ns,
                                          .on_held = spec->on_held,
                                          .on_end = spec->on_end,
                                          .ctx = spec->ctx};
    struct launch launch = {.spec = spec, .line = theirs, .deadline = deadline};
    if (prepare_launch(&launch, err))
        satellite->between = fork_between(&launch, err);
    if (satellite->between <= 0) {
        fault_satellite_free(satellite);
        return NULL;
    }
    io_watch_init(&satellite->watch, loop, satellite->line, on_line, satellite);
    io_watch_set(&satellite->watch, IO_READ);
    return satellite;
}

bool fault_satellite_renew(struct fault_satellite *satellite, struct mono_ns deadline,
                           struct base_error *err)
{
    satellite->told = deadline.ns;
    return send(satellite->line, &deadline.ns, sizeof deadline.ns, MSG_DONTWAIT | MSG_NOSIGNAL) ==
               (ssize_t)sizeof deadline.ns ||
           base_fail_errno(err, "process %d does not take a new deadline", (int)satellite->pid);
}

void fault_satellite_kill(struct fault_satellite *satellite)
{
    satellite->doomed = true;
    if (satellite->pid > 0)
        (void)syscall(SYS_pidfd_send_signal, satellite->pidfd, SIGKILL, NULL, 0U);
}

pid_t fault_satellite_pid(const struct fault_satellite *satellite)
{
    return satellite->pid;
}

const struct base_error *fault_satellite_why(const struct fault_satellite *satellite)
{
    return &satellite->why;
}

void fault_satellite_free(struct fault_satellite *satellite)
{
    if (satellite == NULL)
        return;
    io_watch_fini(&satellite->watch);
    io_watch_fini(&satellite->death);
    base_fd_close(&satellite->line);
    base_fd_close(&satellite->pidfd);
    bury(satellite, 0);
    free(satellite);
}
