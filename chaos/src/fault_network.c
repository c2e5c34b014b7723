/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: packets between the target and its peers are delayed, lost, doubled, corrupted, overtake
 * each other or share a slow link, in the target's network namespace and for flows that exist
 * already (netback.h: by what, and what makes it end). Proven by round trips from that namespace to
 * each peer (effect.h): their times and losses before, during and after.
 */
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "neighbours.h"
#include "netback.h"
#include "step.h"
#include "survey.h"

enum {
    most_paths = 64,     /* all are measured at once */
    most_measuring_s = 6 /* less than the deadlines of the steps */
};
static const double lease_share = 0.6; /* of a lease, for measuring the effect */
static const int64_t retry_ms = 100;
static const int64_t late_ms = 2;    /* from here on what was measured may be our own lateness */
static const int64_t gone_ms = 5000; /* for the effect to wear off, measuring not counted */

struct impaired { /* one target */
    struct fault_netback_want want;
    void *state;                 /* of the backend */
    struct impair_lateness late; /* in the round under way, or the last */
};

struct network_state {
    const struct fault_netback_ops *back;
    struct fault_zone *zones;
    struct impaired *impaired; /* one for each zone */
    size_t zone_count;
    struct fault_neighbours *neighbours; /* NULL: not applied */
    char *table;
    struct fault_survey *survey;
    enum fault_step round; /* which step the measurement under way belongs to */
    struct mono_ns since;  /* when measuring the effect began */
    int64_t rounds;        /* of it */
    struct io_timer retry;
};

/* In a namespace that ends with the socket. */
static bool can_measure(struct base_error *err)
{
    struct base_error why = {0};
    BASE_AUTO_FD int fd = fault_netns_socket(NULL, AF_INET, SOCK_RAW, IPPROTO_ICMP, &why);
    return fd >= 0 ||
           base_fail(err, why.code,
                     "network needs raw sockets for the ICMP echoes that it is measured by "
                     "(CAP_NET_RAW): run as root, and in a container with that capability; the "
                     "kernel said: %s",
                     why.message);
}

static bool network_host(struct base_error *err)
{
    return fault_netback_pick(err) != NULL && can_measure(err);
}

static const char *network_means(void)
{
    const struct fault_netback_ops *back = fault_netback_pick(NULL);
    return back != NULL ? back->means : NULL;
}

static bool network_platform(const struct topo *topo, struct base_error *err)
{
    return fault_zone_platform("network", topo, err);
}

/* --- resolving --- */

static void on_retry(void *ctx);

static struct network_state *state_new(struct fault *fault, const struct fault_netback_ops *back,
                                       size_t zone_count)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct network_state *state = base_calloc(1, sizeof *state);
    state->back = back;
    state->zones = base_calloc(zone_count, sizeof *state->zones);
    state->impaired = base_calloc(zone_count, sizeof *state->impaired);
    state->zone_count = zone_count;
    state->table = base_str_printf("%s%s", FAULT_NFT_PREFIX, spec->id);
    for (size_t i = 0; i < zone_count; i++) {
        state->zones[i].netns.fd = -1;
        /* Targets are hit by chances of their own; Weyl's sequence keeps the seeds apart. */
        state->impaired[i].want = (struct fault_netback_want){
            .zone = &state->zones[i],
            .table = state->table,
            .network = &spec->network,
            .seed = spec->network.seed + i * UINT64_C(0x9e3779b97f4a7c15),
        };
    }
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

static struct dur_ns budget_of(const struct fault_spec *spec)
{
    double ns = (double)spec->lease.ns * lease_share;
    double most = most_measuring_s * 1e9;
    return (struct dur_ns){(int64_t)(ns < most ? ns : most)};
}

/* Once the zones are complete and move no more. */
static bool paths_new(struct fault *fault, struct base_error *err)
{
    struct network_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    size_t paths = 0;
    struct effect_plan plan;
    state->survey = fault_survey_new(fault_env_of(fault)->loop);
    for (size_t z = 0; z < state->zone_count; z++)
        paths += state->zones[z].peers.count;
    if (paths > most_paths)
        return base_fail(err, BASE_LIMIT,
                         "%zu ways from targets to peers; at most %d can be measured at once: name "
                         "fewer peers or select fewer instances",
                         paths, most_paths);
    if (!effect_plan(&spec->network, paths, budget_of(spec), &plan, err))
        return false;
    for (size_t z = 0; z < state->zone_count; z++) {
        const struct fault_zone *zone = &state->zones[z];
        for (size_t p = 0; p < zone->peers.count; p++) {
            struct fault_survey_path path = {.target = zone->target.name,
                                             .netns = &zone->netns,
                                             .peer = &zone->peers.list[p],
                                             .plan = plan};
            if (p > 0)
                path.plan.train.count = 0; /* the link is one for all peers of a target */
            fault_survey_add(state->survey, &path);
        }
    }
    return true;
}

static bool network_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct fault_netback_ops *back = fault_env_of(fault)->netback;
    if (back == NULL)
        return base_fail(err, BASE_UNAVAILABLE, "this host has nothing to impair packets with");
    if (back->can != NULL && !back->can(&spec->network, err))
        return false;
    struct network_state *state = state_new(fault, back, spec->target_count);
    for (size_t i = 0; i < state->zone_count; i++)
        if (!fault_zone_open(&state->zones[i], topo, spec->targets[i], spec->network.peers,
                             spec->network.peer_count, err) ||
            !fault_zone_check_peers(&state->zones[i], topo, spec->network.protocol,
                                    spec->network.ports, spec->network.port_count, err))
            return false;
    return fault_zones_apart(state->zones, state->zone_count, err) && paths_new(fault, err);
}

/* --- measuring --- */

static struct impaired *impaired_of(const struct network_state *state,
                                    const struct fault_survey_path *path)
{
    for (size_t i = 0; i < state->zone_count; i++)
        if (path->netns == &state->zones[i].netns)
            return &state->impaired[i];
    return NULL;
}

static struct impair_lateness late_of(const struct network_state *state,
                                      const struct fault_survey_path *path)
{
    const struct impaired *one = impaired_of(state, path);
    return one != NULL ? one->late : (struct impair_lateness){.low = {0}};
}

/* Each asks for what has been since the last. */
static void note_lateness(struct network_state *state)
{
    for (size_t i = 0; i < state->zone_count && state->back->late != NULL; i++)
        state->impaired[i].late = state->back->late(state->impaired[i].state);
}

/* Of this round; false: nothing is measured along that path. */
static bool judge(const struct fault *fault, size_t i, struct effect_verdict *out)
{
    const struct network_state *state = fault_state_of(fault);
    const struct fault_network *network = &fault_spec_of(fault)->network;
    const struct fault_survey_path *path = fault_survey_path_at(state->survey, i);
    const struct effect_plan *plan = &path->plan;
    const struct effect_measured *before = fault_survey_before(state->survey, i);
    const struct effect_measured *now = fault_survey_measured(state->survey, i);
    if (path->netns->fd < 0)
        return false;
    if (state->round == FAULT_STEP_PREPARE)
        effect_before(network, plan, now, out);
    else if (state->round == FAULT_STEP_VERIFY)
        effect_during(network, plan, before, now, late_of(state, path), out);
    else
        effect_after(network, plan, before, now, out);
    return true;
}

static void round_evidence(struct fault *fault)
{
    const struct network_state *state = fault_state_of(fault);
    for (size_t i = 0; i < fault_survey_count(state->survey); i++) {
        const struct fault_survey_path *path = fault_survey_path_at(state->survey, i);
        struct effect_verdict verdict;
        if (!judge(fault, i, &verdict))
            continue;
        for (size_t k = 0; k < verdict.count; k++) {
            const struct effect_line *line = &verdict.lines[k];
            BASE_AUTO_FREE char *metric =
                base_str_printf("%s, %s to %s", line->metric,
                                fault_probe_protocol(path->plan.paced.method), path->peer->label);
            fault_evidence(fault, path->target, fault_step_when(state->round), metric, line->value,
                           line->expected, line->ok);
        }
    }
}

/* The first thing that was not as it should be; false: nothing. */
static bool find_odd(const struct fault *fault, const char *what, struct base_error *err)
{
    const struct network_state *state = fault_state_of(fault);
    for (size_t i = 0; i < fault_survey_count(state->survey); i++) {
        const struct fault_survey_path *path = fault_survey_path_at(state->survey, i);
        struct effect_verdict verdict;
        if (!judge(fault, i, &verdict) || effect_shown(&verdict))
            continue;
        const struct effect_line *odd = effect_odd(&verdict);
        const char *error = fault_survey_measured(state->survey, i)->paced.error;
        (void)base_fail(err, BASE_UNAVAILABLE, "%s %s %s: %s: %s, expected %s%s%s", path->target,
                        what, path->peer->label, odd != NULL ? odd->metric : "nothing measured",
                        odd != NULL ? odd->value : "-", odd != NULL ? odd->expected : "something",
                        error[0] != '\0' ? "; " : "", error);
        return true;
    }
    return false;
}

static void gone_finish(struct fault *fault)
{
    struct base_error err = {0};
    bool odd = find_odd(fault, "has nothing in place any more, yet is not as before towards", &err);
    round_evidence(fault);
    /* What impaired is shown to be absent: a peer that is down or slow by itself is not our fault
     * still being there; it is on record, though. */
    if (odd)
        fault_note_error(fault, err.message);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* The machine had no time for us in this round, and there is time for one more. How fast a train
 * came cannot tell a link without a limit from answers that were all read late, at once. */
static bool deserves_another(const struct fault *fault)
{
    const struct network_state *state = fault_state_of(fault);
    int64_t took = base_mono_sub(base_mono_now(), state->since).ns;
    bool late = fault_spec_of(fault)->network.impairment.rate > 0.0;
    for (size_t i = 0; i < state->zone_count; i++)
        late = late || state->impaired[i].late.high.ns >= base_dur_ms(late_ms).ns;
    return late && took / state->rounds * (state->rounds + 1) <= budget_of(fault_spec_of(fault)).ns;
}

static void round_begin(struct fault *fault, enum fault_step round);

static void on_round_done(void *ctx)
{
    struct fault *fault = ctx;
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool before = state->round == FAULT_STEP_PREPARE;
    note_lateness(state);
    if (state->round == FAULT_STEP_VERIFY_GONE) {
        if (find_odd(fault, "", NULL))
            io_timer_start(&state->retry, base_dur_ms(retry_ms)); /* until the deadline */
        else
            gone_finish(fault);
        return;
    }
    bool odd = find_odd(fault,
                        before ? "cannot be measured even without an impairment, towards"
                               : "does not show the impairment towards",
                        &err);
    if (odd && state->round == FAULT_STEP_VERIFY && deserves_another(fault)) {
        state->rounds++;
        round_begin(fault, FAULT_STEP_VERIFY);
        return;
    }
    round_evidence(fault);
    if (before)
        fault_survey_keep(state->survey);
    fault_step_measured(fault, state->round, odd, &err);
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = round;
    note_lateness(state);
    if (!fault_survey_start(state->survey, round != FAULT_STEP_VERIFY, on_round_done, fault, &err))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void on_retry(void *ctx)
{
    round_begin(ctx, FAULT_STEP_VERIFY_GONE);
}

/* --- the steps --- */

static void network_prepare(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (fault_zones_connect(state->zones, state->zone_count, &err))
        round_begin(fault, FAULT_STEP_PREPARE);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void network_apply(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        struct impaired *one = &state->impaired[i];
        if (!state->back->apply(&one->want, fault_effect_left(fault), &one->state, &err)) {
            (void)base_fail_context(&err, "%s", one->want.zone->target.name);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void network_verify(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    if (state->neighbours == NULL)
        state->neighbours = fault_neighbours_new(fault, state->zones, state->zone_count);
    state->since = base_mono_now();
    state->rounds = 1;
    round_begin(fault, FAULT_STEP_VERIFY);
}

static void network_renew(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        struct impaired *one = &state->impaired[i];
        if (!fault_zone_is_current(one->want.zone, "impairment", &err) ||
            !state->back->renew(&one->want, fault_effect_left(fault), one->state, &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void network_revert(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    fault_neighbours_stop(state->neighbours);
    for (size_t i = 0; i < state->zone_count; i++) {
        struct impaired *one = &state->impaired[i];
        if (!state->back->revert(&one->want, &one->state, ok ? &err : NULL))
            ok = false;
    }
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

/* false with err when something is in place still, or when nobody can tell. */
static bool is_absent(struct fault *fault, const struct impaired *one, struct base_error *err)
{
    const struct network_state *state = fault_state_of(fault);
    const struct fault_zone *zone = one->want.zone;
    BASE_AUTO_FREE char *standing = NULL;
    if (!state->back->standing(&one->want, &standing, err))
        return false;
    BASE_AUTO_FREE char *metric = base_str_printf("%s of squall", state->back->name);
    fault_evidence(fault, zone->target.name, "after", metric,
                   zone->netns.fd < 0 ? "network namespace gone"
                   : standing != NULL ? standing
                                      : "absent",
                   "absent", standing == NULL);
    return standing == NULL ||
           base_fail(err, BASE_IO,
                     "%s: %s is still there, in the network namespace %s; squall-agent "
                     "--sweep removes it",
                     zone->target.name, standing, zone->target.netns);
}

static void network_gone(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->zone_count; i++) {
        if (!is_absent(fault, &state->impaired[i], &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    round_begin(fault, FAULT_STEP_VERIFY_GONE);
}

/* --- housekeeping --- */

static struct dur_ns network_deadline(const struct fault *fault, enum fault_step step)
{
    struct dur_ns deadline = {0};
    if (step == FAULT_STEP_VERIFY_GONE)
        deadline.ns = base_dur_ms(gone_ms).ns + budget_of(fault_spec_of(fault)).ns;
    return deadline;
}

static void network_late(struct fault *fault, enum fault_step step)
{
    const struct network_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (state->round == step)
        round_evidence(fault);
}

static void network_cancel(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    fault_survey_cancel(state->survey);
}

static void network_close(struct fault *fault)
{
    struct network_state *state = fault_state_of(fault);
    fault_neighbours_free(state->neighbours);
    fault_survey_free(state->survey);
    for (size_t i = 0; i < state->zone_count; i++) {
        fault_zone_fini(&state->zones[i]); /* the rules before who reads their queue */
        state->back->close(state->impaired[i].state);
    }
    io_timer_fini(&state->retry);
    free(state->zones);
    free(state->impaired);
    free(state->table);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *network_undo(const struct fault *fault)
{
    const struct network_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->zone_count; i++) {
        json_t *one = fault_zone_to_json(&state->zones[i], state->table);
        json_object_set_new(one, "backend", model_json_text(state->back->name));
        json_array_append_new(list, one);
    }
    return list;
}

static bool network_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    BASE_AUTO_FREE char *name = NULL;
    if (!model_get_text(json_array_get(undo, 0), "undo", "backend", &name, err))
        return false;
    const struct fault_netback_ops *back = fault_netback_find(name);
    if (back == NULL)
        return base_fail(err, BASE_CORRUPT, "undo: nothing impairs packets by \"%.32s\"", name);
    struct network_state *state = state_new(fault, back, json_array_size(undo));
    for (size_t i = 0; i < state->zone_count; i++)
        if (!fault_zone_from_json(&state->zones[i], json_array_get(undo, i), err))
            return false;
    return paths_new(fault, err);
}

const struct fault_ops fault_network_ops = {
    .host = network_host,
    .means = network_means,
    .platform = network_platform,
    /* setns(2) into a target's namespace; its tables and queues; ICMP echoes, and copies; to
     * measure by a UDP port that is named. */
    .capabilities = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_NET_ADMIN |
                    UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_NET_BIND_SERVICE,
    .open = network_open,
    .undo = network_undo,
    .place = FAULT_PLACE_NETNS,
    .reopen = network_reopen,
    .step = {[FAULT_STEP_PREPARE] = network_prepare,
             [FAULT_STEP_APPLY] = network_apply,
             [FAULT_STEP_VERIFY] = network_verify,
             [FAULT_STEP_RENEW] = network_renew,
             [FAULT_STEP_REVERT] = network_revert,
             [FAULT_STEP_VERIFY_GONE] = network_gone},
    .deadline = network_deadline,
    .late = network_late,
    .cancel = network_cancel,
    .close = network_close,
};
