/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields that say when requests are due. */
#include <stdlib.h>

#include "check_load.h"

/* Keys that go with one kind of stage only. */
static void check_stage_keys(struct scn_reporter *reporter, size_t i)
{
    static const struct {
        const char *key;
        enum scn_stage_kind kind;
        const char *needs;
    } rules[] = {{"from", SCN_STAGE_RAMP, "to"},
                 {"steps", SCN_STAGE_RAMP, "to"},
                 {"every", SCN_STAGE_BURST, "burst"}};
    const struct scn_stage *stage = &reporter->scenario->load.stages[i];
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        scn_at(reporter, "spec.load.stages[%zu].%s", i, rules[k].key);
        if (scn_scenario_has(reporter->scenario, reporter->path) && stage->kind != rules[k].kind)
            scn_say(reporter, "makes sense only beside \"%s\", expected it or not this",
                    rules[k].needs);
    }
    if (stage->kind == SCN_STAGE_BURST && !scn_scenario_has(reporter->scenario, reporter->path))
        scn_say(reporter, "this key is missing beside \"burst\", expected a duration such as 1s");
}

static void check_stages(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    int64_t sum = 0; /* at most 1000 stages of 24 h */
    for (size_t i = 0; i < scenario->load.stage_count; i++) {
        check_stage_keys(reporter, i);
        sum += scenario->load.stages[i].length.ns;
    }
    scn_at(reporter, "spec.load.stages");
    if (scn_problems_under(reporter->problems, "spec.duration") || scn_spoiled(reporter) ||
        sum == scenario->duration.ns)
        return;
    char lasts[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    base_dur_format((struct dur_ns){sum}, lasts);
    base_dur_format(scenario->duration, duration);
    scn_say(reporter, "the stages last %s together, expected the %s of spec.duration", lasts,
            duration);
}

void scn_check_arrivals(struct scn_reporter *reporter)
{
    scn_at(reporter, "spec.load.stages");
    if (reporter->scenario->load.source == SCN_LOAD_STAGES && !scn_spoiled(reporter))
        check_stages(reporter);
}
