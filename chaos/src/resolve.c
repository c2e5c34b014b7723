/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "find.h"
#include "netns.h"

void fault_target_fini(struct fault_target *target)
{
    free(target->name);
    free(target->service);
    free(target->kind);
    free(target->address);
    free(target->netns);
    free(target->cgroup);
    free(target->status_file);
    free(target->admin_token_file);
    free(target->ready_path);
    free(target->credentials_file);
    free(target->find_by);
    free(target->find_value);
    free(target->pod_namespace);
    free(target->pod_name);
    free(target->pod_uid);
    free(target->api_url);
    free(target->api_ca_file);
    free(target->api_token_file);
    free(target->shared);
    free(target->elsewhere);
    free(target->neighbour);
    *target = (struct fault_target){0};
}

/* What the topology leaves open of an instance that is found, as it is now. */
static bool fill_found(struct fault_target *target, struct base_error *err)
{
    struct fault_found found = {0};
    if (target->find_by == NULL)
        return true;
    if (!fault_find(target->find_by, target->find_value, &found, err))
        return base_fail_context(err, "target %s", target->name);
    if (target->netns == NULL) {
        target->netns = base_str_dup(found.netns);
        target->netns_found = true;
        target->neighbour = fault_find_neighbour(&found);
    }
    if (target->cgroup == NULL)
        target->cgroup = base_str_dup(found.cgroup);
    target->shared = target->cgroup == NULL ? base_str_dup(found.strangers) : NULL;
    target->elsewhere = base_str_dup(found.elsewhere);
    fault_found_fini(&found);
    return true;
}

bool fault_target_look_up(const struct topo *topo, const char *name, struct fault_target *out,
                          struct base_error *err)
{
    const struct topo_service *service = NULL;
    const struct topo_instance *instance = topo_find_instance(topo, name, &service);
    if (instance == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "target \"%s\" is no instance of the platform \"%s\" that this agent "
                         "serves; see its topology file",
                         name, topo->name);
    *out = (struct fault_target){
        .name = base_str_dup(instance->name),
        .service = base_str_dup(service->name),
        .kind = base_str_dup(service->kind),
        .address = base_str_dup(instance->address),
        .port = instance->port,
        .netns = base_str_dup(instance->netns),
        .cgroup = base_str_dup(instance->cgroup),
        .status_file = base_str_dup(instance->status_file),
        .admin_token_file = base_str_dup(service->admin_token_file),
        .ready_path = base_str_dup(service->ready_path),
        .credentials_file = base_str_dup(service->credentials_file),
        .find_by = base_str_dup(instance->find_by),
        .find_value = base_str_dup(instance->find_value),
        .pod_namespace = base_str_dup(instance->pod_namespace),
        .pod_name = base_str_dup(instance->pod_name),
        .pod_uid = base_str_dup(instance->pod_uid),
        .api_url = base_str_dup(topo->kubernetes_url),
        .api_ca_file = base_str_dup(topo->kubernetes_ca_file),
        .api_token_file = base_str_dup(topo->kubernetes_token_file),
    };
    return true;
}

bool fault_target_resolve(const struct topo *topo, const char *name, struct fault_target *out,
                          struct base_error *err)
{
    struct fault_target target = {0};
    if (!fault_target_look_up(topo, name, &target, err))
        return false;
    if (!fill_found(&target, err)) {
        fault_target_fini(&target);
        return false;
    }
    *out = target;
    return true;
}

bool fault_process_ticks(pid_t pid, uint64_t *out)
{
    return base_process_ticks(pid, out);
}

char fault_process_state(const struct fault_process *process)
{
    struct base_process found;
    bool same =
        base_process_find(process->pid, &found) && found.start_ticks == process->start_ticks;
    return same ? found.state : '\0';
}

bool fault_process_alive(const struct fault_process *process)
{
    return base_process_alive(process->pid, process->start_ticks);
}

/* The oldest of those that are found; none is no error, as after a kill. */
static bool found_process(const struct fault_target *target, struct fault_process *out,
                          char **state, struct base_error *err)
{
    struct fault_found found = {0};
    struct base_error why = {0};
    bool any = fault_find(target->find_by, target->find_value, &found, &why);
    if (!any && why.code != BASE_NOT_FOUND) {
        if (err != NULL)
            *err = why;
        return base_fail_context(err, "process of %s", target->name);
    }
    *out = any ? found.processes[0] : (struct fault_process){0};
    if (state != NULL)
        *state = base_str_dup(any ? "ready" : "stopped");
    fault_found_fini(&found);
    return true;
}

bool fault_target_process(const struct fault_target *target, struct fault_process *out,
                          char **state, struct base_error *err)
{
    if (target->find_by != NULL)
        return found_process(target, out, state, err);
    if (target->status_file == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "%s has no statusFile in the topology: its process cannot be found",
                         target->name);
    struct topo_status status = {0};
    if (!topo_status_read(target->status_file, &status, err))
        return base_fail_context(err, "process of %s", target->name);
    struct fault_process found = {.pid = (pid_t)status.pid, .start_ticks = status.start_ticks};
    bool valid = status.pid >= 0 && (int64_t)found.pid == status.pid && found.pid != 1;
    if (valid) {
        *out = found;
        if (state != NULL)
            *state = base_str_dup(status.state);
    }
    int64_t pid = status.pid;
    topo_status_fini(&status);
    if (!valid)
        return base_fail(err, BASE_CORRUPT, "%s names process %lld, which can be no service",
                         target->status_file, (long long)pid);
    return true;
}

bool fault_target_processes(const struct fault_target *target, struct fault_process **out,
                            size_t *count, struct base_error *err)
{
    struct fault_process one = {0};
    struct fault_found found = {0};
    if (target->find_by == NULL) {
        if (!fault_target_process(target, &one, NULL, err))
            return false;
        *out = base_calloc(1, sizeof **out);
        (*out)[0] = one;
        *count = one.pid > 0 ? 1 : 0;
        return true;
    }
    if (!fault_find(target->find_by, target->find_value, &found, err))
        return base_fail_context(err, "processes of %s", target->name);
    *out = found.processes;
    *count = found.count;
    found.processes = NULL;
    found.count = 0;
    fault_found_fini(&found);
    return true;
}

bool fault_target_alone(const struct fault_target *target, const char *group,
                        struct base_error *err)
{
    struct fault_found found = {0};
    if (target->find_by == NULL)
        return true;
    if (!fault_find(target->find_by, target->find_value, &found, err))
        return base_fail_context(err, "processes of %s", target->name);
    BASE_AUTO_FREE char *stranger = fault_find_stranger(&found, group);
    fault_found_fini(&found);
    return stranger == NULL ||
           base_fail(err, BASE_DENIED,
                     "%s: its control group %s holds %s, too, which would be hit; give the target "
                     "one of its own",
                     target->name, group, stranger);
}

static bool peers_add(struct fault_peers *peers, const char *label, const char *address,
                      uint16_t port, const char *own, struct base_error *err)
{
    struct fault_peer peer = {.family = AF_INET, .port = port};
    if (inet_pton(AF_INET, address, peer.address) != 1) {
        peer.family = AF_INET6;
        if (inet_pton(AF_INET6, address, peer.address) != 1)
            return base_fail(err, BASE_INVALID, "peer %s: \"%s\" is no IPv4 or IPv6 address", label,
                             address);
    }
    (void)inet_ntop(peer.family, peer.address, peer.text, sizeof peer.text);
    if (base_str_eq(peer.text, own))
        return true;
    for (size_t i = 0; i < peers->count; i++)
        if (base_str_eq(peers->list[i].text, peer.text) && peers->list[i].port == port)
            return true;
    if (peers->count == FAULT_MAX_PEERS)
        return base_fail(err, BASE_LIMIT, "a partition takes at most %d peer addresses; name fewer",
                         FAULT_MAX_PEERS);
    (void)snprintf(peer.label, sizeof peer.label, "%s:%u", label, (unsigned)port);
    peers->list = base_reallocarray(peers->list, peers->count + 1, sizeof *peers->list);
    peers->list[peers->count++] = peer;
    return true;
}

static bool add_block(const struct topo *topo, const char *word, const char *own,
                      struct fault_peers *peers, struct base_error *err)
{
    struct addr_block block = {0};
    if (!addr_block_parse(word, &block, err))
        return false;
    if (peers->block_count == FAULT_MAX_PEERS)
        return base_fail(err, BASE_LIMIT, "at most %d blocks of addresses; name fewer",
                         FAULT_MAX_PEERS);
    peers->blocks = base_reallocarray(peers->blocks, peers->block_count + 1, sizeof *peers->blocks);
    peers->blocks[peers->block_count++] = block;
    for (size_t s = 0; s < topo->service_count; s++) {
        const struct topo_service *service = &topo->services[s];
        for (size_t i = 0; i < service->instance_count; i++) {
            const struct topo_instance *instance = &service->instances[i];
            size_t before = peers->count;
            if (!addr_block_holds(&block, instance->address))
                continue;
            if (!peers_add(peers, instance->name, instance->address, instance->port, own, err))
                return false;
            if (peers->count > before)
                peers->list[before].in_block = true;
        }
    }
    return true;
}

static bool add_matching(const struct topo *topo, const char *word, const char *own, bool *found,
                         struct fault_peers *peers, struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++) {
        const struct topo_service *service = &topo->services[s];
        bool all = base_str_eq(service->name, word);
        *found = *found || all;
        for (size_t i = 0; i < service->instance_count; i++) {
            const struct topo_instance *instance = &service->instances[i];
            if (!all && !base_str_eq(instance->name, word) && !base_str_eq(instance->address, word))
                continue;
            *found = true;
            if (!peers_add(peers, instance->name, instance->address, instance->port, own, err))
                return false;
        }
    }
    return true;
}

/* "10.0.0.1:5432" or "[fd00::1]:5432"; *address is word itself, cut. */
static bool split_port(char *word, char **address, uint16_t *port)
{
    char *colon = strrchr(word, ':');
    uint64_t number = 0;
    if (colon == NULL || !base_parse_u64(colon + 1, &number) || number == 0 || number > UINT16_MAX)
        return false;
    *colon = '\0';
    *address = word;
    if (word[0] == '[' && colon > word + 1 && colon[-1] == ']') {
        colon[-1] = '\0';
        *address = word + 1;
    } else if (strchr(word, ':') != NULL) {
        return false; /* a bare IPv6 address: its last group is no port */
    }
    *port = (uint16_t)number;
    return true;
}

static bool add_peer(const struct topo *topo, const char *word, const char *own,
                     struct fault_peers *peers, struct base_error *err)
{
    bool found = false;
    if (addr_is_block(word))
        return add_block(topo, word, own, peers, err);
    if (!add_matching(topo, word, own, &found, peers, err))
        return false;
    if (found)
        return true;
    BASE_AUTO_FREE char *copy = base_str_dup(word);
    char *address = NULL;
    uint16_t port = 0;
    if (split_port(copy, &address, &port))
        return peers_add(peers, address, address, port, own, err);
    return base_fail(err, BASE_NOT_FOUND,
                     "peer \"%s\" is no service, instance or address of the platform \"%s\"; for "
                     "anything else say ADDRESS:PORT, so that the effect can be measured there",
                     word, topo->name);
}

/* Through it the agent itself, its controller or the load may come. */
static bool spares(const char *address, char *const *names, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct addr_block block = {0};
        if (addr_is_block(names[i]) && addr_block_parse(names[i], &block, err) &&
            addr_block_holds(&block, address) && !addr_is_named(names, count, address))
            return base_fail(err, BASE_DENIED,
                             "%s holds %s, an address of the agent's own host; name smaller "
                             "blocks, or name it beside, as %s/%d, to hit it all the same",
                             names[i], address, address, block.family == AF_INET ? 32 : 128);
    }
    return true;
}

/* False: of no family that blocks have, or of a link alone, which means nothing elsewhere. */
static bool host_address(const struct sockaddr *address, char out[static INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address == NULL)
        return false;
    if (address->sa_family == AF_INET)
        return inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
    return address->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
           inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN) != NULL;
}

/* Listing them takes as long as the host has interfaces, and is done for each target: 10 ms where
 * it has 200. */
static bool spares_this_host(char *const *names, size_t count, struct base_error *err)
{
    struct ifaddrs *all = NULL;
    bool blocks = false;
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        blocks = blocks || addr_is_block(names[i]);
    if (!blocks)
        return true;
    if (getifaddrs(&all) < 0)
        return base_fail_errno(err, "cannot list this host's addresses");
    for (const struct ifaddrs *one = all; ok && one != NULL; one = one->ifa_next) {
        char text[INET6_ADDRSTRLEN];
        if (host_address(one->ifa_addr, text))
            ok = spares(text, names, count, err);
    }
    freeifaddrs(all);
    return ok;
}

bool fault_peers_hold(const struct fault_peers *peers, int family, const unsigned char *address,
                      bool own)
{
    size_t len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    for (size_t i = 0; i < peers->count; i++)
        if (peers->list[i].family == family && !(own && peers->list[i].in_block) &&
            memcmp(peers->list[i].address, address, len) == 0)
            return true;
    for (size_t i = 0; i < peers->block_count && !own; i++)
        if (addr_block_spans(&peers->blocks[i], family, address))
            return true;
    return false;
}

bool fault_peers_show_blocks(const struct fault_peers *peers, struct base_error *err)
{
    for (size_t b = 0; b < peers->block_count; b++) {
        const struct addr_block *block = &peers->blocks[b];
        char first[INET6_ADDRSTRLEN] = "";
        bool shown = false;
        for (size_t i = 0; i < peers->count; i++)
            shown = shown || addr_block_holds(block, peers->list[i].text);
        for (size_t other = 0; other < peers->block_count; other++)
            shown = shown || addr_block_within(block, &peers->blocks[other], other < b);
        (void)inet_ntop(block->family, block->first, first, sizeof first);
        if (!shown)
            return base_fail(err, BASE_INVALID,
                             "in the block at %s lies no instance but the target, nor one with a "
                             "port that is hit (of those who connect: in a network namespace of "
                             "this host), so that the effect could not be measured; name an "
                             "ADDRESS:PORT in it that answers beside it",
                             first);
    }
    return true;
}

bool fault_peers_resolve(const struct topo *topo, char *const *names, size_t count, const char *own,
                         struct fault_peers *out, struct base_error *err)
{
    struct fault_peers peers = {0};
    bool ok = addr_blocks_check(topo, names, count, err) && spares_this_host(names, count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_peer(topo, names[i], own, &peers, err);
    if (!ok || !fault_peers_show_blocks(&peers, err)) {
        fault_peers_fini(&peers);
        return false;
    }
    if (peers.count == 0) {
        fault_peers_fini(&peers);
        return base_fail(err, BASE_INVALID,
                         "the peers hold no address but the target's own: name another service");
    }
    *out = peers;
    return true;
}

static const struct topo_instance *instance_at(const struct topo *topo, const char *address)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (base_str_eq(topo->services[s].instances[i].address, address))
                return &topo->services[s].instances[i];
    return NULL;
}

static bool locate(struct fault_peer *peer, const struct topo *topo, struct base_error *err)
{
    const struct topo_instance *instance = instance_at(topo, peer->text);
    struct fault_target target = {0};
    struct fault_netns netns = {.fd = -1};
    if (instance == NULL)
        return base_fail(err, BASE_INVALID, "it is no instance of the platform");
    if (!fault_target_resolve(topo, instance->name, &target, err))
        return false;
    const char *home = target.netns != NULL ? target.netns : "";
    bool ok = home[0] != '\0' ? fault_netns_open(home, &netns, err)
                              : base_fail(err, BASE_UNAVAILABLE, "it has none of its own");
    fault_netns_close(&netns);
    if (ok && strlen(home) >= sizeof peer->home)
        ok = base_fail(err, BASE_LIMIT, "the path of it is too long: %s", home);
    if (ok) {
        (void)snprintf(peer->home, sizeof peer->home, "%s", home);
        (void)snprintf(peer->label, sizeof peer->label, "%s", instance->name);
    }
    fault_target_fini(&target);
    return ok;
}

bool fault_peers_locate(struct fault_peers *peers, const struct topo *topo, struct base_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < peers->count; i++) {
        struct fault_peer peer = peers->list[i];
        struct base_error why = {0};
        bool found = locate(&peer, topo, &why);
        if (!found && !peer.in_block)
            return base_fail(err, why.code,
                             "the effect on UDP to %s could not be measured: datagrams are sent "
                             "back by a socket of the agent's in the network namespace of the "
                             "peer, but %s",
                             peer.label, why.message);
        if (found)
            peers->list[kept++] = peer;
    }
    peers->count = kept;
    return true;
}

void fault_peers_fini(struct fault_peers *peers)
{
    free(peers->list);
    free(peers->blocks);
    *peers = (struct fault_peers){0};
}
