/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_arrivals.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

char *scn_path_beside(const struct scn_scenario *scenario, const char *file)
{
    const char *slash = strrchr(scenario->file, '/');
    if (file == NULL || *file == '/' || slash == NULL)
        return base_str_dup(file);
    return base_str_printf("%.*s/%s", (int)(slash - scenario->file), scenario->file, file);
}

char *scn_replay_path(const struct scn_scenario *scenario)
{
    return scn_path_beside(scenario, scenario->load.replay.file);
}

/* Without `from` a ramp goes on where the stage before it ended. */
static void add_ramp(struct load_spec *load, const struct scn_stage *stage, bool from_given)
{
    double before = load->stage_count > 0 ? load->stages[load->stage_count - 1].to : 0;
    struct load_stage ramp = {.length = stage->length, .from = stage->from, .to = stage->to};
    if (!from_given)
        ramp.from = before;
    if (stage->steps > 0)
        load_spec_add_steps(load, &ramp, (uint32_t)stage->steps);
    else
        load_spec_add_stage(load, &ramp);
}

static void add_stage(struct load_spec *load, const struct scn_stage *stage, bool from_given)
{
    if (stage->kind == SCN_STAGE_RAMP) {
        add_ramp(load, stage, from_given);
        return;
    }
    bool burst = stage->kind == SCN_STAGE_BURST;
    load_spec_add_stage(load, &(struct load_stage){.length = stage->length,
                                                   .from = burst ? 0 : stage->rate,
                                                   .to = burst ? 0 : stage->rate,
                                                   .burst = burst ? (uint64_t)stage->burst : 0,
                                                   .every = stage->every});
}

static void add_user_stage(struct load_closed *closed, const struct scn_user_stage *stage,
                           bool from_given)
{
    double before = closed->stage_count > 0 ? closed->stages[closed->stage_count - 1].to : 0;
    struct load_stage made = {
        .length = stage->length, .from = (double)stage->count, .to = (double)stage->count};
    if (stage->kind == SCN_USERS_RAMP) {
        made.from = from_given ? (double)stage->from : before;
        made.to = (double)stage->to;
    }
    closed->stages[closed->stage_count++] = made;
}

static void plan_users(const struct scn_scenario *scenario, struct load_closed *closed)
{
    const struct scn_users *users = &scenario->load.users;
    const struct scn_user_stage flat = {.length = scenario->duration, .count = users->count};
    closed->stages = base_calloc(users->stage_count + 1, sizeof *closed->stages);
    if (users->kind == SCN_USERS_FLAT)
        add_user_stage(closed, &flat, false);
    for (size_t i = 0; i < users->stage_count; i++) {
        BASE_AUTO_FREE char *path = base_str_printf("spec.load.users.stages[%zu].from", i);
        add_user_stage(closed, &users->stages[i], scn_scenario_has(scenario, path));
    }
    closed->iterations = (uint64_t)users->iterations;
    closed->each = (uint64_t)users->each;
    closed->think = users->think;
    closed->think_a = users->think_a;
    closed->think_b = users->think_b;
}

/* One for each user, as far as there are ports, unless the file says how many. */
static void plan_connections(const struct scn_scenario *scenario, struct load_spec *load)
{
    double most = (double)scenario->load.threads; /* a thread has one at least */
    load->connections = (uint32_t)scenario->load.connections;
    if (scenario->load.source != SCN_LOAD_USERS ||
        scn_scenario_has(scenario, "spec.load.connections"))
        return;
    for (size_t i = 0; i < load->closed.stage_count; i++) {
        const struct load_stage *stage = &load->closed.stages[i];
        double here = stage->from > stage->to ? stage->from : stage->to;
        most = here > most ? here : most;
    }
    load->connections = most < 65535 ? (uint32_t)most : 65535;
}

void plan_arrivals(const struct scn_scenario *scenario, struct load_spec *load)
{
    const struct scn_load *from = &scenario->load;
    load->arrivals = from->arrivals;
    load->rate = from->source == SCN_LOAD_RATE ? from->rate : 0;
    for (size_t i = 0; i < from->stage_count; i++) {
        BASE_AUTO_FREE char *path = base_str_printf("spec.load.stages[%zu].from", i);
        add_stage(load, &from->stages[i], scn_scenario_has(scenario, path));
    }
    if (from->source == SCN_LOAD_USERS)
        plan_users(scenario, &load->closed);
    plan_connections(scenario, load);
    load->replay = scn_replay_path(scenario);
    load->replay_unit = from->replay.unit;
}
