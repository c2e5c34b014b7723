/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what they look at, and what becomes of a packet, as expressions of nf_tables. */
#include <stdio.h> /* before libnftnl, which needs it */

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netlink.h>
#include <net/if_arp.h>
#include <string.h>

#include "base/text.h"
#include "nft_build.h"

struct attribute {
    uint16_t type;
    uint32_t value;
};

/* With these attributes, and data where `data` is not NULL. The rule owns what it gets. */
static void put(struct nft_batch *batch, struct nftnl_rule *rule, const char *name,
                const struct attribute *attributes, size_t count, uint16_t data_type,
                const void *data, uint32_t len)
{
    struct nftnl_expr *expr = nftnl_expr_alloc(name);
    if (expr == NULL) {
        batch->failed = true;
        return;
    }
    nftnl_rule_add_expr(rule, expr);
    for (size_t i = 0; i < count; i++)
        nftnl_expr_set_u32(expr, attributes[i].type, attributes[i].value);
    if (data != NULL && nftnl_expr_set(expr, data_type, data, len) < 0)
        batch->failed = true;
}

#define ATTRIBUTES(...)                                                                            \
    (const struct attribute[]){__VA_ARGS__},                                                       \
        sizeof((const struct attribute[]){__VA_ARGS__}) / sizeof(struct attribute)
enum { no_data = 0 };

static void compare(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t op,
                    const void *value, uint32_t len)
{
    put(batch, rule, "cmp", ATTRIBUTES({NFTNL_EXPR_CMP_SREG, NFT_REG_1}, {NFTNL_EXPR_CMP_OP, op}),
        NFTNL_EXPR_CMP_DATA, value, len);
}

static void load_payload(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t base,
                         uint32_t offset, uint32_t len)
{
    put(batch, rule, "payload",
        ATTRIBUTES({NFTNL_EXPR_PAYLOAD_BASE, base}, {NFTNL_EXPR_PAYLOAD_OFFSET, offset},
                   {NFTNL_EXPR_PAYLOAD_LEN, len}, {NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1}),
        no_data, NULL, 0);
}

static void look_up(struct nft_batch *batch, struct nftnl_rule *rule, const struct nft_set *set,
                    bool absent)
{
    put(batch, rule, "lookup",
        ATTRIBUTES({NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1}, {NFTNL_EXPR_LOOKUP_SET_ID, set->id},
                   {NFTNL_EXPR_LOOKUP_FLAGS, absent ? NFT_LOOKUP_F_INV : 0}),
        NFTNL_EXPR_LOOKUP_SET, set->name, (uint32_t)strlen(set->name) + 1);
}

static void load_meta(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key)
{
    put(batch, rule, "meta",
        ATTRIBUTES({NFTNL_EXPR_META_KEY, key}, {NFTNL_EXPR_META_DREG, NFT_REG_1}), no_data, NULL,
        0);
}

void nft_match_meta(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key,
                    const void *value, uint32_t len)
{
    load_meta(batch, rule, key);
    compare(batch, rule, NFT_CMP_EQ, value, len);
}

void nft_spare_loopback(struct nft_batch *batch, const char *table, const char *chain, bool output)
{
    static const uint16_t loopback = ARPHRD_LOOPBACK;
    struct nftnl_rule *rule = nft_rule_new(batch, table, chain);
    if (rule == NULL)
        return;
    nft_match_meta(batch, rule, output ? NFT_META_OIFTYPE : NFT_META_IIFTYPE, &loopback,
                   sizeof loopback);
    nft_end_rule(batch, rule, NFT_END_ACCEPT);
    nft_rule_put(batch, rule);
}

void nft_match_peer(struct nft_batch *batch, struct nftnl_rule *rule,
                    const struct nft_family *family, uint32_t offset)
{
    nft_match_meta(batch, rule, NFT_META_NFPROTO, &family->nfproto, sizeof family->nfproto);
    load_payload(batch, rule, NFT_PAYLOAD_NETWORK_HEADER, offset, family->peers.key_len);
    look_up(batch, rule, &family->peers, false);
}

static void load_ct(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key)
{
    put(batch, rule, "ct", ATTRIBUTES({NFTNL_EXPR_CT_KEY, key}, {NFTNL_EXPR_CT_DREG, NFT_REG_1}),
        no_data, NULL, 0);
}

static void load(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_field field)
{
    if (field == NFT_FIELD_SPORT || field == NFT_FIELD_DPORT) {
        /* TCP and UDP alike: RFC 9293 3.1, RFC 768 */
        load_payload(batch, rule, NFT_PAYLOAD_TRANSPORT_HEADER, field == NFT_FIELD_SPORT ? 0 : 2,
                     sizeof(uint16_t));
        return;
    }
    if (field == NFT_FIELD_CT_MARK || field == NFT_FIELD_CT_STATUS)
        load_ct(batch, rule, field == NFT_FIELD_CT_MARK ? NFT_CT_MARK : NFT_CT_STATUS);
    else
        load_meta(batch, rule, field == NFT_FIELD_MARK ? NFT_META_MARK : NFT_META_L4PROTO);
}

void nft_match_direction(struct nft_batch *batch, struct nftnl_rule *rule, bool reply)
{
    const uint8_t direction = reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
    load_ct(batch, rule, NFT_CT_DIRECTION);
    compare(batch, rule, NFT_CMP_EQ, &direction, sizeof direction);
}

static void mask_bits(struct nft_batch *batch, struct nftnl_rule *rule, const void *mask,
                      uint32_t len)
{
    static const uint32_t zero = 0;
    struct nftnl_expr *bitwise = nftnl_expr_alloc("bitwise");
    if (bitwise == NULL) {
        batch->failed = true;
        return;
    }
    nftnl_rule_add_expr(rule, bitwise);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, len);
    if (nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask, len) < 0 ||
        nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, &zero, len) < 0)
        batch->failed = true;
}

void nft_match_u32(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_field field,
                   uint32_t mask, uint32_t value, bool other)
{
    load(batch, rule, field);
    mask_bits(batch, rule, &mask, sizeof mask);
    compare(batch, rule, other ? NFT_CMP_NEQ : NFT_CMP_EQ, &value, sizeof value);
}

void nft_match_transport(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t offset,
                         uint8_t mask, uint8_t value)
{
    load_payload(batch, rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1);
    mask_bits(batch, rule, &mask, sizeof mask);
    compare(batch, rule, NFT_CMP_EQ, &value, sizeof value);
}

void nft_match_set(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_field field,
                   const struct nft_set *set, bool absent)
{
    load(batch, rule, field);
    look_up(batch, rule, set, absent);
}

static void load_value(struct nft_batch *batch, struct nftnl_rule *rule, const void *value,
                       uint32_t len)
{
    put(batch, rule, "immediate", ATTRIBUTES({NFTNL_EXPR_IMM_DREG, NFT_REG_1}), NFTNL_EXPR_IMM_DATA,
        value, len);
}

void nft_mark_connection(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t mark)
{
    load_value(batch, rule, &mark, sizeof mark);
    put(batch, rule, "ct",
        ATTRIBUTES({NFTNL_EXPR_CT_KEY, NFT_CT_MARK}, {NFTNL_EXPR_CT_SREG, NFT_REG_1}), no_data,
        NULL, 0);
}

void nft_redirect_to(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t port)
{
    uint16_t wire = htons(port);
    load_value(batch, rule, &wire, sizeof wire);
    put(batch, rule, "redir",
        ATTRIBUTES({NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1},
                   {NFTNL_EXPR_REDIR_REG_PROTO_MAX, NFT_REG_1},
                   {NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED}),
        no_data, NULL, 0);
}

static void verdict(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t value)
{
    put(batch, rule, "immediate",
        ATTRIBUTES({NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT}, {NFTNL_EXPR_IMM_VERDICT, value}),
        no_data, NULL, 0);
}

void nft_end_rule(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_ending ending)
{
    static const uint8_t tcp = IPPROTO_TCP;
    if (ending == NFT_END_ACCEPT || ending == NFT_END_DROP) {
        verdict(batch, rule, ending == NFT_END_DROP ? NF_DROP : NF_ACCEPT);
        return;
    }
    if (ending == NFT_END_RESET)
        nft_match_meta(batch, rule, NFT_META_L4PROTO, &tcp, sizeof tcp);
    if (ending == NFT_END_RESET) {
        put(batch, rule, "reject", ATTRIBUTES({NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST}),
            no_data, NULL, 0);
        return;
    }
    static const uint8_t prohibited = NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
    put(batch, rule, "reject", ATTRIBUTES({NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH}),
        NFTNL_EXPR_REJECT_CODE, &prohibited, sizeof prohibited);
}

/* The target of x_tables, as `iptables -j NFQUEUE --queue-bypass` has it: the kernel's own queue
 * expression is less often there. */
void nft_end_in_queue(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t number)
{
    struct nftnl_expr *target = nftnl_expr_alloc("target");
    if (target == NULL) {
        batch->failed = true;
        return;
    }
    nftnl_rule_add_expr(rule, target);
    struct xt_NFQ_info_v3 *info = base_calloc(1, sizeof *info);
    *info =
        (struct xt_NFQ_info_v3){.queuenum = number, .queues_total = 1, .flags = NFQ_FLAG_BYPASS};
    (void)nftnl_expr_set_str(target, NFTNL_EXPR_TG_NAME, "NFQUEUE");
    nftnl_expr_set_u32(target, NFTNL_EXPR_TG_REV, 3);
    (void)nftnl_expr_set(target, NFTNL_EXPR_TG_INFO, info, sizeof *info); /* which frees it */
}

struct nftnl_rule *nft_rule_new(struct nft_batch *batch, const char *table, const char *chain)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    if (rule == NULL) {
        batch->failed = true;
        return NULL;
    }
    (void)nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
    (void)nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
    return rule;
}

void nft_rule_put(struct nft_batch *batch, struct nftnl_rule *rule)
{
    nftnl_rule_nlmsg_build_payload(
        nft_batch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), rule);
    nftnl_rule_free(rule);
    nft_batch_next(batch);
}
