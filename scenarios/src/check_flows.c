/* SPDX-License-Identifier: Apache-2.0 */
/* The model's rules for flows, said where the file breaks them. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "check_load.h"

static struct load_spec view_of(const struct scn_scenario *scenario)
{
    const struct scn_load *load = &scenario->load;
    return (struct load_spec){.flows = load->flows,
                              .flow_count = load->flow_count,
                              .feeders = load->feeders,
                              .feeder_count = load->feeder_count};
}

static void on_mistake(void *ctx, bool warning, const char *where, const char *what)
{
    struct scn_reporter *reporter = ctx;
    if (warning)
        return;
    scn_at(reporter, "spec.load.%s", where);
    if (!scn_spoiled(reporter)) /* a name that is taken, for one */
        scn_say(reporter, "%s", what);
}

void scn_check_flows(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    const struct load_spec view = view_of(scenario);
    scn_at(reporter, "spec.load.routes");
    if (scenario->load.route_count + scenario->load.flow_count == 0 && !scn_spoiled(reporter))
        scn_say(reporter, "this key is missing, expected a list, or flows");
    load_flows_check(&view, on_mistake, reporter);
}

static void on_oddity(void *ctx, bool warning, const char *where, const char *what)
{
    struct scn_reporter *reporter = ctx;
    if (!warning)
        return;
    scn_at(reporter, "spec.load.%s", where);
    scn_say(reporter, "%s", what);
}

void scn_warnings(const struct scn_scenario *scenario, struct scn_problems *out)
{
    struct scn_reporter reporter = {.scenario = scenario, .problems = out};
    const struct load_spec view = view_of(scenario);
    load_flows_check(&view, on_oddity, &reporter);
}

void scn_flows_plan(const struct scn_scenario *scenario, struct load_spec *load)
{
    const struct scn_load *from = &scenario->load;
    load_spec_copy_flows(load, from->flows, from->flow_count, from->feeders, from->feeder_count);
    for (size_t i = 0; i < load->feeder_count; i++) {
        char *file = load->feeders[i].file;
        load->feeders[i].file = scn_path_beside(scenario, file);
        free(file);
    }
}
