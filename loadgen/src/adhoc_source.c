/* SPDX-License-Identifier: Apache-2.0 */
#include "adhoc_source.h"

#include <math.h>

#include "base/text.h"
#include "loadgen/replay.h"

/* A recording without -d lasts until its last timestamp. */
static bool settle_replay(struct load_adhoc *a, struct base_error *err)
{
    struct load_replay replay = {.max = 0};
    if (!load_replay_read(a->spec.replay, a->spec.replay_unit, &replay, err))
        return false;
    if (!a->duration_given)
        a->spec.duration.ns = replay.at[replay.count - 1] + 1;
    load_replay_fini(&replay);
    return true;
}

/* Users are kept as one stage; each has a connection of his own unless -c says otherwise. */
static bool settle_users(struct load_adhoc *a, struct base_error *err)
{
    struct load_closed *closed = &a->spec.closed;
    bool asked = closed->think != LOAD_THINK_NONE || closed->iterations > 0 || closed->each > 0;
    if (a->users > 0 && closed->stage_count > 0)
        return base_fail(err, BASE_INVALID, "--users and --user-stage exclude each other");
    if (a->users > 0) {
        closed->stages = base_calloc(1, sizeof *closed->stages);
        closed->stage_count = 1;
        closed->stages[0] =
            (struct load_stage){.length = a->spec.duration, .from = a->users, .to = a->users};
    }
    if (asked && closed->stage_count == 0)
        return base_fail(err, BASE_INVALID,
                         "--think and --iterations need users: --users 50 or --user-stage");
    double most = 0;
    for (size_t i = 0; i < closed->stage_count; i++)
        most = fmax(most, fmax(closed->stages[i].from, closed->stages[i].to));
    if (closed->stage_count > 0 && most < 1)
        return base_fail(err, BASE_INVALID, "--user-stage: there is never a user");
    if (closed->stage_count > 0 && !a->connections_given)
        a->spec.connections = most < 65535 ? (uint32_t)most : 65535;
    return true;
}

/* Stages say how long the load lasts. */
static bool settle_stages(struct load_adhoc *a, const struct load_stage *stages, size_t count,
                          struct base_error *err)
{
    if (count == 0 || a->users > 0)
        return true;
    if (a->duration_given)
        return base_fail(err, BASE_INVALID,
                         "-d beside --stage or --user-stage: stages say how long they last");
    a->spec.duration.ns = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(a->spec.duration.ns, stages[i].length.ns, &a->spec.duration.ns))
            return base_fail(err, BASE_INVALID, "the stages are too long");
    return true;
}

/* Exactly one of them says when requests are due. */
bool load_adhoc_settle(struct load_adhoc *a, struct base_error *err)
{
    struct load_spec *spec = &a->spec;
    if (!settle_users(a, err))
        return false;
    int sources = (spec->rate > 0) + (spec->stage_count > 0) + (spec->replay != NULL) +
                  (spec->closed.stage_count > 0);
    if (sources == 0)
        return base_fail(err, BASE_INVALID,
                         "a rate is needed: -r 100 sends 100 requests a second (or --stage, "
                         "--replay, --users)");
    if (sources > 1)
        return base_fail(err, BASE_INVALID, "-r, --stage, --replay and --users exclude each other");
    return settle_stages(a, spec->stages, spec->stage_count, err) &&
           settle_stages(a, spec->closed.stages, spec->closed.stage_count, err) &&
           (spec->replay == NULL || settle_replay(a, err));
}
