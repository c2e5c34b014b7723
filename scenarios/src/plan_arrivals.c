/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_arrivals.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

char *scn_replay_path(const struct scn_scenario *scenario)
{
    const char *file = scenario->load.replay.file;
    const char *slash = strrchr(scenario->file, '/');
    if (file == NULL || *file == '/' || slash == NULL)
        return base_str_dup(file);
    return base_str_printf("%.*s/%s", (int)(slash - scenario->file), scenario->file, file);
}

/* Without `from` a ramp goes on where the stage before it ended. */
static void add_ramp(struct load_spec *load, const struct scn_stage *stage, bool from_given)
{
    const struct load_stage *before =
        load->stage_count > 0 ? &load->stages[load->stage_count - 1] : NULL;
    struct load_stage ramp = {.length = stage->length, .from = stage->from, .to = stage->to};
    if (!from_given)
        ramp.from = before != NULL ? before->to : 0;
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

void plan_arrivals(const struct scn_scenario *scenario, struct load_spec *load)
{
    const struct scn_load *from = &scenario->load;
    load->arrivals = from->arrivals;
    load->rate = from->source == SCN_LOAD_RATE ? from->rate : 0;
    for (size_t i = 0; i < from->stage_count; i++) {
        BASE_AUTO_FREE char *path = base_str_printf("spec.load.stages[%zu].from", i);
        add_stage(load, &from->stages[i], scn_scenario_has(scenario, path));
    }
    load->replay = scn_replay_path(scenario);
    load->replay_unit = from->replay.unit;
}
