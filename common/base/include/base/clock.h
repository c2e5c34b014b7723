/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as three distinct types, so that the compiler objects to mixing them: a point on
 * CLOCK_MONOTONIC, a point on CLOCK_REALTIME, and a length. All in nanoseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct mono_ns {
    int64_t ns;
};
struct wall_ns {
    int64_t ns; /* since 1970-01-01 UTC */
};
struct dur_ns {
    int64_t ns;
};

#define BASE_NS_PER_US INT64_C(1000)
#define BASE_NS_PER_MS INT64_C(1000000)
#define BASE_NS_PER_S  INT64_C(1000000000)

struct mono_ns base_mono_now(void);
struct wall_ns base_wall_now(void);

static inline struct dur_ns base_dur_ms(int64_t ms)
{
    return (struct dur_ns){ms * BASE_NS_PER_MS};
}
static inline struct dur_ns base_dur_s(int64_t s)
{
    return (struct dur_ns){s * BASE_NS_PER_S};
}
static inline int64_t base_dur_to_ms(struct dur_ns d)
{
    return d.ns / BASE_NS_PER_MS;
}
static inline double base_dur_to_s(struct dur_ns d)
{
    return (double)d.ns / (double)BASE_NS_PER_S;
}
static inline struct mono_ns base_mono_add(struct mono_ns t, struct dur_ns d)
{
    return (struct mono_ns){t.ns + d.ns};
}
static inline struct dur_ns base_mono_sub(struct mono_ns later, struct mono_ns earlier)
{
    return (struct dur_ns){later.ns - earlier.ns};
}
static inline bool base_mono_before(struct mono_ns a, struct mono_ns b)
{
    return a.ns < b.ns;
}
static inline struct wall_ns base_wall_add(struct wall_ns t, struct dur_ns d)
{
    return (struct wall_ns){t.ns + d.ns};
}

enum { BASE_WALL_TEXT = 32, BASE_DUR_TEXT = 32 };
/* RFC 3339 in UTC with milliseconds: 2026-11-21T08:11:00.123Z. */
void base_wall_format(struct wall_ns t, char out[static BASE_WALL_TEXT]);
/* The shortest exact form that base_parse_duration reads back: 250ms, 1.5s, 2m, 30us, 7ns. */
void base_dur_format(struct dur_ns d, char out[static BASE_DUR_TEXT]);
/* The same cut to whole microseconds, or milliseconds from 10 on: enough for a person. */
void base_dur_format_brief(struct dur_ns d, char out[static BASE_DUR_TEXT]);

#endif
