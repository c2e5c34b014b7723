/* SPDX-License-Identifier: Apache-2.0 */
#include "impair.h"

#include <math.h>

#include "jitter.h"

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
    return fault_loses(what) || what->duplicate > 0.0 || what->corrupt > 0.0 ||
           what->reorder > 0.0 || what->rate > 0.0 || fault_has_share(what);
}

/* The chain's stationary distribution, in parts of the calm state: as often as bursts are entered
 * they are left. */
static double states_mean_loss(const struct fault_impairment *what)
{
    double lost = what->states.enter / what->states.leave;
    double passed = what->states.pass > 0.0 ? lost * what->states.pass / what->states.relapse : 0.0;
    double alone = what->states.alone;
    return (lost + alone) / (1.0 + alone + lost + passed);
}

double impair_mean_loss(const struct fault_impairment *what)
{
    if (fault_has_states(what))
        return states_mean_loss(what);
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

/* As loss_4state() of the kernel's netem, so that both backends mean the same: a state is where a
 * packet ends, and two of the four are losses. */
static bool lost_by_state(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    const struct {
        double chance;
        enum impair_state to;
    } moves[][2] = {
        [IMPAIR_CALM] = {{what->states.alone, IMPAIR_LOST_ALONE},
                         {what->states.enter, IMPAIR_LOST}},
        [IMPAIR_LOST_ALONE] = {{1.0, IMPAIR_CALM}},
        [IMPAIR_LOST] = {{what->states.pass, IMPAIR_PASSED}, {what->states.leave, IMPAIR_CALM}},
        [IMPAIR_PASSED] = {{what->states.relapse, IMPAIR_LOST}},
    };
    double draw = base_rng_unit(&impair->rng);
    enum impair_state from = impair->state;
    for (int i = 0; i < 2 && impair->state == from; i++) {
        if (draw < moves[from][i].chance)
            impair->state = moves[from][i].to;
        draw -= moves[from][i].chance;
    }
    return impair->state == IMPAIR_LOST_ALONE || impair->state == IMPAIR_LOST;
}

/* Gilbert 1960, Elliott 1963: the state moves first, then the packet is lost by the state's own
 * chance. */
static bool lost(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    if (fault_has_states(what))
        return lost_by_state(impair);
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

/* An autoregressive normal value, so that correlation leaves the distribution as it is; others
 * have the value of the same place. */
static double jitter_ns(struct impair *impair)
{
    const struct fault_impairment *what = &impair->what;
    double rho = what->correlation;
    impair->wander = rho * impair->wander + sqrt(1.0 - rho * rho) * standard_normal(&impair->rng);
    return jitter_at(what->distribution, impair->wander) * (double)what->jitter.ns;
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
    /* Before all else: those that are not hit are none of the packets that jitter correlates. */
    if (fault_has_share(what) && !happens(impair, what->share))
        return fate;
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
