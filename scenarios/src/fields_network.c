/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what can happen to packets. */
#include "fields_parts.h"

static const struct scn_word direction_list[] = {
    {"both", FAULT_BOTH}, {"ingress", FAULT_INGRESS}, {"egress", FAULT_EGRESS}};
const struct scn_words scn_directions = WORDS(direction_list);

#define AT(member) .offset = offsetof(struct scn_fault, member)
static const struct scn_word protocol_list[] = {{"any", FAULT_PROTOCOL_ANY},
                                                {"tcp", FAULT_PROTOCOL_TCP},
                                                {"icmp", FAULT_PROTOCOL_ICMP},
                                                {"udp", FAULT_PROTOCOL_UDP}};
static const struct scn_words protocols = WORDS(protocol_list);
static const struct scn_word distribution_list[] = {{"uniform", FAULT_UNIFORM},
                                                    {"normal", FAULT_NORMAL},
                                                    {"pareto", FAULT_PARETO},
                                                    {"paretonormal", FAULT_PARETO_NORMAL}};
static const struct scn_words distributions = WORDS(distribution_list);

#define SHARE(member)                                                                              \
    .type = SCN_PERCENT, AT(network.impairment.member), .fallback = "0%", .min = "0%"
static const struct scn_field burst_fields[] = {
    {.key = "enter",
     SHARE(burst.enter),
     .max = "50%",
     .example = "1%",
     .help = "Chance of a packet to be the first of a burst."},
    {.key = "leave",
     SHARE(burst.leave),
     .max = "100%",
     .example = "25%",
     .help =
         "Chance of a packet within a burst to be the first after it: a burst is 1/leave packets "
         "long on average."},
    {.key = "loss",
     .type = SCN_PERCENT,
     AT(network.impairment.burst.loss),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .help = "Share that is lost within bursts."},
    {.key = "calm", SHARE(burst.calm), .max = "50%", .help = "Share that is lost between them."},
};
static const struct scn_shape burst_shape = {FIELDS(burst_fields)};

static const struct scn_field state_fields[] = {
    {.key = "alone",
     SHARE(states.alone),
     .max = "50%",
     .example = "0.5%",
     .help = "Chance of a packet outside of bursts to be lost while the next one is not."},
    {.key = "enter",
     SHARE(states.enter),
     .max = "50%",
     .example = "1%",
     .help = "Chance of a packet to be lost as the first of a burst."},
    {.key = "leave",
     SHARE(states.leave),
     .max = "100%",
     .example = "20%",
     .help = "Chance after each loss of a burst that it was the last one."},
    {.key = "pass",
     SHARE(states.pass),
     .max = "100%",
     .example = "30%",
     .help =
         "Chance after each loss of a burst that the next packet passes and the burst goes on."},
    {.key = "relapse",
     SHARE(states.relapse),
     .max = "100%",
     .example = "50%",
     .help = "Chance after a packet that passed within a burst that the next one is lost."},
};
static const struct scn_shape state_shape = {FIELDS(state_fields)};

static const struct scn_field network_fields[] = {
    {.key = "peers",
     .type = SCN_TEXTS,
     .item = SCN_PEERS,
     AT(network.peers),
     .count_offset = offsetof(struct scn_fault, network.peer_count),
     .required = true,
     .least = 1,
     .most = 64,
     .help = "Services, instances or ADDRESS:PORT; only packets between them and the targets are "
             "impaired."},
    {.key = "ports",
     .type = SCN_TEXTS,
     .item = SCN_PORT,
     AT(network.ports),
     .count_offset = offsetof(struct scn_fault, network.port_count),
     .most = FAULT_MAX_PORTS,
     .help = "Only packets from or to one of these TCP or UDP ports. Without it: all."},
    {.key = "protocol",
     .type = SCN_WORD,
     .words = &protocols,
     AT(network.protocol),
     .fallback = "any",
     .help = "Only packets of this protocol; of udp, peers are services and instances alone."},
    {.key = "direction",
     .type = SCN_WORD,
     .words = &scn_directions,
     AT(network.direction),
     .fallback = "both",
     .help = "Seen from the target: ingress is what it receives, egress what it sends. With both "
             "each direction is impaired, so that a round trip takes the delay twice."},
    {.key = "percent",
     .type = SCN_PERCENT,
     AT(network.impairment.share),
     .fallback = "100%",
     .min = "0%",
     .max = "100%",
     .example = "20%",
     .help = "Only this share of the packets, each by lot; the others pass as they are. Not with "
             "rate, lossBursts or lossStates."},
    {.key = "delay",
     .type = SCN_DURATION,
     AT(network.impairment.delay),
     .fallback = "0s",
     .min = "0s",
     .max = "10s",
     .example = "100ms",
     .help = "Each packet is held for so long, one way."},
    {.key = "jitter",
     .type = SCN_DURATION,
     AT(network.impairment.jitter),
     .fallback = "0s",
     .min = "0s",
     .max = "10s",
     .example = "10ms",
     .help =
         "The delay varies by so much: uniform, at most; else as standard deviation. Packets may "
         "overtake each other."},
    {.key = "correlation",
     SHARE(correlation),
     .max = "90%",
     .example = "25%",
     .help = "Of a packet's jitter with that of the packet before."},
    {.key = "distribution",
     .type = SCN_WORD,
     .words = &distributions,
     AT(network.impairment.distribution),
     .fallback = "uniform",
     .help = "Of the jitter. pareto: most packets a little early, some very late; paretonormal: "
             "so in three parts of four."},
    {.key = "loss",
     SHARE(loss),
     .max = "90%",
     .example = "5%",
     .help = "Share of the packets that is lost, each for itself."},
    {.key = "lossBursts",
     .type = SCN_OBJECT,
     .shape = &burst_shape,
     .help = "Loss in bursts, after Gilbert and Elliott: instead of loss."},
    {.key = "lossStates",
     .type = SCN_OBJECT,
     .shape = &state_shape,
     .help =
         "Loss by a Markov chain of four states, single losses and bursts in which some packets "
         "pass: instead of loss and lossBursts."},
    {.key = "duplicate",
     SHARE(duplicate),
     .max = "50%",
     .example = "5%",
     .help = "Share of the packets that arrives twice."},
    {.key = "corrupt",
     SHARE(corrupt),
     .max = "50%",
     .example = "5%",
     .help = "Share of the packets that gets one bit flipped behind the IP header, which checksums "
             "find: the receiver drops it."},
    {.key = "reorder",
     SHARE(reorder),
     .max = "50%",
     .example = "10%",
     .help = "Share of the packets that overtakes the others by not being delayed."},
    {.key = "rate",
     .type = SCN_BANDWIDTH,
     AT(network.impairment.rate),
     .min = "64kbit",
     .max = "200mbit",
     .example = "10mbit",
     .help =
         "Bandwidth of each direction, shared by all peers of a target; packets that would wait "
         "for more than 200ms are lost. Without it: no limit."},
};
#undef SHARE
const struct scn_shape scn_network_shape = {FIELDS(network_fields)};
#undef AT
