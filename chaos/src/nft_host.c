/* SPDX-License-Identifier: Apache-2.0 */
#include "nft_host.h"

#include <errno.h>

#include "nft.h"

static const char *const parts[FAULT_NFT_PARTS] = {
    [FAULT_NFT_TABLE] = "nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)",
    [FAULT_NFT_OWNER] = "nf_tables' owned tables (Linux 5.12)",
    [FAULT_NFT_TIMEOUTS] = "nf_tables' sets with timeouts (Linux 4.1)",
    [FAULT_NFT_DROP] = "nf_tables' rules on addresses and interfaces (meta, payload, lookup)",
    [FAULT_NFT_REJECT] = "nf_tables' reject expression (CONFIG_NFT_REJECT_INET)",
    [FAULT_NFT_QUEUE] = "x_tables' NFQUEUE in nf_tables (NFT_COMPAT, NETFILTER_XT_TARGET_NFQUEUE)",
};

static bool lacking(struct base_error *err, const char *kind, const char *part,
                    const struct base_error *why)
{
    return base_fail(err, BASE_UNAVAILABLE,
                     "this kernel lacks %s, which %s is made with; it said: %s", part, kind,
                     why->message);
}

static bool not_allowed(struct base_error *err, const char *kind, const char *capability)
{
    return base_fail(err, BASE_DENIED,
                     "%s needs %s, which this process does not have: run as root, and in a "
                     "container with that capability",
                     kind, capability);
}

/* `but` is the part that this kind does without. */
static bool look(const char *kind, enum fault_nft_part but, struct base_error *err)
{
    struct base_error why = {0};
    struct fault_nft *nft = fault_nft_new(NULL, &why);
    if (nft == NULL && why.sys == EPERM)
        return not_allowed(err, kind, "CAP_SYS_ADMIN (to enter network namespaces)");
    if (nft == NULL && (why.sys == EINVAL || why.sys == ENOSYS))
        return lacking(err, kind, "network namespaces (CONFIG_NET_NS)", &why);
    if (nft == NULL && why.sys == EPROTONOSUPPORT)
        return lacking(err, kind, "netlink for netfilter (CONFIG_NETFILTER_NETLINK)", &why);
    if (nft == NULL)
        return base_fail(err, why.code, "%s: %s", kind, why.message);
    bool ok = true;
    for (int part = 0; ok && part < FAULT_NFT_PARTS; part++) {
        ok = part == (int)but || fault_nft_try(nft, (enum fault_nft_part)part, &why);
        if (!ok && why.sys == EPERM)
            (void)not_allowed(err, kind, "CAP_NET_ADMIN (to make tables)");
        else if (!ok)
            (void)lacking(err, kind, parts[part], &why);
    }
    fault_nft_free(nft);
    return ok;
}

bool fault_nft_host(struct base_error *err)
{
    return look("partition", FAULT_NFT_QUEUE, err);
}

bool fault_nft_queue_host(struct base_error *err)
{
    return look("network", FAULT_NFT_REJECT, err);
}
