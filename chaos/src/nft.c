/* SPDX-License-Identifier: Apache-2.0 */
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "nft_build.h"

enum {
    /* FAULT_MAX_PEERS elements twice, with room for table, chains and rules. */
    batch_bytes = 128 * 1024,
    list_tries = 16,
    /* nft(8)'s numbers for ipv4_addr and ipv6_addr, so that `nft list` shows the elements. */
    type_ipv4 = 7,
    type_ipv6 = 8
};

struct fault_nft {
    struct mnl_socket *socket;
    uint32_t portid;
    uint32_t seq;
};

const struct nft_family nft_families[NFT_FAMILIES] = {
    {AF_INET, NFPROTO_IPV4, {"peers4", 1, type_ipv4, 4, false}, 12, 16},
    {AF_INET6, NFPROTO_IPV6, {"peers6", 2, type_ipv6, 16, false}, 8, 24},
};

struct fault_nft *fault_nft_new(const struct fault_netns *netns, struct base_error *err)
{
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, err);
    if (fd < 0)
        return NULL;
    struct mnl_socket *socket = mnl_socket_fdopen(fd);
    if (socket == NULL) {
        (void)base_fail_errno(err, "cannot use the netlink socket");
        base_fd_close(&fd);
        return NULL;
    }
    struct timeval patience = {.tv_sec = 2};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        (void)base_fail_errno(err, "cannot bind the netlink socket");
        (void)mnl_socket_close(socket);
        return NULL;
    }
    struct fault_nft *nft = base_calloc(1, sizeof *nft);
    nft->socket = socket;
    nft->portid = mnl_socket_get_portid(socket);
    nft->seq = (uint32_t)time(NULL);
    return nft;
}

void fault_nft_free(struct fault_nft *nft)
{
    if (nft == NULL)
        return;
    (void)mnl_socket_close(nft->socket);
    free(nft);
}

/* --- building one transaction --- */

static void batch_next(struct nft_batch *batch)
{
    if (!mnl_nlmsg_batch_next(batch->messages))
        batch->failed = true; /* the whole must fit into one send to be atomic */
}

void nft_batch_init(struct nft_batch *batch, struct fault_nft *nft)
{
    /* libmnl lets the last message run past the limit, up to the buffer's real end. */
    batch->buffer = base_calloc(2, batch_bytes);
    batch->messages = mnl_nlmsg_batch_start(batch->buffer, batch_bytes);
    batch->nft = nft;
    batch->failed = batch->messages == NULL;
    if (batch->failed)
        return;
    nftnl_batch_begin(mnl_nlmsg_batch_current(batch->messages), nft->seq++);
    batch_next(batch);
}

static struct nlmsghdr *batch_message(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
    return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->messages), type, NFPROTO_INET,
                                 (uint16_t)(flags | NLM_F_ACK), batch->nft->seq++);
}

void nft_batch_fini(struct nft_batch *batch)
{
    if (batch->messages != NULL)
        mnl_nlmsg_batch_stop(batch->messages);
    free(batch->buffer);
}

/* One acknowledgement or error for each message lies in the socket when the send has returned:
 * nfnetlink works through a batch inside it. Returns the first error's errno, 0 for none. */
static int read_replies(struct fault_nft *nft, size_t *acks)
{
    char buffer[16384];
    int first = 0;
    for (;;) {
        ssize_t n = recv(mnl_socket_get_fd(nft->socket), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != EAGAIN && first == 0 ? errno : first;
        int left = (int)n;
        for (const struct nlmsghdr *h = (const void *)buffer; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            const struct nlmsgerr *reply = mnl_nlmsg_get_payload(h);
            if (reply->error == 0)
                (*acks)++;
            else if (first == 0)
                first = -reply->error;
        }
    }
}

bool nft_batch_commit(struct nft_batch *batch, struct base_error *err, const char *what)
{
    struct fault_nft *nft = batch->nft;
    if (!batch->failed) {
        nftnl_batch_end(mnl_nlmsg_batch_current(batch->messages), nft->seq++);
        batch_next(batch);
    }
    if (batch->failed)
        return base_fail(err, BASE_LIMIT, "%s: too large for one nftables transaction", what);
    size_t acks = 0;
    (void)read_replies(nft, &acks); /* nothing of an earlier exchange may answer for this one */
    acks = 0;
    if (mnl_socket_sendto(nft->socket, mnl_nlmsg_batch_head(batch->messages),
                          mnl_nlmsg_batch_size(batch->messages)) < 0)
        return base_fail_errno(err, "%s: cannot talk to nf_tables", what);
    int failed = read_replies(nft, &acks);
    if (failed == 0 && acks == 0)
        return base_fail(err, BASE_IO, "%s: nf_tables did not answer", what);
    errno = failed;
    return failed == 0 || base_fail_errno(err, "%s: nf_tables refused", what);
}

bool nft_batch_commit_removal(struct nft_batch *batch, struct base_error *err, const char *what)
{
    struct base_error why = {0};
    bool ok = nft_batch_commit(batch, &why, what);
    nft_batch_fini(batch);
    if (ok || why.sys == ENOENT)
        return true;
    if (err != NULL)
        *err = why;
    return false;
}

/* --- objects --- */

void nft_put_table(struct nft_batch *batch, uint16_t type, const char *name, uint32_t flags)
{
    struct nftnl_table *table = nftnl_table_alloc();
    if (table == NULL) {
        batch->failed = true;
        return;
    }
    (void)nftnl_table_set_str(table, NFTNL_TABLE_NAME, name);
    if (type == NFT_MSG_NEWTABLE)
        nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
    uint16_t create = type == NFT_MSG_NEWTABLE ? NLM_F_CREATE | NLM_F_EXCL : 0;
    nftnl_table_nlmsg_build_payload(batch_message(batch, type, create), table);
    nftnl_table_free(table);
    batch_next(batch);
}

void nft_put_set(struct nft_batch *batch, const char *table, const struct nft_set *want)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (set == NULL) {
        batch->failed = true;
        return;
    }
    (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
    (void)nftnl_set_set_str(set, NFTNL_SET_NAME, want->name);
    nftnl_set_set_u32(set, NFTNL_SET_ID, want->id);
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, want->key_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, want->key_len);
    if (!want->lasting)
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_TIMEOUT);
    nftnl_set_nlmsg_build_payload(batch_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL),
                                  set);
    nftnl_set_free(set);
    batch_next(batch);
}

static bool seen_before(const struct fault_peers *peers, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (base_str_eq(peers->list[i].text, peers->list[index].text))
            return true;
    return false;
}

static void add_element(struct nft_batch *batch, struct nftnl_set *set, const struct nft_set *to,
                        const void *key, struct dur_ns timeout)
{
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();
    if (element == NULL) {
        batch->failed = true;
        return;
    }
    int64_t ms = base_dur_to_ms(timeout);
    (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, to->key_len);
    if (!to->lasting) /* 0 would mean "for ever" */
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, ms > 0 ? (uint64_t)ms : 1);
    nftnl_set_elem_add(set, element);
}

void nft_put_keys(struct nft_batch *batch, const char *table, const struct nft_set *to,
                  const void *keys, size_t stride, size_t count, struct dur_ns timeout)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (set == NULL) {
        batch->failed = true;
        return;
    }
    (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
    (void)nftnl_set_set_str(set, NFTNL_SET_NAME, to->name);
    for (size_t i = 0; i < count; i++)
        add_element(batch, set, to, (const char *)keys + i * stride, timeout);
    nftnl_set_elems_nlmsg_build_payload(count > 0
                                            ? batch_message(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE)
                                            : batch_message(batch, NFT_MSG_DELSETELEM, 0),
                                        set);
    batch_next(batch);
    nftnl_set_free(set);
}

void nft_put_peers(struct nft_batch *batch, const char *table, const struct nft_family *family,
                   const struct fault_peers *peers, struct dur_ns timeout)
{
    unsigned char(*keys)[sizeof peers->list->address] = base_calloc(peers->count + 1, sizeof *keys);
    size_t count = 0;
    for (size_t i = 0; i < peers->count; i++)
        if (peers->list[i].family == family->family && !seen_before(peers, i))
            memcpy(keys[count++], peers->list[i].address, sizeof *keys);
    if (count > 0)
        nft_put_keys(batch, table, &family->peers, keys, sizeof *keys, count, timeout);
    free(keys);
}

void nft_put_chain(struct nft_batch *batch, const char *table, const char *name, const char *type,
                   uint32_t hook, int32_t priority)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();
    if (chain == NULL) {
        batch->failed = true;
        return;
    }
    (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table);
    (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
    (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, type);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, priority);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    nftnl_chain_nlmsg_build_payload(
        batch_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL), chain);
    nftnl_chain_free(chain);
    batch_next(batch);
}

/* --- rules --- */

static struct nftnl_expr *add_expr(struct nft_batch *batch, struct nftnl_rule *rule,
                                   const char *name)
{
    struct nftnl_expr *expr = nftnl_expr_alloc(name);
    if (expr == NULL)
        batch->failed = true;
    else
        nftnl_rule_add_expr(rule, expr); /* the rule owns it from here */
    return expr;
}

static void compare(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t op,
                    const void *value, uint32_t len)
{
    struct nftnl_expr *cmp = add_expr(batch, rule, "cmp");
    if (cmp == NULL)
        return;
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, op);
    if (nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, value, len) < 0)
        batch->failed = true;
}

static void load_payload(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t base,
                         uint32_t offset, uint32_t len)
{
    struct nftnl_expr *payload = add_expr(batch, rule, "payload");
    if (payload == NULL)
        return;
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, len);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void look_up(struct nft_batch *batch, struct nftnl_rule *rule, const struct nft_set *set,
                    bool absent)
{
    struct nftnl_expr *lookup = add_expr(batch, rule, "lookup");
    if (lookup == NULL)
        return;
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    (void)nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set->name);
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, set->id);
    if (absent)
        nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void load_meta(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key)
{
    struct nftnl_expr *meta = add_expr(batch, rule, "meta");
    if (meta == NULL)
        return;
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

void nft_match_meta(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key,
                    const void *value, uint32_t len)
{
    load_meta(batch, rule, key);
    compare(batch, rule, NFT_CMP_EQ, value, len);
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
    struct nftnl_expr *ct = add_expr(batch, rule, "ct");
    if (ct == NULL)
        return;
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_DREG, NFT_REG_1);
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
    struct nftnl_expr *bitwise = add_expr(batch, rule, "bitwise");
    if (bitwise == NULL)
        return;
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
    struct nftnl_expr *immediate = add_expr(batch, rule, "immediate");
    if (immediate == NULL)
        return;
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    if (nftnl_expr_set(immediate, NFTNL_EXPR_IMM_DATA, value, len) < 0)
        batch->failed = true;
}

void nft_mark_connection(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t mark)
{
    load_value(batch, rule, &mark, sizeof mark);
    struct nftnl_expr *ct = add_expr(batch, rule, "ct");
    if (ct == NULL)
        return;
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

void nft_redirect_to(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t port)
{
    uint16_t wire = htons(port);
    load_value(batch, rule, &wire, sizeof wire);
    struct nftnl_expr *redirect = add_expr(batch, rule, "redir");
    if (redirect == NULL)
        return;
    nftnl_expr_set_u32(redirect, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1);
    nftnl_expr_set_u32(redirect, NFTNL_EXPR_REDIR_REG_PROTO_MAX, NFT_REG_1);
    nftnl_expr_set_u32(redirect, NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void verdict(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t value)
{
    struct nftnl_expr *immediate = add_expr(batch, rule, "immediate");
    if (immediate == NULL)
        return;
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, value);
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
    struct nftnl_expr *reject = add_expr(batch, rule, "reject");
    if (reject == NULL)
        return;
    if (ending == NFT_END_RESET) {
        nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
    } else {
        nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
        nftnl_expr_set_u8(reject, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
    }
}

/* The target of x_tables, as `iptables -j NFQUEUE --queue-bypass` has it: the kernel's own queue
 * expression is less often there. */
void nft_end_in_queue(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t number)
{
    struct nftnl_expr *target = add_expr(batch, rule, "target");
    if (target == NULL)
        return;
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
        batch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), rule);
    nftnl_rule_free(rule);
    batch_next(batch);
}

/* --- the calls that all tables have in common --- */

bool fault_nft_empty(struct fault_nft *nft, const char *table, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    for (size_t i = 0; i < NFT_FAMILIES; i++)
        nft_put_keys(&batch, table, &nft_families[i].peers, NULL, 0, 0, (struct dur_ns){0});
    return nft_batch_commit_removal(&batch, err, "emptying the sets of a table");
}

bool fault_nft_remove(struct fault_nft *nft, const char *table, struct base_error *err)
{
    struct nft_batch batch;
    nft_batch_init(&batch, nft);
    nft_put_table(&batch, NFT_MSG_DELTABLE, table, 0);
    return nft_batch_commit_removal(&batch, err, "removing a table");
}

bool fault_nft_forget(struct fault_nft *nft, uint32_t mark, struct base_error *err)
{
    size_t acks = 0;
    char buffer[256];
    (void)read_replies(nft, &acks);
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->nlmsg_seq = nft->seq++;
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof *family);
    family->nfgen_family = AF_UNSPEC;
    family->version = NFNETLINK_V0;
    mnl_attr_put_u32(header, CTA_MARK, htonl(mark));
    mnl_attr_put_u32(header, CTA_MARK_MASK, UINT32_MAX);
    if (mnl_socket_sendto(nft->socket, header, header->nlmsg_len) < 0)
        return base_fail_errno(err, "cannot talk to conntrack");
    int failed = read_replies(nft, &acks);
    errno = failed;
    return failed == 0 || base_fail_errno(err, "conntrack refused to forget");
}

struct listing {
    const char *prefix;
    void (*each)(void *ctx, const char *table);
    void *ctx;
};

static int on_table(const struct nlmsghdr *message, void *data)
{
    const struct listing *listing = data;
    struct nftnl_table *table = nftnl_table_alloc();
    if (table == NULL)
        return MNL_CB_ERROR;
    if (nftnl_table_nlmsg_parse(message, table) == 0) {
        const char *name = nftnl_table_get_str(table, NFTNL_TABLE_NAME);
        if (name != NULL && base_str_starts(name, listing->prefix))
            listing->each(listing->ctx, name);
    }
    nftnl_table_free(table);
    return MNL_CB_OK;
}

static bool list_once(struct fault_nft *nft, struct listing *listing, struct base_error *err)
{
    char buffer[16384];
    size_t acks = 0;
    (void)read_replies(nft, &acks);
    uint32_t seq = nft->seq++;
    struct nlmsghdr *request =
        nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETTABLE, NFPROTO_INET, NLM_F_DUMP, seq);
    if (mnl_socket_sendto(nft->socket, request, request->nlmsg_len) < 0)
        return base_fail_errno(err, "cannot ask nf_tables for its tables");
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(nft->socket, buffer, sizeof buffer);
        if (n < 0)
            return base_fail_errno(err, "nf_tables did not list its tables");
        more = mnl_cb_run(buffer, (size_t)n, seq, nft->portid, on_table, listing);
    }
    return more == MNL_CB_STOP || base_fail_errno(err, "nf_tables did not list its tables");
}

bool fault_nft_list(struct fault_nft *nft, const char *prefix,
                    void (*each)(void *ctx, const char *table), void *ctx, struct base_error *err)
{
    struct listing listing = {.prefix = prefix, .each = each, .ctx = ctx};
    struct base_error why = {0};
    for (int i = 0; i < list_tries; i++) {
        if (list_once(nft, &listing, &why))
            return true;
        /* NLM_F_DUMP_INTR: somebody else's tables changed meanwhile, so some may be missing. */
        if (why.sys != EINTR)
            break;
    }
    if (err != NULL)
        *err = why;
    return false;
}
