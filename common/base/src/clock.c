/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for the two ids used here */
    return (int64_t)ts.tv_sec * BASE_NS_PER_S + ts.tv_nsec;
}

struct mono_ns base_mono_now(void)
{
    return (struct mono_ns){clock_ns(CLOCK_MONOTONIC)};
}

struct wall_ns base_wall_now(void)
{
    return (struct wall_ns){clock_ns(CLOCK_REALTIME)};
}

void base_wall_format(struct wall_ns t, char out[static BASE_WALL_TEXT])
{
    time_t seconds = (time_t)(t.ns / BASE_NS_PER_S);
    int64_t rest = t.ns % BASE_NS_PER_S;
    if (rest < 0) {
        rest += BASE_NS_PER_S;
        seconds--;
    }
    struct tm tm;
    char date[BASE_WALL_TEXT];
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        date[0] = '\0';
    (void)snprintf(out, BASE_WALL_TEXT, "%.24s.%03dZ", date, (int)(rest / BASE_NS_PER_MS));
}

void base_dur_format(struct dur_ns d, char out[static BASE_DUR_TEXT])
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{INT64_C(3600) * BASE_NS_PER_S, "h"},
                 {60 * BASE_NS_PER_S, "m"},
                 {BASE_NS_PER_S, "s"},
                 {BASE_NS_PER_MS, "ms"},
                 {BASE_NS_PER_US, "us"},
                 {1, "ns"}};
    if (d.ns == 0) {
        (void)snprintf(out, BASE_DUR_TEXT, "0s");
        return;
    }
    /* The largest unit that leaves at most three decimals, so that the text stays exact. */
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t unit = units[i].ns;
        if (d.ns % unit == 0) {
            (void)snprintf(out, BASE_DUR_TEXT, "%" PRId64 "%s", d.ns / unit, units[i].unit);
            return;
        }
        bool decimal_unit = unit <= BASE_NS_PER_S && unit >= BASE_NS_PER_US;
        if (decimal_unit && d.ns > unit && d.ns % (unit / 1000) == 0) {
            int64_t thousandths = d.ns % unit / (unit / 1000);
            int digits = 3;
            while (thousandths % 10 == 0) {
                thousandths /= 10;
                digits--;
            }
            (void)snprintf(out, BASE_DUR_TEXT, "%" PRId64 ".%0*" PRId64 "%s", d.ns / unit, digits,
                           thousandths, units[i].unit);
            return;
        }
    }
}

void base_dur_format_brief(struct dur_ns d, char out[static BASE_DUR_TEXT])
{
    int64_t unit = d.ns > 10 * BASE_NS_PER_MS ? BASE_NS_PER_MS : BASE_NS_PER_US;
    base_dur_format((struct dur_ns){d.ns / unit * unit}, out);
}
