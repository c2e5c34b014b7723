/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: packets between the target and its peers are dropped or rejected, in both directions
 * and for flows that exist already, by an own nftables table in the target's network namespace (see
 * nft.h for what makes it end). Proven by TCP connects from that namespace to each peer, or by UDP
 * datagrams where UDP alone is meant: they succeed before, fail during, and succeed after.
 */
#include <linux/capability.h>
#include <stdlib.h>

#include "base/text.h"
#include "engine.h"
#include "nft_host.h"
#include "reach.h"
#include "step.h"
#include "zones.h"

enum {
    patience_before_ms = 2000, /* one lost SYN is sent again after 1 s */
    patience_during_ms = 500,
    patience_after_ms = 1000,
    retry_after_ms = 100,
    gone_deadline_s = 5
};

struct partition_state {
    struct fault_zones zones;
    struct fault_reach *reach;
    enum fault_step round; /* which step the connects under way belong to */
    struct io_timer retry;
};

static bool partition_platform(const struct topo *topo, struct base_error *err)
{
    return fault_zone_platform("partition", topo, err);
}

static struct fault_nft_partition rules_of(const struct fault *fault, const struct fault_zone *zone)
{
    const struct partition_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    return (struct fault_nft_partition){
        .table = state->zones.table,
        .action = spec->partition.action,
        .direction = spec->partition.direction,
        .peers = &zone->peers,
        .protocol = spec->partition.protocol,
        .ports = spec->partition.ports,
        .port_count = spec->partition.port_count,
    };
}

/* --- resolving --- */

static void on_retry(void *ctx);

static struct partition_state *state_new(struct fault *fault, size_t zone_count)
{
    struct partition_state *state = base_calloc(1, sizeof *state);
    fault_zones_init(&state->zones, fault, zone_count);
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

/* Once the zones are complete and move no more. */
static void paths_new(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    state->reach = fault_reach_new(fault_env_of(fault)->loop);
    if (spec->partition.protocol == FAULT_PROTOCOL_UDP)
        fault_reach_by_datagrams(state->reach, spec->partition.ports, spec->partition.port_count);
    for (size_t z = 0; z < state->zones.count; z++) {
        const struct fault_zone *zone = &state->zones.list[z];
        for (size_t p = 0; p < zone->peers.count; p++)
            fault_reach_add(state->reach, zone->target.name, &zone->netns, &zone->peers.list[p]);
    }
}

static bool partition_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct partition_state *state = state_new(fault, spec->target_count);
    if (!fault_zones_open(&state->zones, fault, topo, spec->partition.peers,
                          spec->partition.peer_count, err))
        return false;
    for (size_t i = 0; i < state->zones.count; i++)
        if (!fault_zone_check_peers(&state->zones.list[i], topo, spec->partition.protocol,
                                    spec->partition.ports, spec->partition.port_count, err))
            return false;
    paths_new(fault);
    return true;
}

/* --- connecting to every peer --- */

static const struct {
    const char *when;
    int64_t patience_ms;
    bool should_connect;
} rounds[FAULT_STEP_COUNT] = {
    [FAULT_STEP_PREPARE] = {"before", patience_before_ms, true},
    [FAULT_STEP_VERIFY] = {"during", patience_during_ms, false},
    [FAULT_STEP_VERIFY_GONE] = {"after", patience_after_ms, true},
};

static void round_evidence(struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    fault_reach_evidence(state->reach, fault, rounds[state->round].when,
                         rounds[state->round].should_connect);
}

static void gone_finish(struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    const struct fault_path *odd = fault_reach_odd(state->reach, true);
    struct base_error err = {0};
    round_evidence(fault);
    if (odd != NULL)
        fault_path_error(odd, "has its table removed, yet cannot connect to", &err);
    fault_step_absent(fault, odd != NULL, fault_reach_explained(state->reach), &err);
}

static void on_round_done(void *ctx)
{
    struct fault *fault = ctx;
    struct partition_state *state = fault_state_of(fault);
    const struct fault_path *odd =
        fault_reach_odd(state->reach, rounds[state->round].should_connect);
    struct base_error err = {0};
    if (state->round == FAULT_STEP_VERIFY_GONE && odd != NULL) {
        io_timer_start(&state->retry, base_dur_ms(retry_after_ms)); /* until the deadline */
        return;
    }
    if (state->round == FAULT_STEP_VERIFY_GONE) {
        gone_finish(fault);
        return;
    }
    round_evidence(fault);
    bool before = state->round == FAULT_STEP_PREPARE;
    if (odd != NULL)
        fault_path_error(odd,
                         before ? "cannot reach its peer even without a partition:"
                                : "still reaches its peer through the partition:",
                         &err);
    fault_step_measured(fault, state->round, odd != NULL, &err);
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = round;
    if (!fault_reach_start(state->reach, base_dur_ms(rounds[round].patience_ms), on_round_done,
                           fault, &err))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void on_retry(void *ctx)
{
    struct fault *fault = ctx;
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (!fault_reach_repeat(state->reach, base_dur_ms(patience_after_ms), on_round_done, fault,
                            &err))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

/* --- the steps --- */

static void partition_prepare(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (!fault_zones_connect(state->zones.list, state->zones.count, &err)) {
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    round_begin(fault, FAULT_STEP_PREPARE);
}

static bool apply_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct partition_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    struct fault_nft_partition rules = rules_of(fault, zone);
    return fault_nft_apply(zone->nft, &rules, fault_effect_left(fault), err);
}

static bool renew_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct partition_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    struct fault_nft_partition rules = rules_of(fault, zone);
    return fault_zone_is_current(zone, "partition", err) &&
           fault_nft_renew(zone->nft, &rules, fault_effect_left(fault), err);
}

static bool revert_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct partition_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    return zone->nft == NULL || fault_nft_remove(zone->nft, state->zones.table, err);
}

static void partition_apply(struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, apply_one);
}

static void partition_verify(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    fault_zones_watch(fault, &state->zones);
    round_begin(fault, FAULT_STEP_VERIFY);
}

static void partition_renew(struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, renew_one);
}

static void partition_revert(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    fault_zones_revert(fault, &state->zones, revert_one);
}

static void partition_gone(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (fault_zones_absent(fault, &state->zones, &err))
        round_begin(fault, FAULT_STEP_VERIFY_GONE);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

/* --- housekeeping --- */

static struct dur_ns partition_deadline(const struct fault *fault, enum fault_step step)
{
    (void)fault;
    return base_dur_s(step == FAULT_STEP_VERIFY_GONE ? gone_deadline_s : 0);
}

static void partition_late(struct fault *fault, enum fault_step step)
{
    const struct partition_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (state->round == step)
        round_evidence(fault);
}

static void partition_cancel(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    fault_reach_cancel(state->reach);
}

static void partition_close(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    fault_reach_free(state->reach);
    fault_zones_fini(&state->zones);
    io_timer_fini(&state->retry);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *partition_undo(const struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->zones.count; i++)
        json_array_append_new(list, fault_zone_to_json(&state->zones.list[i], state->zones.table));
    return list;
}

static bool partition_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct partition_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->zones.count; i++)
        if (!fault_zone_from_json(&state->zones.list[i], json_array_get(undo, i), err))
            return false;
    paths_new(fault);
    return true;
}

const struct fault_ops fault_partition_ops = {
    .host = fault_nft_host,
    .platform = partition_platform,
    /* setns(2) into a target's namespace; its tables; to measure by a UDP port that is named. */
    .capabilities = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_NET_ADMIN |
                    UINT64_C(1) << CAP_NET_BIND_SERVICE,
    .open = partition_open,
    .undo = partition_undo,
    .place = FAULT_PLACE_NETNS,
    .reopen = partition_reopen,
    .step = {[FAULT_STEP_PREPARE] = partition_prepare,
             [FAULT_STEP_APPLY] = partition_apply,
             [FAULT_STEP_VERIFY] = partition_verify,
             [FAULT_STEP_RENEW] = partition_renew,
             [FAULT_STEP_REVERT] = partition_revert,
             [FAULT_STEP_VERIFY_GONE] = partition_gone},
    .deadline = partition_deadline,
    .late = partition_late,
    .cancel = partition_cancel,
    .close = partition_close,
};
