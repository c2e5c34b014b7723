/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect_paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "undo.h"

struct slot { /* one conversation at a time */
    struct redirect_paths *paths;
    size_t path;
    struct proxy_probe *probe; /* NULL: idle */
};

struct track { /* what a round does along one path */
    struct redirect_ask ask;
    size_t started;
    struct slot slots[REDIRECT_PARALLEL];
};

struct redirect_paths {
    struct fault *fault;
    const struct redirect_kind *kind;
    struct redirect_path *list;
    struct track *tracks;
    size_t count;
    enum fault_step round;
    struct io_timer over; /* for a round with nothing to wait for */
    void (*on_done)(struct fault *fault);
};

static void on_over(void *ctx)
{
    struct redirect_paths *paths = ctx;
    paths->on_done(paths->fault);
}

struct redirect_paths *redirect_paths_new(struct fault *fault, const struct redirect_kind *kind)
{
    struct redirect_paths *paths = base_calloc(1, sizeof *paths);
    paths->fault = fault;
    paths->kind = kind;
    io_timer_init(&paths->over, fault_env_of(fault)->loop, on_over, paths);
    return paths;
}

void redirect_paths_free(struct redirect_paths *paths)
{
    if (paths == NULL)
        return;
    redirect_paths_cancel(paths);
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->list[i].from);
        free(paths->list[i].before);
        free(paths->list[i].now);
        fault_netns_close(&paths->list[i].netns);
    }
    io_timer_fini(&paths->over);
    free(paths->list);
    free(paths->tracks);
    free(paths);
}

/* --- which there are --- */

static const struct topo_instance *instance_at(const struct topo *topo, const char *address,
                                               const struct topo_service **service)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++) {
            if (!base_str_eq(topo->services[s].instances[i].address, address))
                continue;
            *service = &topo->services[s];
            return &topo->services[s].instances[i];
        }
    return NULL;
}

static bool speaks_postgres(const struct topo *topo, const char *address)
{
    const struct topo_service *service = NULL;
    return instance_at(topo, address, &service) != NULL && base_str_eq(service->kind, "postgres");
}

/* Takes over `from`. */
static bool add(struct redirect_paths *paths, size_t zone, char *from, const struct fault_peer *to,
                bool postgres, struct base_error *err)
{
    struct redirect_path path = {.zone = zone, .from = from, .to = *to, .postgres = postgres};
    path.netns.fd = -1;
    bool ok =
        from != NULL ? fault_netns_open(from, &path.netns, err) : fault_netns_own(&path.netns, err);
    if (!ok) {
        free(from);
        return false;
    }
    paths->list = base_reallocarray(paths->list, paths->count + 1, sizeof *paths->list);
    paths->tracks = base_reallocarray(paths->tracks, paths->count + 1, sizeof *paths->tracks);
    paths->tracks[paths->count] = (struct track){0};
    paths->list[paths->count++] = path;
    return true;
}

static bool add_inbound(struct redirect_paths *paths, size_t index, const struct fault_zone *zone,
                        const struct topo *topo, const struct fault_peer *to,
                        struct base_error *err)
{
    bool postgres = speaks_postgres(topo, zone->target.address);
    if (zone->peers.count == 0)
        return add(paths, index, NULL, to, postgres, err);
    for (size_t i = 0; i < zone->peers.count; i++) {
        const struct topo_service *service = NULL;
        const struct topo_instance *from = instance_at(topo, zone->peers.list[i].text, &service);
        if (from == NULL || from->netns == NULL)
            return base_fail(err, BASE_UNAVAILABLE,
                             "connections from %s cannot be measured: it has no network namespace "
                             "on this host; leave `peers` out or name instances that have one",
                             zone->peers.list[i].text);
        if (!add(paths, index, base_str_dup(from->netns), to, postgres, err))
            return false;
    }
    return true;
}

static bool shows(const struct fault_route *route, const struct fault_peer *peer,
                  const struct topo *topo)
{
    const struct topo_service *service = NULL;
    if (route->side == FAULT_INBOUND) {
        const struct topo_instance *from = instance_at(topo, peer->text, &service);
        return from != NULL && from->netns != NULL;
    }
    for (size_t i = 0; i < route->port_count; i++)
        if (redirect_port(route, i) == peer->port)
            return true;
    return route->port_count == 0;
}

bool redirect_paths_keep(const struct redirect_paths *paths, struct fault_zone *zone,
                         const struct topo *topo, struct base_error *err)
{
    const struct fault_route *route = paths->kind->route(fault_spec_of(paths->fault));
    struct fault_peers *peers = &zone->peers;
    size_t kept = 0;
    for (size_t i = 0; i < peers->count; i++)
        if (!peers->list[i].in_block || shows(route, &peers->list[i], topo))
            peers->list[kept++] = peers->list[i];
    peers->count = kept;
    return fault_peers_show_blocks(peers, err);
}

/* The target, as those who connect to it see it. */
static bool find_target(const struct fault_zone *zone, const struct topo *topo,
                        struct fault_peer *out, struct base_error *err)
{
    BASE_AUTO_FREE char *own = base_str_dup(zone->target.address);
    struct fault_peers to = {0};
    char *const names[] = {own};
    if (!fault_peers_resolve(topo, names, 1, NULL, &to, err))
        return false;
    *out = to.list[0];
    fault_peers_fini(&to);
    return true;
}

/* name: of the one connected to. */
static bool add_routed(struct redirect_paths *paths, size_t index, const struct fault_zone *zone,
                       const struct topo *topo, const struct fault_peer *to, const char *name,
                       struct base_error *err)
{
    const struct fault_route *route = paths->kind->route(fault_spec_of(paths->fault));
    struct fault_peer peer = *to;
    if (name != NULL)
        (void)snprintf(peer.label, sizeof peer.label, "%.100s:%u", name, (unsigned)peer.port);
    if (route->side == FAULT_INBOUND)
        return add_inbound(paths, index, zone, topo, &peer, err);
    return add(paths, index, base_str_dup(zone->target.netns), &peer,
               speaks_postgres(topo, peer.text), err);
}

/* To each of the route's ports, or to the peer's own. */
static bool add_ports(struct redirect_paths *paths, size_t index, const struct fault_zone *zone,
                      const struct topo *topo, const struct fault_peer *to, const char *name,
                      struct base_error *err)
{
    const struct fault_route *route = paths->kind->route(fault_spec_of(paths->fault));
    struct fault_peer peer = *to;
    for (size_t i = 0; i < route->port_count; i++) {
        peer.port = redirect_port(route, i);
        if (!add_routed(paths, index, zone, topo, &peer, name, err))
            return false;
    }
    return route->port_count > 0 || add_routed(paths, index, zone, topo, &peer, name, err);
}

bool redirect_paths_add(struct redirect_paths *paths, size_t index, const struct fault_zone *zone,
                        const struct topo *topo, struct base_error *err)
{
    const struct fault_route *route = paths->kind->route(fault_spec_of(paths->fault));
    struct fault_peer aim = {.family = 0};
    if (paths->kind->aim != NULL)
        return paths->kind->aim(paths->fault, zone, &aim, err) &&
               add(paths, index, base_str_dup(zone->target.netns), &aim, false, err);
    if (route->side == FAULT_INBOUND)
        return find_target(zone, topo, &aim, err) &&
               add_ports(paths, index, zone, topo, &aim, zone->target.name, err);
    for (size_t i = 0; i < zone->peers.count; i++) {
        const struct fault_peer *peer = &zone->peers.list[i];
        const char *name = route->port_count > 1 ? peer->text : NULL;
        bool ok = peer->in_block ? add_routed(paths, index, zone, topo, peer, name, err)
                                 : add_ports(paths, index, zone, topo, peer, name, err);
        if (!ok)
            return false;
    }
    return true;
}

json_t *redirect_paths_to_json(const struct redirect_paths *paths, size_t zone)
{
    json_t *list = json_array();
    for (size_t i = 0; i < paths->count; i++) {
        struct redirect_path *path = &paths->list[i];
        const struct fault_peers to = {.list = &path->to, .count = 1};
        if (path->zone != zone)
            continue;
        json_t *one = json_object();
        json_object_set_new(one, "from", model_json_text(path->from));
        json_object_set_new(one, "to", fault_peers_to_json(&to));
        json_object_set_new(one, "postgres", json_boolean(path->postgres));
        json_array_append_new(list, one);
    }
    return list;
}

bool redirect_paths_from_json(struct redirect_paths *paths, size_t zone, const json_t *json,
                              struct base_error *err)
{
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *one = json_array_get(json, i);
        BASE_AUTO_FREE char *from = NULL;
        struct fault_peers to = {0};
        struct base_error why = {0};
        if (!model_get_text_or(one, "undo.path", "from", NULL, &from, err) ||
            !fault_peers_from_json(json_object_get(one, "to"), &to, err))
            return false;
        bool ok = to.count == 1 || base_fail(err, BASE_CORRUPT, "undo.path: no single `to`");
        /* A namespace that is gone has no client that could tell. */
        if (ok && !add(paths, zone, base_str_dup(from), &to.list[0],
                       json_is_true(json_object_get(one, "postgres")), &why))
            ok = why.code == BASE_NOT_FOUND || base_fail(err, why.code, "%s", why.message);
        fault_peers_fini(&to);
        if (!ok)
            return false;
    }
    return true;
}

/* --- a round --- */

void redirect_paths_cancel(struct redirect_paths *paths)
{
    if (paths == NULL)
        return;
    io_timer_stop(&paths->over);
    for (size_t i = 0; i < paths->count; i++)
        for (size_t k = 0; k < REDIRECT_PARALLEL; k++) {
            proxy_probe_cancel(paths->tracks[i].slots[k].probe);
            paths->tracks[i].slots[k].probe = NULL;
        }
}

static bool busy(const struct redirect_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        for (size_t k = 0; k < REDIRECT_PARALLEL; k++)
            if (paths->tracks[i].slots[k].probe != NULL)
                return true;
    return false;
}

static void on_probe(void *ctx, const struct proxy_probe_result *result);

static bool start_one(struct slot *slot, struct base_error *err)
{
    struct redirect_paths *paths = slot->paths;
    const struct redirect_path *path = &paths->list[slot->path];
    struct track *track = &paths->tracks[slot->path];
    slot->probe = proxy_probe_start(fault_env_of(paths->fault)->loop, &path->netns, &path->to,
                                    &track->ask.plan, on_probe, slot, err);
    if (slot->probe != NULL)
        track->started++;
    return slot->probe != NULL;
}

static void on_probe(void *ctx, const struct proxy_probe_result *result)
{
    struct slot *slot = ctx;
    struct redirect_paths *paths = slot->paths;
    struct redirect_path *path = &paths->list[slot->path];
    struct track *track = &paths->tracks[slot->path];
    slot->probe = NULL;
    path->now[path->count++] = *result;
    /* What cannot be started is missing among the results, and the judge sees it. */
    if (track->started < track->ask.count)
        (void)start_one(slot, NULL);
    if (!busy(paths))
        paths->on_done(paths->fault);
}

static void keep_before(struct redirect_path *path)
{
    free(path->before);
    path->before = path->now;
    path->before_count = path->count;
    path->now = NULL;
}

static bool start_path(struct redirect_paths *paths, size_t index, struct base_error *err)
{
    struct redirect_path *path = &paths->list[index];
    struct track *track = &paths->tracks[index];
    track->ask = (struct redirect_ask){.count = 1};
    paths->kind->ask(paths->fault, path, paths->round, &track->ask);
    track->started = 0;
    free(path->now);
    path->now = base_calloc(track->ask.count, sizeof *path->now);
    path->count = 0;
    size_t parallel = track->ask.parallel > 0 ? track->ask.parallel : 1;
    for (size_t k = 0; k < parallel && k < REDIRECT_PARALLEL && k < track->ask.count; k++) {
        track->slots[k] = (struct slot){.paths = paths, .path = index};
        if (!start_one(&track->slots[k], err))
            return base_fail_context(err, "%s", path->to.label);
    }
    return true;
}

bool redirect_paths_start(struct redirect_paths *paths, enum fault_step round,
                          void (*on_done)(struct fault *fault), struct base_error *err)
{
    redirect_paths_cancel(paths);
    paths->on_done = on_done;
    for (size_t i = 0; i < paths->count; i++)
        if (paths->round == FAULT_STEP_PREPARE && round != FAULT_STEP_PREPARE)
            keep_before(&paths->list[i]);
    paths->round = round;
    for (size_t i = 0; i < paths->count; i++) {
        if (!start_path(paths, i, err)) {
            redirect_paths_cancel(paths);
            return false;
        }
    }
    if (paths->count == 0)
        io_timer_start(&paths->over, (struct dur_ns){0});
    return true;
}

/* --- what it found --- */

static bool judge(const struct redirect_paths *paths, const struct redirect_path *path,
                  struct redirect_finding *finding)
{
    *finding = (struct redirect_finding){.metric = paths->kind->word};
    if (path->count > 0)
        return paths->kind->judge(paths->fault, path, paths->round, finding);
    (void)snprintf(finding->value, sizeof finding->value, "not measured");
    (void)snprintf(finding->expected, sizeof finding->expected, "measured");
    return false;
}

const struct redirect_path *redirect_paths_odd(const struct redirect_paths *paths)
{
    struct redirect_finding finding;
    for (size_t i = 0; i < paths->count; i++)
        if (!judge(paths, &paths->list[i], &finding))
            return &paths->list[i];
    return NULL;
}

bool redirect_paths_explained(const struct redirect_paths *paths, const struct fault_zone *zones)
{
    struct redirect_finding finding;
    for (size_t i = 0; i < paths->count; i++) {
        const struct redirect_path *path = &paths->list[i];
        bool told = path->count > 0;
        for (size_t k = 0; k < path->count; k++) {
            int sys = path->now[k].sys;
            told = told && path->now[k].end == PROXY_PROBE_REFUSED &&
                   (sys == ECONNREFUSED || sys == EHOSTUNREACH || sys == ENETUNREACH);
        }
        bool there = fault_zone_is_current(&zones[path->zone], "redirect", NULL);
        if (!told && there && !judge(paths, path, &finding))
            return false;
    }
    return true;
}

void redirect_paths_evidence(const struct redirect_paths *paths, const struct fault_zone *zones)
{
    static const char *const when[FAULT_STEP_COUNT] = {[FAULT_STEP_PREPARE] = "before",
                                                       [FAULT_STEP_VERIFY] = "during",
                                                       [FAULT_STEP_VERIFY_GONE] = "after"};
    for (size_t i = 0; i < paths->count; i++) {
        const struct redirect_path *path = &paths->list[i];
        struct redirect_finding finding;
        bool ok = judge(paths, path, &finding);
        BASE_AUTO_FREE char *metric = base_str_printf("%s to %s", finding.metric, path->to.label);
        fault_evidence(paths->fault, zones[path->zone].target.name, when[paths->round], metric,
                       finding.value, finding.expected, ok);
    }
}

void redirect_paths_error(const struct redirect_paths *paths, const struct redirect_path *odd,
                          const char *what, struct base_error *err)
{
    struct redirect_finding finding;
    (void)judge(paths, odd, &finding);
    (void)base_fail(err, BASE_UNAVAILABLE, "%s: %s: %s, expected %s", odd->to.label, what,
                    finding.value, finding.expected);
}
