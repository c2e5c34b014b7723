/* SPDX-License-Identifier: Apache-2.0 */
#include "client_limits.h"

#include <inttypes.h>

#include "base/text.h"

static const double busy_limit = 0.95;
static const double missed_limit = 0.01;
/* Whatever the length of an interval: a burst of short ones is no saturation. */
static const struct dur_ns streak_limit = {2500 * BASE_NS_PER_MS};

static double share(struct dur_ns part, struct dur_ns span)
{
    return span.ns > 0 ? (double)part.ns / (double)span.ns : 0.0;
}

/* Of the loop: it was at work, or would have been had it had a CPU. */
static double utilisation(const struct load_thread *time)
{
    return share((struct dur_ns){time->cpu.ns + time->waited.ns}, time->span);
}

enum load_delay load_delay_of(int64_t slept_at, int64_t woke_at, int64_t due, int64_t now)
{
    bool asleep = due >= slept_at && due <= woke_at;
    return asleep && woke_at - due >= now - woke_at ? LOAD_DELAY_TIMER : LOAD_DELAY_BUSY;
}

void load_busy_add(struct load_busy *busy, const struct load_thread *time)
{
    load_thread_add(&busy->time, time);
    busy->streak.ns = utilisation(time) > busy_limit ? busy->streak.ns + time->span.ns : 0;
    if (busy->streak.ns > streak_limit.ns)
        busy->saturated = true;
}

static enum load_limit judge_thread(const struct load_busy *busy, size_t number, char **why)
{
    double loop = utilisation(&busy->time);
    double cpu = share(busy->time.cpu, busy->time.span);
    const char *how_long = loop > busy_limit ? "allowed" : "for 2.5 s on end";
    if (!busy->saturated && loop <= busy_limit)
        return LOAD_LIMIT_NONE;
    if (busy->time.waited.ns > busy->time.cpu.ns / 4) {
        *why = base_str_printf("load thread %zu was busy all the time (%.0f %% over the run, more "
                               "than %.0f %% %s), %.0f %% of it waiting for a CPU that others "
                               "used: stop what else runs here, or use another machine",
                               number, loop * 100, busy_limit * 100, how_long,
                               share(busy->time.waited, busy->time.span) * 100);
        return LOAD_LIMIT_LOOP;
    }
    *why = base_str_printf("load thread %zu used its whole CPU (%.0f %% over the run, more than "
                           "%.0f %% %s): use more threads or machines",
                           number, cpu * 100, busy_limit * 100, how_long);
    return LOAD_LIMIT_CPU;
}

static enum load_limit judge_threads(const struct load_evidence *evidence, char **why)
{
    enum load_limit limit = LOAD_LIMIT_NONE;
    for (size_t i = 0; i < evidence->thread_count && limit == LOAD_LIMIT_NONE; i++)
        limit = judge_thread(&evidence->threads[i], i, why);
    return limit;
}

/* p99 over all requests that were due: those without a sample were not late by our doing. */
static int64_t late_p99(const struct load_evidence *evidence)
{
    double samples = (double)evidence->own_late->total;
    double all = samples > (double)evidence->intended ? samples : (double)evidence->intended;
    double rank = 0.99 * all - (all - samples); /* among the samples */
    return rank > 0 ? hdr_value_at_quantile(evidence->own_late, rank / samples) : 0;
}

static int64_t above(const struct hdr *hdr, int64_t value)
{
    return hdr == NULL ? 0 : hdr->total - hdr_count_at_or_below(hdr, value);
}

static enum load_limit judge_lateness(const struct load_evidence *evidence, char **why)
{
    int64_t late = late_p99(evidence);
    int64_t allowed = evidence->max_late.ns;
    if (late <= allowed)
        return LOAD_LIMIT_NONE;
    int64_t by_timer = above(evidence->timer_late, allowed);
    bool timer = 2 * by_timer >= above(evidence->own_late, allowed);
    *why = base_str_printf("the generator was late by itself: p99 of its own schedule error is "
                           "%.1f ms (%.1f ms allowed), mostly %s",
                           (double)late / (double)BASE_NS_PER_MS,
                           (double)allowed / (double)BASE_NS_PER_MS,
                           timer ? "because it was not woken in time: leave it a core of its own"
                                 : "because it was still sending others: lower the rate or use "
                                   "more cores");
    return LOAD_LIMIT_LATENESS;
}

enum load_limit load_limits_judge(const struct load_evidence *evidence, char **why)
{
    *why = NULL;
    enum load_limit limit = judge_lateness(evidence, why);
    if (limit != LOAD_LIMIT_NONE)
        return limit;
    if ((double)evidence->missed_busy > missed_limit * (double)evidence->intended) {
        *why = base_str_printf("%" PRIu64 " of %" PRIu64 " requests found no free connection in "
                               "time while the target was answering: use more connections, or a "
                               "lower rate if the target cannot take this one",
                               evidence->missed_busy, evidence->intended);
        return LOAD_LIMIT_CONNECTIONS;
    }
    if (evidence->out_of_ports > 0) {
        *why = base_str_printf("%" PRIu64 " connects found no free local port or descriptor: use "
                               "fewer connections, more targets or source addresses, or a wider "
                               "net.ipv4.ip_local_port_range",
                               evidence->out_of_ports);
        return LOAD_LIMIT_PORTS;
    }
    return judge_threads(evidence, why);
}
