/* SPDX-License-Identifier: Apache-2.0 */
#include "client_limits.h"

#include <inttypes.h>

#include "base/text.h"

static const double busy_limit = 0.95;
static const double missed_limit = 0.01;
/* Whatever the length of an interval: a burst of short ones is no saturation. */
static const struct dur_ns streak_limit = {2500 * BASE_NS_PER_MS};

static double share(struct dur_ns cpu, struct dur_ns span)
{
    return span.ns > 0 ? (double)cpu.ns / (double)span.ns : 0.0;
}

void load_busy_add(struct load_busy *busy, struct dur_ns cpu, struct dur_ns span)
{
    busy->cpu.ns += cpu.ns;
    busy->span.ns += span.ns;
    busy->streak.ns = share(cpu, span) > busy_limit ? busy->streak.ns + span.ns : 0;
    if (busy->streak.ns > streak_limit.ns)
        busy->saturated = true;
}

static char *judge_threads(const struct load_evidence *evidence)
{
    for (size_t i = 0; i < evidence->thread_count; i++) {
        const struct load_busy *busy = &evidence->threads[i];
        double all = share(busy->cpu, busy->span);
        if (busy->saturated || all > busy_limit)
            return base_str_printf("load thread %zu used its whole CPU (%.0f %% over the run, more "
                                   "than %.0f %% %s): use more threads or machines",
                                   i, all * 100, busy_limit * 100,
                                   all > busy_limit ? "allowed" : "for 2.5 s on end");
    }
    return NULL;
}

/* p99 over all requests that were due: those without a sample were not late by our doing. */
static int64_t late_p99(const struct load_evidence *evidence)
{
    double samples = (double)evidence->own_late->total;
    double all = samples > (double)evidence->intended ? samples : (double)evidence->intended;
    double rank = 0.99 * all - (all - samples); /* among the samples */
    return rank > 0 ? hdr_value_at_quantile(evidence->own_late, rank / samples) : 0;
}

char *load_limits_judge(const struct load_evidence *evidence)
{
    int64_t late = late_p99(evidence);
    if (late > evidence->max_late.ns)
        return base_str_printf("the generator was late by itself: p99 of its own schedule error is "
                               "%.1f ms (%.1f ms allowed): lower the rate or use more cores",
                               (double)late / (double)BASE_NS_PER_MS,
                               (double)evidence->max_late.ns / (double)BASE_NS_PER_MS);
    if ((double)evidence->missed_busy > missed_limit * (double)evidence->intended)
        return base_str_printf(
            "%" PRIu64 " of %" PRIu64 " requests found no free connection in "
            "time while the target was answering: use more connections, or a lower "
            "rate if the target cannot take this one",
            evidence->missed_busy, evidence->intended);
    if (evidence->out_of_ports > 0)
        return base_str_printf("%" PRIu64 " connects found no free local port or descriptor: use "
                               "fewer connections, more targets or source addresses, or a wider "
                               "net.ipv4.ip_local_port_range",
                               evidence->out_of_ports);
    return judge_threads(evidence);
}
