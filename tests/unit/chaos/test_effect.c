/* SPDX-License-Identifier: Apache-2.0 */
/* What is called shown: simulated round trips through the very core that impairs packets, with the
 * fault in force, without it, and with one of another size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"
#include "effect.h"
#include "impair.h"

static const int64_t base_ns = 200000; /* of an unimpaired round trip */

struct way {
    struct impair impair;
    bool impaired;
};

/* The copies of one packet that arrive, and when. */
static size_t travel(struct way *way, struct mono_ns at, size_t bytes, struct mono_ns out[2])
{
    if (!way->impaired) {
        out[0] = at;
        return 1;
    }
    struct impair_fate fate = impair_packet(&way->impair, at, bytes);
    size_t count = 0;
    if (fate.drop)
        return 0;
    if (!fate.corrupt)
        out[count++] = fate.leaves;
    if (fate.duplicate)
        out[count++] = fate.leaves;
    return count;
}

static struct fault_probe_result simulate(const struct fault_network *network,
                                          const struct fault_impairment *real,
                                          const struct fault_probe_plan *plan, uint64_t seed)
{
    struct fault_probe_result result = {.sent = plan->count};
    struct way out = {.impaired = network->direction != FAULT_INGRESS};
    struct way in = {.impaired = network->direction != FAULT_EGRESS};
    struct mono_ns half = {0};
    struct mono_ns last = {0};
    impair_init(&out.impair, real, seed);
    impair_init(&in.impair, real, ~seed);
    result.rtt_ns = base_calloc(plan->count + 1, sizeof *result.rtt_ns);
    for (size_t i = 0; i < plan->count; i++) {
        struct mono_ns sent = {1000000000 + (int64_t)i * plan->gap.ns};
        struct mono_ns there[2];
        struct mono_ns earliest = {INT64_MAX};
        size_t answers = 0;
        size_t requests = travel(&out, sent, plan->bytes, there);
        for (size_t k = 0; k < requests; k++) {
            struct mono_ns back[2];
            size_t replies = travel(&in, there[k], plan->bytes, back);
            for (size_t b = 0; b < replies; b++)
                if (base_mono_before(back[b], earliest))
                    earliest = back[b];
            answers += replies;
        }
        if (answers == 0)
            continue;
        result.doubled += answers > 1 ? 1 : 0;
        result.rtt_ns[result.answered++] = earliest.ns - sent.ns + base_ns;
        last = base_mono_before(last, earliest) ? earliest : last;
        if (result.answered <= (plan->count + 1) / 2)
            half = last;
        else
            result.arrived++;
    }
    result.arrival = base_mono_sub(last, half);
    return result;
}

static struct effect_measured measure(const struct fault_network *network,
                                      const struct fault_impairment *real,
                                      const struct effect_plan *plan, uint64_t seed)
{
    struct effect_measured m = {.paced = simulate(network, real, &plan->paced, seed)};
    if (plan->train.count > 0)
        m.train = simulate(network, real, &plan->train, seed + 1);
    return m;
}

static const struct fault_impairment nothing = {.loss = 0.0};

/* Of `series` measurements with `real` in force, how many are taken for what was asked. */
static size_t shown_of(const struct fault_network *network, const struct fault_impairment *real,
                       size_t series)
{
    struct effect_plan plan;
    struct base_error err = {0};
    size_t shown = 0;
    if (!effect_plan(network, 1, base_dur_s(4), &plan, &err))
        fail_msg("%s", err.message);
    for (size_t s = 0; s < series; s++) {
        struct effect_measured before = measure(network, &nothing, &plan, s);
        struct effect_measured during = measure(network, real, &plan, s);
        struct effect_verdict verdict;
        effect_before(network, &plan, &before, &verdict);
        /* Without a limit of its own a simulated train takes no time at all. */
        if (plan.train.count == 0)
            assert_true(effect_shown(&verdict));
        effect_during(network, &plan, &before, &during, (struct impair_lateness){.low = {0}},
                      &verdict);
        shown += effect_shown(&verdict) ? 1 : 0;
        effect_measured_fini(&before);
        effect_measured_fini(&during);
    }
    return shown;
}

static const struct fault_network cases[] = {
    {.impairment = {.delay = {50 * 1000000}}},
    {.impairment = {.delay = {50 * 1000000}}, .direction = FAULT_EGRESS},
    {.impairment = {.delay = {50 * 1000000}},
     .direction = FAULT_INGRESS,
     .protocol = FAULT_PROTOCOL_TCP},
    {.impairment = {.delay = {5 * 1000000}, .duplicate = 0.1}, .protocol = FAULT_PROTOCOL_UDP},
    {.impairment = {.rate = 2e6}, .protocol = FAULT_PROTOCOL_UDP},
    {.impairment = {.delay = {40 * 1000000}, .jitter = {20 * 1000000}}},
    {.impairment = {.delay = {40 * 1000000},
                    .jitter = {10 * 1000000},
                    .distribution = FAULT_NORMAL,
                    .correlation = 0.5}},
    {.impairment = {.delay = {100 * 1000000},
                    .jitter = {100 * 1000000},
                    .distribution = FAULT_PARETO},
     .direction = FAULT_EGRESS},
    {.impairment = {.delay = {40 * 1000000},
                    .jitter = {20 * 1000000},
                    .distribution = FAULT_PARETO_NORMAL}},
    {.impairment = {.loss = 0.05}},
    {.impairment = {.loss = 0.2}, .direction = FAULT_EGRESS},
    {.impairment = {.burst = {.enter = 0.05, .leave = 0.3, .loss = 1.0}}},
    {.impairment = {.states = {0.02, 0.05, 0.3, 0.3, 0.5}}, .direction = FAULT_EGRESS},
    {.impairment = {.duplicate = 0.1}},
    {.impairment = {.corrupt = 0.1}},
    {.impairment = {.delay = {50 * 1000000}, .reorder = 0.2}},
    {.impairment = {.loss = 0.1, .duplicate = 0.2, .corrupt = 0.05, .delay = {20 * 1000000}}},
    {.impairment = {.share = 0.2, .delay = {50 * 1000000}}},
    {.impairment = {.share = 0.9, .delay = {50 * 1000000}}, .protocol = FAULT_PROTOCOL_TCP},
    {.impairment = {.share = 0.03, .delay = {20 * 1000000}}, .direction = FAULT_EGRESS},
    {.impairment = {.share = 0.3, .delay = {80 * 1000000}, .jitter = {10 * 1000000}},
     .direction = FAULT_INGRESS},
    {.impairment = {.share = 0.5,
                    .delay = {80 * 1000000},
                    .jitter = {8 * 1000000},
                    .distribution = FAULT_NORMAL,
                    .correlation = 0.2}},
    {.impairment = {.share = 0.6, .delay = {50 * 1000000}, .reorder = 0.2}},
    {.impairment = {.share = 0.5, .loss = 0.4, .duplicate = 0.3, .corrupt = 0.2}},
    {.impairment = {.share = 0.5, .delay = {30 * 1000000}, .loss = 0.3, .duplicate = 0.3}},
    {.impairment = {.rate = 1e6}},
    {.impairment = {.rate = 20e6, .delay = {10 * 1000000}}, .direction = FAULT_EGRESS},
};
enum { case_count = sizeof cases / sizeof *cases };

static void what_is_there_is_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        size_t shown = shown_of(&cases[i], &cases[i].impairment, 200);
        if (shown < 197)
            fail_msg("case %zu: shown %zu times of 200", i, shown);
    }
}

static void what_is_not_there_is_not_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        size_t shown = shown_of(&cases[i], &nothing, 50);
        if (shown > 0)
            fail_msg("case %zu: shown %zu times of 50 without it", i, shown);
    }
}

static void scale(struct fault_impairment *im, double by)
{
    im->delay.ns = (int64_t)((double)im->delay.ns * by);
    im->jitter.ns = (int64_t)((double)im->jitter.ns * by);
    im->loss *= by;
    im->burst.enter *= by;
    im->states.enter *= by;
    im->states.alone *= by;
    im->duplicate *= by;
    im->corrupt *= by;
    im->rate *= by;
}

/* The failures of the field: a tenth or a thousandth, or several times, of what was asked. */
static void another_size_is_not_taken_for_it(void **state)
{
    (void)state;
    static const double sizes[] = {0.001, 0.1, 3.0};
    for (size_t i = 0; i < case_count; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct fault_impairment real = cases[i].impairment;
            scale(&real, sizes[k]);
            size_t shown = shown_of(&cases[i], &real, 40);
            if (shown > 4)
                fail_msg("case %zu: %g times of it was shown %zu times of 40", i, sizes[k], shown);
        }
    }
}

/* A delay on one end where both were asked for, and the other way round. */
static void one_way_is_not_taken_for_both(void **state)
{
    (void)state;
    struct fault_network both = {.impairment = {.delay = base_dur_ms(30)}};
    struct fault_network one = both;
    struct fault_impairment half = both.impairment;
    struct fault_impairment twice = both.impairment;
    one.direction = FAULT_EGRESS;
    half.delay.ns /= 2;
    twice.delay.ns *= 2;
    assert_int_equal(shown_of(&both, &half, 20), 0);
    assert_int_equal(shown_of(&one, &twice, 20), 0);
}

/* As likely as what was asked for, or not: all packets, half or twice as many, one direction of
 * two; and all of the loss, or of the delay, where a share was asked for. */
static void another_share_is_not_taken_for_it(void **state)
{
    (void)state;
    static const double shares[] = {0.0, 0.1, 0.4};
    struct fault_network delayed = {.impairment = {.share = 0.2, .delay = base_dur_ms(40)}};
    struct fault_network lossy = {.impairment = {.share = 0.2, .loss = 0.5}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        for (int direction = FAULT_BOTH; direction <= FAULT_EGRESS; direction++) {
            delayed.direction = lossy.direction = (enum fault_direction)direction;
            struct fault_impairment real = delayed.impairment;
            real.share = shares[i];
            size_t shown = shown_of(&delayed, &real, 40);
            if (shown > 1)
                fail_msg("%g of the packets were taken for 0.2 %zu times of 40", real.share, shown);
        }
    }
    struct fault_impairment all_lossy = lossy.impairment;
    all_lossy.share = 0.0;
    assert_int_equal(shown_of(&lossy, &all_lossy, 40), 0);
}

/* How often packets that are hit one way, so many of them, are taken for a share of both. */
static size_t one_way_shown(const struct fault_network *both, double share, size_t series)
{
    struct fault_network one = *both;
    struct effect_plan plan;
    size_t shown = 0;
    one.direction = FAULT_EGRESS;
    one.impairment.share = share;
    assert_true(effect_plan(both, 1, base_dur_s(4), &plan, NULL));
    for (size_t seed = 0; seed < series; seed++) {
        struct effect_verdict verdict;
        struct effect_measured before = measure(both, &nothing, &plan, seed);
        struct effect_measured during = measure(&one, &one.impairment, &plan, seed);
        effect_during(both, &plan, &before, &during, (struct impair_lateness){.low = {0}},
                      &verdict);
        shown += effect_shown(&verdict) ? 1 : 0;
        effect_measured_fini(&before);
        effect_measured_fini(&during);
    }
    return shown;
}

static void a_share_one_way_is_not_taken_for_both(void **state)
{
    (void)state;
    static const double shares[] = {0.1, 0.2, 0.5};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct fault_network both = {.impairment = {.share = shares[i], .delay = base_dur_ms(40)}};
        assert_true(one_way_shown(&both, shares[i], 40) <= 1);
    }
    /* Not even one that hits as many. */
    struct fault_network both = {.impairment = {.share = 0.3, .delay = base_dur_ms(40)}};
    assert_true(one_way_shown(&both, 0.51, 40) <= 1);
}

/* Whoever else delays as many is not the fault. */
static void a_link_that_delays_as_many_by_itself_shows_nothing(void **state)
{
    (void)state;
    const struct fault_network network = {.impairment = {.share = 0.2, .delay = base_dur_ms(40)}};
    struct effect_plan plan;
    struct effect_verdict verdict;
    assert_true(effect_plan(&network, 1, base_dur_s(4), &plan, NULL));
    struct effect_measured before = measure(&network, &network.impairment, &plan, 1);
    effect_before(&network, &plan, &before, &verdict);
    assert_false(effect_shown(&verdict));
    effect_measured_fini(&before);
}

static void too_small_a_percent_is_refused_with_the_least(void **state)
{
    (void)state;
    static const struct {
        struct fault_network network;
        const char *words;
    } refused[] = {
        {{.impairment = {.share = 0.004, .delay = {20 * 1000000}}, .direction = FAULT_EGRESS},
         "percent: of this, what befalls so few packets cannot be shown in 1500 probes; ask for "
         "1 % or more"},
        {{.impairment = {.share = 0.1, .loss = 0.02}, .direction = FAULT_EGRESS},
         "ask for 31 % or more"},
        {{.impairment = {.share = 0.1,
                         .delay = {80 * 1000000},
                         .jitter = {10 * 1000000},
                         .distribution = FAULT_PARETO},
          .direction = FAULT_EGRESS},
         "ask for 24 % or more"},
        {{.impairment = {.share = 0.5, .loss = 0.001}}, "ask for a share of 1 % or more"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct effect_plan plan;
        struct base_error err = {0};
        assert_false(effect_plan(&refused[i].network, 1, base_dur_s(4), &plan, &err));
        if (strstr(err.message, refused[i].words) == NULL)
            fail_msg("%s", err.message);
    }
}

static void after_is_gone_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        const struct fault_network *network = &cases[i];
        struct effect_plan plan;
        assert_true(effect_plan(network, 1, base_dur_s(4), &plan, NULL));
        struct effect_measured before = measure(network, &nothing, &plan, 1);
        struct effect_measured without = measure(network, &nothing, &plan, 2);
        struct effect_measured with = measure(network, &network->impairment, &plan, 3);
        struct effect_measured unknown = {0};
        struct effect_verdict verdict;
        without.train.arrival.ns = 1; /* as above: a train without a limit takes no time */
        effect_after(network, &plan, &before, &without, &verdict);
        assert_true(effect_shown(&verdict));
        effect_after(network, &plan, &unknown, &without, &verdict);
        assert_true(effect_shown(&verdict));
        effect_after(network, &plan, &before, &with, &verdict);
        assert_false(effect_shown(&verdict));
        assert_non_null(effect_odd(&verdict));
        effect_after(network, &plan, &unknown, &with, &verdict);
        assert_false(effect_shown(&verdict));
        effect_measured_fini(&before);
        effect_measured_fini(&without);
        effect_measured_fini(&with);
    }
}

/* A machine whose processors are all taken: the agent lets packets go late, evenly up to twice
 * `late`, and knows it. */
static bool shown_though_late(double size, struct dur_ns late, bool known, uint64_t seed)
{
    const struct fault_network *network = &cases[0];
    const struct impair_lateness told = {.low = {known ? late.ns / 5 : 0},
                                         .high = {known ? late.ns * 632 / 1000 : 0}};
    struct fault_impairment real = network->impairment;
    struct effect_plan plan;
    struct effect_verdict verdict;
    struct base_rng rng;
    real.delay.ns = (int64_t)((double)real.delay.ns * size);
    base_rng_seed(&rng, seed);
    assert_true(effect_plan(network, 1, base_dur_s(4), &plan, NULL));
    struct effect_measured before = measure(network, &nothing, &plan, seed);
    struct effect_measured during = measure(network, &real, &plan, seed);
    for (size_t i = 0; i < during.paced.answered; i++)
        during.paced.rtt_ns[i] +=
            (int64_t)(2.0 * (double)late.ns * (base_rng_unit(&rng) + base_rng_unit(&rng)));
    effect_during(network, &plan, &before, &during, told, &verdict);
    effect_measured_fini(&before);
    effect_measured_fini(&during);
    return effect_shown(&verdict);
}

static void lateness_of_our_own_is_told_from_the_fault(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        for (int64_t ms = 1; ms <= 35; ms++)
            assert_true(shown_though_late(1.0, base_dur_ms(ms), true, seed));
        assert_false(shown_though_late(1.0, base_dur_ms(35), false, seed));
        /* However late it was. */
        for (int64_t ms = 1; ms <= 200; ms += 7) {
            assert_false(shown_though_late(0.1, base_dur_ms(ms), true, seed));
            assert_false(shown_though_late(0.0, base_dur_ms(ms), true, seed));
            assert_false(shown_though_late(0.5, base_dur_ms(ms), true, seed));
            assert_false(shown_though_late(3.0, base_dur_ms(ms), true, seed));
        }
    }
}

/* Missing data never passes. */
static void nothing_measured_shows_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        struct effect_plan plan;
        struct effect_verdict verdict;
        const struct effect_measured none = {0};
        assert_true(effect_plan(&cases[i], 1, base_dur_s(4), &plan, NULL));
        effect_before(&cases[i], &plan, &none, &verdict);
        assert_false(effect_shown(&verdict));
        effect_during(&cases[i], &plan, &none, &none, (struct impair_lateness){.low = {0}},
                      &verdict);
        assert_false(effect_shown(&verdict));
        effect_after(&cases[i], &plan, &none, &none, &verdict);
        assert_false(effect_shown(&verdict));
    }
}

static void what_takes_too_long_is_refused_with_a_way_out(void **state)
{
    (void)state;
    struct effect_plan plan;
    struct base_error err = {0};
    struct fault_network slow = {.impairment = {.delay = base_dur_s(2)}};
    assert_false(effect_plan(&slow, 1, base_dur_s(2), &plan, &err));
    assert_non_null(strstr(err.message, "longer lease"));
    assert_true(effect_plan(&slow, 1, base_dur_s(6), &plan, &err));
    struct fault_network rare = {.impairment = {.loss = 0.0005}};
    assert_false(effect_plan(&rare, 1, base_dur_s(60), &plan, &err));
    assert_non_null(strstr(err.message, "cannot be shown"));
    /* More paths at once take more time. */
    struct fault_network some = {.impairment = {.loss = 0.02}, .protocol = FAULT_PROTOCOL_TCP};
    assert_true(effect_plan(&some, 1, base_dur_s(2), &plan, &err));
    assert_false(effect_plan(&some, 40, base_dur_s(2), &plan, &err));
}

/* Rounding must not make a chance of what is not asked for. */
static void every_loss_has_a_plan(void **state)
{
    (void)state;
    for (int percent = 1; percent <= 90; percent++) {
        struct fault_network network = {.impairment = {.loss = percent / 100.0}};
        struct effect_plan plan;
        struct base_error err = {0};
        if (!effect_plan(&network, 1, base_dur_s(2), &plan, &err))
            fail_msg("%d %%: %s", percent, err.message);
    }
}

static void the_plan_keeps_its_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        for (int64_t ms = 400; ms < 6000; ms += 200) {
            struct effect_plan plan;
            if (!effect_plan(&cases[i], 1, base_dur_ms(ms), &plan, NULL))
                continue;
            int64_t takes = (int64_t)plan.paced.count * plan.paced.gap.ns + plan.paced.patience.ns +
                            plan.train.patience.ns;
            assert_true(takes <= base_dur_ms(ms).ns);
            assert_true(plan.swift.gap.ns <= plan.paced.gap.ns);
            assert_true(plan.swift.count <= plan.paced.count && plan.swift.count >= 40);
        }
    }
}

/* A tail takes more samples to tell its deviation; the link without the fault has none, and
 * hundreds of probes at once would measure the queue that they make. */
static void a_link_without_the_fault_is_asked_no_more_for_a_tail(void **state)
{
    (void)state;
    struct fault_network network = {.impairment = {.delay = base_dur_ms(100),
                                                   .jitter = base_dur_ms(20),
                                                   .distribution = FAULT_NORMAL}};
    struct effect_plan normal, pareto;
    assert_true(effect_plan(&network, 1, base_dur_s(6), &normal, NULL));
    network.impairment.distribution = FAULT_PARETO;
    assert_true(effect_plan(&network, 1, base_dur_s(6), &pareto, NULL));
    assert_true(pareto.paced.count > normal.paced.count);
    assert_int_equal(pareto.swift.count, normal.swift.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_without_the_fault_is_asked_no_more_for_a_tail),
        cmocka_unit_test(what_is_there_is_shown),
        cmocka_unit_test(what_is_not_there_is_not_shown),
        cmocka_unit_test(another_size_is_not_taken_for_it),
        cmocka_unit_test(one_way_is_not_taken_for_both),
        cmocka_unit_test(another_share_is_not_taken_for_it),
        cmocka_unit_test(a_share_one_way_is_not_taken_for_both),
        cmocka_unit_test(a_link_that_delays_as_many_by_itself_shows_nothing),
        cmocka_unit_test(too_small_a_percent_is_refused_with_the_least),
        cmocka_unit_test(after_is_gone_or_not),
        cmocka_unit_test(lateness_of_our_own_is_told_from_the_fault),
        cmocka_unit_test(nothing_measured_shows_nothing),
        cmocka_unit_test(what_takes_too_long_is_refused_with_a_way_out),
        cmocka_unit_test(every_loss_has_a_plan),
        cmocka_unit_test(the_plan_keeps_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
