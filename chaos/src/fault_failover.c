/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres: {failover}, redis: {failover}, rabbitmq: {stopNode}: the node is cut off from everybody
 * for as long as the lease, and what the rest of its cluster makes of it is theirs (ADR 0028). Its
 * packets are reset or dropped by a table of nftables in its network namespace, as those of a
 * partition are, with all addresses there are as peers (see nft.h for what makes it end). Shown by
 * the cluster, through the store's own protocol: before, that somebody can take over; during, that
 * somebody did; after, that it is whole again (failover.h).
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "failover.h"
#include "step.h"
#include "undo.h"
#include "zones.h"

enum {
    before_ms = 2000, /* a node that just does not answer is asked once more */
    spare_ms = 300,   /* nobody took over: it is said, and taken back, before the lease lapses */
    gone_spare_s = 10 /* it only has to stay as it is */
};

struct failover_state {
    struct fault_zones zones; /* one */
    struct failover_cluster *cluster;
    enum fault_step round;
};

static const struct failover_store *store_of(const struct fault_spec *spec)
{
    static const struct failover_store *const stores[FAULT_KIND_COUNT] = {
        [FAULT_POSTGRES] = &failover_postgres,
        [FAULT_REDIS] = &failover_redis,
        [FAULT_RABBITMQ] = &failover_rabbitmq,
    };
    return stores[spec->kind];
}

/* --- resolving --- */

static struct failover_state *state_new(struct fault *fault, size_t zone_count)
{
    struct failover_state *state = base_calloc(1, sizeof *state);
    fault_zones_init(&state->zones, fault, zone_count);
    state->cluster = failover_cluster_new(fault, store_of(fault_spec_of(fault)));
    fault_set_state(fault, state);
    return state;
}

/* All IPv4 addresses, and all IPv6 addresses. What the node says to itself passes. */
static void everybody(struct fault_peers *out)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const unsigned char none[ADDR_BYTES] = {0};
    out->block_count = sizeof families / sizeof *families;
    out->blocks = base_calloc(out->block_count, sizeof *out->blocks);
    for (size_t i = 0; i < out->block_count; i++)
        out->blocks[i] = addr_block_of(families[i], none, 0);
}

static bool add_node(struct failover_cluster *cluster, const struct topo *topo, const char *name,
                     struct base_error *err)
{
    struct fault_target target = {0};
    for (size_t i = 0; i < failover_cluster_size(cluster); i++)
        if (base_str_eq(failover_cluster_at(cluster, i)->name, name))
            return true;
    return fault_target_look_up(topo, name, &target, err) &&
           failover_cluster_add(cluster, &target, err);
}

static bool add_member(struct failover_cluster *cluster, const struct topo *topo, const char *name,
                       struct base_error *err)
{
    const struct topo_service *service = topo_find_service(topo, name);
    if (topo_find_instance(topo, name, NULL) != NULL)
        return add_node(cluster, topo, name, err);
    if (service == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "member \"%s\" is neither an instance nor a service of the platform "
                         "\"%s\" that this agent serves; see its topology file",
                         name, topo->name);
    for (size_t i = 0; i < service->instance_count; i++)
        if (!add_node(cluster, topo, service->instances[i].name, err))
            return false;
    return true;
}

static bool add_all(struct failover_cluster *cluster, const struct fault_spec *spec,
                    const struct topo *topo, struct base_error *err)
{
    const struct fault_failover *failover = fault_failover_of(spec);
    if (!add_node(cluster, topo, spec->targets[0], err))
        return false;
    for (size_t i = 0; i < failover->member_count; i++)
        if (!add_member(cluster, topo, failover->members[i], err))
            return false;
    return failover_cluster_size(cluster) > 1 ||
           base_fail(err, BASE_INVALID, "%s has no members beside itself: name them",
                     spec->targets[0]);
}

static bool failover_load(const struct fault_spec *spec, struct base_error *err)
{
    return store_of(spec)->load == NULL || store_of(spec)->load(err);
}

static bool failover_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    if (!failover_load(spec, err))
        return false;
    struct failover_state *state = state_new(fault, spec->target_count);
    if (!fault_zones_open(&state->zones, fault, topo, NULL, 0, err) ||
        !add_all(state->cluster, spec, topo, err))
        return false;
    everybody(&state->zones.list[0].peers);
    return true;
}

/* --- what its cluster says --- */

static void evidence(struct fault *fault, const struct failover_verdict *verdict)
{
    const struct failover_state *state = fault_state_of(fault);
    for (size_t i = 0; i < verdict->count; i++) {
        const struct failover_line *line = &verdict->lines[i];
        BASE_AUTO_FREE char *metric =
            base_str_printf("%s of %s", verdict->metric, line->node->target.name);
        fault_evidence(fault, fault_spec_of(fault)->targets[0], fault_step_when(state->round),
                       metric, line->value, line->expected, line->ok);
    }
}

static void on_verdict(void *ctx, const struct failover_verdict *verdict)
{
    struct fault *fault = ctx;
    struct base_error err = {0};
    evidence(fault, verdict);
    if (!verdict->ok)
        (void)base_fail(&err, BASE_UNAVAILABLE, "%s", verdict->error);
    fault_step_done(fault, verdict->ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void watch(struct fault *fault, enum fault_step round, struct dur_ns within)
{
    struct failover_state *state = fault_state_of(fault);
    state->round = round;
    failover_cluster_watch(state->cluster, round, within, on_verdict, fault);
}

/* --- the steps --- */

static void failover_prepare(struct fault *fault)
{
    struct failover_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (fault_zones_connect(state->zones.list, state->zones.count, &err))
        watch(fault, FAULT_STEP_PREPARE, base_dur_ms(before_ms));
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static struct fault_nft_partition rules_of(const struct failover_state *state, size_t index)
{
    return (struct fault_nft_partition){
        .table = state->zones.table,
        .action = FAULT_RESET, /* who is connected notices at once */
        .direction = FAULT_BOTH,
        .peers = &state->zones.list[index].peers,
    };
}

static bool apply_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct failover_state *state = fault_state_of(fault);
    struct fault_nft_partition rules = rules_of(state, index);
    return fault_nft_apply(state->zones.list[index].nft, &rules, fault_effect_left(fault), err);
}

static bool renew_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct failover_state *state = fault_state_of(fault);
    struct fault_nft_partition rules = rules_of(state, index);
    return fault_zone_is_current(&state->zones.list[index], "isolation", err) &&
           fault_nft_renew(state->zones.list[index].nft, &rules, fault_effect_left(fault), err);
}

static bool revert_one(struct fault *fault, size_t index, struct base_error *err)
{
    const struct failover_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    return zone->nft == NULL || fault_nft_remove(zone->nft, state->zones.table, err);
}

static void failover_apply(struct fault *fault)
{
    const struct failover_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, apply_one);
}

/* All of the lease is theirs, for nobody renews what is not active yet. */
static void failover_verify(struct fault *fault)
{
    struct failover_state *state = fault_state_of(fault);
    struct dur_ns left = fault_effect_left(fault);
    fault_zones_watch(fault, &state->zones);
    watch(fault, FAULT_STEP_VERIFY, (struct dur_ns){left.ns - spare_ms * BASE_NS_PER_MS});
}

static void failover_renew(struct fault *fault)
{
    const struct failover_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, renew_one);
}

static void failover_revert(struct fault *fault)
{
    struct failover_state *state = fault_state_of(fault);
    fault_zones_revert(fault, &state->zones, revert_one);
}

static void failover_gone(struct fault *fault)
{
    struct failover_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (!fault_zones_absent(fault, &state->zones, &err))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    else if (fault_is_halted(fault)) /* nobody is to wait for a cluster */
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else
        watch(fault, FAULT_STEP_VERIFY_GONE,
              fault_failover_of(fault_spec_of(fault))->restored_within);
}

/* --- housekeeping --- */

static struct dur_ns failover_deadline(const struct fault *fault, enum fault_step step)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    if (step == FAULT_STEP_VERIFY)
        return spec->lease; /* which ends it */
    if (step == FAULT_STEP_VERIFY_GONE)
        return (struct dur_ns){fault_failover_of(spec)->restored_within.ns +
                               gone_spare_s * BASE_NS_PER_S};
    return (struct dur_ns){0};
}

static void failover_cancel(struct fault *fault)
{
    const struct failover_state *state = fault_state_of(fault);
    failover_cluster_cancel(state->cluster);
}

static void failover_close(struct fault *fault)
{
    struct failover_state *state = fault_state_of(fault);
    failover_cluster_free(state->cluster);
    fault_zones_fini(&state->zones);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *failover_undo(const struct fault *fault)
{
    const struct failover_state *state = fault_state_of(fault);
    json_t *list = json_array();
    json_t *json = json_object();
    json_t *members = json_array();
    for (size_t i = 1; i < failover_cluster_size(state->cluster); i++)
        json_array_append_new(members,
                              fault_target_to_json(failover_cluster_at(state->cluster, i)));
    json_object_set_new(json, "zone",
                        fault_zone_to_json(&state->zones.list[0], state->zones.table));
    json_object_set_new(json, "members", members);
    json_array_append_new(list, json);
    return list;
}

static bool add_written(struct failover_cluster *cluster, const json_t *json,
                        struct base_error *err)
{
    struct fault_target target = {0};
    return fault_target_from_json(json, &target, err) &&
           failover_cluster_add(cluster, &target, err);
}

static bool failover_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    const json_t *one = json_array_get(undo, 0);
    const json_t *zone = json_object_get(one, "zone");
    size_t i;
    const json_t *member;
    if (!failover_load(fault_spec_of(fault), err))
        return false;
    struct failover_state *state = state_new(fault, 1);
    if (!fault_zone_from_json(&state->zones.list[0], zone, err) ||
        !add_written(state->cluster, json_object_get(zone, "target"), err))
        return false;
    json_array_foreach(json_object_get(one, "members"), i, member)
    {
        if (!add_written(state->cluster, member, err))
            return false;
    }
    return true;
}

const struct fault_ops fault_failover_ops = {
    .open = failover_open,
    .undo = failover_undo,
    .place = FAULT_PLACE_NETNS,
    .reopen = failover_reopen,
    .step = {[FAULT_STEP_PREPARE] = failover_prepare,
             [FAULT_STEP_APPLY] = failover_apply,
             [FAULT_STEP_VERIFY] = failover_verify,
             [FAULT_STEP_RENEW] = failover_renew,
             [FAULT_STEP_REVERT] = failover_revert,
             [FAULT_STEP_VERIFY_GONE] = failover_gone},
    .deadline = failover_deadline,
    .cancel = failover_cancel,
    .close = failover_close,
};
