/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and watching children.
 *
 * Design notes
 * - vfork(2): the caller's thread waits until exec, and no page table is copied, so starting takes
 *   the same time from a process of 2 MiB as from one of 20 GiB. The child shares our memory until
 *   then; hence it calls nothing but system calls, and those that change credentials go to the
 *   kernel directly: glibc's setuid() would broadcast to the threads it knows of, which are ours
 *   (nptl(7)). All signals are blocked around vfork, so that none of our handlers runs in it.
 * - A failed step is written to a close-on-exec pipe; end of file without data means that exec
 *   succeeded (or that the child was killed on the way, which its exit then tells).
 * - The order of the steps matters: namespaces and the cgroup need privileges, so they precede the
 *   change of user; PR_SET_PDEATHSIG is cleared by that change (prctl(2)), so it follows.
 * - Exits come through a pidfd: no SIGCHLD handler that other code could fight over, and no signal
 *   ever hits a recycled pid.
 */
#include "child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "child_env.h"

/* --- in the child, between vfork and exec --- */

/* What the child needs, made before vfork. */
struct launch {
    const struct io_child_spec *spec;
    char **envp;
    pid_t parent;
    int report_fd; /* close-on-exec */
    int null_fd;   /* /dev/null, read and write */
};

static bool step_signals(const struct launch *launch)
{
    (void)launch;
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &normal, NULL); /* EINVAL for SIGKILL, SIGSTOP and libc's own */
    return true;
}

static bool step_session(const struct launch *launch)
{
    return !launch->spec->new_session || setsid() >= 0;
}

static bool step_netns(const struct launch *launch)
{
    return launch->spec->netns_fd < 0 || setns(launch->spec->netns_fd, CLONE_NEWNET) == 0;
}

static bool step_cgroup(const struct launch *launch)
{
    /* "0" is the writer itself: cgroups(7). */
    return launch->spec->cgroup_procs_fd < 0 || write(launch->spec->cgroup_procs_fd, "0", 1) == 1;
}

static bool step_mount_namespace(const struct launch *launch)
{
    if (launch->spec->hosts_file == NULL)
        return true;
    /* Private first: a shared root would carry the bind mount to the whole machine. */
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool step_hosts(const struct launch *launch)
{
    const char *hosts = launch->spec->hosts_file;
    return hosts == NULL || mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
}

static bool step_cwd(const struct launch *launch)
{
    return launch->spec->cwd == NULL || chdir(launch->spec->cwd) == 0;
}

static bool step_user(const struct launch *launch)
{
    const struct io_child_spec *spec = launch->spec;
    if (!spec->set_user)
        return true;
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) == 0 &&
           syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid) == 0;
}

static bool step_death_signal(const struct launch *launch)
{
    int number = launch->spec->death_signal;
    if (number == 0)
        return true;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)number, 0UL, 0UL, 0UL) != 0)
        return false;
    /* Our parent died before the line above: nobody would signal us, so do as if it had. */
    if (getppid() != launch->parent)
        _exit(128 + number);
    return true;
}

/* The descriptors given may themselves be 0, 1 or 2, in any order: copy all out of the way, then
 * down. dup2 leaves the copies without close-on-exec. */
static bool step_stdio(const struct launch *launch)
{
    const int wanted[3] = {launch->spec->stdin_fd, launch->spec->stdout_fd,
                           launch->spec->stderr_fd};
    int high[3];
    for (int i = 0; i < 3; i++) {
        int from = wanted[i] >= 0 ? wanted[i] : launch->null_fd;
        high[i] = fcntl(from, F_DUPFD_CLOEXEC, 3);
        if (high[i] < 0)
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(high[i], i) < 0)
            return false;
    }
    return true;
}

static bool step_close(const struct launch *launch)
{
    (void)launch;
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static bool step_unblock(const struct launch *launch)
{
    (void)launch;
    sigset_t none;
    return sigemptyset(&none) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static bool step_exec(const struct launch *launch)
{
    /* exec wants pointers to non-const for history's sake and writes nothing: exec(3p). */
    union {
        const char *const *from;
        char *const *to;
    } argv = {.from = launch->spec->argv};
    (void)execvpe(argv.to[0], argv.to, launch->envp);
    return false;
}

/* The steps in their order, and how an error names them. */
static const struct step {
    bool (*run)(const struct launch *launch);
    const char *failed;
} steps[] = {
    {step_signals, "resetting signals"},
    {step_session, "making a session (setsid)"},
    {step_netns, "entering its network namespace (setns; needs CAP_SYS_ADMIN)"},
    {step_cgroup, "joining its cgroup (writing cgroup.procs)"},
    {step_mount_namespace, "making a mount namespace (unshare; needs CAP_SYS_ADMIN)"},
    {step_hosts, "mounting its hosts file over /etc/hosts"},
    {step_cwd, "changing to its working directory"},
    {step_user, "changing user (setgroups, setresgid, setresuid; needs root)"},
    {step_death_signal, "asking for a death signal (prctl)"},
    {step_stdio, "connecting stdin, stdout, stderr"},
    {step_close, "keeping other descriptors from it (close_range; needs Linux 5.11)"},
    {step_unblock, "unblocking signals"},
    {step_exec, "running the program (is it installed and in PATH?)"},
};
enum { STEPS = sizeof steps / sizeof steps[0] };

struct failure {
    unsigned step;
    int sys;
};

static _Noreturn void child_main(struct launch *launch)
{
    struct failure failure = {0};
    /* The pipe must outlive step_stdio's dup2 even when our own 0, 1 or 2 was closed. */
    launch->report_fd = fcntl(launch->report_fd, F_DUPFD_CLOEXEC, 3);
    for (failure.step = 0; failure.step < STEPS; failure.step++) {
        if (!steps[failure.step].run(launch))
            break;
    }
    failure.sys = errno;
    /* Fits in a pipe at once; if it cannot be written, exit 127 is what is left to tell. */
    ssize_t written = write(launch->report_fd, &failure, sizeof failure);
    (void)written;
    _exit(127);
}

/* --- in the parent --- */

static pid_t spawn(struct launch *launch)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int cancel;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): see design notes
    if (pid == 0)
        // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): system calls only, see design notes
        child_main(launch);
    int keep = errno;
    (void)pthread_setcancelstate(cancel, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = keep;
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* true when exec succeeded (or the child was killed before it could say anything). */
static bool started(int report_fd, const struct io_child_spec *spec, pid_t pid,
                    struct base_error *err)
{
    struct failure failure;
    ssize_t got;
    do {
        got = read(report_fd, &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof failure)
        return true;
    reap(pid);
    errno = failure.sys;
    return base_fail_errno(err, "cannot start %s: failed at %s", spec->argv[0],
                           failure.step < STEPS ? steps[failure.step].failed : "an unknown step");
}

static bool launch_with(struct launch *launch, pid_t *out_pid, struct base_error *err)
{
    const struct io_child_spec *spec = launch->spec;
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return base_fail_errno(err, "cannot start %s: no pipe", spec->argv[0]);
    BASE_AUTO_FD int report = pipe_fds[0];
    BASE_AUTO_FD int report_write = pipe_fds[1];
    launch->report_fd = report_write;
    pid_t pid = spawn(launch);
    if (pid < 0)
        return base_fail_errno(err, "cannot start %s: no new process (vfork)", spec->argv[0]);
    base_fd_close(&report_write);
    if (!started(report, spec, pid, err))
        return false;
    *out_pid = pid;
    return true;
}

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

/* A zombie keeps its pid until we reap it, so the pidfd is that of our child even if it has exited
 * already. */
bool io_child_launch(const struct io_child_spec *spec, pid_t *out_pid, int *out_pidfd,
                     struct base_error *err)
{
    if (spec->argv == NULL || spec->argv[0] == NULL || spec->argv[0][0] == '\0')
        return base_fail(err, BASE_INVALID, "cannot start a program without a name");
    BASE_AUTO_FREE char **envp = io_child_env(spec->env, err);
    if (envp == NULL)
        return base_fail_context(err, "cannot start %s", spec->argv[0]);
    BASE_AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return base_fail_errno(err, "cannot start %s: cannot open /dev/null", spec->argv[0]);
    struct launch launch = {.spec = spec, .envp = envp, .parent = getpid(), .null_fd = null_fd};
    pid_t pid = -1;
    if (!launch_with(&launch, &pid, err))
        return false;
    int pidfd = pidfd_of(pid);
    if (pidfd < 0) {
        int sys = errno;
        (void)kill(pid, SIGKILL);
        reap(pid);
        errno = sys;
        return base_fail_errno(err, "cannot watch %s (pidfd_open; needs Linux 5.3)", spec->argv[0]);
    }
    *out_pid = pid;
    *out_pidfd = pidfd;
    return true;
}

bool io_child_collect(int pidfd, int extra_options, struct io_child_exit *out)
{
    siginfo_t info = {0};
    int result;
    do {
        result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | extra_options);
    } while (result < 0 && errno == EINTR);
    if (result == 0 && info.si_pid == 0)
        return false;
    /* ECHILD: whoever embeds us ignores SIGCHLD, so the kernel kept no status: waitid(2). */
    out->status = result == 0 ? info.si_status : -1;
    out->signaled = result == 0 && info.si_code != CLD_EXITED;
    return true;
}

bool io_child_pidfd_signal(int pidfd, int number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0U) == 0;
}
