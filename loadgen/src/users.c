/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"

static const int64_t refused_pause = 10 * BASE_NS_PER_MS;
static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15); /* spreads numbers over seeds */
static const uint64_t picks_stream = UINT64_C(0x726f757465730001);

uint32_t load_users_most(const struct load_spec *spec)
{
    double most = 0;
    for (size_t i = 0; i < spec->closed.stage_count; i++) {
        const struct load_stage *stage = &spec->closed.stages[i];
        most = fmax(most, fmax(stage->from, stage->to));
    }
    return (uint32_t)most;
}

/* --- who is there --- */

/* When, from `after` ns into the stage on, its level is at least `need`; its length: not in it. */
static int64_t reaches(const struct load_stage *stage, int64_t after, double need)
{
    double length = (double)stage->length.ns;
    double slope = (stage->to - stage->from) / length;
    if (stage->from + slope * (double)after >= need)
        return after;
    if (slope <= 0 || stage->to < need)
        return stage->length.ns;
    double at = ceil((need - stage->from) / slope);
    return at < length ? (int64_t)at : stage->length.ns;
}

/* From when on the user is there, not before `at`; INT64_MAX: not any more. */
static int64_t present(const struct load_spec *spec, uint32_t number, int64_t at)
{
    int64_t start = 0;
    for (size_t i = 0; i < spec->closed.stage_count; i++) {
        const struct load_stage *stage = &spec->closed.stages[i];
        int64_t after = at > start ? at - start : 0;
        if (after < stage->length.ns) {
            int64_t reached = reaches(stage, after, (double)number + 1);
            if (reached < stage->length.ns)
                return start + reached;
        }
        start += stage->length.ns;
    }
    return INT64_MAX;
}

/* --- the heap of those who think --- */

static bool earlier(const struct load_users *users, uint32_t a, uint32_t b)
{
    const struct load_user *x = &users->users[a];
    const struct load_user *y = &users->users[b];
    return x->ready != y->ready ? x->ready < y->ready : x->number < y->number;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void push(struct load_users *users, uint32_t index)
{
    uint32_t at = users->thinking++;
    users->heap[at] = index;
    while (at > 0 && earlier(users, users->heap[at], users->heap[(at - 1) / 2])) {
        swap(&users->heap[at], &users->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static uint32_t pop(struct load_users *users)
{
    uint32_t top = users->heap[0];
    users->heap[0] = users->heap[--users->thinking];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < users->thinking && earlier(users, users->heap[child], users->heap[least]))
                least = child;
        if (least == at)
            return top;
        swap(&users->heap[at], &users->heap[least]);
        at = least;
    }
}

/* --- thinking --- */

static double normal(struct base_rng *rng)
{
    double radius = sqrt(-2 * log1p(-base_rng_unit(rng)));
    return radius * cos(2 * acos(-1.0) * base_rng_unit(rng)); /* Box and Muller */
}

static double draw_think(const struct load_closed *closed, struct base_rng *rng)
{
    static const double z95 = 1.6448536269514722; /* 95 % of a normal variable lie below it */
    double a = (double)closed->think_a.ns;
    double b = (double)closed->think_b.ns;
    switch (closed->think) {
    case LOAD_THINK_CONSTANT:
        return a;
    case LOAD_THINK_UNIFORM:
        return a + (b - a) * base_rng_unit(rng);
    case LOAD_THINK_EXPONENTIAL:
        return base_rng_exponential(rng, a);
    case LOAD_THINK_LOGNORMAL:
        return a * exp(log(b / a) / z95 * normal(rng));
    case LOAD_THINK_NONE:
        break;
    }
    return 0;
}

static bool iterations_over(const struct load_users *users)
{
    return users->shared != NULL && atomic_load_explicit(users->shared, memory_order_relaxed) == 0;
}

/* He thinks until then, or leaves. */
static void think_until(struct load_users *users, uint32_t index, double at)
{
    struct load_user *user = &users->users[index];
    double end = (double)users->spec->duration.ns;
    if (at >= end || user->left == 0 || iterations_over(users))
        return;
    user->ready = present(users->spec, user->number, (int64_t)at);
    if (user->ready < users->spec->duration.ns)
        push(users, index);
}

/* --- the public part --- */

void load_users_init(struct load_users *users, const struct load_spec *spec,
                     atomic_uint_least64_t *shared, uint32_t share, uint32_t shares)
{
    uint32_t most = load_users_most(spec);
    *users = (struct load_users){.spec = spec, .shared = shared, .most = most};
    users->count = most / shares + (share < most % shares);
    users->users = base_calloc(users->count, sizeof *users->users);
    users->heap = base_calloc(users->count, sizeof *users->heap);
    load_picker_init(&users->picker, spec);
    for (uint32_t i = 0; i < users->count; i++) {
        struct load_user *user = &users->users[i];
        user->number = share + i * shares;
        user->left = spec->closed.each > 0 ? spec->closed.each : UINT64_MAX;
        uint64_t seed = spec->seed ^ (golden * ((uint64_t)user->number + 1));
        base_rng_seed(&user->thinks, seed);
        base_rng_seed(&user->picks, seed ^ picks_stream);
        think_until(users, i, 0);
    }
}

void load_users_fini(struct load_users *users)
{
    free(users->users);
    free(users->heap);
    load_picker_fini(&users->picker);
    *users = (struct load_users){.spec = NULL};
}

int64_t load_users_next(const struct load_users *users)
{
    return users->thinking > 0 ? users->users[users->heap[0]].ready : INT64_MAX;
}

/* One of the shared iterations, if there is one left. */
static bool claim(const struct load_users *users)
{
    if (users->shared == NULL)
        return true;
    uint_least64_t left = atomic_load_explicit(users->shared, memory_order_relaxed);
    while (left > 0 &&
           !atomic_compare_exchange_weak_explicit(users->shared, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    return left > 0;
}

bool load_users_take(struct load_users *users, struct load_arrival *out)
{
    uint32_t index = pop(users);
    struct load_user *user = &users->users[index];
    if (!claim(users))
        return false;
    user->left--;
    user->begun++;
    users->working++;
    *out = (struct load_arrival){.at = user->ready,
                                 .number = index,
                                 .route = load_picker_draw(&users->picker, &user->picks)};
    return true;
}

void load_users_done(struct load_users *users, uint64_t index, int64_t at, bool refused)
{
    struct load_user *user = &users->users[index];
    double think = draw_think(&users->spec->closed, &user->thinks);
    double least = refused ? (double)refused_pause : 0;
    users->working--;
    think_until(users, (uint32_t)index, (double)at + fmax(think, least));
}

uint64_t load_users_request(const struct load_users *users, uint64_t index)
{
    const struct load_user *user = &users->users[index];
    return (user->begun - 1) * users->most + user->number;
}

bool load_users_over(const struct load_users *users)
{
    return users->thinking == 0 && users->working == 0;
}
