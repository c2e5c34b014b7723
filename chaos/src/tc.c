/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tc_exchange.h"

enum { most_ours = 64, prio_handle = FAULT_TC_MAJOR << 16 };

static struct nlmsghdr *start_tc(struct fault_tc *tc, uint16_t type, uint16_t flags, int ifindex,
                                 uint32_t parent, uint32_t handle, uint32_t info)
{
    struct nlmsghdr *message = fault_tc_begin(tc, type, (uint16_t)(flags | NLM_F_ACK));
    struct tcmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    *head = (struct tcmsg){.tcm_family = AF_UNSPEC,
                           .tcm_ifindex = ifindex,
                           .tcm_parent = parent,
                           .tcm_handle = handle,
                           .tcm_info = info};
    return message;
}

enum { create = NLM_F_CREATE | NLM_F_EXCL };

/* --- what there is --- */

struct qdisc {
    int ifindex;
    uint32_t handle;
    uint32_t parent;
    char kind[16];
};

struct listing {
    struct qdisc list[512];
    size_t count;
    bool full;
};

static int on_kind(const struct nlattr *attribute, void *data)
{
    struct qdisc *qdisc = data;
    if (mnl_attr_get_type(attribute) == TCA_KIND &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        const char *kind = mnl_attr_get_str(attribute);
        size_t len = strlen(kind);
        memcpy(qdisc->kind, kind, len < sizeof qdisc->kind ? len : sizeof qdisc->kind - 1);
    }
    return MNL_CB_OK;
}

static int on_qdisc(const struct nlmsghdr *message, void *data)
{
    struct listing *listing = data;
    const struct tcmsg *head = mnl_nlmsg_get_payload(message);
    if (listing->count == sizeof listing->list / sizeof *listing->list) {
        listing->full = true;
        return MNL_CB_OK;
    }
    struct qdisc *qdisc = &listing->list[listing->count++];
    *qdisc = (struct qdisc){
        .ifindex = head->tcm_ifindex, .handle = head->tcm_handle, .parent = head->tcm_parent};
    return mnl_attr_parse(message, sizeof *head, on_kind, qdisc);
}

static bool list_qdiscs(struct fault_tc *tc, struct listing *listing, struct base_error *err)
{
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_GETQDISC, NLM_F_DUMP);
    struct tcmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    head->tcm_family = AF_UNSPEC;
    *listing = (struct listing){.count = 0};
    return fault_tc_run(tc, message, on_qdisc, listing, err, "cannot list the qdiscs") &&
           (!listing->full || base_fail(err, BASE_LIMIT, "the namespace has too many qdiscs"));
}

static bool is_ours(const struct qdisc *qdisc)
{
    return qdisc->parent == TC_H_ROOT && qdisc->handle == prio_handle &&
           strcmp(qdisc->kind, "prio") == 0;
}

/* What somebody has set has a handle; what the kernel gives by itself has none. */
static bool is_free(struct fault_tc *tc, int ifindex, uint32_t parent, struct base_error *err)
{
    struct listing *listing = base_calloc(1, sizeof *listing);
    bool ok = list_qdiscs(tc, listing, err);
    for (size_t i = 0; ok && i < listing->count; i++) {
        const struct qdisc *qdisc = &listing->list[i];
        if (qdisc->ifindex == ifindex && qdisc->parent == parent && qdisc->handle != 0)
            ok = base_fail(err, BASE_DENIED,
                           "device %d has the qdisc %s %x: already, which is not squall's to "
                           "replace; remove it, or choose another target",
                           ifindex, qdisc->kind, qdisc->handle >> 16);
    }
    free(listing);
    return ok;
}

/* --- putting in place --- */

static bool add_netem(struct fault_tc *tc, int ifindex, uint32_t parent, const void *options,
                      size_t len, struct base_error *err)
{
    struct nlmsghdr *message =
        start_tc(tc, RTM_NEWQDISC, create, ifindex, parent, (uint32_t)FAULT_TC_NETEM, 0);
    mnl_attr_put_strz(message, TCA_KIND, "netem");
    mnl_attr_put(message, TCA_OPTIONS, len, options);
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot add a netem");
}

static bool add_prio(struct fault_tc *tc, int ifindex, struct base_error *err)
{
    /* The zeroed priomap: everything into the first class. */
    const struct tc_prio_qopt options = {.bands = TCQ_MIN_PRIO_BANDS};
    struct nlmsghdr *message =
        start_tc(tc, RTM_NEWQDISC, create, ifindex, TC_H_ROOT, (uint32_t)prio_handle, 0);
    mnl_attr_put_strz(message, TCA_KIND, "prio");
    mnl_attr_put(message, TCA_OPTIONS, sizeof options, &options);
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot add a prio");
}

static void put_redirect(struct nlmsghdr *message, int ifb)
{
    const struct tc_mirred redirect = {
        .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)ifb};
    struct nlattr *actions = mnl_attr_nest_start(message, TCA_BPF_ACT);
    struct nlattr *first = mnl_attr_nest_start(message, 1);
    mnl_attr_put_strz(message, TCA_ACT_KIND, "mirred");
    struct nlattr *options = mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
    mnl_attr_put(message, TCA_MIRRED_PARMS, sizeof redirect, &redirect);
    mnl_attr_nest_end(message, options);
    mnl_attr_nest_end(message, first);
    mnl_attr_nest_end(message, actions);
}

/* ifb 0: no action, the program's answer is the class. */
static bool add_filter(struct fault_tc *tc, int ifindex, uint32_t parent, int program, int ifb,
                       struct base_error *err)
{
    uint32_t info = (uint32_t)FAULT_TC_FILTER << 16 | htons(ETH_P_ALL);
    struct nlmsghdr *message = start_tc(tc, RTM_NEWTFILTER, create, ifindex, parent, 0, info);
    mnl_attr_put_strz(message, TCA_KIND, "bpf");
    struct nlattr *options = mnl_attr_nest_start(message, TCA_OPTIONS);
    mnl_attr_put_u32(message, TCA_BPF_FD, (uint32_t)program);
    mnl_attr_put_strz(message, TCA_BPF_NAME, "squall");
    if (ifb != 0)
        put_redirect(message, ifb);
    mnl_attr_nest_end(message, options);
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot add a filter of eBPF");
}

bool fault_tc_add_egress(struct fault_tc *tc, int ifindex, int program, const void *options,
                         size_t len, struct base_error *err)
{
    return is_free(tc, ifindex, TC_H_ROOT, err) && add_prio(tc, ifindex, err) &&
           add_netem(tc, ifindex, (uint32_t)FAULT_TC_CLASS, options, len, err) &&
           add_filter(tc, ifindex, (uint32_t)prio_handle, program, 0, err);
}

static int on_link(const struct nlmsghdr *message, void *data)
{
    const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
    *(int *)data = head->ifi_index;
    return MNL_CB_OK;
}

/* 0: there is no such device. */
static bool find_ifb(struct fault_tc *tc, int *ifindex, struct base_error *err)
{
    struct base_error why = {0};
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_GETLINK, NLM_F_ACK);
    struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    head->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(message, IFLA_IFNAME, FAULT_TC_IFB);
    *ifindex = 0;
    if (fault_tc_run(tc, message, on_link, ifindex, &why, "cannot look for our IFB") ||
        why.sys == ENODEV)
        return true;
    if (err != NULL)
        *err = why;
    return false;
}

bool fault_tc_add_ifb(struct fault_tc *tc, const void *options, size_t len, int *ifindex,
                      struct base_error *err)
{
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_NEWLINK, create | NLM_F_ACK);
    struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    *head = (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    mnl_attr_put_strz(message, IFLA_IFNAME, FAULT_TC_IFB);
    struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "ifb");
    mnl_attr_nest_end(message, info);
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot add an IFB") &&
           find_ifb(tc, ifindex, err) && add_netem(tc, *ifindex, TC_H_ROOT, options, len, err);
}

bool fault_tc_add_ingress(struct fault_tc *tc, int ifindex, int program, int ifb,
                          struct base_error *err)
{
    if (!is_free(tc, ifindex, TC_H_INGRESS, err))
        return false;
    struct nlmsghdr *message =
        start_tc(tc, RTM_NEWQDISC, create, ifindex, TC_H_INGRESS, 0xffff0000, 0);
    mnl_attr_put_strz(message, TCA_KIND, "ingress");
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot add an ingress qdisc") &&
           add_filter(tc, ifindex, 0xffff0000, program, ifb, err);
}

/* --- taking away --- */

static bool remove_qdisc(struct fault_tc *tc, const struct qdisc *qdisc, struct base_error *err)
{
    struct nlmsghdr *message =
        start_tc(tc, RTM_DELQDISC, 0, qdisc->ifindex, qdisc->parent, qdisc->handle, 0);
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot remove our qdisc");
}

struct filters {
    size_t ours;
    size_t others;
};

static int on_filter(const struct nlmsghdr *message, void *data)
{
    const struct tcmsg *head = mnl_nlmsg_get_payload(message);
    struct filters *filters = data;
    bool ours = head->tcm_info >> 16 == FAULT_TC_FILTER;
    *(ours ? &filters->ours : &filters->others) += 1;
    return MNL_CB_OK;
}

/* An ingress qdisc has no handle to tell whose it is: it is ours when its filters are. One without
 * filters is what an agent has left that died between two steps, or somebody's that does nothing;
 * it is ours only while our IFB is there. */
static bool ingress_is_ours(struct fault_tc *tc, int ifindex, bool ifb, bool *ours,
                            struct base_error *err)
{
    struct filters filters = {0};
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_GETTFILTER, NLM_F_DUMP);
    struct tcmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    *head =
        (struct tcmsg){.tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex, .tcm_parent = 0xffff0000};
    if (!fault_tc_run(tc, message, on_filter, &filters, err, "cannot list the filters"))
        return false;
    *ours = filters.others == 0 && (filters.ours > 0 || ifb);
    return true;
}

/* Ours, at most most_ours of them. */
static bool collect(struct fault_tc *tc, struct qdisc *out, size_t *count, int *ifb,
                    struct base_error *err)
{
    struct listing *listing = base_calloc(1, sizeof *listing);
    bool ok = find_ifb(tc, ifb, err) && list_qdiscs(tc, listing, err);
    *count = 0;
    for (size_t i = 0; ok && i < listing->count && *count < most_ours; i++) {
        const struct qdisc *qdisc = &listing->list[i];
        bool ours = is_ours(qdisc);
        if (qdisc->parent == TC_H_INGRESS && strcmp(qdisc->kind, "ingress") == 0)
            ok = ingress_is_ours(tc, qdisc->ifindex, *ifb != 0, &ours, err);
        if (ok && ours)
            out[(*count)++] = *qdisc;
    }
    free(listing);
    return ok;
}

static bool remove_ifb(struct fault_tc *tc, int ifindex, struct base_error *err)
{
    struct nlmsghdr *message = fault_tc_begin(tc, RTM_DELLINK, NLM_F_ACK);
    struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    *head = (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    return fault_tc_run(tc, message, NULL, NULL, err, "cannot remove our IFB");
}

bool fault_tc_remove(struct fault_tc *tc, struct base_error *err)
{
    struct qdisc ours[most_ours];
    size_t count = 0;
    int ifb = 0;
    bool ok = collect(tc, ours, &count, &ifb, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = remove_qdisc(tc, &ours[i], err);
    return ok && (ifb == 0 || remove_ifb(tc, ifb, err));
}

bool fault_tc_standing(struct fault_tc *tc, char **out, struct base_error *err)
{
    struct qdisc ours[most_ours];
    size_t count = 0;
    int ifb = 0;
    if (!collect(tc, ours, &count, &ifb, err))
        return false;
    *out = NULL;
    if (count > 0)
        *out = base_str_printf("qdisc %s %x: on device %d", ours[0].kind, ours[0].handle >> 16,
                               ours[0].ifindex);
    else if (ifb != 0)
        *out = base_str_printf("device %s", FAULT_TC_IFB);
    return true;
}
