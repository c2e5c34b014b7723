/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "users.h"

static struct load_route routes[] = {{.weight = 1}, {.weight = 3}};

static struct load_spec spec_of(struct load_stage *stages, size_t count)
{
    struct load_spec spec = {.seed = 5, .routes = routes, .route_count = 2};
    spec.closed = (struct load_closed){.stages = stages, .stage_count = count};
    for (size_t i = 0; i < count; i++)
        spec.duration.ns += stages[i].length.ns;
    return spec;
}

/* One request as it went: who, when it was due. */
struct sent {
    uint32_t user;
    uint32_t route;
    int64_t at;
};

enum { SENT_MAX = 100000 };

/* A target that takes `service` for every request, in simulated time. Requests end in the order in
 * which they were due. Returns how many there were. */
static size_t simulate(const struct load_spec *spec, atomic_uint_least64_t *shared, int64_t service,
                       uint32_t share, uint32_t shares, struct sent *out)
{
    struct load_users users;
    struct load_arrival *open = calloc(SENT_MAX, sizeof *open);
    size_t count = 0, ended = 0;
    assert_non_null(open);
    load_users_init(&users, spec, shared, share, shares);
    while (!load_users_over(&users)) {
        int64_t next = load_users_next(&users);
        int64_t end = ended < count ? open[ended].at + service : INT64_MAX;
        if (end <= next) {
            load_users_done(&users, open[ended++].number, end, false);
        } else if (load_users_take(&users, &open[count])) {
            assert_true(open[count].at == next && next < spec->duration.ns);
            out[count] = (struct sent){users.users[open[count].number].number, open[count].route,
                                       open[count].at};
            assert_true(++count < SENT_MAX);
        }
    }
    load_users_fini(&users);
    free(open);
    return count;
}

static size_t most_at_a_time(const struct sent *sent, size_t count, int64_t service, int64_t at)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += sent[i].at <= at && at < sent[i].at + service;
    return n;
}

/* 10 users, 90 ms to answer, 10 ms to think: ten requests a second of each. */
static void test_throughput_follows_the_target(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(10), 10, 10, 0, {0}};
    struct load_spec spec = spec_of(&stage, 1);
    struct sent *sent = calloc(SENT_MAX, sizeof *sent);
    spec.closed.think = LOAD_THINK_CONSTANT;
    spec.closed.think_a = base_dur_ms(10);
    assert_int_equal(simulate(&spec, NULL, 90 * BASE_NS_PER_MS, 0, 1, sent), 1000);
    assert_int_equal(most_at_a_time(sent, 1000, 90 * BASE_NS_PER_MS, 5050 * BASE_NS_PER_MS), 10);
    /* Half as fast a target gets half of it: nobody waits for answers in an open model. */
    assert_int_equal(simulate(&spec, NULL, 190 * BASE_NS_PER_MS, 0, 1, sent), 500);
    free(sent);
}

static void test_users_come_and_go(void **state)
{
    (void)state;
    struct load_stage stages[] = {{base_dur_s(10), 0, 100, 0, {0}},
                                  {base_dur_s(1), 100, 100, 0, {0}},
                                  {base_dur_s(2), 7, 7, 0, {0}},
                                  {base_dur_s(3), 0, 0, 0, {0}},
                                  {base_dur_s(4), 20, 0, 0, {0}}};
    struct load_spec spec = spec_of(stages, 5);
    struct sent *sent = calloc(SENT_MAX, sizeof *sent);
    const int64_t service = 20 * BASE_NS_PER_MS;
    size_t count = simulate(&spec, NULL, service, 0, 1, sent);
    static const struct {
        int64_t ms;
        size_t users;
    } levels[] = {{50, 0},    {105, 1},   {5010, 50},  {9990, 99}, {10900, 100}, {11900, 7},
                  {13500, 0}, {15900, 0}, {16010, 19}, {18010, 9}, {19990, 0}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        size_t n = most_at_a_time(sent, count, service, levels[i].ms * BASE_NS_PER_MS);
        /* Who left had a request under way for up to 20 ms, in which the level fell by 0.1. */
        if (n < levels[i].users || n > levels[i].users + 1)
            fail_msg("at %lld ms: %zu users, expected %zu", (long long)levels[i].ms, n,
                     levels[i].users);
    }
    /* The first user comes when the level reaches one, not before. */
    assert_int_equal(sent[0].at, 100 * BASE_NS_PER_MS);
    free(sent);
}

static void test_iterations(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(1000), 7, 7, 0, {0}};
    struct load_spec spec = spec_of(&stage, 1);
    struct sent *sent = calloc(SENT_MAX, sizeof *sent);
    atomic_uint_least64_t left;
    atomic_init(&left, 100);
    assert_int_equal(simulate(&spec, &left, 1000, 0, 1, sent), 100);
    /* Who is fast takes from the same heap: over two threads it is still 100 in all. */
    atomic_init(&left, 100);
    size_t first = simulate(&spec, &left, 1000, 0, 2, sent);
    assert_int_equal(first + simulate(&spec, &left, 1000, 1, 2, sent), 100);
    spec.closed.each = 9;
    assert_int_equal(simulate(&spec, NULL, 1000, 0, 1, sent), 63);
    size_t of[7] = {0};
    for (size_t i = 0; i < 63; i++)
        of[sent[i].user]++;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(of[i], 9);
    free(sent);
}

static int by_user_and_time(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Each user thinks the same and asks for the same, whoever else is on his thread. */
static void test_users_are_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(20), 0, 30, 0, {0}};
    struct load_spec spec = spec_of(&stage, 1);
    spec.closed.think = LOAD_THINK_EXPONENTIAL;
    spec.closed.think_a = base_dur_ms(100);
    struct sent *whole = calloc(SENT_MAX, sizeof *whole);
    struct sent *parts = calloc(SENT_MAX, sizeof *parts);
    size_t count = simulate(&spec, NULL, BASE_NS_PER_MS, 0, 1, whole);
    qsort(whole, count, sizeof *whole, by_user_and_time);
    for (uint32_t shares = 2; shares <= 4; shares++) {
        size_t sum = 0;
        for (uint32_t share = 0; share < shares; share++)
            sum += simulate(&spec, NULL, BASE_NS_PER_MS, share, shares, parts + sum);
        assert_int_equal(sum, count);
        qsort(parts, sum, sizeof *parts, by_user_and_time);
        assert_memory_equal(parts, whole, count * sizeof *whole);
    }
    spec.seed++;
    assert_true(simulate(&spec, NULL, BASE_NS_PER_MS, 0, 1, parts) != count ||
                parts[count - 1].at != whole[count - 1].at);
    free(whole);
    free(parts);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double share_below(const struct load_closed *closed, double t)
{
    double a = (double)closed->think_a.ns, b = (double)closed->think_b.ns;
    if (closed->think == LOAD_THINK_UNIFORM)
        return t < a ? 0 : t > b ? 1 : (t - a) / (b - a);
    if (closed->think == LOAD_THINK_EXPONENTIAL)
        return -expm1(-t / a);
    return t <= 0 ? 0 : 0.5 * erfc(-log(t / a) / (log(b / a) / 1.6448536269514722) / sqrt(2));
}

/* Kolmogorov-Smirnov, as in test_schedule.c. */
static void test_think_times_are_distributed_as_said(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const struct load_closed cases[] = {
        {.think = LOAD_THINK_UNIFORM, .think_a = {1000000}, .think_b = {3000000}},
        {.think = LOAD_THINK_EXPONENTIAL, .think_a = {5000000}},
        {.think = LOAD_THINK_LOGNORMAL, .think_a = {1000000}, .think_b = {4000000}},
    };
    double *thinks = calloc(N, sizeof *thinks);
    struct sent *sent = calloc(SENT_MAX, sizeof *sent);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct load_stage stage = {base_dur_s(10000), 1, 1, 0, {0}};
        struct load_spec spec = spec_of(&stage, 1);
        spec.closed.think = cases[k].think;
        spec.closed.think_a = cases[k].think_a;
        spec.closed.think_b = cases[k].think_b;
        spec.closed.each = N + 1;
        assert_int_equal(simulate(&spec, NULL, 0, 0, 1, sent), N + 1);
        double worst = 0;
        for (size_t i = 0; i < N; i++)
            thinks[i] = (double)(sent[i + 1].at - sent[i].at);
        qsort(thinks, N, sizeof *thinks, by_value);
        for (size_t i = 0; i < N; i++) {
            double below = share_below(&cases[k], thinks[i]);
            worst = fmax(worst, fabs(below - (double)i / N));
            worst = fmax(worst, fabs(below - (double)(i + 1) / N));
        }
        if (worst * sqrt(N) > 1.628)
            fail_msg("case %zu: KS statistic %.3f", k, worst * sqrt(N));
    }
    free(thinks);
    free(sent);
}

/* Nobody may spin: a user without think time whose request could not be sent waits a little. */
static void test_refused_users_pause(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(1), 1, 1, 0, {0}};
    struct load_spec spec = spec_of(&stage, 1);
    struct load_users users;
    struct load_arrival arrival;
    load_users_init(&users, &spec, NULL, 0, 1);
    assert_true(load_users_take(&users, &arrival));
    load_users_done(&users, arrival.number, 500, true);
    assert_int_equal(load_users_next(&users), 500 + 10 * BASE_NS_PER_MS);
    assert_true(load_users_take(&users, &arrival));
    load_users_done(&users, arrival.number, 20 * BASE_NS_PER_MS, false);
    assert_int_equal(load_users_next(&users), 20 * BASE_NS_PER_MS);
    load_users_fini(&users);
}

/* Who is ready at the same time goes in the order of numbers, so that a run can be had again. */
static void test_ties_go_by_number(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(1), 50, 50, 0, {0}};
    struct load_spec spec = spec_of(&stage, 1);
    struct load_users users;
    struct load_arrival arrival;
    load_users_init(&users, &spec, NULL, 0, 1);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 50; i++) {
            assert_true(load_users_take(&users, &arrival));
            assert_int_equal(arrival.number, i);
        }
        for (uint64_t i = 50; i > 0; i--) /* and whoever was done first */
            load_users_done(&users, i - 1, 1000 * (round + 1), false);
    }
    load_users_fini(&users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throughput_follows_the_target),
        cmocka_unit_test(test_users_come_and_go),
        cmocka_unit_test(test_iterations),
        cmocka_unit_test(test_users_are_the_same_for_any_number_of_threads),
        cmocka_unit_test(test_think_times_are_distributed_as_said),
        cmocka_unit_test(test_refused_users_pause),
        cmocka_unit_test(test_ties_go_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
