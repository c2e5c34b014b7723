/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_storm.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/fault.h"
#include "redis_action.h"
#include "redis_keys.h"

enum {
    most_large = 400,
    most_small = 500,
    head = 64, /* the server's own of a key: with it a power of two is taken, not more */
    at_once = 8,
    least_first = 2 /* the first may still fit into what is left of a key's size */
};
static const int64_t most_room = INT64_C(1) << 30; /* to be written while the fault is applied */

/* --- what the server says --- */

/* Sum of "keys=" or "expires=" over the lines "db0:keys=5,expires=2,avg_ttl=0". */
static int64_t sum_of(const char *info, const char *what)
{
    int64_t sum = 0;
    for (const char *line = strstr(info, "\ndb"); line != NULL; line = strstr(line + 1, "\ndb")) {
        const char *at = strstr(line, what);
        const char *end = strchr(line + 1, '\n');
        int64_t number = 0;
        char digits[24];
        if (at == NULL || (end != NULL && at > end))
            continue;
        at += strlen(what);
        (void)snprintf(digits, sizeof digits, "%.*s", (int)strspn(at, "0123456789"), at);
        sum += base_parse_i64(digits, &number) ? number : 0;
    }
    return sum;
}

static void word_of(const char *info, const char *key, char *out, size_t size)
{
    const char *at = strstr(info, key);
    at = at != NULL ? at + strlen(key) : "";
    (void)snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

bool fault_redis_state_of(const struct fault_redis_answer *answer, struct fault_redis_state *out)
{
    int64_t used = fault_redis_info(answer, "used_memory");
    int64_t aside = fault_redis_info(answer, "mem_not_counted_for_evict");
    struct fault_redis_state state = {
        .limit = fault_redis_info(answer, "maxmemory"),
        .used = used - (aside > 0 ? aside : 0),
        .data = fault_redis_info(answer, "used_memory_dataset"),
        .evicted = fault_redis_info(answer, "evicted_keys"),
    };
    if (used < 0 || state.limit < 0 || state.data < 0 || state.evicted < 0)
        return false;
    state.keys = sum_of(answer->text, "keys=");
    state.expiring = sum_of(answer->text, "expires=");
    word_of(answer->text, "\nmaxmemory_policy:", state.policy, sizeof state.policy);
    state.replica = strstr(answer->text, "\nrole:slave") != NULL;
    *out = state;
    return true;
}

/* --- the plan --- */

static const char *objection(const struct fault_redis_state *state, int64_t destroys)
{
    bool of_all = base_str_starts(state->policy, "allkeys-");
    if (state->replica)
        return "is a replica, which evicts what its primary does: ask for the primary";
    if (state->limit == 0)
        return "its maxmemory is 0, so that it never evicts: set maxmemory and a maxmemory-policy "
               "that evicts, or take memory by fill";
    if (base_str_eq(state->policy, "noeviction"))
        return "its maxmemory-policy is noeviction, so that writes would fail and no key would go: "
               "set one that evicts, or take memory by fill";
    if (base_str_eq(state->policy, "volatile-ttl"))
        return "its maxmemory-policy is volatile-ttl, by which the fault's own keys, which expire "
               "with the lease, would be the first to go: set another, as volatile-lru";
    if (base_str_ends(state->policy, "-random"))
        return "its maxmemory-policy draws from one database after the other, and would evict the "
               "fault's own keys as often as others': set one by lru or lfu";
    if (!of_all && !base_str_starts(state->policy, "volatile-"))
        return "its maxmemory-policy is not known here";
    if (of_all ? state->keys == 0 : state->expiring == 0)
        return of_all ? "it holds no key that could be evicted"
                      : "its maxmemory-policy evicts keys that expire, and it holds none that "
                        "does: set one of allkeys-*, or give keys a time to live";
    if (destroys < FAULT_REDIS_DESTROYS_LEAST || destroys > FAULT_REDIS_DESTROYS_MOST)
        return "destroys: expected 4MiB to 1GiB";
    if (destroys > state->data)
        return "it does not hold so much: ask for less";
    if (state->limit - state->used > most_room)
        return "more than 1 GiB is free below its maxmemory, and would have to be written first: "
               "wait until it is fuller, or take maxmemory down";
    return NULL;
}

/* The smallest power of two, a MiB at least, of which `most` hold that much. */
static size_t unit_of(int64_t bytes, int64_t most)
{
    size_t unit = FAULT_REDIS_MIB;
    while ((int64_t)unit * most < bytes)
        unit *= 2;
    return unit;
}

const char *fault_redis_storm_plan(const struct fault_redis_state *state, int64_t destroys,
                                   struct fault_redis_storm *out)
{
    const char *why = objection(state, destroys);
    if (why != NULL)
        return why;
    int64_t room = state->used < state->limit ? state->limit - state->used : 0;
    size_t unit = unit_of(destroys, most_small);
    size_t large = unit_of(room, most_large);
    size_t count = (size_t)destroys / unit;
    *out = (struct fault_redis_storm){.large = (size_t)room / large,
                                      .large_size = large - head,
                                      .small = (size_t)room % large / unit,
                                      .size = unit - head,
                                      .first = count / at_once};
    if (out->first < least_first)
        out->first = least_first;
    out->rest = count - out->first;
    return NULL;
}

size_t fault_redis_storm_size(const struct fault_redis_storm *storm, size_t index)
{
    return index < storm->large ? storm->large_size : storm->size;
}

int64_t fault_redis_storm_bytes(const struct fault_redis_storm *storm, size_t count)
{
    size_t large = count < storm->large ? count : storm->large;
    return (int64_t)(large * storm->large_size + (count - large) * storm->size);
}

size_t fault_redis_storm_filling(const struct fault_redis_storm *storm)
{
    return storm->large + storm->small;
}

size_t fault_redis_storm_begun(const struct fault_redis_storm *storm)
{
    return fault_redis_storm_filling(storm) + storm->first;
}

size_t fault_redis_storm_all(const struct fault_redis_storm *storm)
{
    return fault_redis_storm_begun(storm) + storm->rest;
}
