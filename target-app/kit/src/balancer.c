/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/balancer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static bool add_peer(struct kit_balancer *balancer, const char *text, struct base_error *err)
{
    if (balancer->count == KIT_PEERS_MAX)
        return base_fail(err, BASE_LIMIT, "more than %d upstream addresses", KIT_PEERS_MAX);
    struct kit_peer *peer = &balancer->peers[balancer->count];
    memset(peer, 0, sizeof *peer);
    if (!kit_endpoint_parse(text, false, &peer->endpoint, err))
        return false;
    bool literal6 = strchr(peer->endpoint.host, ':') != NULL;
    snprintf(peer->name, sizeof peer->name, literal6 ? "[%s]:%u" : "%s:%u", peer->endpoint.host,
             (unsigned)peer->endpoint.port);
    for (size_t i = 0; i < balancer->count; i++) {
        if (strcmp(balancer->peers[i].name, peer->name) == 0)
            return base_fail(err, BASE_INVALID, "upstream %s is named twice", peer->name);
    }
    balancer->count++;
    return true;
}

bool kit_balancer_init(struct kit_balancer *balancer, const char *peers, struct base_error *err)
{
    struct kit_balancer fresh = {.count = 0};
    BASE_AUTO_FREE char *copy = base_str_dup(peers);
    for (char *p = copy; p != NULL;) {
        char *comma = strchr(p, ',');
        if (comma != NULL)
            *comma = '\0';
        if (!add_peer(&fresh, p, err))
            return false;
        p = comma != NULL ? comma + 1 : NULL;
    }
    *balancer = fresh;
    return true;
}

size_t kit_balancer_up(const struct kit_balancer *balancer)
{
    size_t up = 0;
    for (size_t i = 0; i < balancer->count; i++)
        up += balancer->peers[i].state == KIT_PEER_UP;
    return up;
}

int kit_balancer_take(struct kit_balancer *balancer, uint32_t except)
{
    int best = -1;
    for (size_t k = 0; k < balancer->count; k++) {
        size_t i = (balancer->turn + k) % balancer->count;
        const struct kit_peer *peer = &balancer->peers[i];
        if (peer->state != KIT_PEER_UP || (except & (1U << i)) != 0)
            continue;
        if (best < 0 || peer->in_flight < balancer->peers[best].in_flight)
            best = (int)i;
    }
    if (best >= 0) {
        balancer->peers[best].in_flight++;
        balancer->turn = ((size_t)best + 1) % balancer->count;
    }
    return best;
}

/* The only place that changes a state. Ejection needs no move back by time: a probe does that. */
static bool move(struct kit_peer *peer, enum kit_peer_state to)
{
    enum { UNKNOWN = 1, UP = 2, UNREADY = 4, EJECTED = 8 };
    static const unsigned allowed[] = {
        [KIT_PEER_UNKNOWN] = UP | UNREADY,
        [KIT_PEER_UP] = UNREADY | EJECTED,
        [KIT_PEER_UNREADY] = UP,
        [KIT_PEER_EJECTED] = UP | UNREADY,
    };
    if ((allowed[peer->state] & (1U << to)) == 0)
        return false;
    peer->state = to;
    if (to == KIT_PEER_EJECTED)
        peer->ejections++;
    if (to == KIT_PEER_UP)
        peer->broken = 0;
    return true;
}

bool kit_balancer_give(struct kit_balancer *balancer, size_t index, enum kit_outcome outcome)
{
    struct kit_peer *peer = &balancer->peers[index];
    kit_balancer_drop(balancer, index);
    if (outcome == KIT_OUTCOME_OK) {
        peer->broken = 0;
        return false;
    }
    peer->broken++;
    if (outcome == KIT_OUTCOME_UNREACHABLE || peer->broken >= KIT_BROKEN_LIMIT)
        return move(peer, KIT_PEER_EJECTED);
    return false;
}

void kit_balancer_drop(struct kit_balancer *balancer, size_t index)
{
    if (balancer->peers[index].in_flight > 0)
        balancer->peers[index].in_flight--;
}

bool kit_balancer_probed(struct kit_balancer *balancer, size_t index, enum kit_probe result)
{
    struct kit_peer *peer = &balancer->peers[index];
    peer->silent_probes = result == KIT_PROBE_SILENT ? peer->silent_probes + 1 : 0;
    if (result == KIT_PROBE_OK)
        return move(peer, KIT_PEER_UP);
    if (result == KIT_PROBE_SILENT && peer->silent_probes < KIT_SILENT_PROBES)
        return false;
    return move(peer, KIT_PEER_UNREADY);
}

const char *kit_peer_state_name(enum kit_peer_state state)
{
    static const char *const names[] = {"unknown", "up", "unready", "ejected"};
    return names[state];
}

void kit_retry_budget_init(struct kit_retry_budget *budget, double share, double cap)
{
    *budget = (struct kit_retry_budget){.share = share, .cap = cap};
}

void kit_retry_budget_earn(struct kit_retry_budget *budget)
{
    budget->saved += budget->share;
    if (budget->saved > budget->cap)
        budget->saved = budget->cap;
}

bool kit_retry_budget_spend(struct kit_retry_budget *budget)
{
    if (budget->saved < 1)
        return false;
    budget->saved -= 1;
    return true;
}
