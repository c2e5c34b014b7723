/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_lead.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "by_hand.h"

/* Nobody will do it, or end it: says why, and what there is to do. */
static void tell_undone(struct load_leader *leader, const char *why)
{
    BASE_AUTO_FREE char *steps = load_by_hand(leader->spec, leader->setup);
    load_peers_trouble(&leader->peers, "teardown not run%s; by hand: %s", why, steps);
}

static bool dismiss(struct load_leader *leader, struct base_error *err)
{
    leader->dismissed = true;
    return load_lead_say(leader, json_pack("{s:s}", "type", "end"), err);
}

/* What setup left goes along when nobody was given it with "go". */
static bool order(struct load_leader *leader, uint32_t index, struct base_error *err)
{
    json_t *message = json_pack("{s:s, s:I}", "type", "teardown", "worker", (json_int_t)index);
    if (leader->stage == LOAD_GATHERING && leader->setup != NULL)
        (void)json_object_set(message, "setup", leader->setup);
    leader->ordered = true;
    leader->tearer = index;
    return load_lead_say(leader, message, err);
}

/* Worker 0 has it all, whatever became of the others. */
static bool choose(struct load_leader *leader, struct base_error *err)
{
    const struct load_peer *first = &leader->peers.all[0];
    if (!first->ready) {
        if (first->name != NULL && !first->failed && load_by_hand_has_setup(leader->spec))
            tell_undone(leader, ": worker 0 was given up before its setup had ended, and what that "
                                "made is not known");
        return dismiss(leader, err);
    }
    for (uint32_t i = 0; i < leader->config.workers; i++)
        if (!load_peer_is_done(&leader->peers.all[i]))
            return order(leader, i, err);
    tell_undone(leader, ": no worker is left");
    return dismiss(leader, err);
}

static bool did_it(const struct load_result *result)
{
    for (size_t i = 0; i < result->once_count; i++)
        if (base_str_eq(result->once[i].part, "teardown"))
            return true;
    return false;
}

/* The one that was told to has ended, or is given up. */
static bool look_after(struct load_leader *leader, struct base_error *err)
{
    const struct load_peer *peer = &leader->peers.all[leader->tearer];
    BASE_AUTO_FREE char *torn = NULL;
    if (peer->finished && did_it(&peer->result))
        return dismiss(leader, err);
    if (!load_redis_get(leader->redis, leader->keys[LOAD_CLUSTER_TORN], &torn, err))
        return false;
    if (torn == NULL) {
        leader->ordered = false; /* it has not begun: the next one may */
        return true;
    }
    BASE_AUTO_FREE char *why = base_str_printf(
        " to its end: worker %s had begun with it and was lost, and how far it came is not known",
        torn);
    tell_undone(leader, why);
    return dismiss(leader, err);
}

bool load_lead_end_setup(struct load_leader *leader, struct base_error *err)
{
    if (!leader->tears || leader->dismissed)
        return true;
    if (leader->ordered)
        return !load_peer_is_done(&leader->peers.all[leader->tearer]) || look_after(leader, err);
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        const struct load_peer *peer = &leader->peers.all[i];
        if (!peer->ended && !load_peer_is_done(peer))
            return true;
    }
    return choose(leader, err);
}

void load_lead_leave_setup(const struct load_leader *leader, struct base_error *err)
{
    const struct load_peer *first = &leader->peers.all[0];
    struct base_error bare = *err;
    if (!leader->tears || leader->dismissed || !first->ready)
        return;
    BASE_AUTO_FREE char *steps = load_by_hand(leader->spec, leader->setup);
    (void)base_fail(err, bare.code,
                    "%s; teardown not run by this leader: one of its workers runs it if they still "
                    "reach Redis, and says so; if none does, by hand: %s",
                    bare.message, steps);
}
