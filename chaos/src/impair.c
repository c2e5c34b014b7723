/* SPDX-License-Identifier: Apache-2.0 */
#include "impair.h"

#include <math.h>

enum {
    backlog_ms = 200,            /* a router's buffer, in time... */
    backlog_least_bits = 1 << 19 /* ...but never so small that one burst of a flow overflows it */
};

void impair_init(struct impair *impair, const struct fault_impairment *what, uint64_t seed)
{
    *impair = (struct impair){.what = *what};
    base_rng_seed(&impair->rng, seed);
}

bool impair_counts_packets(const struct fault_impairment *what)
{
    return what->loss > 0.0 || fault_has_burst(what) || what->duplicate > 0.0 ||
           what->corrupt > 0.0 || what->reorder > 0.0 || what->rate > 0.0;
}

double impair_mean_loss(const struct fault_impairment *what)
{
    if (!fault_has_burst(what))
        return what->loss;
    double bad = what->burst.enter / (what->burst.enter + what->burst.leave);
    return bad * what->burst.loss + (1.0 - bad) * what->burst.calm;
}

struct dur_ns impair_backlog(const struct fault_impairment *what)
{
    struct dur_ns time = base_dur_ms(backlog_ms);
    double least = backlog_least_bits / what->rate * 1e9;
    if ((double)time.ns < least)
        time.ns = (int64_t)least;
    return time;
}

static bool happens(struct impair *impair, double chance)
{
    return chance > 0.0 && base_rng_unit(&impair->rng) < chance;
}

/* Gilbert 1960, Elliott 1963: the state moves first, then the packet is lost by the state's own
 * chance. */
static bool lost(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    if (!fault_has_burst(what))
        return happens(impair, what->loss);
    if (happens(impair, impair->bursting ? what->burst.leave : what->burst.enter))
        impair->bursting = !impair->bursting;
    return happens(impair, impair->bursting ? what->burst.loss : what->burst.calm);
}

/* Box and Muller 1958. */
static double standard_normal(struct base_rng *rng)
{
    double radius = sqrt(-2.0 * log1p(-base_rng_unit(rng)));
    return radius * cos(2.0 * 3.14159265358979323846 * base_rng_unit(rng));
}

/* An autoregressive normal value, so that correlation leaves the distribution as it is; its place
 * in the normal distribution is a correlated uniform one. */
static double jitter_ns(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    double rho = what->correlation;
    impair->wander = rho * impair->wander + sqrt(1.0 - rho * rho) * standard_normal(&impair->rng);
    double unit = what->distribution == FAULT_NORMAL
                      ? impair->wander
                      : 2.0 * (0.5 * erfc(-impair->wander / sqrt(2.0))) - 1.0;
    return unit * (double)what->jitter.ns;
}

static int64_t delay_ns(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    double jitter = what->jitter.ns > 0 ? jitter_ns(impair) : 0.0;
    if (happens(impair, what->reorder))
        return 0;
    double delay = (double)what->delay.ns + jitter;
    return delay > 0.0 ? (int64_t)delay : 0;
}

/* When the packet will have left the link; false: its buffer is full. */
static bool pass_link(struct impair *impair, struct mono_ns now, size_t bytes, struct mono_ns *out)
{
    *out = now;
    if (impair->what.rate <= 0.0)
        return true;
    struct mono_ns from = base_mono_before(impair->link_free, now) ? now : impair->link_free;
    if (base_mono_sub(from, now).ns > impair_backlog(&impair->what).ns)
        return false;
    double takes = (double)bytes * 8.0 / impair->what.rate * 1e9;
    *out = base_mono_add(from, (struct dur_ns){(int64_t)takes});
    impair->link_free = *out;
    return true;
}

struct impair_fate impair_packet(struct impair *impair, struct mono_ns now, size_t bytes)
{
    const struct fault_impairment *what = &impair->what;
    struct impair_fate fate = {.leaves = now};
    struct mono_ns sent;
    if (lost(impair) || !pass_link(impair, now, bytes, &sent)) {
        fate.drop = true;
        return fate;
    }
    fate.duplicate = happens(impair, what->duplicate);
    fate.corrupt = happens(impair, what->corrupt);
    if (fate.corrupt)
        fate.flip_bit = base_rng_u64(&impair->rng);
    fate.leaves = base_mono_add(sent, (struct dur_ns){delay_ns(impair)});
    return fate;
}
