/* SPDX-License-Identifier: Apache-2.0 */
#include "effect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "chances.h"
#include "jitter.h"
#include "statistics.h"

enum {
    sample_least = 40,
    sample_most = 1500,
    share_least = 200, /* for a share, where time allows: one of half or double the size shows... */
    share_hits = 20,   /* ...and so many hits are expected */
    telling_least = 12, /* of a share: so many are delayed, and tell by how much... */
    delayed_wish = 100, /* ...and where time allows so many that half as many show, too: those that
                           are delayed in one direction where it should be both */
    probe_bytes = 64,
    train_bytes = 1400, /* each; fits into every Ethernet */
    train_least = 8,
    train_most = 400,
    slack_ms = 250, /* a busy machine, on top of what is asked for */
    gap_most_ms = 10
};
/* A correct fault is called wrong, and a missing one right, in at most this share of the series. */
static const double miss = 1e-4;
static const double tolerance_share = 0.10;
static const double tolerance_ns = 1e6;
static const double train_s = 0.1; /* of the link's time */

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static enum fault_probe_method method_of(const struct fault_network *network)
{
    if (network->protocol == FAULT_PROTOCOL_UDP)
        return FAULT_PROBE_DATAGRAM;
    return network->protocol == FAULT_PROTOCOL_TCP || network->port_count > 0 ? FAULT_PROBE_CONNECT
                                                                              : FAULT_PROBE_ECHO;
}

/* --- what a round trip meets --- */

/* Of those that tell how long a delay is, as what follows. */
static double deviation_ns(const struct fault_network *network)
{
    const struct fault_impairment *im = &network->impairment;
    return jitter_deviation(im->distribution) * (double)im->jitter.ns *
           sqrt(chances_of(network).telling);
}

/* So many times as many samples as of normal values tell their deviation as well. That of uniform
 * ones takes fewer, of which no use is made. */
static double tails(const struct fault_network *network)
{
    double kurtosis =
        jitter_kurtosis(network->impairment.distribution, chances_of(network).telling);
    return larger(1.0, (kurtosis - 1.0) / 2.0);
}

/* What so many directions add to one probe. */
static double added_ns(const struct fault_network *network, int ways, size_t bytes)
{
    const struct fault_impairment *im = &network->impairment;
    double link = im->rate > 0.0 ? (double)bytes * 8.0 / im->rate * 1e9 : 0.0;
    return ways * ((double)im->delay.ns + link);
}

/* --- how many, how fast --- */

struct sample {
    double bare; /* without the fault, where no jitter has tails */
    double need; /* that what is there shows at all */
    double wish; /* that one of another size does not pass for it */
};

static struct sample sample_of(const struct fault_network *network)
{
    const struct fault_impairment *im = &network->impairment;
    struct chances chances = chances_of(network);
    const double rates[] = {chances.lost, chances.doubled, chances.overtook, chances.hit};
    double telling = chances.hit > 0.0 ? chances.delayed[chances.telling] : 1.0;
    struct sample sample = {.need = sample_least, .wish = sample_least};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        if (rates[i] <= 0.0)
            continue;
        size_t n = fault_sample_size(rates[i], miss, sample_least, sample_most);
        sample.need = larger(sample.need, n > 0 ? (double)n : HUGE_VAL);
        sample.wish = larger(larger(sample.wish, share_least), share_hits / rates[i]);
    }
    sample.need /= chances_independent_losses(im);
    sample.wish /= chances_independent_losses(im);
    if (chances.hit > 0.0) {
        sample.need = larger(sample.need, telling_least / telling);
        sample.wish = larger(sample.wish, delayed_wish / chances.hit);
    }
    double jitters = im->jitter.ns > 0 ? 100.0 / chances_independent_jitters(im) : 0.0;
    sample.bare = ceil(larger(sample.need, jitters));
    sample.need = ceil(larger(sample.need, jitters * tails(network) / telling));
    double wish = ceil(larger(sample.need, sample.wish));
    sample.wish = wish < sample_most ? wish : sample_most;
    return sample;
}

static struct dur_ns patience_of(const struct fault_network *network, size_t bytes)
{
    const struct fault_impairment *im = &network->impairment;
    int ways = chances_ways(network);
    double reach = jitter_reach(im->distribution, ways) * (double)im->jitter.ns;
    double span = added_ns(network, ways, bytes) + reach;
    return (struct dur_ns){(int64_t)span + base_dur_ms(slack_ms).ns};
}

static struct fault_probe_plan train_of(const struct fault_network *network)
{
    double rate = network->impairment.rate;
    double count = floor(rate * train_s / (train_bytes * 8.0));
    count = count < train_least ? train_least : count > train_most ? train_most : count;
    struct dur_ns takes = {(int64_t)(count * train_bytes * 8.0 / rate * 1e9)};
    struct dur_ns patience = patience_of(network, train_bytes);
    patience.ns += takes.ns * 2;
    return (struct fault_probe_plan){.method = method_of(network),
                                     .count = (size_t)count,
                                     .bytes = train_bytes,
                                     .patience = patience,
                                     .ports = network->ports,
                                     .port_count = network->port_count};
}

/* The least whole percent that probes could show; 0: none. */
static int least_percent(const struct fault_network *network)
{
    struct fault_network other = *network;
    for (int percent = 1; percent < 100; percent++) {
        other.impairment.share = percent / 100.0;
        if (sample_of(&other).need <= sample_most)
            return percent;
    }
    return 0;
}

static bool too_little(const struct fault_network *network, struct base_error *err)
{
    int percent = fault_has_share(&network->impairment) ? least_percent(network) : 0;
    if (percent > 0)
        return base_fail(err, BASE_INVALID,
                         "percent: of this, what befalls so few packets cannot be shown in %d "
                         "probes; ask for %d %% or more",
                         sample_most, percent);
    return base_fail(err, BASE_INVALID,
                     "so little of it cannot be shown in %d probes; ask for a share of 1 %% or "
                     "more, shorter bursts or less correlation",
                     sample_most);
}

static bool too_long(double need_s, struct dur_ns budget, struct base_error *err)
{
    return base_fail(err, BASE_INVALID,
                     "its effect takes %.1f s to measure, longer than the lease leaves time for "
                     "(%.1f s); give a longer lease, or ask for more than this",
                     need_s, base_dur_to_s(budget));
}

/* A thread enters the namespace for each connect; we answer datagrams ourselves; and a slow link is
 * not to be filled. */
static double least_gap_ns(const struct fault_network *network, size_t paths)
{
    double rate = network->impairment.rate;
    static const double gaps[] = {
        [FAULT_PROBE_ECHO] = 0.3e6, [FAULT_PROBE_CONNECT] = 1e6, [FAULT_PROBE_DATAGRAM] = 0.6e6};
    double gap = gaps[method_of(network)];
    gap = larger(gap, rate > 0.0 ? probe_bytes * 8.0 / rate * 2e9 : 0.0);
    return gap * (double)paths;
}

static struct fault_probe_plan paced_of(const struct fault_network *network, double count,
                                        double gap_ns)
{
    return (struct fault_probe_plan){
        .method = method_of(network),
        .count = (size_t)count,
        .bytes = probe_bytes,
        .gap = {(int64_t)gap_ns},
        .patience = patience_of(network, probe_bytes),
        .linger = network->impairment.duplicate > 0.0,
        .ports = network->ports,
        .port_count = network->port_count,
    };
}

bool effect_plan(const struct fault_network *network, size_t paths, struct dur_ns budget,
                 struct effect_plan *out, struct base_error *err)
{
    struct sample sample = sample_of(network);
    struct effect_plan plan = {.train = {.count = 0}};
    if (sample.need > sample_most)
        return too_little(network, err);
    double rest_ns = (double)(budget.ns - patience_of(network, probe_bytes).ns);
    if (network->impairment.rate > 0.0) {
        plan.train = train_of(network);
        rest_ns -= (double)plan.train.patience.ns;
    }
    double least_ns = least_gap_ns(network, paths);
    double count = floor(rest_ns / least_ns);
    if (count < sample.need)
        return too_long((sample.need * least_ns + (double)budget.ns - rest_ns) / 1e9, budget, err);
    count = count < sample.wish ? count : sample.wish;
    double most_ns = larger(gap_most_ms * 1e6, least_ns);
    double gap_ns = rest_ns / count;
    plan.paced = paced_of(network, count, gap_ns < most_ns ? gap_ns : most_ns);
    plan.swift = paced_of(network, sample.bare, least_ns);
    *out = plan;
    return true;
}

/* --- judging --- */

static struct effect_line *add(struct effect_verdict *verdict, const char *metric, bool ok)
{
    struct effect_line *line = &verdict->lines[verdict->count++];
    *line = (struct effect_line){.metric = metric, .ok = ok};
    return line;
}

/* What most round trips took, apart from what else the machine does: without jitter they should all
 * be alike. */
static double typical_of(const struct fault_impairment *im, const int64_t *values, size_t count)
{
    int64_t *copy = base_calloc(count + 1, sizeof *copy);
    if (count > 0)
        memcpy(copy, values, count * sizeof *copy);
    double typical =
        (double)(im->jitter.ns > 0 ? fault_median(copy, count) : fault_decile(copy, count));
    free(copy);
    return typical;
}

static double spread_of(const int64_t *values, size_t count)
{
    double mean = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++)
        mean += (double)values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += pow((double)values[i] - mean, 2.0) / (double)count;
    return sqrt(squares);
}

static void judge_share(struct effect_verdict *verdict, const char *metric, size_t hits, size_t n,
                        double rate, double independent)
{
    if (rate <= 0.0)
        return;
    /* Few independent samples allow a wider interval of shares. */
    size_t worth = (size_t)larger(1.0, floor((double)n * independent));
    struct fault_interval interval = fault_binomial_interval(worth, rate, miss);
    double low = ceil((double)interval.low / (double)worth * (double)n);
    double high = floor((double)interval.high / (double)worth * (double)n);
    low = larger(low, 1.0);
    struct effect_line *line =
        add(verdict, metric, (double)hits >= low && (double)hits <= high && n > 0);
    (void)snprintf(line->value, sizeof line->value, "%zu of %zu", hits, n);
    (void)snprintf(line->expected, sizeof line->expected, "%.0f to %.0f (%.3g %%)", low, high,
                   rate * 100.0);
}

/* late: of the whole round trip. */
static void judge_added(struct effect_verdict *verdict, double added, double expected,
                        double tolerance, struct impair_lateness late, size_t n)
{
    double least = (double)late.low.ns;
    double most = (double)late.high.ns;
    bool enough = added - least >= expected - tolerance;
    bool no_more = added - most <= expected + tolerance;
    struct effect_line *line = add(verdict, "added to the round trip",
                                   n > 0 && enough && no_more && most <= expected / 2.0);
    (void)snprintf(line->value, sizeof line->value, "%.2fms in %zu round trips", added / 1e6, n);
    int len = snprintf(line->expected, sizeof line->expected, "%.2fms +- %.2fms", expected / 1e6,
                       tolerance / 1e6);
    if (most > 0.0)
        (void)snprintf(line->expected + len, sizeof line->expected - (size_t)len,
                       ", and %.1fms to %.1fms in which the agent was late", least / 1e6,
                       most / 1e6);
}

static void judge_spread(struct effect_verdict *verdict, const struct fault_network *network,
                         double measured, double before, size_t n)
{
    double expected = sqrt(pow(deviation_ns(network), 2.0) + before * before);
    double worth = larger(2.0, (double)n * chances_independent_jitters(&network->impairment));
    double tolerance = tolerance_ns + expected * 4.0 * sqrt(tails(network) / (2.0 * worth));
    struct effect_line *line = add(verdict, "jitter of the round trip (standard deviation)",
                                   n > 0 && fabs(measured - expected) <= tolerance);
    (void)snprintf(line->value, sizeof line->value, "%.2fms in %zu round trips", measured / 1e6, n);
    (void)snprintf(line->expected, sizeof line->expected, "%.2fms +- %.2fms", expected / 1e6,
                   tolerance / 1e6);
}

/* From where on a round trip is late by the delay of so many directions rather than of one less.
 * What else the machine does makes round trips longer, never shorter: without jitter no more room
 * is needed below than a delay is allowed to differ by, and who is late for another reason is
 * seldom taken for delayed. */
static double edge_of(const struct fault_network *network, double base, int ways)
{
    double room = network->impairment.jitter.ns > 0 ? 0.5 : tolerance_share;
    return base + (ways - room) * (double)network->impairment.delay.ns;
}

static size_t count_from(const struct fault_probe_result *result, double edge)
{
    size_t count = 0;
    for (size_t i = 0; i < result->answered; i++)
        count += (double)result->rtt_ns[i] >= edge ? 1 : 0;
    return count;
}

static void judge_hit(const struct fault_network *network, double base,
                      const struct fault_probe_result *during, struct effect_verdict *out)
{
    struct chances chances = chances_of(network);
    judge_share(out, "round trips that were delayed", count_from(during, edge_of(network, base, 1)),
                during->answered, chances.hit, 1.0);
    /* None of them is within what chance allows when so few are expected. */
    if (fault_sample_size(chances.delayed[2], miss, 1, during->answered) > 0 && chances.hit > 0.0)
        judge_share(out, "round trips that were delayed in both directions",
                    count_from(during, edge_of(network, base, 2)), during->answered,
                    chances.delayed[2], 1.0);
}

/* Without the fault: fewer than chance would allow with it. */
static void judge_not_hit(const struct fault_network *network, double base,
                          const struct fault_probe_result *result, struct effect_verdict *out)
{
    double rate = chances_of(network).hit;
    if (rate <= 0.0)
        return;
    double least = larger(1.0, (double)fault_binomial_interval(result->answered, rate, miss).low);
    size_t count = count_from(result, edge_of(network, base, 1));
    struct effect_line *line =
        add(out, "round trips as late as delayed ones", (double)count < least);
    (void)snprintf(line->value, sizeof line->value, "%zu of %zu", count, result->answered);
    (void)snprintf(line->expected, sizeof line->expected, "fewer than %.0f", least);
}

/* How late those are that tell it; result->rtt_ns gets them, and no others. */
static struct fault_probe_result telling_of(const struct fault_network *network, double base,
                                            const struct fault_probe_result *during)
{
    struct chances chances = chances_of(network);
    bool all = chances.hit <= 0.0 && chances.overtook <= 0.0;
    double from = all ? 0.0 : edge_of(network, base, chances.telling);
    double to = chances.telling < chances_ways(network)
                    ? edge_of(network, base, chances.telling + 1)
                    : HUGE_VAL;
    struct fault_probe_result telling = {
        .rtt_ns = base_calloc(during->answered + 1, sizeof *telling.rtt_ns)};
    for (size_t i = 0; i < during->answered; i++)
        if ((double)during->rtt_ns[i] >= from && (double)during->rtt_ns[i] < to)
            telling.rtt_ns[telling.answered++] = during->rtt_ns[i];
    return telling;
}

static void judge_delay(const struct fault_network *network, double base,
                        const struct effect_plan *plan, const struct fault_probe_result *telling,
                        struct impair_lateness late_one_way, struct effect_verdict *out)
{
    const struct fault_impairment *im = &network->impairment;
    const int ways = chances_of(network).telling;
    double expected = added_ns(network, ways, plan->paced.bytes);
    double tolerance = larger(tolerance_ns, tolerance_share * expected);
    double worth = larger(1.0, (double)telling->answered * chances_independent_jitters(im));
    tolerance += 4.0 * 1.2533 * deviation_ns(network) / sqrt(worth); /* of a normal median */
    const struct impair_lateness whole = {.low = {ways * late_one_way.low.ns},
                                          .high = {ways * late_one_way.high.ns}};
    double median = jitter_median(im->distribution, ways) * (double)im->jitter.ns;
    double added = typical_of(im, telling->rtt_ns, telling->answered) - base;
    judge_added(out, added, expected + median, tolerance, whole, telling->answered);
}

static void judge_timing(const struct fault_network *network, const struct effect_plan *plan,
                         const struct fault_probe_result *before,
                         const struct fault_probe_result *during, struct impair_lateness late,
                         struct effect_verdict *out)
{
    const struct fault_impairment *im = &network->impairment;
    double base = typical_of(im, before->rtt_ns, before->answered);
    struct fault_probe_result telling = telling_of(network, base, during);
    judge_hit(network, base, during, out);
    judge_delay(network, base, plan, &telling, late, out);
    if (im->jitter.ns > 0)
        judge_spread(out, network, spread_of(telling.rtt_ns, telling.answered),
                     spread_of(before->rtt_ns, before->answered), telling.answered);
    judge_share(out, "round trips that overtook", during->answered - telling.answered,
                during->answered, chances_of(network).overtook, 1.0);
    fault_probe_result_fini(&telling);
}

static double rate_of(const struct effect_plan *plan, const struct fault_probe_result *train)
{
    double bits = (double)plan->train.bytes * 8.0 * (double)train->arrived;
    bool enough = train->arrived > 0 && train->answered * 10 >= plan->train.count * 9;
    return enough && train->arrival.ns > 0 ? bits / ((double)train->arrival.ns / 1e9) : 0.0;
}

/* in_force: as asked for; otherwise well above, so that the two can be told apart. */
static void judge_rate(const struct fault_network *network, const struct effect_plan *plan,
                       const struct fault_probe_result *train, bool in_force,
                       struct effect_verdict *out)
{
    double asked = network->impairment.rate;
    double rate = rate_of(plan, train);
    if (plan->train.count == 0)
        return; /* another path of the same link measures it */
    bool ok = in_force ? fabs(rate - asked) <= tolerance_share * asked : rate >= 1.5 * asked;
    struct effect_line *line = add(out, "rate of answers back to back", ok);
    (void)snprintf(line->value, sizeof line->value, "%.4g kbit/s, %zu of %zu answered", rate / 1e3,
                   train->answered, plan->train.count);
    if (in_force)
        (void)snprintf(line->expected, sizeof line->expected, "%.4g kbit/s +- 10 %%", asked / 1e3);
    else
        (void)snprintf(line->expected, sizeof line->expected, "at least %.4g kbit/s",
                       1.5 * asked / 1e3);
}

void effect_measured_fini(struct effect_measured *measured)
{
    fault_probe_result_fini(&measured->paced);
    fault_probe_result_fini(&measured->train);
}

void effect_before(const struct fault_network *network, const struct effect_plan *plan,
                   const struct effect_measured *before, struct effect_verdict *out)
{
    const struct fault_probe_result *paced = &before->paced;
    double typical = typical_of(&network->impairment, paced->rtt_ns, paced->answered);
    *out = (struct effect_verdict){0};
    size_t lost = paced->sent - paced->answered;
    struct effect_line *line =
        add(out, "round trips", paced->answered > 0 && lost * 50 <= paced->sent);
    (void)snprintf(line->value, sizeof line->value, "%zu of %zu answered, in %.2fms",
                   paced->answered, paced->sent, typical / 1e6);
    (void)snprintf(line->expected, sizeof line->expected, "all but 2 %% answered");
    judge_not_hit(network, typical, paced, out);
    judge_rate(network, plan, &before->train, false, out);
}

void effect_during(const struct fault_network *network, const struct effect_plan *plan,
                   const struct effect_measured *before, const struct effect_measured *during,
                   struct impair_lateness late, struct effect_verdict *out)
{
    const struct fault_impairment *im = &network->impairment;
    const struct fault_probe_result *paced = &during->paced;
    struct chances chances = chances_of(network);
    *out = (struct effect_verdict){0};
    if (im->delay.ns > 0)
        judge_timing(network, plan, &before->paced, paced, late, out);
    judge_share(out, "round trips without an answer", paced->sent - paced->answered, paced->sent,
                chances.lost, chances_independent_losses(im));
    judge_share(out, "answers that came twice", paced->doubled, paced->answered, chances.doubled,
                chances_independent_losses(im));
    judge_rate(network, plan, &during->train, true, out);
}

void effect_after(const struct fault_network *network, const struct effect_plan *plan,
                  const struct effect_measured *before, const struct effect_measured *after,
                  struct effect_verdict *out)
{
    const struct fault_probe_result *paced = &after->paced;
    bool known = before->paced.answered > 0;
    double expected = added_ns(network, chances_ways(network), plan->paced.bytes);
    double base = typical_of(&network->impairment, before->paced.rtt_ns, before->paced.answered);
    double added = typical_of(&network->impairment, paced->rtt_ns, paced->answered) - base;
    /* Without a figure from before half of the effect is the line between there and gone. */
    double tolerance = larger(tolerance_ns, (known ? tolerance_share : 0.5) * expected);
    size_t lost = paced->sent - paced->answered;
    bool lossy = chances_of(network).lost > 0.0;
    bool ok = paced->answered > 0 && (lossy ? lost == 0 : lost * 50 <= paced->sent) &&
              (added <= tolerance || network->impairment.delay.ns == 0) && paced->doubled == 0;
    *out = (struct effect_verdict){0};
    struct effect_line *line = add(out, "round trips", ok);
    (void)snprintf(line->value, sizeof line->value, "%zu of %zu answered, %zu twice, in %+.2fms",
                   paced->answered, paced->sent, paced->doubled, added / 1e6);
    (void)snprintf(line->expected, sizeof line->expected,
                   "%s answered, none twice, at most %+.2fms", lossy ? "all" : "all but 2 %",
                   tolerance / 1e6);
    judge_not_hit(network, base, paced, out);
    judge_rate(network, plan, &after->train, false, out);
}

const struct effect_line *effect_odd(const struct effect_verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++)
        if (!verdict->lines[i].ok)
            return &verdict->lines[i];
    return NULL;
}

bool effect_shown(const struct effect_verdict *verdict)
{
    return verdict->count > 0 && effect_odd(verdict) == NULL;
}
