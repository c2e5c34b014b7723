/* SPDX-License-Identifier: Apache-2.0 */
/* The fates of packets have the distributions that were asked for, and only those. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "impair.h"
#include "statistics.h"

enum { many = 20000 };

static const struct mono_ns epoch = {INT64_C(1000000000)};

static struct mono_ns at_us(int64_t us)
{
    return base_mono_add(epoch, (struct dur_ns){us * BASE_NS_PER_US});
}

static void nothing_asked_changes_nothing(void **state)
{
    (void)state;
    struct impair impair;
    impair_init(&impair, &(struct fault_impairment){.loss = 0.0}, 1);
    for (int i = 0; i < 100; i++) {
        struct impair_fate fate = impair_packet(&impair, at_us(i), 1500);
        assert_false(fate.drop || fate.duplicate || fate.corrupt);
        assert_int_equal(fate.leaves.ns, at_us(i).ns);
    }
}

static void the_delay_is_exact_without_jitter(void **state)
{
    (void)state;
    struct impair impair;
    impair_init(&impair, &(struct fault_impairment){.delay = base_dur_ms(70)}, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(impair_packet(&impair, at_us(i), 60).leaves.ns - at_us(i).ns,
                         70 * BASE_NS_PER_MS);
}

static void same_seed_same_fates(void **state)
{
    (void)state;
    const struct fault_impairment what = {.delay = base_dur_ms(5),
                                          .jitter = base_dur_ms(5),
                                          .loss = 0.2,
                                          .duplicate = 0.1,
                                          .corrupt = 0.1,
                                          .reorder = 0.1};
    struct impair one;
    struct impair two;
    struct impair other;
    size_t differ = 0;
    impair_init(&one, &what, 42);
    impair_init(&two, &what, 42);
    impair_init(&other, &what, 43);
    for (int i = 0; i < 1000; i++) {
        struct impair_fate a = impair_packet(&one, at_us(i), 100);
        struct impair_fate b = impair_packet(&two, at_us(i), 100);
        struct impair_fate c = impair_packet(&other, at_us(i), 100);
        assert_true(a.drop == b.drop && a.duplicate == b.duplicate && a.corrupt == b.corrupt &&
                    a.flip_bit == b.flip_bit && a.leaves.ns == b.leaves.ns);
        differ += a.leaves.ns != c.leaves.ns ? 1 : 0;
    }
    assert_true(differ > 500);
}

static void assert_share(size_t hits, size_t n, double rate)
{
    struct fault_interval interval = fault_binomial_interval(n, rate, 1e-6);
    if (hits < interval.low || hits > interval.high)
        fail_msg("%zu of %zu for a rate of %g: expected %zu to %zu", hits, n, rate, interval.low,
                 interval.high);
}

static void each_share_is_binomial(void **state)
{
    (void)state;
    static const double rates[] = {0.001, 0.01, 0.1, 0.5, 0.9};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        struct impair impair;
        size_t dropped = 0;
        size_t doubled = 0;
        size_t corrupted = 0;
        size_t early = 0;
        size_t both = 0;
        impair_init(&impair,
                    &(struct fault_impairment){.delay = base_dur_ms(1),
                                               .loss = rates[r],
                                               .duplicate = 0.3,
                                               .corrupt = 0.2,
                                               .reorder = 0.25},
                    r);
        for (int i = 0; i < many; i++) {
            struct impair_fate fate = impair_packet(&impair, epoch, 100);
            dropped += fate.drop ? 1 : 0;
            doubled += fate.duplicate ? 1 : 0;
            corrupted += fate.corrupt ? 1 : 0;
            both += fate.duplicate && fate.corrupt ? 1 : 0;
            early += !fate.drop && fate.leaves.ns == epoch.ns ? 1 : 0;
        }
        assert_share(dropped, many, rates[r]);
        assert_share(doubled, many - dropped, 0.3);
        assert_share(corrupted, many - dropped, 0.2);
        assert_share(both, many - dropped, 0.06);
        assert_share(early, many - dropped, 0.25);
    }
}

/* Who is not hit passes as if nothing were there, and is not among those whose jitter is told from
 * one to the next. */
static void only_a_share_is_hit(void **state)
{
    (void)state;
    static const double shares[] = {0.01, 0.2, 0.5, 0.95};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        struct impair impair;
        size_t hit = 0;
        size_t dropped = 0;
        size_t doubled = 0;
        size_t after = 0;
        size_t again = 0;
        bool last = false;
        impair_init(
            &impair,
            &(struct fault_impairment){
                .share = shares[s], .delay = base_dur_ms(1), .loss = 0.25, .duplicate = 0.3},
            s);
        for (int i = 0; i < many; i++) {
            struct impair_fate fate = impair_packet(&impair, epoch, 100);
            bool is_hit = fate.drop || fate.leaves.ns > epoch.ns;
            assert_true(is_hit || !(fate.duplicate || fate.corrupt));
            hit += is_hit ? 1 : 0;
            dropped += fate.drop ? 1 : 0;
            doubled += fate.duplicate ? 1 : 0;
            after += last ? 1 : 0;
            again += last && is_hit ? 1 : 0;
            last = is_hit;
        }
        assert_share(hit, many, shares[s]);
        assert_share(dropped, hit, 0.25);
        assert_share(doubled, hit - dropped, 0.3);
        assert_share(again, after, shares[s]);
    }
}

/* As it is without those between them. */
static void jitter_is_correlated_among_those_that_are_hit(void **state)
{
    (void)state;
    struct impair impair;
    double sum = 0.0;
    double squares = 0.0;
    double last = 0.0;
    impair_init(&impair,
                &(struct fault_impairment){.share = 0.1,
                                           .delay = base_dur_ms(80),
                                           .jitter = base_dur_ms(10),
                                           .distribution = FAULT_NORMAL,
                                           .correlation = 0.8},
                5);
    for (int i = 0; i < 10 * many; i++) {
        double ms = (double)(impair_packet(&impair, epoch, 100).leaves.ns - epoch.ns) / 1e6;
        if (ms <= 0.0)
            continue;
        sum += (ms - 80.0) * last;
        squares += (ms - 80.0) * (ms - 80.0);
        last = ms - 80.0;
    }
    assert_true(fabs(sum / squares - 0.8) < 0.03);
}

/* Uniform loss has no memory: after a loss another one is as likely as ever. */
static void uniform_losses_are_independent(void **state)
{
    (void)state;
    struct impair impair;
    size_t after = 0;
    size_t again = 0;
    bool last = false;
    impair_init(&impair, &(struct fault_impairment){.loss = 0.3}, 5);
    for (int i = 0; i < many; i++) {
        bool drop = impair_packet(&impair, epoch, 100).drop;
        after += last ? 1 : 0;
        again += last && drop ? 1 : 0;
        last = drop;
    }
    assert_share(again, after, 0.3);
}

/* With a loss of 100 % in bursts and none between them each run of losses is one burst: geometric
 * with mean 1/leave, and the gaps with mean 1/enter. */
static void bursts_are_as_long_as_asked(void **state)
{
    (void)state;
    static const struct {
        double enter;
        double leave;
    } cases[] = {{0.01, 0.25}, {0.05, 0.1}, {0.2, 0.5}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct fault_impairment what = {
            .burst = {.enter = cases[c].enter, .leave = cases[c].leave, .loss = 1.0}};
        struct impair impair;
        double bursts = 0;
        double lost = 0;
        bool last = false;
        impair_init(&impair, &what, c);
        for (int i = 0; i < 20 * many; i++) {
            bool drop = impair_packet(&impair, epoch, 100).drop;
            bursts += drop && !last ? 1 : 0;
            lost += drop ? 1 : 0;
            last = drop;
        }
        double mean = 1.0 / cases[c].leave;
        double error = mean * sqrt(1.0 - cases[c].leave) / sqrt(bursts); /* of a geometric mean */
        assert_true(fabs(lost / bursts - mean) < 5.0 * error);
        assert_true(fabs(lost / (20.0 * many) - impair_mean_loss(&what)) < 0.02);
        assert_true(fabs(impair_mean_loss(&what) -
                         cases[c].enter / (cases[c].enter + cases[c].leave)) < 1e-12);
    }
}

static void a_burst_and_a_calm_have_losses_of_their_own(void **state)
{
    (void)state;
    const struct fault_impairment what = {
        .burst = {.enter = 0.1, .leave = 0.3, .loss = 0.6, .calm = 0.05}};
    struct impair impair;
    size_t seen[2] = {0};
    size_t lost[2] = {0};
    impair_init(&impair, &what, 9);
    for (int i = 0; i < many; i++) {
        bool drop = impair_packet(&impair, epoch, 100).drop;
        seen[impair.bursting ? 1 : 0]++;
        lost[impair.bursting ? 1 : 0] += drop ? 1 : 0;
    }
    assert_share(lost[1], seen[1], 0.6);
    assert_share(lost[0], seen[0], 0.05);
}

/* --- four states --- */

enum { long_run = 40 * many };

/* What a long run of packets met. */
struct run {
    size_t lost;
    size_t runs;   /* of losses in a row */
    size_t single; /* of them, of one packet */
    size_t seen[4];
    size_t moved[4][4];
};

static struct run run_of(const struct fault_impairment *what, uint64_t seed)
{
    struct run run = {.lost = 0};
    struct impair impair;
    size_t length = 0;
    impair_init(&impair, what, seed);
    for (int i = 0; i < long_run; i++) {
        enum impair_state from = impair.state;
        bool drop = impair_packet(&impair, epoch, 100).drop;
        run.seen[from]++;
        run.moved[from][impair.state]++;
        run.lost += drop ? 1 : 0;
        run.runs += drop && length == 0 ? 1 : 0;
        run.single += !drop && length == 1 ? 1 : 0;
        length = drop ? length + 1 : 0;
    }
    return run;
}

static const struct fault_impairment chains[] = {
    {.states = {.alone = 0.01, .enter = 0.02, .leave = 0.2, .pass = 0.3, .relapse = 0.5}},
    {.states = {.enter = 0.05, .leave = 0.25}},
    {.states = {.alone = 0.3, .enter = 0.1, .leave = 0.7, .pass = 0.3, .relapse = 1.0}},
};

/* A packet's fate is where it ends; each move is as likely as asked, and there is no other. */
static void each_state_is_left_as_asked(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof chains / sizeof *chains; c++) {
        const struct fault_impairment *what = &chains[c];
        struct run run = run_of(what, c);
        const double expected[4][4] = {
            [IMPAIR_CALM] =
                {[IMPAIR_LOST_ALONE] = what->states.alone, [IMPAIR_LOST] = what->states.enter},
            [IMPAIR_LOST_ALONE] = {[IMPAIR_CALM] = 1.0},
            [IMPAIR_LOST] =
                {[IMPAIR_CALM] = what->states.leave, [IMPAIR_PASSED] = what->states.pass},
            [IMPAIR_PASSED] = {[IMPAIR_LOST] = what->states.relapse},
        };
        for (int from = 0; from < 4; from++)
            for (int to = 0; to < 4; to++)
                if (to != from)
                    assert_share(run.moved[from][to], run.seen[from], expected[from][to]);
    }
}

/* Runs of losses in a burst are geometric, ending with leave or pass; those alone are of one
 * packet. In the long run as many are lost as the formula says: the error of a mean of packets that
 * remember is larger than that of independent ones by the chain's memory, here at most 20 of
 * them. */
static void the_chain_loses_as_much_as_its_formula_says(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof chains / sizeof *chains; c++) {
        const struct fault_impairment *what = &chains[c];
        struct run run = run_of(what, 100 + c);
        double mean = impair_mean_loss(what);
        double error = sqrt(20.0 * mean * (1.0 - mean) / long_run);
        if (fabs((double)run.lost / long_run - mean) > 4.0 * error)
            fail_msg("chain %zu: lost %g, expected %g +- %g", c, (double)run.lost / long_run, mean,
                     4.0 * error);
        double ends = what->states.leave + what->states.pass;
        size_t alone = run.moved[IMPAIR_CALM][IMPAIR_LOST_ALONE];
        size_t bursts = run.runs - alone;
        double length = (double)(run.lost - alone) / (double)bursts;
        assert_true(fabs(length - 1.0 / ends) <=
                    5.0 * sqrt(1.0 - ends + 1e-12) / ends / sqrt((double)bursts) + 1e-4);
        assert_share(run.single - alone, bursts, ends);
    }
    /* By hand: 0.1 of bursts and 0.01 alone, to 1.01, the 0.1 and 0.06 that pass in bursts. */
    assert_true(fabs(impair_mean_loss(&chains[0]) - 0.11 / 1.17) < 1e-12);
    assert_true(fabs(impair_mean_loss(&chains[1]) - 0.05 / 0.3) < 1e-12);
}

/* --- jitter --- */

struct series {
    double mean;
    double deviation;
    double correlation; /* of neighbours */
    double least;
    double most;
};

static struct series series_of(const struct fault_impairment *what)
{
    static double values[many];
    struct impair impair;
    struct series s = {.least = HUGE_VAL, .most = -HUGE_VAL};
    impair_init(&impair, what, 11);
    for (int i = 0; i < many; i++) {
        values[i] = (double)(impair_packet(&impair, epoch, 100).leaves.ns - epoch.ns) / 1e6;
        s.mean += values[i] / many;
        s.least = fmin(s.least, values[i]);
        s.most = fmax(s.most, values[i]);
    }
    double variance = 0;
    double neighbours = 0;
    for (int i = 0; i < many; i++)
        variance += (values[i] - s.mean) * (values[i] - s.mean) / many;
    for (int i = 1; i < many; i++)
        neighbours += (values[i] - s.mean) * (values[i - 1] - s.mean) / (many - 1);
    s.deviation = sqrt(variance);
    s.correlation = neighbours / variance;
    return s;
}

static void assert_near(double is, double expected, double tolerance)
{
    if (fabs(is - expected) > tolerance)
        fail_msg("%g, expected %g +- %g", is, expected, tolerance);
}

static void uniform_jitter_fills_its_width(void **state)
{
    (void)state;
    struct series s =
        series_of(&(struct fault_impairment){.delay = base_dur_ms(100), .jitter = base_dur_ms(30)});
    assert_near(s.mean, 100, 0.6);
    assert_near(s.deviation, 30 / sqrt(3), 0.3);
    assert_near(s.correlation, 0, 0.035);
    assert_true(s.least >= 70 && s.least < 70.2 && s.most <= 130 && s.most > 129.8);
}

static void normal_jitter_has_its_deviation(void **state)
{
    (void)state;
    struct series s = series_of(&(struct fault_impairment){
        .delay = base_dur_ms(100), .jitter = base_dur_ms(10), .distribution = FAULT_NORMAL});
    assert_near(s.mean, 100, 0.35);
    assert_near(s.deviation, 10, 0.25);
    assert_true(s.least < 75 && s.most > 125); /* a uniform one of this deviation ends at 82.7 */
}

/* Mean and deviation are those asked for; what is left of them is near, what is right is far. */
static void skewed_jitters_have_their_deviation_and_their_tail(void **state)
{
    (void)state;
    static const struct {
        enum fault_distribution distribution;
        double least;
    } cases[] = {{FAULT_PARETO, 91.798}, {FAULT_PARETO_NORMAL, 75}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault_impairment what = {.delay = base_dur_ms(100),
                                        .jitter = base_dur_ms(10),
                                        .distribution = cases[i].distribution};
        struct series s = series_of(&what);
        assert_near(s.mean, 100, 0.35);
        assert_near(s.deviation, 10, 0.5);
        assert_near(s.correlation, 0, 0.035);
        assert_true(s.least >= cases[i].least && s.least < 92);
        assert_near(s.most, 140, 1e-3);
        what.correlation = 0.5;
        s = series_of(&what);
        assert_near(s.deviation, 10, 0.8);
        assert_true(s.correlation > 0.3 && s.correlation < 0.5); /* tails follow each other less */
    }
}

static void correlation_leaves_the_distribution_as_it_is(void **state)
{
    (void)state;
    static const double rhos[] = {0.25, 0.5, 0.9};
    for (size_t i = 0; i < sizeof rhos / sizeof *rhos; i++) {
        struct fault_impairment what = {.delay = base_dur_ms(100),
                                        .jitter = base_dur_ms(10),
                                        .correlation = rhos[i],
                                        .distribution = FAULT_NORMAL};
        struct series s = series_of(&what);
        assert_near(s.correlation, rhos[i], 0.03);
        assert_near(s.deviation, 10, 1.0);
        what.distribution = FAULT_UNIFORM;
        s = series_of(&what);
        assert_near(s.correlation, rhos[i], 0.05); /* a copula changes it a little */
        assert_near(s.deviation, 10 / sqrt(3), 0.6);
        assert_true(s.least >= 90 && s.most <= 110);
    }
}

static void nothing_leaves_before_it_came(void **state)
{
    (void)state;
    struct series s = series_of(&(struct fault_impairment){
        .delay = base_dur_ms(1), .jitter = base_dur_ms(5), .distribution = FAULT_NORMAL});
    assert_true(s.least >= 0.0);
}

/* --- the link --- */

static void a_link_passes_its_rate(void **state)
{
    (void)state;
    struct impair impair;
    impair_init(&impair, &(struct fault_impairment){.rate = 1e6, .delay = base_dur_ms(10)}, 1);
    /* 100 packets of 1250 bytes take 10 ms each on it, whenever they came within its buffer. */
    struct mono_ns left = epoch;
    size_t passed = 0;
    for (int i = 0; i < 100; i++) {
        struct impair_fate fate = impair_packet(&impair, at_us(i), 1250);
        if (fate.drop)
            break;
        assert_int_equal(fate.leaves.ns, epoch.ns + (i + 2) * 10 * BASE_NS_PER_MS);
        left = fate.leaves;
        passed++;
    }
    /* The buffer is as long as what it holds takes to leave. */
    int64_t backlog = impair_backlog(&impair.what).ns;
    assert_true(passed > 1 && passed < 100);
    assert_true(left.ns - epoch.ns >= backlog &&
                left.ns - epoch.ns <= backlog + 30 * BASE_NS_PER_MS);
    /* Once it has run empty it is as new. */
    struct mono_ns later = base_mono_add(left, base_dur_s(1));
    assert_int_equal(impair_packet(&impair, later, 1250).leaves.ns, later.ns + 20 * BASE_NS_PER_MS);
}

static void what_is_decided_by_packet_is_told(void **state)
{
    (void)state;
    const struct fault_impairment none = {.delay = base_dur_ms(1), .jitter = base_dur_ms(1)};
    struct fault_impairment some[] = {none, none, none, none, none, none, none, none};
    some[0].loss = 0.1;
    some[1].burst.enter = 0.1;
    some[2].duplicate = 0.1;
    some[3].corrupt = 0.1;
    some[4].reorder = 0.1;
    some[5].rate = 1e6;
    some[6].states.enter = 0.1;
    some[7].share = 0.1;
    assert_false(impair_counts_packets(&none));
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        assert_true(impair_counts_packets(&some[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_changes_nothing),
        cmocka_unit_test(the_delay_is_exact_without_jitter),
        cmocka_unit_test(same_seed_same_fates),
        cmocka_unit_test(each_share_is_binomial),
        cmocka_unit_test(only_a_share_is_hit),
        cmocka_unit_test(jitter_is_correlated_among_those_that_are_hit),
        cmocka_unit_test(uniform_losses_are_independent),
        cmocka_unit_test(bursts_are_as_long_as_asked),
        cmocka_unit_test(a_burst_and_a_calm_have_losses_of_their_own),
        cmocka_unit_test(each_state_is_left_as_asked),
        cmocka_unit_test(the_chain_loses_as_much_as_its_formula_says),
        cmocka_unit_test(uniform_jitter_fills_its_width),
        cmocka_unit_test(normal_jitter_has_its_deviation),
        cmocka_unit_test(skewed_jitters_have_their_deviation_and_their_tail),
        cmocka_unit_test(correlation_leaves_the_distribution_as_it_is),
        cmocka_unit_test(nothing_leaves_before_it_came),
        cmocka_unit_test(a_link_passes_its_rate),
        cmocka_unit_test(what_is_decided_by_packet_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
