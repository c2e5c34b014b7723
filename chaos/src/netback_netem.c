/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the kernel: qdiscs netem (netem.h), below a prio for what the target sends, behind an IFB for
 * what it receives. What leads packets there is a classifier that ends by itself (classifier.h):
 * whatever becomes of the agent, from the end of the lease on the qdiscs are passed by. They stay
 * until they are swept; packets that they hold are lost with them.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>

#include "base/text.h"
#include "classifier.h"
#include "netback.h"
#include "netem.h"
#include "tc.h"

struct netem_state {
    struct fault_tc *tc;
    struct fault_tc_news *news;   /* NULL: no blocks of peers */
    struct fault_classifier *out; /* NULL: that direction is not impaired */
    struct fault_classifier *in;
    struct fault_tc_devices devices;
};

/* Everything once, on the loopback device of a namespace that ends with the socket. */
static bool try_all(struct fault_tc *tc, struct fault_classifier *classifier,
                    struct base_error *err)
{
    static const struct fault_impairment what = {.delay = {BASE_NS_PER_MS}};
    static const int loopback = 1;
    unsigned char *options = base_calloc(1, NETEM_MAX_OPTIONS);
    size_t len = netem_options(&what, options);
    int ifb = 0;
    int program = fault_classifier_fd(classifier);
    bool ok = fault_tc_add_egress(tc, loopback, program, options, len, err) &&
              fault_tc_add_ifb(tc, options, len, &ifb, err) &&
              fault_tc_add_ingress(tc, loopback, program, ifb, err);
    free(options);
    return ok;
}

static bool netem_host(struct base_error *err)
{
    static const struct fault_network any = {.protocol = FAULT_PROTOCOL_ANY};
    struct base_error why = {0};
    struct fault_tc *tc = fault_tc_new(NULL, &why);
    struct fault_classifier *classifier =
        tc != NULL ? fault_classifier_new(&any, true, FAULT_TC_CLASS, &why) : NULL;
    bool ok = classifier != NULL && try_all(tc, classifier, &why);
    fault_classifier_free(classifier);
    fault_tc_free(tc);
    return ok || base_fail(err, why.code == BASE_DENIED ? BASE_DENIED : BASE_UNAVAILABLE,
                           "this kernel lacks what netem is used with (CONFIG_NET_SCH_NETEM, "
                           "NET_SCH_PRIO, NET_SCH_INGRESS, NET_CLS_BPF, NET_ACT_MIRRED, IFB); it "
                           "said: %s",
                           why.message);
}

static bool netem_can_network(const struct fault_network *network, struct base_error *err)
{
    return netem_can(&network->impairment, err);
}

/* --- putting in place --- */

static bool add_all(const struct fault_netback_want *want, struct netem_state *state,
                    struct base_error *err)
{
    unsigned char *options = base_calloc(1, NETEM_MAX_OPTIONS);
    size_t len = netem_options(&want->network->impairment, options);
    const struct fault_tc_devices *devices = &state->devices;
    int ifb = 0;
    bool ok = fault_tc_devices(state->tc, &want->zone->peers, &state->devices, err);
    if (ok && state->in != NULL)
        ok = fault_tc_add_ifb(state->tc, options, len, &ifb, err);
    for (size_t i = 0; ok && i < devices->count; i++) {
        if (state->out != NULL)
            ok = fault_tc_add_egress(state->tc, devices->list[i], fault_classifier_fd(state->out),
                                     options, len, err);
        if (ok && state->in != NULL)
            ok = fault_tc_add_ingress(state->tc, devices->list[i], fault_classifier_fd(state->in),
                                      ifb, err);
    }
    free(options);
    return ok;
}

static bool renew_both(const struct fault_netback_want *want, const struct netem_state *state,
                       struct dur_ns timeout, struct base_error *err)
{
    const struct fault_peers *peers = &want->zone->peers;
    return (state->out == NULL || fault_classifier_renew(state->out, peers, timeout, err)) &&
           (state->in == NULL || fault_classifier_renew(state->in, peers, timeout, err));
}

static bool netem_apply(const struct fault_netback_want *want, struct dur_ns timeout, void **out,
                        struct base_error *err)
{
    const struct fault_network *network = want->network;
    struct netem_state *state = base_calloc(1, sizeof *state);
    *out = state;
    state->tc = fault_tc_new(&want->zone->netns, err);
    if (state->tc == NULL)
        return false;
    if (want->zone->peers.block_count > 0) {
        state->news = fault_tc_news_new(&want->zone->netns, err);
        if (state->news == NULL)
            return false;
    }
    if (network->direction != FAULT_INGRESS) {
        state->out = fault_classifier_new(network, true, FAULT_TC_CLASS, err);
        if (state->out == NULL)
            return false;
    }
    if (network->direction != FAULT_EGRESS) {
        state->in = fault_classifier_new(network, false, UINT32_MAX, err); /* the filter's own */
        if (state->in == NULL)
            return false;
    }
    return add_all(want, state, err) && renew_both(want, state, timeout, err);
}

static bool netem_renew(const struct fault_netback_want *want, struct dur_ns timeout, void *state,
                        struct base_error *err)
{
    struct netem_state *netem = state;
    if (!fault_tc_devices_last(netem->tc, netem->news, &want->zone->peers, &netem->devices, err))
        return base_fail_context(err, "%s", want->zone->target.name);
    return renew_both(want, netem, timeout, err);
}

/* --- taking away --- */

static void netem_close(void *value)
{
    struct netem_state *state = value;
    if (state == NULL)
        return;
    fault_classifier_free(state->out);
    fault_classifier_free(state->in);
    fault_tc_news_free(state->news);
    fault_tc_free(state->tc);
    free(state);
}

static bool netem_revert(const struct fault_netback_want *want, void **state,
                         struct base_error *err)
{
    netem_close(*state);
    *state = NULL;
    if (want->zone->netns.fd < 0)
        return true;
    struct fault_tc *tc = fault_tc_new(&want->zone->netns, err);
    bool ok = tc != NULL && fault_tc_remove(tc, err);
    fault_tc_free(tc);
    return ok;
}

static bool netem_standing(const struct fault_netback_want *want, char **out,
                           struct base_error *err)
{
    char *found = NULL;
    if (want->zone->netns.fd >= 0) {
        struct fault_tc *tc = fault_tc_new(&want->zone->netns, err);
        bool ok = tc != NULL && fault_tc_standing(tc, &found, err);
        fault_tc_free(tc);
        if (!ok)
            return base_fail_context(err, "%s", want->zone->target.name);
    }
    *out = found;
    return true;
}

const struct fault_netback_ops fault_netback_netem = {
    .name = "netem",
    .means = "by netem: the kernel holds packets",
    .host = netem_host,
    .can = netem_can_network,
    .apply = netem_apply,
    .renew = netem_renew,
    .revert = netem_revert,
    .close = netem_close,
    .standing = netem_standing,
};
