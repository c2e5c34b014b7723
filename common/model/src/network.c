/* SPDX-License-Identifier: Apache-2.0 */
/* The fault "network": its JSON, and which impairments go together. */
#include "base/text.h"
#include "model/fault.h"
#include "shapes.h"

static const char *const protocol_names[] = {[FAULT_PROTOCOL_ANY] = "any",
                                             [FAULT_PROTOCOL_TCP] = "tcp",
                                             [FAULT_PROTOCOL_ICMP] = "icmp",
                                             [FAULT_PROTOCOL_UDP] = "udp"};
const struct codec_words model_protocols = CODEC_WORDS(protocol_names);

static const char *const distribution_names[] = {[FAULT_UNIFORM] = "uniform",
                                                 [FAULT_NORMAL] = "normal",
                                                 [FAULT_PARETO] = "pareto",
                                                 [FAULT_PARETO_NORMAL] = "paretonormal"};
static const struct codec_words distributions = CODEC_WORDS(distribution_names);

static bool check_shape(const void *value, const char *where, struct base_error *err)
{
    const struct fault_spec *spec = value;
    return fault_network_check(&spec->network, err) || base_fail_context(err, "%s", where);
}

#define AT(member)     .offset = offsetof(struct fault_spec, network.member)
#define IMPAIR(member) AT(impairment.member)
static const struct codec_field network_fields[] = {
    {.key = "peers",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(peers),
     .count_offset = offsetof(struct fault_spec, network.peer_count)},
    {.key = "ports",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     AT(ports),
     .count_offset = offsetof(struct fault_spec, network.port_count)},
    {.key = "protocol", .type = CODEC_WORD, .words = &model_protocols, AT(protocol)},
    {.key = "direction", .type = CODEC_WORD, .words = &model_directions, AT(direction)},
    {.key = "delayNs", .type = CODEC_NS, IMPAIR(delay)},
    {.key = "jitterNs", .type = CODEC_NS, IMPAIR(jitter)},
    {.key = "correlation", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(correlation)},
    {.key = "distribution", .type = CODEC_WORD, .words = &distributions, IMPAIR(distribution)},
    {.key = "loss", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(loss)},
    {.key = "burstEnter", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(burst.enter)},
    {.key = "burstLeave", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(burst.leave)},
    {.key = "burstLoss", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(burst.loss)},
    {.key = "burstCalm", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(burst.calm)},
    {.key = "duplicate", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(duplicate)},
    {.key = "corrupt", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(corrupt)},
    {.key = "reorder", .type = CODEC_REAL, .range = RANGE_SHARE, IMPAIR(reorder)},
    {.key = "rateBits", .type = CODEC_REAL, IMPAIR(rate)},
    {.key = "seed", .type = CODEC_U64, AT(seed)},
    /* All of them, and none, are said by leaving it out. */
    {.key = "share", .type = CODEC_REAL, .range = RANGE_OPEN, .optional = true, IMPAIR(share)},
    {.key = "stateAlone",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     IMPAIR(states.alone)},
    {.key = "stateEnter",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     IMPAIR(states.enter)},
    {.key = "stateLeave",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     IMPAIR(states.leave)},
    {.key = "statePass",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     IMPAIR(states.pass)},
    {.key = "stateRelapse",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     IMPAIR(states.relapse)},
};
#undef IMPAIR
#undef AT
const struct codec_shape model_network_shape = {.name = "network",
                                                .size = sizeof(struct fault_spec),
                                                .closed = true,
                                                CODEC_FIELDS(network_fields),
                                                .check = check_shape};

bool fault_has_burst(const struct fault_impairment *impairment)
{
    return impairment->burst.enter > 0.0;
}

bool fault_has_states(const struct fault_impairment *impairment)
{
    return impairment->states.enter > 0.0;
}

bool fault_loses(const struct fault_impairment *impairment)
{
    return impairment->loss > 0.0 || fault_has_burst(impairment) || fault_has_states(impairment);
}

bool fault_has_share(const struct fault_impairment *impairment)
{
    return impairment->share > 0.0 && impairment->share < 1.0;
}

/* --- what goes together --- */

bool model_ports_good(char *const *ports, size_t count, struct base_error *err)
{
    if (count > FAULT_MAX_PORTS)
        return base_fail(err, BASE_INVALID, "ports: at most %d can be named", FAULT_MAX_PORTS);
    for (size_t i = 0; i < count; i++) {
        uint64_t port = 0;
        if (!base_parse_u64(ports[i], &port) || port == 0 || port > UINT16_MAX)
            return base_fail(err, BASE_INVALID, "ports: \"%.16s\" is no port, expected 1 to 65535",
                             ports[i]);
    }
    return true;
}

static bool check_ports(const struct fault_network *network, struct base_error *err)
{
    if (network->port_count > 0 && network->protocol == FAULT_PROTOCOL_ICMP)
        return base_fail(err, BASE_INVALID, "ports: ICMP has none, leave them out");
    return model_ports_good(network->ports, network->port_count, err);
}

/* A rule that refuses: the key it is about, when it is broken, and what to do. */
struct rule {
    const char *key;
    bool broken;
    const char *message;
};

static bool check_rules(const struct rule *rules, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (rules[i].broken)
            return base_fail(err, BASE_INVALID, "%s: %s", rules[i].key, rules[i].message);
    return true;
}

static bool check_timing(const struct fault_impairment *im, struct base_error *err)
{
    bool jitter = im->jitter.ns > 0;
    const struct rule rules[] = {
        {"delay", im->delay.ns > 10 * BASE_NS_PER_S, "at most 10s each way"},
        {"jitter", jitter && im->delay.ns <= 0, "needs a delay that it varies"},
        {"jitter", im->jitter.ns > im->delay.ns,
         "larger than the delay: no packet can leave early"},
        {"correlation", im->correlation > 0.0 && !jitter, "needs a jitter that it smooths"},
        {"correlation", im->correlation > 0.9, "at most 90%, or all of a measurement is alike"},
        {"distribution", im->distribution != FAULT_UNIFORM && !jitter,
         "needs a jitter that it is the shape of"},
        {"jitter", im->distribution == FAULT_NORMAL && im->jitter.ns * 2 > im->delay.ns,
         "at most half of the delay when normal: much of its left half would lie before 0"},
        {"jitter", im->distribution == FAULT_PARETO_NORMAL && im->jitter.ns * 2 > im->delay.ns,
         "at most half of the delay when paretonormal: its left end would lie before 0"},
        {"reorder", im->reorder > 0.0 && im->delay.ns <= 0,
         "needs a delay: packets overtake by not being delayed"},
        {"reorder", im->reorder > 0.0 && im->delay.ns < 10 * BASE_NS_PER_MS,
         "needs a delay of at least 10ms, or it is not seen"},
        {"reorder", im->reorder > 0.5, "at most 50%: more are the rule, not those that overtake"},
        {"reorder", im->reorder > 0.0 && im->jitter.ns * 8 > im->delay.ns,
         "hidden by a jitter of more than an eighth of the delay"},
    };
    return check_rules(rules, sizeof rules / sizeof *rules, err);
}

static bool check_losses(const struct fault_impairment *im, struct base_error *err)
{
    bool burst = fault_has_burst(im);
    const struct rule rules[] = {
        {"loss", im->loss > 0.9, "at most 90%; for more use a partition"},
        {"loss", im->loss > 0.0 && burst, "either loss or lossBursts, not both"},
        {"lossBursts", burst && im->burst.leave <= 0.0, "leave must be more than 0%"},
        {"lossBursts", burst && im->burst.loss <= im->burst.calm,
         "loses no more within a burst than between them"},
        {"lossBursts", burst && im->burst.calm > 0.5, "loses most packets between bursts, too"},
        {"lossBursts", burst && im->burst.enter > im->burst.leave,
         "bursts would be the rule: enter must not exceed leave"},
        {"lossBursts",
         !burst && (im->burst.leave > 0.0 || im->burst.loss > 0.0 || im->burst.calm > 0.0),
         "enter must be more than 0%"},
        {"corrupt", im->corrupt > 0.5, "at most 50%"},
        {"duplicate", im->duplicate > 0.5, "at most 50%"},
    };
    return check_rules(rules, sizeof rules / sizeof *rules, err);
}

static bool check_states(const struct fault_impairment *im, struct base_error *err)
{
    static const double rounding = 1e-9; /* 70% and 30% are 100% */
    const double alone = im->states.alone;
    const double enter = im->states.enter;
    const double leave = im->states.leave;
    const double pass = im->states.pass;
    const double relapse = im->states.relapse;
    bool on = fault_has_states(im);
    bool some = alone > 0.0 || leave > 0.0 || pass > 0.0 || relapse > 0.0;
    /* For each loss of a burst there are pass/relapse packets of it that pass. */
    bool most = pass > 0.0 ? enter * (pass + relapse) > leave * relapse : enter > leave;
    const struct rule rules[] = {
        {"loss", on && im->loss > 0.0, "either loss or lossStates, not both"},
        {"lossBursts", on && fault_has_burst(im), "either lossBursts or lossStates, not both"},
        {"lossStates", !on && some, "enter must be more than 0%"},
        {"lossStates", on && leave <= 0.0, "leave must be more than 0%"},
        {"lossStates", on && pass > 0.0 && relapse <= 0.0,
         "pass needs relapse: nothing would be lost again, and the burst never end"},
        {"lossStates", on && relapse > 0.0 && pass <= 0.0,
         "relapse needs pass: within a burst all packets are lost without it"},
        {"lossStates", enter + alone > 1.0 + rounding, "enter and alone exceed 100% together"},
        {"lossStates", leave + pass > 1.0 + rounding, "leave and pass exceed 100% together"},
        {"lossStates", alone > 0.5, "alone: at most 50%, or most packets are lost between bursts"},
        {"lossStates", on && most,
         "bursts would be the rule: enter must not exceed leave, nor with pass "
         "leave * relapse / (pass + relapse)"},
    };
    return check_rules(rules, sizeof rules / sizeof *rules, err);
}

static bool check_share(const struct fault_impairment *im, struct base_error *err)
{
    bool some = fault_has_share(im);
    bool delay = some && im->delay.ns > 0;
    const struct rule rules[] = {
        {"percent", some && im->rate > 0.0,
         "a link has one bandwidth for all packets: give rate a fault of its own, without percent"},
        {"percent", some && (fault_has_burst(im) || fault_has_states(im)),
         "bursts are of packets in a row, of which it would leave some out: use it with loss, or "
         "without it say in lossBursts or lossStates how many pass within a burst"},
        {"percent", delay && im->delay.ns < 10 * BASE_NS_PER_MS,
         "needs a delay of at least 10ms, or it is not seen which packets are hit"},
        {"percent", delay && im->jitter.ns * 8 > im->delay.ns,
         "a jitter of more than an eighth of the delay hides which packets are hit"},
    };
    return check_rules(rules, sizeof rules / sizeof *rules, err);
}

/* RFC 6298: the first retransmission of a SYN is due after 1 s. */
static const int64_t most_connect_ns = 900 * BASE_NS_PER_MS;

bool fault_network_check(const struct fault_network *network, struct base_error *err)
{
    const struct fault_impairment *im = &network->impairment;
    /* A connect tells neither how often it was answered, nor how much goes through a link. */
    bool by_connects = network->protocol != FAULT_PROTOCOL_UDP &&
                       (network->protocol == FAULT_PROTOCOL_TCP || network->port_count > 0);
    bool some = im->delay.ns > 0 || fault_loses(im) || im->duplicate > 0.0 || im->corrupt > 0.0 ||
                im->rate > 0.0;
    bool both = network->direction == FAULT_BOTH;
    const struct rule rules[] = {
        {"percent",
         by_connects && fault_has_share(im) && im->delay.ns * (both ? 2 : 1) > most_connect_ns,
         "of TCP a round trip may take 900ms at most: a connect is tried again after 1s, and "
         "passes then"},
        {"rate", im->rate > 0.0 && (im->rate < 64e3 || im->rate > 200e6), "64kbit to 200mbit"},
        {"rate", im->rate > 0.0 && by_connects,
         "is measured by single packets, which TCP connects are not: it takes protocol any or "
         "icmp and no ports, or udp"},
        {"rate",
         im->rate > 0.0 &&
             (fault_loses(im) || im->duplicate > 0.0 || im->corrupt > 0.0 || im->reorder > 0.0),
         "what is lost, doubled or overtakes would hide it: give it a fault of its own"},
        {"duplicate", im->duplicate > 0.0 && by_connects,
         "is measured by single packets, which TCP connects are not: it takes protocol any or "
         "icmp and no ports, or udp"},
    };
    return check_ports(network, err) && check_timing(im, err) && check_losses(im, err) &&
           check_states(im, err) && check_share(im, err) &&
           check_rules(rules, sizeof rules / sizeof *rules, err) &&
           (some || base_fail(err, BASE_INVALID,
                              "does nothing, expected one of delay, loss, lossBursts, lossStates, "
                              "duplicate, corrupt and rate"));
}
