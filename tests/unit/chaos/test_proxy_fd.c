/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy_fd.h"

enum { most = 8192 };

static int null(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* So many proxies' descriptors as they get, and how many the agent has left then. */
static void count(rlim_t limit, size_t *kept, size_t *left)
{
    static int open_fds[most];
    struct rlimit old;
    size_t all = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    const struct rlimit few = {.rlim_cur = limit, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int fd;
    while ((fd = proxy_fd_keep(null())) >= 0)
        open_fds[all++] = fd;
    assert_int_equal(errno, EMFILE);
    *kept = all;
    while ((fd = null()) >= 0)
        open_fds[all++] = fd;
    *left = all - *kept;
    while (all > 0)
        (void)close(open_fds[--all]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void the_agent_has_descriptors_left(void **state)
{
    (void)state;
    size_t kept;
    size_t left;
    count(200, &kept, &left);
    assert_in_range(kept, 100, 150);
    assert_in_range(left, 50, 100);
    count(4096, &kept, &left);
    assert_in_range(kept, 2900, 4096 - 1024 - 128);
    assert_true(left > 1000);
}

static void a_proxys_are_above_the_agents(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd = proxy_fd_keep(null());
    assert_true(fd >= (limit.rlim_cur > 1152 ? 1024 : 3));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
    errno = EACCES;
    assert_int_equal(proxy_fd_keep(-1), -1);
    assert_int_equal(errno, EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agent_has_descriptors_left),
        cmocka_unit_test(a_proxys_are_above_the_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
