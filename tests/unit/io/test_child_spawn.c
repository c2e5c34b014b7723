/* SPDX-License-Identifier: Apache-2.0 */
/* What a child starts with: its steps between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "child_fixture.h"

static bool is_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    print_message("[  SKIP  ] %s: needs root, we are uid %u\n", what, (unsigned)geteuid());
    return false;
}

static void test_failed_steps_are_named(void **state)
{
    (void)state;
    const char *sh[4];
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"squall-no-such-program", NULL});
    struct base_error err = expect_failure(&spec, BASE_NOT_FOUND, "squall-no-such-program");
    assert_non_null(strstr(err.message, "PATH"));
    assert_int_equal(err.sys, ENOENT);

    spec = io_child_spec_default((const char *const[]){"/etc/passwd", NULL});
    (void)expect_failure(&spec, BASE_DENIED, "/etc/passwd");
    spec = shell(sh, "true");
    spec.cwd = "/no/such/folder";
    (void)expect_failure(&spec, BASE_NOT_FOUND, "working directory");
    spec = shell(sh, "true");
    spec.env = (const char *const[]){"NO-EQUALS-SIGN", NULL};
    (void)expect_failure(&spec, BASE_INVALID, "NO-EQUALS-SIGN");
    spec = io_child_spec_default((const char *const[]){NULL});
    (void)expect_failure(&spec, BASE_INVALID, "without a name");
    spec = shell(sh, "true");
    spec.stdin_fd = 12345;
    (void)expect_failure(&spec, BASE_IO, "stdin");
    spec = shell(sh, "true");
    spec.death_signal = 999;
    (void)expect_failure(&spec, BASE_IO, "death signal");
    spec = shell(sh, "true");
    spec.netns_fd = 12345;
    (void)expect_failure(&spec, BASE_IO, "network namespace");
    spec = shell(sh, "true");
    spec.cgroup_procs_fd = 12345;
    (void)expect_failure(&spec, BASE_IO, "cgroup");
}

static void test_a_failed_start_leaves_nothing(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"squall-no-such-program", NULL});
    struct exited exited = {0};
    struct base_error err;
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_null(io_child_start(loop, &spec, on_exit_noted, &exited, &err));
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, before + 1); /* no descriptor was left open */
    base_fd_close(&before);
    base_fd_close(&after);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nor a zombie */
    assert_int_equal(errno, ECHILD);
    io_loop_run(loop);
    assert_int_equal(exited.calls, 0);
    io_loop_free(loop);
}

static void test_cwd_and_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("SQUALL_TEST_KEPT", "kept", 1), 0);
    assert_int_equal(setenv("SQUALL_TEST_REPLACED", "old", 1), 0);
    const char *argv[4];
    struct io_child_spec spec =
        shell(argv, "pwd; echo $SQUALL_TEST_KEPT $SQUALL_TEST_REPLACED $SQUALL_TEST_NEW; "
                    "env | grep -c SQUALL_TEST_");
    spec.cwd = "/proc/1/../../usr/bin/..";
    spec.env = (const char *const[]){"SQUALL_TEST_REPLACED=first", "SQUALL_TEST_NEW=a=b",
                                     "SQUALL_TEST_REPLACED=second", NULL};
    expect_output(&spec, "/usr\nkept second a=b\n3\n");
    assert_string_equal(getenv("SQUALL_TEST_REPLACED"), "old");
}

static void test_signals_are_reset_and_unblocked(void **state)
{
    (void)state;
    sigset_t block;
    sigset_t before;
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGTERM);
    (void)sigaddset(&block, SIGUSR2);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &block, &before), 0);
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    /* Signals 32 and 33 are libc's own: sigaction(2) refuses them, and who started this test may
     * have them ignored (digits 9 and 8 from the right hold them). */
    struct io_child_spec spec = io_child_spec_default((const char *const[]){
        "sed", "-nE", "s/^(Sig(Blk|Ign):.0{7})[01][08](.*)/\\1\\3/p", "/proc/self/status", NULL});
    expect_output(&spec, "SigBlk:\t00000000000000\nSigIgn:\t00000000000000\n");
    struct sigaction pipe_action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
    assert_true(pipe_action.sa_handler == SIG_IGN); /* ours is as it was */
    sigset_t now;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &now), 0);
    assert_true(sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGINT) == 0);
}

static void test_descriptors_are_not_leaked(void **state)
{
    (void)state;
    int stray = fcntl(STDERR_FILENO, F_DUPFD, 70); /* without close-on-exec */
    assert_true(stray >= 70);
    /* 3 is ls reading the folder. */
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"ls", "/proc/self/fd", NULL});
    expect_output(&spec, "0\n1\n2\n3\n");
    base_fd_close(&stray);
}

static void run_without_standard_descriptors(int write_fd)
{
    if (dup2(write_fd, STDIN_FILENO) < 0)
        _exit(101);
    (void)close(STDOUT_FILENO);
    (void)close(STDERR_FILENO);
    struct io_loop *loop = io_loop_new(NULL);
    const char *argv[4];
    struct io_child_spec spec = shell(argv, "echo out; echo err >&2; test ! -t 0; exit 5");
    spec.stdout_fd = STDIN_FILENO;
    spec.stderr_fd = STDIN_FILENO;
    struct exited exited = {0};
    struct io_child *child = io_child_start(loop, &spec, on_exit_noted, &exited, NULL);
    if (child == NULL)
        _exit(102);
    io_loop_run(loop);
    _exit(exited.exit.status);
}

static void test_descriptors_in_each_others_place(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_without_standard_descriptors(fds[1]);
    base_fd_close(&fds[1]);
    struct base_buf text;
    base_buf_init(&text, 1000);
    char chunk[100];
    ssize_t got;
    while ((got = read(fds[0], chunk, sizeof chunk)) > 0)
        assert_true(base_buf_append(&text, chunk, (size_t)got));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_string_equal(text.data, "out\nerr\n");
    base_buf_fini(&text);
    base_fd_close(&fds[0]);
}

static void test_new_session(void **state)
{
    (void)state;
    /* Fields 1 and 6 of proc_pid_stat(5): pid and session. */
    const char *const argv[] = {"awk", "{print ($1 == $6)}", "/proc/self/stat", NULL};
    struct io_child_spec spec = io_child_spec_default(argv);
    expect_output(&spec, "0\n");
    spec.new_session = true;
    expect_output(&spec, "1\n");
}

static void test_user_is_dropped(void **state)
{
    (void)state;
    if (!is_root("user drop"))
        return;
    const char *argv[4];
    struct io_child_spec spec = shell(argv, "id -u; id -g; id -G; grep CapEff /proc/self/status");
    spec.set_user = true;
    spec.uid = 65534;
    spec.gid = 65533;
    expect_output(&spec, "65534\n65533\n65533\nCapEff:\t0000000000000000\n");
}

static void *make_netns(void *ctx)
{
    int *fd = ctx;
    if (unshare(CLONE_NEWNET) == 0) /* of this thread alone */
        *fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    else
        *fd = -errno;
    return NULL;
}

static void test_network_namespace(void **state)
{
    (void)state;
    int netns = -1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_netns, &netns), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (netns < 0) {
        print_message("[  SKIP  ] network namespace: unshare(CLONE_NEWNET): %s (CAP_SYS_ADMIN is "
                      "missing)\n",
                      strerror(-netns));
        return;
    }
    struct stat status;
    assert_int_equal(fstat(netns, &status), 0);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "net:[%lu]\n", (unsigned long)status.st_ino);
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"readlink", "/proc/self/ns/net", NULL});
    spec.netns_fd = netns;
    expect_output(&spec, expected);
    base_fd_close(&netns);
}

static void test_hosts_file(void **state)
{
    (void)state;
    if (!is_root("hosts file"))
        return;
    static const char text[] = "10.99.1.2 squall-io-test\n";
    char path[] = "/tmp/squall-io-hosts-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct base_error err;
    assert_true(base_fd_write_all(fd, text, strlen(text), &err));
    base_fd_close(&fd);
    struct base_buf before;
    struct base_buf after;
    base_buf_init(&before, 1 << 20);
    base_buf_init(&after, 1 << 20);
    assert_true(base_file_read("/etc/hosts", &before, &err));
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"cat", "/etc/hosts", NULL});
    spec.hosts_file = path;
    expect_output(&spec, text);
    assert_true(base_file_read("/etc/hosts", &after, &err));
    assert_string_equal(after.data, before.data); /* only the child's was covered */
    assert_int_equal(unlink(path), 0);
    (void)expect_failure(&spec, BASE_NOT_FOUND, "hosts file");
    base_buf_fini(&before);
    base_buf_fini(&after);
}

/* A cgroup v2 of our own, and where the v2 tree is mounted: alone, or beside v1 (hybrid). */
static const char *make_cgroup(char folder[static 96])
{
    static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        char procs[96];
        (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", roots[i]);
        (void)snprintf(folder, 96, "%s/squall-io-test-%d", roots[i], (int)getpid());
        if (access(procs, W_OK) == 0 && mkdir(folder, 0755) == 0)
            return roots[i];
    }
    return NULL;
}

static void test_cgroup(void **state)
{
    (void)state;
    char folder[96];
    const char *root = make_cgroup(folder);
    if (root == NULL) {
        print_message("[  SKIP  ] cgroup: no writable cgroup v2 tree under /sys/fs/cgroup\n");
        return;
    }
    char procs[128];
    char expected[128];
    (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", folder);
    (void)snprintf(expected, sizeof expected, "0::%s\n", folder + strlen(root));
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"grep", "^0:", "/proc/self/cgroup", NULL});
    spec.cgroup_procs_fd = fd;
    expect_output(&spec, expected);
    base_fd_close(&fd);
    assert_int_equal(rmdir(folder), 0);
}

/* A process that starts a child with a death signal, tells its pid, and dies. */
static void start_and_die(int report_fd, bool drop_user)
{
    struct io_loop *loop = io_loop_new(NULL);
    struct io_child_spec spec = io_child_spec_default((const char *const[]){"sleep", "1000", NULL});
    spec.death_signal = SIGKILL;
    spec.set_user = drop_user; /* which would clear a death signal asked for before it */
    spec.uid = 65534;
    spec.gid = 65534;
    struct io_child *child = io_child_start(loop, &spec, NULL, NULL, NULL);
    pid_t pid = child != NULL ? io_child_pid(child) : -1;
    if (write(report_fd, &pid, sizeof pid) != (ssize_t)sizeof pid)
        _exit(1);
    char go;
    (void)!read(report_fd, &go, 1); /* die when told */
    _exit(0);
}

static void death_signal_reaches(bool drop_user)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0)
        start_and_die(fds[1], drop_user);
    pid_t orphan;
    assert_int_equal(read(fds[0], &orphan, sizeof orphan), sizeof orphan);
    assert_true(orphan > 0);
    int pidfd = (int)syscall(SYS_pidfd_open, orphan, 0U);
    assert_true(pidfd >= 0);
    struct pollfd exited = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&exited, 1, 0), 0); /* it lives as long as its parent */
    assert_int_equal(write(fds[0], "x", 1), 1);
    assert_int_equal(poll(&exited, 1, IO_TEST_DEADLINE_S * 1000), 1);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    base_fd_close(&pidfd);
    base_fd_close(&fds[0]);
    base_fd_close(&fds[1]);
}

static void test_death_signal(void **state)
{
    (void)state;
    death_signal_reaches(false);
    if (is_root("death signal after a user drop"))
        death_signal_reaches(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_steps_are_named),
        cmocka_unit_test(test_a_failed_start_leaves_nothing),
        cmocka_unit_test(test_cwd_and_environment),
        cmocka_unit_test(test_signals_are_reset_and_unblocked),
        cmocka_unit_test(test_descriptors_are_not_leaked),
        cmocka_unit_test(test_descriptors_in_each_others_place),
        cmocka_unit_test(test_new_session),
        cmocka_unit_test(test_user_is_dropped),
        cmocka_unit_test(test_network_namespace),
        cmocka_unit_test(test_hosts_file),
        cmocka_unit_test(test_cgroup),
        cmocka_unit_test(test_death_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
