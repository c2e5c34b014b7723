/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In user space: an own table (nft.h) puts the packets into a queue of the namespace, and a thread
 * of the agent holds them (holder.h). It ends by itself: when the agent dies its table vanishes and
 * its queue with it; when it is stopped, the elements time out and no more packets come; and rules
 * that lead to a queue that nobody reads let packets pass.
 */
#include "base/text.h"
#include "holder.h"
#include "netback.h"
#include "netqueue.h"
#include "nft_host.h"

static bool nfqueue_host(struct base_error *err)
{
    struct base_error why = {0};
    if (!fault_nft_queue_host(err))
        return false;
    struct fault_netqueue *queue = fault_netqueue_new(NULL, false, &why);
    fault_netqueue_free(queue);
    return queue != NULL ||
           base_fail(err, BASE_UNAVAILABLE,
                     "this kernel has no queues of packets for user space "
                     "(CONFIG_NETFILTER_NETLINK_QUEUE), which network is made with; it said: %s",
                     why.message);
}

static struct fault_nft_partition rules_of(const struct fault_netback_want *want,
                                           const struct fault_nft_queue *queue)
{
    return (struct fault_nft_partition){
        .table = want->table,
        .direction = want->network->direction,
        .peers = &want->zone->peers,
        .protocol = want->network->protocol,
        .ports = want->network->ports,
        .port_count = want->network->port_count,
        .queue = queue,
    };
}

static bool nfqueue_apply(const struct fault_netback_want *want, struct dur_ns timeout,
                          void **state, struct base_error *err)
{
    const struct fault_network *network = want->network;
    struct fault_holder *holder =
        fault_holder_new(&want->zone->netns, &network->impairment, want->seed, err);
    if (holder == NULL)
        return false;
    *state = holder;
    const struct fault_nft_queue queue = {
        .number = fault_holder_queue(holder),
        .mark = fault_holder_mark(holder),
    };
    struct fault_nft_partition rules = rules_of(want, &queue);
    return fault_nft_apply(want->zone->nft, &rules, timeout, err);
}

static bool nfqueue_renew(const struct fault_netback_want *want, struct dur_ns timeout, void *state,
                          struct base_error *err)
{
    struct fault_nft_partition rules = rules_of(want, NULL);
    if (!fault_holder_works(state))
        return base_fail(err, BASE_IO, "%s: its queue of packets broke", want->zone->target.name);
    return fault_nft_renew(want->zone->nft, &rules, timeout, err);
}

/* First no more packets, then those that are held, then the rules (see fault_nft_empty). When the
 * first does not work the packets that come meanwhile are lost, and that is all. */
static bool nfqueue_revert(const struct fault_netback_want *want, void **state,
                           struct base_error *err)
{
    struct fault_nft *nft = want->zone->nft;
    if (nft != NULL)
        (void)fault_nft_empty(nft, want->table, NULL);
    fault_holder_free(*state);
    *state = NULL;
    return nft == NULL || fault_nft_remove(nft, want->table, err);
}

static struct impair_lateness nfqueue_late(void *state)
{
    return state != NULL ? fault_holder_late(state) : (struct impair_lateness){.low = {0}};
}

static void nfqueue_close(void *state)
{
    fault_holder_free(state);
}

static bool nfqueue_standing(const struct fault_netback_want *want, char **out,
                             struct base_error *err)
{
    bool found = false;
    if (!fault_zone_has_table(want->zone, want->table, &found, err))
        return false;
    *out = found ? base_str_printf("table inet %s", want->table) : NULL;
    return true;
}

const struct fault_netback_ops fault_netback_nfqueue = {
    .name = "nfqueue",
    .means = "by nfqueue: packets are held in user space",
    .host = nfqueue_host,
    .apply = nfqueue_apply,
    .renew = nfqueue_renew,
    .revert = nfqueue_revert,
    .close = nfqueue_close,
    .late = nfqueue_late,
    .standing = nfqueue_standing,
};
