/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How late the kernel alone is: one thread in epoll_pwait2 until each of a series of times, nothing
 * else. What a load generator adds to it is its own. Usage: pace_bare RATE SECONDS
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void wait_until(int epoll, int64_t at)
{
    struct epoll_event event;
    int64_t left;
    while ((left = at - now_ns()) > 0) {
        const struct timespec t = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        (void)epoll_pwait2(epoll, &event, 1, &t, NULL);
    }
}

int main(int argc, char **argv)
{
    double rate = argc == 3 ? strtod(argv[1], NULL) : 0;
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
    if (!(rate > 0 && rate <= 1e7 && seconds > 0 && seconds <= 600)) {
        (void)fprintf(stderr, "usage: pace_bare RATE SECONDS\n");
        return 2;
    }
    size_t count = (size_t)(rate * seconds) + 1;
    int64_t *late = calloc(count, sizeof *late);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (late == NULL || epoll < 0) {
        perror("pace_bare");
        return 5;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* as the load threads do */
    int64_t start = now_ns() + 1000000;
    for (size_t i = 0; i < count; i++) {
        int64_t at = start + (int64_t)((double)i * 1e9 / rate);
        wait_until(epoll, at);
        late[i] = now_ns() - at;
    }
    qsort(late, count, sizeof *late, ascending);
    (void)printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", late[count / 2], late[count * 99 / 100],
                 late[count - 1]);
    (void)close(epoll);
    free(late);
    return 0;
}
