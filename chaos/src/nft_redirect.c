/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a redirect, in the order in which a connection meets its chains.
 *
 * nat (prerouting, or output): a new connection of these ports and peers goes to the proxy, and
 * gets our mark; what proxies of ours open themselves does not.
 *
 * own (output): what our proxy opens gets the mark, too.
 *
 * lapsed (input): when the set "live" is empty, packets of marked connections are answered with a
 * reset, on both sides of the proxy.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "base/text.h"
#include "nft_build.h"

enum {
    nat_priority = -110, /* before everybody else's dstnat (-100): the first one to say has it */
    type_protocol = 12,
    type_port = 13,
    tcp_flags_offset = 13, /* RFC 9293, 3.1 */
    tcp_rst = 0x04,
    max_ports = 64
};

static const struct nft_set ports_set = {"ports", 3, type_port, 2, false, false};
static const struct nft_set live_set = {"live", 4, type_protocol, 1, false, false};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
enum { protocol_count = sizeof protocols / sizeof *protocols };

static void fill_sets(struct nft_batch *batch, const struct fault_nft_redirect *redirect,
                      struct dur_ns timeout)
{
    uint16_t ports[max_ports];
    size_t count = 0;
    for (; count < redirect->port_count && count < max_ports; count++)
        ports[count] = htons(redirect->ports[count]);
    if (redirect->port_count > max_ports)
        batch->failed = true;
    if (count > 0)
        nft_put_keys(batch, redirect->table, &ports_set, ports, sizeof *ports, count, timeout);
    nft_put_keys(batch, redirect->table, &live_set, protocols, 1, protocol_count, timeout);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        nft_put_peers(batch, redirect->table, &nft_families[i], redirect->peers, timeout);
}

static void put_redirect(struct nft_batch *batch, const struct fault_nft_redirect *redirect,
                         const struct nft_family *family, uint8_t protocol, uint16_t port)
{
    bool outbound = redirect->side == FAULT_OUTBOUND;
    struct nftnl_rule *rule = nft_rule_new(batch, redirect->table, "nat");
    if (rule == NULL)
        return;
    nft_match_meta(batch, rule, NFT_META_NFPROTO, &family->nfproto, sizeof family->nfproto);
    nft_match_meta(batch, rule, NFT_META_L4PROTO, &protocol, sizeof protocol);
    nft_match_set(batch, rule, NFT_FIELD_DPORT, &ports_set, false);
    if (redirect->peers->count > 0)
        nft_match_peer(batch, rule, family,
                       outbound ? family->destination_offset : family->source_offset);
    if (outbound)
        nft_match_u32(batch, rule, NFT_FIELD_MARK, FAULT_NFT_MARK_MASK, FAULT_NFT_MARK, true);
    nft_mark_connection(batch, rule, redirect->mark);
    nft_redirect_to(batch, rule, port);
    nft_rule_put(batch, rule);
}

static void put_own(struct nft_batch *batch, const struct fault_nft_redirect *redirect)
{
    struct nftnl_rule *rule = nft_rule_new(batch, redirect->table, "own");
    if (rule == NULL)
        return;
    nft_match_u32(batch, rule, NFT_FIELD_MARK, UINT32_MAX, redirect->mark, false);
    nft_mark_connection(batch, rule, redirect->mark);
    nft_rule_put(batch, rule);
}

/* What the other side of the proxy sends is answered, so that it is told: the client's packets on
 * its leg, which is the redirected one, the server's on the other. Over loopback the proxy's own
 * come in here, too, and must get through. A reset is let through: it ends what this is to end. */
static void put_lapsed(struct nft_batch *batch, const struct fault_nft_redirect *redirect,
                       uint8_t protocol, bool client)
{
    struct nftnl_rule *rule = nft_rule_new(batch, redirect->table, "lapsed");
    if (rule == NULL)
        return;
    nft_match_u32(batch, rule, NFT_FIELD_CT_MARK, UINT32_MAX, redirect->mark, false);
    nft_match_u32(batch, rule, NFT_FIELD_CT_STATUS, IPS_DST_NAT, client ? IPS_DST_NAT : 0, false);
    nft_match_direction(batch, rule, !client);
    nft_match_meta(batch, rule, NFT_META_L4PROTO, &protocol, sizeof protocol);
    nft_match_set(batch, rule, NFT_FIELD_L4PROTO, &live_set, true);
    if (protocol == IPPROTO_TCP)
        nft_match_transport(batch, rule, tcp_flags_offset, tcp_rst, 0);
    nft_end_rule(batch, rule, protocol == IPPROTO_TCP ? NFT_END_RESET : NFT_END_PROHIBITED);
    nft_rule_put(batch, rule);
}

static void put_chains(struct nft_batch *batch, const struct fault_nft_redirect *redirect)
{
    bool outbound = redirect->side == FAULT_OUTBOUND;
    nft_put_chain(batch, redirect->table, "nat", "nat",
                  outbound ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING, nat_priority);
    /* A block may hold the target's own address: what it says to itself is not meant. */
    if (outbound && redirect->peers->block_count > 0)
        nft_spare_loopback(batch, redirect->table, "nat", true);
    nft_put_chain(batch, redirect->table, "own", "filter", NF_INET_LOCAL_OUT, NFT_FILTER_PRIORITY);
    nft_put_chain(batch, redirect->table, "lapsed", "filter", NF_INET_LOCAL_IN,
                  NFT_FILTER_PRIORITY);
    for (size_t i = 0; i < NFT_FAMILIES; i++) {
        if (redirect->tcp[i] != 0)
            put_redirect(batch, redirect, &nft_families[i], IPPROTO_TCP, redirect->tcp[i]);
        if (redirect->udp[i] != 0)
            put_redirect(batch, redirect, &nft_families[i], IPPROTO_UDP, redirect->udp[i]);
    }
    put_own(batch, redirect);
    for (size_t i = 0; i < protocol_count; i++) {
        put_lapsed(batch, redirect, protocols[i], true);
        put_lapsed(batch, redirect, protocols[i], false);
    }
}

bool fault_nft_redirect(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                        struct dur_ns timeout, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_table(&batch, NFT_MSG_NEWTABLE, redirect->table, NFT_TABLE_F_OWNER);
    nft_put_set(&batch, redirect->table, &ports_set);
    nft_put_set(&batch, redirect->table, &live_set);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        nft_put_peer_set(&batch, redirect->table, &nft_families[i], redirect->peers);
    fill_sets(&batch, redirect, timeout);
    put_chains(&batch, redirect);
    bool ok = nft_batch_commit(&batch, err, "making the redirect's table");
    nft_batch_fini(&batch);
    return ok;
}

bool fault_nft_redirect_renew(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                              struct dur_ns timeout, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_keys(&batch, redirect->table, &ports_set, NULL, 0, 0, timeout);
    nft_put_keys(&batch, redirect->table, &live_set, NULL, 0, 0, timeout);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        nft_put_keys(&batch, redirect->table, &nft_families[i].peers, NULL, 0, 0, timeout);
    fill_sets(&batch, redirect, timeout);
    bool ok = nft_batch_commit(&batch, err, "renewing the redirect's timeouts");
    nft_batch_fini(&batch);
    return ok;
}

bool fault_nft_redirect_stop(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                             struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_keys(&batch, redirect->table, &ports_set, NULL, 0, 0, (struct dur_ns){0});
    return nft_batch_commit_removal(&batch, err, "ending the redirect");
}
