/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: packets between the target and its peers are dropped or rejected, in both directions
 * and for flows that exist already, by an own nftables table in the target's network namespace (see
 * nft.h for what makes it end). Proven by TCP connects from that namespace to each peer: they
 * succeed before, fail during, and succeed after.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "connect.h"
#include "engine.h"
#include "nft.h"
#include "resolve.h"
#include "undo.h"

enum {
    patience_before_ms = 2000, /* one lost SYN is sent again after 1 s */
    patience_during_ms = 500,
    patience_after_ms = 1000,
    retry_after_ms = 100,
    gone_deadline_s = 8
};

struct zone { /* one target: its namespace, its socket, its peers */
    struct fault_target target;
    struct fault_netns netns; /* fd -1: the namespace exists no more */
    struct fault_nft *nft;
    struct fault_peers peers;
};

struct
try { /* one connect, from one zone to one of its peers */
    struct fault *fault;
    size_t zone;
    size_t peer;
    struct fault_connect *connect; /* NULL: not under way */
    struct fault_connect_result result;
    bool done;
};

struct partition_state {
    struct zone *zones;
    size_t zone_count;
    char *table;
    struct try *tries;
    size_t try_count;
    enum fault_step round; /* which step the tries under way belong to */
    struct io_timer retry;
};

static bool partition_host(const struct topo *topo, struct base_error *err)
{
    if (topo->mode != TOPO_NETNS)
        return base_fail(err, BASE_UNAVAILABLE,
                         "partition needs instances in network namespaces of their own; the "
                         "platform \"%s\" runs in mode %s (squall up as root makes namespaces)",
                         topo->name, topo_mode_name(topo->mode));
    if (geteuid() != 0)
        return base_fail(err, BASE_DENIED,
                         "partition needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN): start "
                         "squall-agent as root");
    return true;
}

static struct fault_nft_partition rules_of(const struct fault *fault, const struct zone *zone)
{
    const struct partition_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    return (struct fault_nft_partition){
        .table = state->table,
        .action = spec->partition.action,
        .direction = spec->partition.direction,
        .peers = &zone->peers,
    };
}

/* --- resolving --- */

static void on_retry(void *ctx);

static struct partition_state *state_new(struct fault *fault, size_t zone_count)
{
    struct partition_state *state = base_calloc(1, sizeof *state);
    state->zones = base_calloc(zone_count, sizeof *state->zones);
    state->zone_count = zone_count;
    for (size_t i = 0; i < zone_count; i++)
        state->zones[i].netns.fd = -1;
    state->table = base_str_printf("%s%s", FAULT_NFT_PREFIX, fault_spec_of(fault)->id);
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

static void tries_new(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    for (size_t z = 0; z < state->zone_count; z++)
        state->try_count += state->zones[z].peers.count;
    state->tries = base_calloc(state->try_count + 1, sizeof *state->tries);
    size_t at = 0;
    for (size_t z = 0; z < state->zone_count; z++)
        for (size_t p = 0; p < state->zones[z].peers.count; p++)
            state->tries[at++] = (struct try){.fault = fault, .zone = z, .peer = p};
}

static bool zone_open(struct zone *zone, const struct topo *topo, const struct fault_spec *spec,
                      const char *name, struct base_error *err)
{
    if (!fault_target_resolve(topo, name, &zone->target, err))
        return false;
    if (zone->target.netns == NULL)
        return base_fail(err, BASE_UNAVAILABLE, "%s has no network namespace of its own", name);
    return fault_netns_open(zone->target.netns, &zone->netns, err) &&
           fault_peers_resolve(topo, spec->partition.peers, spec->partition.peer_count,
                               zone->target.address, &zone->peers, err);
}

static bool partition_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct partition_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->zone_count; i++) {
        struct zone *zone = &state->zones[i];
        if (!zone_open(zone, topo, spec, spec->targets[i], err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (fault_netns_same(&zone->netns, &state->zones[j].netns))
                return base_fail(err, BASE_INVALID,
                                 "%s and %s share one network namespace: name one of them",
                                 state->zones[j].target.name, zone->target.name);
    }
    tries_new(fault);
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

static const struct fault_peer *peer_of(const struct partition_state *state, const struct try *try)
{
    return &state->zones[try->zone].peers.list[try->peer];
}

static void try_evidence(struct fault *fault, const struct try *try)
{
    const struct partition_state *state = fault_state_of(fault);
    char value[160] = "not finished in time";
    if (try->done)
        fault_connect_describe(&try->result, value, sizeof value);
    BASE_AUTO_FREE char *metric = base_str_printf("tcp connect to %s", peer_of(state, try)->label);
    bool should = rounds[state->round].should_connect;
    fault_evidence(fault, state->zones[try->zone].target.name, rounds[state->round].when, metric,
                   value, should ? "connected" : "not connected",
                   try->done && try->result.connected == should);
}

static void round_finish(struct fault *fault);

static void on_connect(void *ctx, const struct fault_connect_result *result)
{
    struct try *try = ctx;
    const struct partition_state *state = fault_state_of(try->fault);
    try->connect = NULL;
    try->result = *result;
    try->done = true;
    for (size_t i = 0; i < state->try_count; i++)
        if (!state->tries[i].done)
            return;
    round_finish(try->fault);
}

static void partition_cancel(struct fault *fault);

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = round;
    for (size_t i = 0; i < state->try_count; i++)
        state->tries[i] = (struct try){
            .fault = fault, .zone = state->tries[i].zone, .peer = state->tries[i].peer};
    for (size_t i = 0; i < state->try_count; i++) {
        struct try *try = &state->tries[i];
        const struct zone *zone = &state->zones[try->zone];
        if (zone->netns.fd < 0) { /* gone with all that was in it; not to be measured */
            try->done = true;
            try->result = (struct fault_connect_result){.sys = ENONET};
            continue;
        }
        try->connect =
            fault_connect_start(fault_env_of(fault)->loop, &zone->netns, peer_of(state, try),
                                base_dur_ms(rounds[round].patience_ms), on_connect, try, &err);
        if (try->connect == NULL) {
            partition_cancel(fault);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    for (size_t i = 0; i < state->try_count; i++)
        if (!state->tries[i].done)
            return;
    round_finish(fault);
}

static bool zone_is_gone(const struct partition_state *state, const struct try *try)
{
    return state->zones[try->zone].netns.fd < 0;
}

/* The first try that went against what the round expects; NULL: none. */
static const struct try *first_odd(const struct partition_state *state)
{
    bool should = rounds[state->round].should_connect;
    for (size_t i = 0; i < state->try_count; i++) {
        const struct try *try = &state->tries[i];
        if (!zone_is_gone(state, try) && (!try->done || try->result.connected != should))
            return try;
    }
    return NULL;
}

static void round_evidence(struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->try_count; i++)
        if (!zone_is_gone(state, &state->tries[i]))
            try_evidence(fault, &state->tries[i]);
}

static void describe_odd(const struct partition_state *state, const struct try *odd,
                         const char *what, struct base_error *err)
{
    char value[160] = "not finished in time";
    if (odd->done)
        fault_connect_describe(&odd->result, value, sizeof value);
    (void)base_fail(err, BASE_UNAVAILABLE, "%s %s %s: %s", state->zones[odd->zone].target.name,
                    what, peer_of(state, odd)->label, value);
}

/* Our rules answer with a reset or not at all; so once the table is shown to be absent, an answer
 * of any other kind comes from a peer that is down by itself. Silence is not explained by that. */
static bool peer_is_down(const struct try *try)
{
    return try->done && (try->result.sys == ECONNREFUSED || try->result.sys == EHOSTUNREACH ||
                         try->result.sys == ENETUNREACH);
}

static void gone_finish(struct fault *fault, const struct try *odd)
{
    const struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    round_evidence(fault);
    if (odd == NULL) {
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
        return;
    }
    bool down = true;
    for (size_t i = 0; i < state->try_count; i++)
        down = down && (zone_is_gone(state, &state->tries[i]) || state->tries[i].result.connected ||
                        peer_is_down(&state->tries[i]));
    describe_odd(state, odd, "has its table removed, yet cannot connect to", &err);
    if (down)
        fault_note_error(fault, err.message);
    fault_step_done(fault, down ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void round_finish(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    const struct try *odd = first_odd(state);
    struct base_error err = {0};
    if (state->round == FAULT_STEP_VERIFY_GONE) {
        if (odd != NULL)
            io_timer_start(&state->retry, base_dur_ms(retry_after_ms)); /* until the deadline */
        else
            gone_finish(fault, NULL);
        return;
    }
    round_evidence(fault);
    if (odd == NULL) {
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    } else if (state->round == FAULT_STEP_PREPARE) {
        describe_odd(state, odd, "cannot reach its peer even without a partition:", &err);
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    } else {
        describe_odd(state, odd, "still reaches its peer through the partition:", &err);
        fault_step_done(fault, FAULT_OUTCOME_NO_EFFECT, &err);
    }
}

static void on_retry(void *ctx)
{
    round_begin(ctx, FAULT_STEP_VERIFY_GONE);
}

/* --- the steps --- */

static void partition_prepare(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        state->zones[i].nft = fault_nft_new(&state->zones[i].netns, &err);
        if (state->zones[i].nft == NULL) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    round_begin(fault, FAULT_STEP_PREPARE);
}

static void partition_apply(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        struct zone *zone = &state->zones[i];
        struct fault_nft_partition rules = rules_of(fault, zone);
        if (!fault_nft_apply(zone->nft, &rules, fault_effect_left(fault), &err)) {
            (void)base_fail_context(&err, "%s", zone->target.name);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void partition_verify(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_VERIFY);
}

/* A target that was restarted in a new namespace is no longer cut off. */
static bool zone_is_current(const struct zone *zone, struct base_error *err)
{
    struct fault_netns now = {.fd = -1};
    if (!fault_netns_open(zone->target.netns, &now, err))
        return base_fail_context(err, "%s", zone->target.name);
    bool same = fault_netns_same(&now, &zone->netns);
    fault_netns_close(&now);
    return same || base_fail(err, BASE_UNAVAILABLE,
                             "%s was restarted in a new network namespace: the partition no longer "
                             "holds it",
                             zone->target.name);
}

static void partition_renew(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        struct zone *zone = &state->zones[i];
        struct fault_nft_partition rules = rules_of(fault, zone);
        if (!zone_is_current(zone, &err) ||
            !fault_nft_renew(zone->nft, &rules, fault_effect_left(fault), &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void partition_revert(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < state->zone_count; i++) {
        struct zone *zone = &state->zones[i];
        if (zone->nft != NULL && !fault_nft_remove(zone->nft, state->table, ok ? &err : NULL))
            ok = false;
    }
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void on_table(void *ctx, const char *table)
{
    struct partition_state *state = ((void **)ctx)[0];
    bool *found = ((void **)ctx)[1];
    *found = *found || base_str_eq(table, state->table);
}

/* false with err when the table is there still, or when nobody can tell. */
static bool table_is_absent(struct fault *fault, struct zone *zone, struct base_error *err)
{
    struct partition_state *state = fault_state_of(fault);
    bool found = false;
    void *ctx[] = {state, &found};
    BASE_AUTO_FREE char *metric = base_str_printf("nft table inet %s", state->table);
    if (zone->netns.fd < 0) {
        fault_evidence(fault, zone->target.name, "after", metric, "network namespace gone",
                       "absent", true);
        return true;
    }
    if (!fault_nft_list(zone->nft, state->table, on_table, ctx, err))
        return base_fail_context(err, "%s", zone->target.name);
    fault_evidence(fault, zone->target.name, "after", metric, found ? "present" : "absent",
                   "absent", !found);
    return !found || base_fail(err, BASE_IO,
                               "%s: table inet %s is still there; remove it with: ip netns exec %s "
                               "nft delete table inet %s",
                               zone->target.name, state->table, zone->target.netns, state->table);
}

static void partition_gone(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        if (!table_is_absent(fault, &state->zones[i], &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    round_begin(fault, FAULT_STEP_VERIFY_GONE);
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
        gone_finish(fault, first_odd(state));
    else if (state->round == step)
        round_evidence(fault);
}

static void partition_cancel(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    for (size_t i = 0; i < state->try_count; i++) {
        fault_connect_cancel(state->tries[i].connect);
        state->tries[i].connect = NULL;
    }
}

static void partition_close(struct fault *fault)
{
    struct partition_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->zone_count; i++) {
        struct zone *zone = &state->zones[i];
        fault_nft_free(zone->nft);
        fault_netns_close(&zone->netns);
        fault_peers_fini(&zone->peers);
        fault_target_fini(&zone->target);
    }
    io_timer_fini(&state->retry);
    free(state->zones);
    free(state->tries);
    free(state->table);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *partition_undo(const struct fault *fault)
{
    const struct partition_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->zone_count; i++) {
        const struct zone *zone = &state->zones[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&zone->target));
        json_object_set_new(one, "peers", fault_peers_to_json(&zone->peers));
        json_object_set_new(one, "table", model_json_text(state->table));
        json_object_set_new(one, "netnsDev", json_integer((json_int_t)zone->netns.dev));
        json_object_set_new(one, "netnsIno", json_integer((json_int_t)zone->netns.ino));
        json_array_append_new(list, one);
    }
    return list;
}

static bool zone_reopen(struct zone *zone, const json_t *one, struct base_error *err)
{
    uint64_t dev = 0;
    uint64_t ino = 0;
    if (!fault_target_from_json(json_object_get(one, "target"), &zone->target, err) ||
        !fault_peers_from_json(json_object_get(one, "peers"), &zone->peers, err) ||
        !model_get_u64(one, "undo", "netnsDev", INT64_MAX, &dev, err) ||
        !model_get_u64(one, "undo", "netnsIno", INT64_MAX, &ino, err))
        return false;
    struct base_error why = {0};
    if (!fault_netns_open(zone->target.netns, &zone->netns, &why)) {
        if (why.code == BASE_NOT_FOUND)
            return true; /* the namespace is gone, and its tables with it */
        if (err != NULL)
            *err = why;
        return false;
    }
    if (zone->netns.dev != dev || zone->netns.ino != ino) {
        fault_netns_close(&zone->netns); /* another one in its place: the old one is gone */
        return true;
    }
    zone->nft = fault_nft_new(&zone->netns, err);
    return zone->nft != NULL;
}

static bool partition_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct partition_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->zone_count; i++)
        if (!zone_reopen(&state->zones[i], json_array_get(undo, i), err))
            return false;
    tries_new(fault);
    return true;
}

const struct fault_ops fault_partition_ops = {
    .host = partition_host,
    .open = partition_open,
    .undo = partition_undo,
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
