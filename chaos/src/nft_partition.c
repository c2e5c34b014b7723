/* SPDX-License-Identifier: Apache-2.0 */
/* The rules between a target and its peers: a partition's, which drop or reject, and those that put
 * packets into a queue, for the fault network. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>

#include "base/text.h"
#include "nft_build.h"

enum { type_inet_service = 13 }; /* nft(8)'s number */
static const struct nft_set ports_set = {"ports",          3,    type_inet_service,
                                         sizeof(uint16_t), true, false};

/* A reset made by the output chain reaches the local socket over the loopback device, with the
 * peer's address as its source: the input chain would swallow it. No peer's own packet comes in
 * there. */
static void put_loopback_exception(struct nft_batch *batch, const char *table, bool output)
{
    nft_spare_loopback(batch, table, output ? "output" : "input", output);
}

/* Likewise the answers that the input chain sends to a peer pass through the output chain: resets
 * and ICMP "destination unreachable". */
static const struct answer {
    uint8_t protocol;
    uint32_t offset; /* in the transport header */
    uint8_t mask;
    uint8_t value;
} answers[] = {
    {IPPROTO_TCP, 13, 0x04, 0x04},   /* RFC 9293, 3.1: the flag RST */
    {IPPROTO_ICMP, 0, 0xff, 3},      /* RFC 792 */
    {IPPROTO_ICMPV6, 0, 0xff, 0x01}, /* RFC 4443, 3.1 */
};

static void put_answer_exception(struct nft_batch *batch, const char *table,
                                 const struct answer *answer)
{
    struct nftnl_rule *rule = nft_rule_new(batch, table, "output");
    if (rule == NULL)
        return;
    nft_match_meta(batch, rule, NFT_META_L4PROTO, &answer->protocol, sizeof answer->protocol);
    nft_match_transport(batch, rule, answer->offset, answer->mask, answer->value);
    nft_end_rule(batch, rule, NFT_END_ACCEPT);
    nft_rule_put(batch, rule);
}

/* --- which packets --- */

static void put_ports(struct nft_batch *batch, const struct fault_nft_partition *partition)
{
    uint16_t *keys = base_calloc(partition->port_count, sizeof *keys);
    for (size_t i = 0; i < partition->port_count; i++) {
        uint64_t port = 0;
        batch->failed = batch->failed || !base_parse_u64(partition->ports[i], &port);
        keys[i] = htons((uint16_t)port);
    }
    nft_put_set(batch, partition->table, &ports_set);
    nft_put_keys(batch, partition->table, &ports_set, keys, sizeof *keys, partition->port_count,
                 (struct dur_ns){0});
    free(keys);
}

/* How rules end: with a verdict, or in the queue. */
struct ending {
    bool queued;
    enum nft_ending verdict;
};

struct match {
    const struct nft_family *family;
    bool output;
    uint8_t protocol;           /* 0: any */
    const enum nft_field *port; /* NULL: any */
};

static void put_rule(struct nft_batch *batch, const struct fault_nft_partition *partition,
                     const struct match *match, struct ending ending)
{
    const struct nft_family *family = match->family;
    struct nftnl_rule *rule =
        nft_rule_new(batch, partition->table, match->output ? "output" : "input");
    if (rule == NULL)
        return;
    nft_match_peer(batch, rule, family,
                   match->output ? family->destination_offset : family->source_offset);
    if (match->protocol != 0)
        nft_match_meta(batch, rule, NFT_META_L4PROTO, &match->protocol, sizeof match->protocol);
    if (match->port != NULL)
        nft_match_set(batch, rule, *match->port, &ports_set, false);
    if (ending.queued)
        nft_end_in_queue(batch, rule, partition->queue->number);
    else
        nft_end_rule(batch, rule, ending.verdict);
    nft_rule_put(batch, rule);
}

/* One rule for what the protocol alone says; with ports one for each end that may have them. */
static void put_rules(struct nft_batch *batch, const struct fault_nft_partition *partition,
                      const struct nft_family *family, bool output, struct ending ending)
{
    const uint8_t numbers[] = {
        [FAULT_PROTOCOL_ANY] = 0,
        [FAULT_PROTOCOL_TCP] = IPPROTO_TCP,
        [FAULT_PROTOCOL_ICMP] = family->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6,
        [FAULT_PROTOCOL_UDP] = IPPROTO_UDP,
    };
    struct match match = {.family = family, .output = output};
    if (partition->port_count == 0) {
        match.protocol = numbers[partition->protocol];
        put_rule(batch, partition, &match, ending);
        return;
    }
    static const enum nft_field ends[] = {NFT_FIELD_SPORT, NFT_FIELD_DPORT};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        match.port = &ends[i];
        match.protocol = IPPROTO_TCP;
        if (partition->protocol != FAULT_PROTOCOL_UDP)
            put_rule(batch, partition, &match, ending);
        match.protocol = IPPROTO_UDP;
        if (partition->protocol != FAULT_PROTOCOL_TCP)
            put_rule(batch, partition, &match, ending);
    }
}

static void put_queue_direction(struct nft_batch *batch,
                                const struct fault_nft_partition *partition, bool output)
{
    const char *chain = output ? "output" : "input";
    nft_put_chain(batch, partition->table, chain, "filter",
                  output ? NF_INET_LOCAL_OUT : NF_INET_LOCAL_IN, NFT_FILTER_PRIORITY);
    struct nftnl_rule *own = nft_rule_new(batch, partition->table, chain);
    if (own == NULL)
        return;
    nft_match_meta(batch, own, NFT_META_MARK, &partition->queue->mark,
                   sizeof partition->queue->mark);
    nft_end_rule(batch, own, NFT_END_ACCEPT);
    nft_rule_put(batch, own);
    if (partition->peers->block_count > 0)
        put_loopback_exception(batch, partition->table, output);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        put_rules(batch, partition, &nft_families[i], output, (struct ending){.queued = true});
}

static void put_direction(struct nft_batch *batch, const struct fault_nft_partition *partition,
                          bool output)
{
    const char *chain = output ? "output" : "input";
    enum fault_action action = partition->action;
    if (partition->queue != NULL) {
        put_queue_direction(batch, partition, output);
        return;
    }
    nft_put_chain(batch, partition->table, chain, "filter",
                  output ? NF_INET_LOCAL_OUT : NF_INET_LOCAL_IN, NFT_FILTER_PRIORITY);
    /* A block may hold the target's own address: what it says to itself is not meant. */
    if (!output || partition->peers->block_count > 0)
        put_loopback_exception(batch, partition->table, output);
    for (size_t i = 0; output && i < sizeof answers / sizeof *answers; i++)
        if (action == FAULT_REJECT || (action == FAULT_RESET && answers[i].protocol == IPPROTO_TCP))
            put_answer_exception(batch, partition->table, &answers[i]);
    for (size_t i = 0; i < NFT_FAMILIES; i++) {
        const struct nft_family *family = &nft_families[i];
        if (action != FAULT_DROP && partition->protocol != FAULT_PROTOCOL_UDP)
            put_rules(batch, partition, family, output, (struct ending){.verdict = NFT_END_RESET});
        if (action == FAULT_DROP || partition->protocol != FAULT_PROTOCOL_TCP)
            put_rules(batch, partition, family, output,
                      (struct ending){.verdict = action == FAULT_REJECT ? NFT_END_PROHIBITED
                                                                        : NFT_END_DROP});
    }
}

/* --- the calls --- */

static bool make(struct fault_nft *nft, const struct fault_nft_partition *partition,
                 struct dur_ns timeout, enum fault_nft_part upto, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_table(&batch, NFT_MSG_NEWTABLE, partition->table,
                  upto >= FAULT_NFT_OWNER ? NFT_TABLE_F_OWNER : 0);
    for (size_t i = 0; upto >= FAULT_NFT_TIMEOUTS && i < NFT_FAMILIES; i++) {
        nft_put_peer_set(&batch, partition->table, &nft_families[i], partition->peers);
        nft_put_peers(&batch, partition->table, &nft_families[i], partition->peers, timeout);
    }
    if (upto >= FAULT_NFT_TIMEOUTS && partition->port_count > 0)
        put_ports(&batch, partition);
    if (upto >= FAULT_NFT_DROP && partition->direction != FAULT_INGRESS)
        put_direction(&batch, partition, true);
    if (upto >= FAULT_NFT_DROP && partition->direction != FAULT_EGRESS)
        put_direction(&batch, partition, false);
    bool ok = nft_batch_commit(&batch, err, "making the partition's table");
    nft_batch_fini(&batch);
    return ok;
}

bool fault_nft_apply(struct fault_nft *nft, const struct fault_nft_partition *partition,
                     struct dur_ns timeout, struct base_error *err)
{
    return make(nft, partition, timeout, FAULT_NFT_QUEUE, err);
}

bool fault_nft_try(struct fault_nft *nft, enum fault_nft_part upto, struct base_error *err)
{
    static const char *const names[FAULT_NFT_PARTS] = {
        [FAULT_NFT_TABLE] = "table",       [FAULT_NFT_OWNER] = "owner",
        [FAULT_NFT_TIMEOUTS] = "timeouts", [FAULT_NFT_DROP] = "drop",
        [FAULT_NFT_REJECT] = "reject",     [FAULT_NFT_QUEUE] = "queue",
    };
    char echo_port[] = "7";
    char *const ports[] = {echo_port};
    const struct fault_nft_queue queue = {0};
    struct fault_peer list[] = {{.family = AF_INET, .text = "a"},
                                {.family = AF_INET6, .text = "b"}};
    const struct fault_peers peers = {.list = list, .count = 2};
    const struct fault_nft_partition partition = {
        .table = names[upto],
        .action = upto == FAULT_NFT_REJECT ? FAULT_REJECT : FAULT_DROP,
        .direction = FAULT_BOTH,
        .peers = &peers,
        .ports = ports,
        .port_count = upto == FAULT_NFT_QUEUE ? 1 : 0,
        .queue = upto == FAULT_NFT_QUEUE ? &queue : NULL,
    };
    return make(nft, &partition, base_dur_s(1), upto, err);
}

bool fault_nft_renew(struct fault_nft *nft, const struct fault_nft_partition *partition,
                     struct dur_ns timeout, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    for (size_t i = 0; i < NFT_FAMILIES; i++) {
        /* Emptying does not mind elements that have just timed out; deleting them by name would. */
        nft_put_keys(&batch, partition->table, &nft_families[i].peers, NULL, 0, 0, timeout);
        nft_put_peers(&batch, partition->table, &nft_families[i], partition->peers, timeout);
    }
    bool ok = nft_batch_commit(&batch, err, "renewing the partition's timeouts");
    nft_batch_fini(&batch);
    return ok;
}
