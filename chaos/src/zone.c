/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "undo.h"

bool fault_zone_platform(const char *kind, const struct topo *topo, struct base_error *err)
{
    return topo_any(topo, topo_knows_netns) || topo->mode == TOPO_NETNS ||
           base_fail(err, BASE_UNAVAILABLE,
                     "%s needs instances in network namespaces of their own; the platform \"%s\" "
                     "runs in mode %s (squall up as root makes namespaces)",
                     kind, topo->name, topo_mode_name(topo->mode));
}

bool fault_zone_open(struct fault_zone *zone, const struct topo *topo, const char *name,
                     char *const *peers, size_t peer_count, struct base_error *err)
{
    if (!fault_target_resolve(topo, name, &zone->target, err))
        return false;
    if (zone->target.elsewhere != NULL)
        return base_fail(err, BASE_INVALID,
                         "%s: %s, which is found as well, lives in another network namespace than "
                         "the oldest of them: describe one of the two alone",
                         name, zone->target.elsewhere);
    if (zone->target.netns == NULL)
        return base_fail(err, BASE_UNAVAILABLE, "%s has no network namespace of its own%s", name,
                         zone->target.find_by != NULL
                             ? ": it lives in the agent's, where a fault would cut off this host"
                             : "");
    if (zone->target.neighbour != NULL)
        return base_fail(err, BASE_DENIED,
                         "%s: its network namespace holds %s, too, which is not found by %s \"%s\" "
                         "and would be hit: describe all who live there, or name the namespace in "
                         "the topology (netns) if all of them are meant",
                         name, zone->target.neighbour, zone->target.find_by,
                         zone->target.find_value);
    return fault_netns_open(zone->target.netns, &zone->netns, err) &&
           (peer_count == 0 ||
            fault_peers_resolve(topo, peers, peer_count, zone->target.address, &zone->peers, err));
}

void fault_zone_fini(struct fault_zone *zone)
{
    fault_nft_free(zone->nft);
    zone->nft = NULL;
    fault_netns_close(&zone->netns);
    fault_peers_fini(&zone->peers);
    fault_target_fini(&zone->target);
}

bool fault_zones_apart(const struct fault_zone *zones, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (fault_netns_same(&zones[i].netns, &zones[j].netns))
                return base_fail(err, BASE_INVALID,
                                 "%s and %s share one network namespace: name one of them",
                                 zones[j].target.name, zones[i].target.name);
    return true;
}

static bool is_among(char *const *ports, size_t count, uint16_t number)
{
    BASE_AUTO_FREE char *port = base_str_printf("%u", (unsigned)number);
    for (size_t i = 0; i < count; i++)
        if (base_str_eq(ports[i], port))
            return true;
    return false;
}

static bool keep_named(struct fault_zone *zone, char *const *ports, size_t count,
                       struct base_error *err)
{
    struct fault_peers *peers = &zone->peers;
    size_t kept = 0;
    for (size_t p = 0; p < peers->count; p++) {
        const struct fault_peer *peer = &peers->list[p];
        bool named = count == 0 || is_among(ports, count, peer->port);
        if (!named && !peer->in_block)
            return base_fail(err, BASE_INVALID,
                             "the effect on %s could not be measured: its port is not among the "
                             "ports of the fault; add %u, or name the peer as ADDRESS:PORT with a "
                             "port that is",
                             peer->label, (unsigned)peer->port);
        if (named)
            peers->list[kept++] = *peer;
    }
    peers->count = kept;
    return true;
}

bool fault_zone_check_peers(struct fault_zone *zone, const struct topo *topo,
                            enum fault_protocol protocol, char *const *ports, size_t count,
                            struct base_error *err)
{
    /* Datagrams are sent back by a socket of ours, to which it is all one what the peer's port is.
     */
    bool ok = protocol == FAULT_PROTOCOL_UDP ? fault_peers_locate(&zone->peers, topo, err)
                                             : keep_named(zone, ports, count, err);
    return ok && fault_peers_show_blocks(&zone->peers, err);
}

bool fault_zones_connect(struct fault_zone *zones, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++) {
        zones[i].nft = fault_nft_new(&zones[i].netns, err);
        if (zones[i].nft == NULL)
            return false;
    }
    return true;
}

bool fault_zone_is_current(const struct fault_zone *zone, const char *what, struct base_error *err)
{
    struct fault_netns now = {.fd = -1};
    if (!fault_netns_open(zone->target.netns, &now, err))
        return base_fail_context(err, "%s", zone->target.name);
    bool same = fault_netns_same(&now, &zone->netns);
    fault_netns_close(&now);
    return same || base_fail(err, BASE_UNAVAILABLE,
                             "%s was restarted in a new network namespace: the %s no longer "
                             "holds it",
                             zone->target.name, what);
}

struct search {
    const char *table;
    bool found;
};

static void on_table(void *ctx, const char *table)
{
    struct search *search = ctx;
    search->found = search->found || base_str_eq(table, search->table);
}

bool fault_zone_has_table(struct fault_zone *zone, const char *table, bool *out,
                          struct base_error *err)
{
    struct search search = {.table = table};
    if (zone->netns.fd >= 0 && !fault_nft_list(zone->nft, table, on_table, &search, err))
        return base_fail_context(err, "%s", zone->target.name);
    *out = search.found;
    return true;
}

bool fault_zone_absent(struct fault *fault, struct fault_zone *zone, const char *table,
                       struct base_error *err)
{
    bool found = false;
    BASE_AUTO_FREE char *metric = base_str_printf("nft table inet %s", table);
    if (zone->netns.fd < 0) {
        fault_evidence(fault, zone->target.name, "after", metric, "network namespace gone",
                       "absent", true);
        return true;
    }
    if (!fault_zone_has_table(zone, table, &found, err))
        return false;
    fault_evidence(fault, zone->target.name, "after", metric, found ? "present" : "absent",
                   "absent", !found);
    return !found || base_fail(err, BASE_IO,
                               "%s: table inet %s is still there; remove it with: ip netns exec %s "
                               "nft delete table inet %s",
                               zone->target.name, table, zone->target.netns, table);
}

json_t *fault_zone_to_json(const struct fault_zone *zone, const char *table)
{
    json_t *json = json_object();
    json_object_set_new(json, "target", fault_target_to_json(&zone->target));
    json_object_set_new(json, "peers", fault_peers_to_json(&zone->peers));
    json_object_set_new(json, "table", model_json_text(table));
    json_object_set_new(json, "netnsDev", json_integer((json_int_t)zone->netns.dev));
    json_object_set_new(json, "netnsIno", json_integer((json_int_t)zone->netns.ino));
    return json;
}

bool fault_zone_from_json(struct fault_zone *zone, const json_t *json, struct base_error *err)
{
    uint64_t dev = 0;
    uint64_t ino = 0;
    if (!fault_target_from_json(json_object_get(json, "target"), &zone->target, err) ||
        !fault_peers_from_json(json_object_get(json, "peers"), &zone->peers, err) ||
        !model_get_u64(json, "undo", "netnsDev", INT64_MAX, &dev, err) ||
        !model_get_u64(json, "undo", "netnsIno", INT64_MAX, &ino, err))
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
