/* SPDX-License-Identifier: Apache-2.0 */
#include "addresses.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "net.h"
#include "store.h"

/* Below the range that outgoing connections take their ports from (ip_local_port_range), so that
 * the agent finds its port free again after a restart. */
enum { AGENT_PORT_FIRST = 7070, AGENT_PORTS = 900, TRIES = 64 };

struct taken {
    struct sandbox_subnet *subnets;
    size_t count;
    bool ports[AGENT_PORTS];
};

static void add_taken(struct taken *taken, const json_t *choice)
{
    const char *text = json_string_value(json_object_get(choice, "subnet"));
    json_int_t port = json_integer_value(json_object_get(choice, "agentPort"));
    struct sandbox_subnet subnet;
    if (text != NULL && sandbox_subnet_parse(text, &subnet)) {
        taken->subnets =
            base_reallocarray(taken->subnets, taken->count + 1, sizeof *taken->subnets);
        taken->subnets[taken->count++] = subnet;
    }
    if (port >= AGENT_PORT_FIRST && port < AGENT_PORT_FIRST + AGENT_PORTS)
        taken->ports[port - AGENT_PORT_FIRST] = true;
}

/* What the other sandboxes of this root have chosen; one that is down has no addresses.json. */
static void add_neighbours(struct taken *taken, const struct sandbox_place *place)
{
    BASE_AUTO_FREE char *folder = base_str_printf("%s/sandboxes", place->root);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || base_str_eq(entry->d_name, place->name))
            continue;
        BASE_AUTO_FREE char *path = base_str_printf("%s/%s/addresses.json", folder, entry->d_name);
        json_t *choice = sandbox_load_json(path, NULL);
        add_taken(taken, choice);
        json_decref(choice);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static bool can_bind(const char *address, uint16_t port)
{
    BASE_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int yes = 1;
    return fd >= 0 && inet_pton(AF_INET, address, &at.sin_addr) == 1 &&
           setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
           bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

/* In loopback mode all programs of the machine share the addresses. */
static const struct sandbox_member *first_occupied(const struct sandbox_roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        if (!can_bind(roster->members[i].address, roster->members[i].port))
            return &roster->members[i];
    return NULL;
}

static bool choose_port(const struct taken *taken, uint64_t seed, uint16_t *out,
                        struct base_error *err)
{
    for (unsigned i = 0; i < AGENT_PORTS; i++) {
        unsigned pick = (unsigned)((seed + i) % AGENT_PORTS);
        uint16_t port = (uint16_t)(AGENT_PORT_FIRST + pick);
        if (taken->ports[pick] || !can_bind("127.0.0.1", port))
            continue;
        *out = port;
        return true;
    }
    return base_fail(err, BASE_LIMIT, "no free port for squall-agent on 127.0.0.1 from %d to %d",
                     AGENT_PORT_FIRST, AGENT_PORT_FIRST + AGENT_PORTS - 1);
}

struct choice {
    const struct sandbox_place *place;
    bool loopback;
    const char *given;
    const char *cgroup_base;
    uint16_t port;
};

static bool choose_subnet(const struct choice *choice, const struct taken *taken,
                          struct sandbox_roster *roster, struct base_error *err)
{
    unsigned attempt = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        struct sandbox_subnet subnet;
        bool found =
            choice->given != NULL
                ? sandbox_subnet_accept(choice->given, choice->loopback, taken->subnets,
                                        taken->count, &subnet, err)
                : sandbox_subnet_choose(choice->loopback, choice->place->seed, taken->subnets,
                                        taken->count, &attempt, &subnet, err);
        if (!found)
            return false;
        sandbox_roster_init(roster, choice->place, choice->loopback, subnet, choice->port,
                            choice->cgroup_base);
        const struct sandbox_member *occupied = choice->loopback ? first_occupied(roster) : NULL;
        if (occupied == NULL)
            return true;
        base_fail(err, BASE_UNAVAILABLE,
                  "%s cannot have %s:%u: another program listens there; stop it, or choose another "
                  "network with --subnet",
                  occupied->name, occupied->address, (unsigned)occupied->port);
        sandbox_roster_fini(roster);
        if (choice->given != NULL)
            return false;
    }
    return base_fail_context(err, "%d networks in a row are occupied", TRIES);
}

static bool record(const struct sandbox_place *place, const struct sandbox_roster *roster,
                   struct base_error *err)
{
    char subnet[SANDBOX_SUBNET_TEXT];
    BASE_AUTO_FREE char *path = sandbox_path(place, "addresses.json");
    sandbox_subnet_format(roster->subnet, subnet);
    return sandbox_store_json(
        path, json_pack("{s:s, s:i}", "subnet", subnet, "agentPort", (int)roster->agent_port), err);
}

bool sandbox_addresses_choose(const struct sandbox_place *place, const char *ip, bool loopback,
                              const char *given, const char *cgroup_base,
                              struct sandbox_roster *roster, struct base_error *err)
{
    struct taken taken = {0};
    struct choice choice = {place, loopback, given, cgroup_base, 0};
    bool ok = loopback || sandbox_net_used(ip, &taken.subnets, &taken.count, err);
    if (ok) {
        add_neighbours(&taken, place);
        ok = choose_port(&taken, place->seed, &choice.port, err) &&
             choose_subnet(&choice, &taken, roster, err);
    }
    if (ok && !record(place, roster, err)) {
        sandbox_roster_fini(roster);
        ok = false;
    }
    free(taken.subnets);
    return ok;
}
