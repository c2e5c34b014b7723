/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes. The child is started with vfork-like speed and safety: between fork and exec
 * only async-signal-safe calls; a failure on the way (program missing, no permission, netns gone)
 * comes back as an error that names the step. Its exit arrives through a pidfd on the loop.
 */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include <sys/types.h>

#include "base/buf.h"
#include "io/loop.h"

struct io_child;

struct io_child_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *const
        *env;        /* "K=V" lines added to ours (or replacing), NULL-terminated; may be NULL */
    const char *cwd; /* NULL: ours */
    int stdin_fd;    /* -1: /dev/null; the fds given here stay the caller's */
    int stdout_fd;   /* -1: /dev/null */
    int stderr_fd;   /* -1: /dev/null */
    bool set_user;   /* become uid:gid (supplementary groups dropped) */
    uid_t uid;
    gid_t gid;
    int netns_fd;        /* enter this network namespace; -1: stay */
    int cgroup_procs_fd; /* an open cgroup.procs: the child joins before exec; -1: stay */
    const char
        *hosts_file;  /* bind-mounted over /etc/hosts in a private mount namespace; NULL: no */
    bool new_session; /* setsid() */
    int death_signal; /* sent to the child when our thread dies; 0: none */
};

/* A spec with every fd -1 and nothing else set. */
struct io_child_spec io_child_spec_default(const char *const *argv);

struct io_child_exit {
    pid_t pid;
    bool signaled;
    int status; /* exit status, or the signal's number when signaled */
    struct dur_ns lived;
};

/* on_exit fires once, after which the child may be freed (also from inside the callback). */
struct io_child *io_child_start(struct io_loop *loop, const struct io_child_spec *spec,
                                void (*on_exit)(void *ctx, const struct io_child_exit *exit),
                                void *ctx, struct base_error *err);
pid_t io_child_pid(const struct io_child *child);
/* Through the pidfd: never hits a recycled pid. false when it has exited already. */
bool io_child_signal(struct io_child *child, int number);
void io_child_free(struct io_child *child); /* a child that still runs is left running */

/* Runs to its end without a loop: stdout and stderr are appended to out (may be NULL; what exceeds
 * its maximum is dropped and out->failed set). A deadline
 * that passes kills the child: BASE_TIMEOUT. A non-zero exit is BASE_UNAVAILABLE and the message
 * holds the command and its last line of output. */
bool io_child_run(const struct io_child_spec *spec, struct dur_ns deadline, struct base_buf *out,
                  struct base_error *err);

#endif
