/* SPDX-License-Identifier: Apache-2.0 */
#include "netem.h"

#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <math.h>
#include <string.h>

#include "impair.h"
#include "jitter.h"

enum {
    packets_per_s = 200000, /* more than one queue of a host passes */
    packet_bits = 1500 * 8,
    limit_least = 1000,   /* netem's own default */
    limit_most = 4000000, /* 10 s of the above, twice */
    table_size = 4096,    /* of a distribution, as tc's own */
    mac_header = 14
};

bool netem_can(const struct fault_impairment *what, struct base_error *err)
{
    /* tabledist() in net/sched/sch_netem.c takes twice the jitter as 32 bits of nanoseconds. */
    return what->jitter.ns <= 2 * BASE_NS_PER_S ||
           base_fail(err, BASE_INVALID,
                     "jitter: netem, which impairs packets on this host, varies "
                     "a delay by 2s at most");
}

uint32_t netem_limit(const struct fault_impairment *what)
{
    double held_s = base_dur_to_s(what->delay) + 4.0 * base_dur_to_s(what->jitter);
    double rate = packets_per_s;
    if (what->rate > 0.0) {
        rate = what->rate / packet_bits;
        held_s += base_dur_to_s(impair_backlog(what));
        return (uint32_t)(ceil(held_s * rate) + 16.0);
    }
    double limit = limit_least + 1.5 * held_s * rate;
    return limit < limit_most ? (uint32_t)limit : limit_most;
}

/* --- attributes, as in netlink(7) --- */

struct writer {
    unsigned char *out;
    size_t len;
};

static void put(struct writer *writer, uint16_t type, const void *data, size_t len)
{
    struct nlattr head = {.nla_type = type, .nla_len = (uint16_t)(sizeof head + len)};
    memcpy(writer->out + writer->len, &head, sizeof head);
    memcpy(writer->out + writer->len + sizeof head, data, len);
    writer->len += (sizeof head + len + 3) & ~(size_t)3;
}

/* A share as the kernel has it: of all 32 bits. */
static uint32_t probability(double share)
{
    double scaled = rint(share * (double)UINT32_MAX);
    return scaled < (double)UINT32_MAX ? (uint32_t)scaled : UINT32_MAX;
}

/* The value below which the standard normal distribution has that share. */
static double normal_at(double share)
{
    double low = -8.0;
    double high = 8.0;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2.0;
        if (0.5 * erfc(-middle / sqrt(2.0)) < share)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void put_distribution(struct writer *writer, enum fault_distribution distribution)
{
    int16_t table[table_size];
    for (int i = 0; i < table_size; i++) {
        double value =
            rint(jitter_at(distribution, normal_at((i + 0.5) / table_size)) * NETEM_DIST_SCALE);
        table[i] = (int16_t)fmax(-32767.0, fmin(32767.0, value));
    }
    put(writer, TCA_NETEM_DELAY_DIST, table, sizeof table);
}

static void put_bursts(struct writer *writer, const struct fault_impairment *what)
{
    /* loss_gilb_ell(): h is what is not lost in the bad state, k1 what is lost in the good one. */
    const struct tc_netem_gemodel model = {
        .p = probability(what->burst.enter),
        .r = probability(what->burst.leave),
        .h = probability(1.0 - what->burst.loss),
        .k1 = probability(what->burst.calm),
    };
    unsigned char nested[64] = {0};
    struct writer inner = {.out = nested};
    put(&inner, NETEM_LOSS_GE, &model, sizeof model);
    put(writer, TCA_NETEM_LOSS | NLA_F_NESTED, nested, inner.len);
}

static void put_states(struct writer *writer, const struct fault_impairment *what)
{
    /* loss_4state() adds the two chances of a state up in 32 bits: they must not wrap around. */
    uint32_t alone = probability(what->states.alone);
    uint32_t enter = probability(what->states.enter);
    uint32_t pass = probability(what->states.pass);
    uint32_t leave = probability(what->states.leave);
    const struct tc_netem_gimodel model = {
        .p13 = enter < UINT32_MAX - alone ? enter : UINT32_MAX - alone,
        .p31 = leave < UINT32_MAX - pass ? leave : UINT32_MAX - pass,
        .p32 = pass,
        .p14 = alone,
        .p23 = probability(what->states.relapse),
    };
    unsigned char nested[64] = {0};
    struct writer inner = {.out = nested};
    put(&inner, NETEM_LOSS_GI, &model, sizeof model);
    put(writer, TCA_NETEM_LOSS | NLA_F_NESTED, nested, inner.len);
}

static void put_timing(struct writer *writer, const struct fault_impairment *what)
{
    /* Nanoseconds: the fields of the head are ticks of 64 ns, which once made delays 1000 times too
     * small. */
    const int64_t latency = what->delay.ns;
    const int64_t jitter = what->jitter.ns;
    put(writer, TCA_NETEM_LATENCY64, &latency, sizeof latency);
    put(writer, TCA_NETEM_JITTER64, &jitter, sizeof jitter);
    if (what->jitter.ns > 0 && what->distribution != FAULT_UNIFORM)
        put_distribution(writer, what->distribution);
    if (what->correlation > 0.0) {
        const struct tc_netem_corr correlation = {.delay_corr = probability(what->correlation)};
        put(writer, TCA_NETEM_CORR, &correlation, sizeof correlation);
    }
    if (what->reorder > 0.0) {
        const struct tc_netem_reorder reorder = {.probability = probability(what->reorder)};
        put(writer, TCA_NETEM_REORDER, &reorder, sizeof reorder);
    }
}

size_t netem_options(const struct fault_impairment *what,
                     unsigned char out[static NETEM_MAX_OPTIONS])
{
    const struct tc_netem_qopt head = {
        .limit = netem_limit(what),
        .loss = probability(what->loss),
        .duplicate = probability(what->duplicate),
        .gap = what->reorder > 0.0 ? 1 : 0, /* any packet may overtake */
    };
    memset(out, 0, NETEM_MAX_OPTIONS);
    memcpy(out, &head, sizeof head);
    struct writer writer = {.out = out, .len = sizeof head};
    put_timing(&writer, what);
    if (fault_has_burst(what))
        put_bursts(&writer, what);
    if (fault_has_states(what))
        put_states(&writer, what);
    if (what->corrupt > 0.0) {
        const struct tc_netem_corrupt corrupt = {.probability = probability(what->corrupt)};
        put(&writer, TCA_NETEM_CORRUPT, &corrupt, sizeof corrupt);
    }
    if (what->rate > 0.0) {
        /* Counted from the IP header on, as everywhere here; a qdisc counts the MAC header, too. */
        const struct tc_netem_rate rate = {.rate = (uint32_t)(what->rate / 8.0),
                                           .packet_overhead = -mac_header};
        put(&writer, TCA_NETEM_RATE, &rate, sizeof rate);
    }
    return writer.len;
}
