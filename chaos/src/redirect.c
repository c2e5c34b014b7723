/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "established.h"
#include "http_sight.h"
#include "origin.h"
#include "redirect_paths.h"
#include "step.h"
#include "zones.h"

enum {
    retry_after_ms = 100,
    max_ports = 64,
    lease_part = 4 /* a quarter of a lease is for applying */
};

struct outlet {                /* of one zone: its proxy, and what is sent there */
    struct fault_proxy *proxy; /* NULL: none */
    uint16_t ports[max_ports];
    size_t port_count;
    const struct fault *fault;
    struct http_sight *sight; /* of the round under way, or the last; NULL: none */
    struct redirect_seen seen;
};

struct redirect_state {
    const struct redirect_kind *kind;
    void *rules;
    struct fault_zones zones;
    struct outlet *outlets; /* one for each zone */
    uint32_t mark;
    struct redirect_paths *paths;
    enum fault_step round; /* which step the conversations under way belong to */
    struct io_timer retry;
};

/* FNV-1a of the id, folded: so that who finds it in the journal has the same. */
static uint32_t mark_of(const char *id)
{
    uint32_t hash = UINT32_C(0x811c9dc5);
    for (const char *p = id; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT32_C(0x01000193);
    return FAULT_NFT_MARK | ((hash >> 16 ^ hash) & ~FAULT_NFT_MARK_MASK);
}

static struct fault_nft_redirect rules_of(const struct fault *fault, size_t zone)
{
    const struct redirect_state *state = fault_state_of(fault);
    const struct outlet *outlet = &state->outlets[zone];
    struct fault_nft_redirect redirect = {
        .table = state->zones.table,
        .side = state->kind->route(fault_spec_of(fault))->side,
        .peers = &state->zones.list[zone].peers,
        .ports = outlet->ports,
        .port_count = outlet->port_count,
        .mark = state->mark,
    };
    if (outlet->proxy != NULL) {
        redirect.tcp[0] = fault_proxy_port(outlet->proxy, AF_INET);
        redirect.tcp[1] = fault_proxy_port(outlet->proxy, AF_INET6);
        redirect.udp[0] = fault_proxy_udp_port(outlet->proxy, AF_INET);
        redirect.udp[1] = fault_proxy_udp_port(outlet->proxy, AF_INET6);
    }
    return redirect;
}

/* --- resolving --- */

static void on_retry(void *ctx);

static struct redirect_state *state_new(struct fault *fault, const struct redirect_kind *kind,
                                        size_t zone_count)
{
    struct redirect_state *state = base_calloc(1, sizeof *state);
    state->kind = kind;
    fault_zones_init(&state->zones, fault, zone_count);
    state->outlets = base_calloc(zone_count, sizeof *state->outlets);
    state->mark = mark_of(fault_spec_of(fault)->id);
    state->paths = redirect_paths_new(fault, kind);
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

uint16_t redirect_port(const struct fault_route *route, size_t index)
{
    uint64_t port = 0;
    bool valid = base_parse_u64(route->ports[index], &port) && port <= UINT16_MAX;
    return valid ? (uint16_t)port : 0;
}

static bool check_ports(const struct fault_route *route, struct base_error *err)
{
    for (size_t i = 0; i < route->port_count; i++)
        if (redirect_port(route, i) == 0)
            return base_fail(err, BASE_INVALID, "ports: \"%s\" is no port", route->ports[i]);
    return true;
}

static bool add_port(struct outlet *outlet, uint16_t port, struct base_error *err)
{
    for (size_t i = 0; i < outlet->port_count; i++)
        if (outlet->ports[i] == port)
            return true;
    if (outlet->port_count == max_ports)
        return base_fail(err, BASE_LIMIT, "more than %d ports; name fewer peers", max_ports);
    outlet->ports[outlet->port_count++] = port;
    return true;
}

static bool fill_ports(struct outlet *outlet, const struct fault_route *route,
                       const struct fault_zone *zone, struct base_error *err)
{
    for (size_t i = 0; i < route->port_count; i++)
        if (!add_port(outlet, redirect_port(route, i), err))
            return false;
    if (route->port_count > 0)
        return true;
    if (route->side == FAULT_INBOUND)
        return add_port(outlet, zone->target.port, err);
    for (size_t i = 0; i < zone->peers.count; i++)
        if (!add_port(outlet, zone->peers.list[i].port, err))
            return false;
    return true;
}

static bool prepare_zone(struct fault *fault, const struct topo *topo, size_t index,
                         struct base_error *err)
{
    struct redirect_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    const struct fault_route *route = state->kind->route(fault_spec_of(fault));
    return redirect_paths_keep(state->paths, zone, topo, err) &&
           fill_ports(&state->outlets[index], route, zone, err) &&
           redirect_paths_add(state->paths, index, zone, topo, err);
}

bool redirect_open(struct fault *fault, const struct redirect_kind *kind, const struct topo *topo,
                   struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct fault_route *route = kind->route(spec);
    struct redirect_state *state = state_new(fault, kind, spec->target_count);
    if (kind->aim == NULL && route->side == FAULT_OUTBOUND && route->peer_count == 0)
        return base_fail(err, BASE_INVALID,
                         "outbound connections need `peers`: to whom, so that the effect can be "
                         "measured there");
    state->rules = kind->rules(spec, topo, err);
    if (state->rules == NULL || !check_ports(route, err))
        return false;
    if (!fault_zones_open(&state->zones, fault, topo, route->peers, route->peer_count, err))
        return false;
    for (size_t i = 0; i < state->zones.count; i++)
        if (!prepare_zone(fault, topo, i, err))
            return false;
    return true;
}

bool redirect_fits_lease(const struct fault_spec *spec, struct dur_ns shown, struct base_error *err)
{
    char least[BASE_DUR_TEXT];
    char lease[BASE_DUR_TEXT];
    if (shown.ns <= spec->lease.ns - spec->lease.ns / lease_part)
        return true;
    base_dur_format_brief(shown, least);
    base_dur_format(spec->lease, lease);
    return base_fail(err, BASE_INVALID,
                     "%s: its effect takes %s to be measured, too long for a lease of %s; give it "
                     "a longer lease or a shorter time",
                     fault_kind_name(spec->kind), least, lease);
}

const void *redirect_rules(const struct fault *fault)
{
    const struct redirect_state *state = fault_state_of(fault);
    return state->rules;
}

/* --- conversations along every path --- */

static void gone_finish(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    const struct redirect_path *odd = redirect_paths_odd(state->paths);
    struct base_error err = {0};
    redirect_paths_evidence(state->paths, state->zones.list);
    if (odd != NULL)
        redirect_paths_error(state->paths, odd, "the redirect is removed, yet", &err);
    fault_step_absent(fault, odd != NULL, redirect_paths_explained(state->paths, state->zones.list),
                      &err);
}

static void on_round_done(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    const struct redirect_path *odd = redirect_paths_odd(state->paths);
    struct base_error err = {0};
    if (state->round == FAULT_STEP_VERIFY_GONE && odd != NULL) {
        io_timer_start(&state->retry, base_dur_ms(retry_after_ms)); /* until the deadline */
        return;
    }
    if (state->round == FAULT_STEP_VERIFY_GONE) {
        gone_finish(fault);
        return;
    }
    redirect_paths_evidence(state->paths, state->zones.list);
    bool before = state->round == FAULT_STEP_PREPARE;
    if (odd != NULL)
        redirect_paths_error(state->paths, odd,
                             before ? "even without the fault" : "through the proxy", &err);
    fault_step_measured(fault, state->round, odd != NULL, &err);
}

static void on_head(void *ctx, const struct http_head *head)
{
    struct outlet *outlet = ctx;
    const struct redirect_state *state = fault_state_of(outlet->fault);
    enum redirect_sight sight = state->kind->sight(outlet->fault, head);
    outlet->seen.heads += sight != REDIRECT_NOT_OURS ? 1 : 0;
    outlet->seen.changed += sight == REDIRECT_CHANGED ? 1 : 0;
}

/* Of what this round's requests become on their way. */
static bool open_sights(struct fault *fault, struct base_error *err)
{
    const struct redirect_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->zones.count && state->kind->sight != NULL; i++) {
        struct outlet *outlet = &state->outlets[i];
        const struct fault_netns *netns = &state->zones.list[i].netns;
        http_sight_free(outlet->sight);
        outlet->sight = NULL;
        outlet->seen = (struct redirect_seen){0};
        outlet->fault = fault;
        if (netns->fd < 0 || outlet->port_count == 0)
            continue;
        outlet->sight = http_sight_new(fault_env_of(fault)->loop, netns, outlet->ports,
                                       outlet->port_count, on_head, outlet, err);
        if (outlet->sight == NULL)
            return false;
    }
    return true;
}

struct redirect_seen redirect_seen(const struct fault *fault, size_t zone)
{
    const struct redirect_state *state = fault_state_of(fault);
    if (state->outlets[zone].sight != NULL)
        http_sight_catch_up(state->outlets[zone].sight);
    return state->outlets[zone].seen;
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct redirect_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = round;
    if (!open_sights(fault, &err) ||
        !redirect_paths_start(state->paths, round, on_round_done, &err))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void on_retry(void *ctx)
{
    round_begin(ctx, FAULT_STEP_VERIFY_GONE);
}

/* --- the steps --- */

void redirect_prepare(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (fault_zones_connect(state->zones.list, state->zones.count, &err))
        round_begin(fault, FAULT_STEP_PREPARE);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static bool forget_flows(const struct fault_netns *netns, const struct fault_nft_redirect *rules,
                         struct base_error *err)
{
    struct fault_origin *origin = fault_origin_new(netns, err);
    bool ok = origin != NULL && fault_origin_forget(origin, IPPROTO_TCP, rules, err) &&
              (rules->udp[0] == 0 || fault_origin_forget(origin, IPPROTO_UDP, rules, err));
    fault_origin_free(origin);
    return ok;
}

/* The proxy listens before anything is sent there; who is connected already is sent away last. */
static bool apply_zone(struct fault *fault, size_t index, struct base_error *err)
{
    struct redirect_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    const struct fault_proxy_config config = {.netns = &zone->netns,
                                              .mark = state->mark,
                                              .driver = state->kind->driver,
                                              .rules = state->rules,
                                              .number = index};
    state->outlets[index].proxy = fault_proxy_start(&config, err);
    if (state->outlets[index].proxy == NULL)
        return false;
    const struct fault_nft_redirect rules = rules_of(fault, index);
    return fault_nft_redirect(zone->nft, &rules, fault_effect_left(fault), err) &&
           fault_established_reset(&zone->netns, &rules, NULL, err) &&
           forget_flows(&zone->netns, &rules, err);
}

void redirect_apply(struct fault *fault)
{
    const struct redirect_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, apply_zone);
}

void redirect_verify(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    fault_zones_watch(fault, &state->zones);
    round_begin(fault, FAULT_STEP_VERIFY);
}

static bool renew_zone(struct fault *fault, size_t index, struct base_error *err)
{
    const struct redirect_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    const struct fault_nft_redirect rules = rules_of(fault, index);
    return fault_zone_is_current(zone, state->kind->word, err) &&
           fault_nft_redirect_renew(zone->nft, &rules, fault_effect_left(fault), err);
}

void redirect_renew(struct fault *fault)
{
    const struct redirect_state *state = fault_state_of(fault);
    fault_zones_step(fault, &state->zones, renew_zone);
}

/* New connections go their own way first; then the proxy resets what it holds, while its table
 * still translates that; then the table goes. */
static bool revert_zone(struct fault *fault, size_t index, struct base_error *err)
{
    struct redirect_state *state = fault_state_of(fault);
    struct fault_zone *zone = &state->zones.list[index];
    if (zone->nft == NULL)
        return true;
    const struct fault_nft_redirect rules = rules_of(fault, index);
    bool ok = fault_nft_redirect_stop(zone->nft, &rules, err);
    fault_proxy_stop(state->outlets[index].proxy);
    state->outlets[index].proxy = NULL;
    ok = fault_nft_remove(zone->nft, state->zones.table, ok ? err : NULL) && ok;
    return fault_nft_forget(zone->nft, state->mark, ok ? err : NULL) && ok;
}

void redirect_revert(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    fault_zones_revert(fault, &state->zones, revert_zone);
}

void redirect_gone(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (fault_zones_absent(fault, &state->zones, &err))
        round_begin(fault, FAULT_STEP_VERIFY_GONE);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

/* --- housekeeping --- */

void redirect_late(struct fault *fault, enum fault_step step)
{
    struct redirect_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (state->round == step)
        redirect_paths_evidence(state->paths, state->zones.list);
}

void redirect_cancel(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    redirect_paths_cancel(state->paths);
}

void redirect_close(struct fault *fault)
{
    struct redirect_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->zones.count; i++) {
        fault_proxy_stop(state->outlets[i].proxy);
        http_sight_free(state->outlets[i].sight);
    }
    redirect_paths_free(state->paths);
    io_timer_fini(&state->retry);
    if (state->rules != NULL)
        state->kind->rules_free(state->rules);
    fault_zones_fini(&state->zones);
    free(state->outlets);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

json_t *redirect_undo(const struct fault *fault)
{
    const struct redirect_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->zones.count; i++) {
        json_t *one = fault_zone_to_json(&state->zones.list[i], state->zones.table);
        json_object_set_new(one, "paths", redirect_paths_to_json(state->paths, i));
        json_array_append_new(list, one);
    }
    return list;
}

bool redirect_reopen(struct fault *fault, const struct redirect_kind *kind, const json_t *undo,
                     struct base_error *err)
{
    struct redirect_state *state = state_new(fault, kind, json_array_size(undo));
    state->rules = kind->rules(fault_spec_of(fault), NULL, err);
    if (state->rules == NULL)
        return false;
    for (size_t i = 0; i < state->zones.count; i++) {
        const json_t *one = json_array_get(undo, i);
        if (!fault_zone_from_json(&state->zones.list[i], one, err))
            return false;
        /* Where the namespace is gone, there is nobody to talk to either. */
        if (state->zones.list[i].netns.fd >= 0 &&
            !redirect_paths_from_json(state->paths, i, json_object_get(one, "paths"), err))
            return false;
    }
    return true;
}
