/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, sets with their elements, and chains, as messages of a transaction. */
#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "nft_build.h"

/* nft(8)'s numbers for ipv4_addr and ipv6_addr, so that `nft list` shows the elements. */
enum { type_ipv4 = 7, type_ipv6 = 8 };

const struct nft_family nft_families[NFT_FAMILIES] = {
    {AF_INET, NFPROTO_IPV4, {"peers4", 1, type_ipv4, 4, false, false}, 12, 16},
    {AF_INET6, NFPROTO_IPV6, {"peers6", 2, type_ipv6, 16, false, false}, 8, 24},
};

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
    nftnl_table_nlmsg_build_payload(nft_batch_message(batch, type, create), table);
    nftnl_table_free(table);
    nft_batch_next(batch);
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
    uint32_t flags =
        (want->lasting ? 0 : NFT_SET_TIMEOUT) | (want->intervals ? NFT_SET_INTERVAL : 0);
    if (flags != 0)
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
    nftnl_set_nlmsg_build_payload(
        nft_batch_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL), set);
    nftnl_set_free(set);
    nft_batch_next(batch);
}

static bool seen_before(const struct fault_peers *peers, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (base_str_eq(peers->list[i].text, peers->list[index].text))
            return true;
    return false;
}

/* An end of a range has no timeout of its own: the kernel takes it away with its beginning. */
static void add_element(struct nft_batch *batch, struct nftnl_set *set, const struct nft_set *to,
                        const void *key, struct dur_ns timeout, bool end)
{
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();
    if (element == NULL) {
        batch->failed = true;
        return;
    }
    int64_t ms = base_dur_to_ms(timeout);
    (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, to->key_len);
    if (end)
        nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    else if (!to->lasting) /* 0 would mean "for ever" */
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
        add_element(batch, set, to, (const char *)keys + i * stride, timeout,
                    to->intervals && i % 2 == 1);
    nftnl_set_elems_nlmsg_build_payload(
        count > 0 ? nft_batch_message(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE)
                  : nft_batch_message(batch, NFT_MSG_DELSETELEM, 0),
        set);
    nft_batch_next(batch);
    nftnl_set_free(set);
}

static bool has_blocks(const struct nft_family *family, const struct fault_peers *peers)
{
    for (size_t i = 0; i < peers->block_count; i++)
        if (peers->blocks[i].family == family->family)
            return true;
    return false;
}

static struct nft_set peer_set(const struct nft_family *family, const struct fault_peers *peers)
{
    struct nft_set set = family->peers;
    set.intervals = has_blocks(family, peers);
    return set;
}

void nft_put_peer_set(struct nft_batch *batch, const char *table, const struct nft_family *family,
                      const struct fault_peers *peers)
{
    struct nft_set set = peer_set(family, peers);
    nft_put_set(batch, table, &set);
}

/* The kernel refuses ranges that overlap: they are merged. */
static void put_ranges(struct nft_batch *batch, const char *table, const struct nft_family *family,
                       const struct fault_peers *peers, struct dur_ns timeout)
{
    struct nft_set set = peer_set(family, peers);
    struct addr_block *ranges = base_calloc(peers->count + peers->block_count, sizeof *ranges);
    unsigned char(*keys)[ADDR_BYTES] =
        base_calloc(2 * (peers->count + peers->block_count), sizeof *keys);
    size_t count = 0;
    for (size_t i = 0; i < peers->block_count; i++)
        if (peers->blocks[i].family == family->family)
            ranges[count++] = peers->blocks[i];
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->list[i].family != family->family)
            continue;
        ranges[count].family = family->family;
        memcpy(ranges[count].first, peers->list[i].address, ADDR_BYTES);
        memcpy(ranges[count++].last, peers->list[i].address, ADDR_BYTES);
    }
    count = addr_blocks_merge(ranges, count);
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(keys[filled++], ranges[i].first, ADDR_BYTES);
        memcpy(keys[filled], ranges[i].last, ADDR_BYTES);
        /* Its end is the first address behind it; behind the very last there is none. */
        filled += addr_next(family->family, keys[filled]) ? 1 : 0;
    }
    nft_put_keys(batch, table, &set, keys, sizeof *keys, filled, timeout);
    free(ranges);
    free(keys);
}

void nft_put_peers(struct nft_batch *batch, const char *table, const struct nft_family *family,
                   const struct fault_peers *peers, struct dur_ns timeout)
{
    if (has_blocks(family, peers)) {
        put_ranges(batch, table, family, peers, timeout);
        return;
    }
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
        nft_batch_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL), chain);
    nftnl_chain_free(chain);
    nft_batch_next(batch);
}
