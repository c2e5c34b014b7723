/* SPDX-License-Identifier: Apache-2.0 */
/* By which devices of a namespace packets reach the peers of a fault. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "tc_exchange.h"

static int on_route_part(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        *(int *)data = (int)mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *data)
{
    return mnl_attr_parse(message, sizeof(struct rtmsg), on_route_part, data) < MNL_CB_STOP
               ? MNL_CB_ERROR
               : MNL_CB_STOP;
}

static bool route_to(struct fault_tc *tc, const struct fault_peer *peer, int *ifindex,
                     struct base_error *err)
{
    int found = 0;
    bool v6 = peer->family == AF_INET6;
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_GETROUTE, 0);
    struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    head->rtm_family = (unsigned char)peer->family;
    head->rtm_dst_len = v6 ? 128 : 32;
    mnl_attr_put(message, RTA_DST, v6 ? 16 : 4, peer->address);
    if (!fault_tc_run(tc, message, on_route, &found, err, "cannot look up the route to a peer"))
        return base_fail_context(err, "%s", peer->text);
    if (found == 0)
        return base_fail(err, BASE_NOT_FOUND, "%s: no device leads there", peer->text);
    *ifindex = found;
    return true;
}

static bool has(const struct fault_tc_devices *devices, int ifindex)
{
    for (size_t i = 0; i < devices->count; i++)
        if (devices->list[i] == ifindex)
            return true;
    return false;
}

static bool add_device(struct fault_tc_devices *devices, int ifindex, struct base_error *err)
{
    if (has(devices, ifindex))
        return true;
    if (devices->count == FAULT_TC_MOST_DEVICES)
        return base_fail(err, BASE_LIMIT, "the peers are behind more than %d devices",
                         FAULT_TC_MOST_DEVICES);
    devices->list[devices->count++] = ifindex;
    return true;
}

struct inroads { /* into a block */
    const struct addr_block *block;
    struct fault_tc_devices *devices;
    struct base_error *err;
    bool ok;
    bool any;
};

static void lead(struct inroads *inroads, int ifindex)
{
    inroads->any = true;
    inroads->ok = inroads->ok && add_device(inroads->devices, ifindex, inroads->err);
}

/* The hops of a route that has several. */
static void lead_all(struct inroads *inroads, const unsigned char *hops, size_t len)
{
    struct rtnexthop hop;
    for (size_t at = 0; at + sizeof hop <= len; at += (size_t)RTNH_ALIGN(hop.rtnh_len)) {
        memcpy(&hop, hops + at, sizeof hop);
        if (hop.rtnh_len < sizeof hop)
            return;
        lead(inroads, hop.rtnh_ifindex);
    }
}

static int on_inroad_part(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) <= RTA_MAX)
        ((const struct nlattr **)data)[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

/* Whether the route leads to addresses of the block: one of the two lies in the other. to NULL: it
 * leads to any. */
static bool meets(const struct addr_block *block, const struct rtmsg *head, const struct nlattr *to)
{
    unsigned char address[sizeof(struct in6_addr)] = {0};
    if (to != NULL && mnl_attr_get_payload_len(to) <= sizeof address)
        memcpy(address, mnl_attr_get_payload(to), mnl_attr_get_payload_len(to));
    struct addr_block route = addr_block_of(head->rtm_family, address, head->rtm_dst_len);
    return addr_block_spans(block, route.family, route.first) ||
           addr_block_spans(&route, block->family, block->first);
}

bool fault_tc_leads_into(const struct nlmsghdr *message, const struct addr_block *block)
{
    const struct rtmsg *head = mnl_nlmsg_get_payload(message);
    const struct nlattr *parts[RTA_MAX + 1] = {0};
    (void)mnl_attr_parse(message, sizeof *head, on_inroad_part, parts);
    return head->rtm_type == RTN_UNICAST && meets(block, head, parts[RTA_DST]);
}

static int on_inroad(const struct nlmsghdr *message, void *data)
{
    struct inroads *inroads = data;
    const struct rtmsg *head = mnl_nlmsg_get_payload(message);
    const struct nlattr *parts[RTA_MAX + 1] = {0};
    if (mnl_attr_parse(message, sizeof *head, on_inroad_part, parts) < MNL_CB_STOP)
        return MNL_CB_ERROR;
    if (head->rtm_type != RTN_UNICAST || !meets(inroads->block, head, parts[RTA_DST]))
        return MNL_CB_OK;
    if (parts[RTA_OIF] != NULL)
        lead(inroads, (int)mnl_attr_get_u32(parts[RTA_OIF]));
    if (parts[RTA_MULTIPATH] != NULL)
        lead_all(inroads, mnl_attr_get_payload(parts[RTA_MULTIPATH]),
                 mnl_attr_get_payload_len(parts[RTA_MULTIPATH]));
    return MNL_CB_OK;
}

static bool routes_into(struct fault_tc *tc, const struct addr_block *block,
                        struct fault_tc_devices *devices, struct base_error *err)
{
    struct inroads inroads = {.block = block, .devices = devices, .err = err, .ok = true};
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    head->rtm_family = (unsigned char)block->family;
    if (!fault_tc_run(tc, message, on_inroad, &inroads, err, "cannot list the routes") ||
        !inroads.ok)
        return false;
    return inroads.any || base_fail(err, BASE_NOT_FOUND, "no device leads into a block of peers");
}

bool fault_tc_devices(struct fault_tc *tc, const struct fault_peers *peers,
                      struct fault_tc_devices *out, struct base_error *err)
{
    bool ok = true;
    *out = (struct fault_tc_devices){0};
    for (size_t i = 0; ok && i < peers->count; i++) {
        int ifindex = 0;
        ok = route_to(tc, &peers->list[i], &ifindex, err) && add_device(out, ifindex, err);
    }
    for (size_t i = 0; ok && i < peers->block_count; i++)
        ok = routes_into(tc, &peers->blocks[i], out, err);
    return ok;
}

static bool devices_to(struct fault_tc *tc, const struct fault_peers *peers, size_t i,
                       struct fault_tc_devices *out, struct base_error *err)
{
    int ifindex = 0;
    *out = (struct fault_tc_devices){0};
    if (i >= peers->count)
        return routes_into(tc, &peers->blocks[i - peers->count], out, err);
    return route_to(tc, &peers->list[i], &ifindex, err) && add_device(out, ifindex, err);
}

static bool complain(const struct fault_peers *peers, size_t i, int ifindex, struct base_error *err)
{
    char text[INET6_ADDRSTRLEN];
    static const char came[] = "a route to %s/%u through device %d has come while the fault stood, "
                               "and is not impaired: apply it anew";
    if (i < peers->count)
        return base_fail(err, BASE_UNAVAILABLE, came, peers->list[i].text,
                         peers->list[i].family == AF_INET6 ? 128 : 32, ifindex);
    const struct addr_block *block = &peers->blocks[i - peers->count];
    (void)inet_ntop(block->family, block->first, text, sizeof text);
    return base_fail(err, BASE_UNAVAILABLE, came, text, addr_block_bits(block), ifindex);
}

bool fault_tc_devices_last(struct fault_tc *tc, struct fault_tc_news *news,
                           const struct fault_peers *peers, const struct fault_tc_devices *known,
                           struct base_error *err)
{
    bool lists = peers->block_count > 0 && fault_tc_news_due(news, peers);
    bool listed = lists;
    for (size_t i = 0; i < peers->count + (lists ? peers->block_count : 0); i++) {
        struct fault_tc_devices now;
        struct base_error why = {0};
        if (!devices_to(tc, peers, i, &now, &why)) {
            if (why.code == BASE_LIMIT)
                return base_fail(err, why.code, "%s", why.message);
            listed = listed && (i < peers->count || why.code == BASE_NOT_FOUND);
            continue; /* where no way leads, nothing goes by the wrong one */
        }
        for (size_t k = 0; k < now.count; k++)
            if (!has(known, now.list[k]))
                return complain(peers, i, now.list[k], err);
    }
    if (listed)
        fault_tc_news_listed(news);
    return true;
}
