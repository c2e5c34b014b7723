/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_member.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "by_hand.h"

/* --- with a leader --- */

bool load_member_inherit(struct load_member *member, const json_t *message, struct base_error *err)
{
    json_t *setup = json_object_get(message, "setup");
    if (member->has_made)
        return true;
    if (setup != NULL && !load_run_inherit(member->run, setup, err))
        return false;
    member->has_made = true;
    member->setup = json_incref(setup);
    return true;
}

static void settle(struct load_member *member, enum load_teardown teardown)
{
    if (member->teardown != LOAD_TEARDOWN_UNSAID)
        return;
    member->teardown = teardown;
    load_run_teardown(member->run, teardown == LOAD_TEARDOWN_HERE);
}

/* Whoever makes the key tears down: this worker may have been given up for another, or be one of
 * several whose leader is gone. */
static bool claim(struct load_member *member, struct base_error *err)
{
    bool made;
    BASE_AUTO_FREE char *index = base_str_printf("%u", (unsigned)member->index);
    if (!load_redis_set_new(member->redis, member->keys[LOAD_CLUSTER_TORN], index, load_cluster_ttl,
                            &made, err))
        return false;
    settle(member, made ? LOAD_TEARDOWN_HERE : LOAD_TEARDOWN_ELSEWHERE);
    return true;
}

bool load_member_take_teardown(struct load_member *member, const json_t *message,
                               struct base_error *err)
{
    uint64_t who;
    if (!model_get_u64(message, "teardown", "worker", UINT32_MAX, &who, err))
        return false;
    if (who != member->index || member->teardown != LOAD_TEARDOWN_UNSAID)
        return true;
    return load_member_inherit(member, message, err) && claim(member, err);
}

void load_member_leave_teardown(struct load_member *member)
{
    settle(member, LOAD_TEARDOWN_ELSEWHERE);
}

/* --- without a leader --- */

bool load_member_alone(struct base_error *err)
{
    return base_fail(err, BASE_UNAVAILABLE, "the leader is gone");
}

/* All workers find the leader gone within a poll and a round trip to Redis, and their requests end
 * within the timeout. Whoever does not count himself by then is dead, or cut off. */
static bool nobody_sends(struct load_member *member, bool *out, struct base_error *err)
{
    BASE_AUTO_FREE char *text = NULL;
    int64_t number;
    uint64_t ended = 0;
    const char *key = member->keys[LOAD_CLUSTER_ENDED];
    if (!member->counted && !load_redis_count(member->redis, key, load_cluster_ttl, &number, err))
        return false;
    member->counted = true;
    if (!load_redis_get(member->redis, key, &text, err))
        return false;
    int64_t limit = load_cluster_patience.ns + member->spec.timeout.ns + 2 * BASE_NS_PER_S;
    *out = (text != NULL && base_parse_u64(text, &ended) && ended >= member->workers) ||
           base_mono_sub(base_mono_now(), member->since).ns > limit;
    return true;
}

/* The load ends at once; whoever has what setup left stays until one of those has torn it down. */
bool load_member_outlive(struct load_member *member, struct base_error *err)
{
    bool free_to = false;
    if (!member->tears || !member->has_made)
        return load_member_alone(err);
    if (!member->orphaned) {
        member->orphaned = true;
        member->since = base_mono_now();
        load_run_stop(member->run);
    }
    if (!member->ended || member->teardown != LOAD_TEARDOWN_UNSAID)
        return true; /* on_finished is the end */
    return nobody_sends(member, &free_to, err) && (!free_to || claim(member, err));
}

/* --- what is said of it --- */

/* How the teardown went here; NULL: well. */
static const struct load_once_result *undone(const struct load_result *result)
{
    for (size_t i = 0; i < result->once_count; i++)
        if (base_str_eq(result->once[i].part, "teardown") && !result->once[i].ok)
            return &result->once[i];
    return NULL;
}

char *load_member_about_teardown(const struct load_member *member, bool finished)
{
    if (!member->tears || (!member->has_made && member->index == 0))
        return NULL;
    if (!member->has_made)
        return base_str_dup("what setup made only worker 0 can tear down");
    if (member->teardown == LOAD_TEARDOWN_ELSEWHERE)
        return member->orphaned ? base_str_dup("another worker tears down") : NULL;
    const struct load_once_result *step = finished ? undone(load_run_result(member->run)) : NULL;
    if (member->teardown == LOAD_TEARDOWN_HERE && finished && step == NULL)
        return base_str_dup("this worker has torn down what setup made");
    BASE_AUTO_FREE char *steps = load_by_hand(&member->spec, member->setup);
    if (step != NULL)
        return base_str_printf("teardown failed at step %s (%s); by hand: %s", step->step,
                               step->why, steps);
    return member->teardown == LOAD_TEARDOWN_HERE
               ? base_str_printf("teardown was cut short here; by hand: %s", steps)
               : base_str_printf("teardown not run here, and whether another worker runs it cannot "
                                 "be known; by hand: %s",
                                 steps);
}
