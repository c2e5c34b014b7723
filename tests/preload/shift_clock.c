/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets a program's wall clock ahead, and no other program's: a host whose clock is wrong. How many
 * seconds is in the environment:
 *
 *   LD_PRELOAD=shift_clock.so SQUALL_SHIFT_CLOCK=86400 program
 *
 * What the program asks in other ways, and its monotonic clock, are let alone (unshare --time
 * shifts that). Not libfaketime: it does not get on with redis-server's jemalloc.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void)
{
    const char *text = getenv("SQUALL_SHIFT_CLOCK");
    time_t seconds = 0;
    for (; text != NULL && *text >= '0' && *text <= '9'; text++)
        seconds = seconds * 10 + (*text - '0');
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int result = (int)syscall(SYS_gettimeofday, out, zone);
    if (result == 0)
        out->tv_sec += shift();
    return result;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
