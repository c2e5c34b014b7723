/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields that say when requests are due. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
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

/* The stages at this place last together as long as the load does. */
static void check_sum(struct scn_reporter *reporter, const char *place, int64_t sum)
{
    char lasts[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    struct dur_ns whole = reporter->scenario->duration;
    scn_at(reporter, "%s", place);
    if (scn_problems_under(reporter->problems, "spec.duration") || scn_spoiled(reporter) ||
        sum == whole.ns)
        return;
    base_dur_format((struct dur_ns){sum}, lasts);
    base_dur_format(whole, duration);
    scn_say(reporter, "the stages last %s together, expected the %s of spec.duration", lasts,
            duration);
}

static void check_stages(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    int64_t sum = 0; /* at most 1000 stages of 24 h */
    for (size_t i = 0; i < scenario->load.stage_count; i++) {
        check_stage_keys(reporter, i);
        sum += scenario->load.stages[i].length.ns;
    }
    check_sum(reporter, "spec.load.stages", sum);
}

static void check_think(struct scn_reporter *reporter)
{
    const struct scn_users *users = &reporter->scenario->load.users;
    bool uniform = users->think == LOAD_THINK_UNIFORM;
    if ((!uniform && users->think != LOAD_THINK_LOGNORMAL) ||
        users->think_a.ns <= users->think_b.ns)
        return;
    scn_at(reporter, "spec.load.users.think.%s", uniform ? "uniform.max" : "lognormal.p95");
    scn_say(reporter, "is less than \"%s\", expected at least that", uniform ? "min" : "median");
}

static void check_users(struct scn_reporter *reporter)
{
    const struct scn_users *users = &reporter->scenario->load.users;
    int64_t sum = 0, most = users->count;
    check_think(reporter);
    for (size_t i = 0; i < users->stage_count; i++) {
        const struct scn_user_stage *stage = &users->stages[i];
        bool ramp = stage->kind == SCN_USERS_RAMP;
        int64_t highest = !ramp ? stage->count : stage->to > stage->from ? stage->to : stage->from;
        sum += stage->length.ns;
        most = highest > most ? highest : most;
        scn_at(reporter, "spec.load.users.stages[%zu].from", i);
        if (!ramp && scn_scenario_has(reporter->scenario, reporter->path))
            scn_say(reporter, "makes sense only beside \"to\", expected it or not this");
    }
    scn_at(reporter, "spec.load.users.stages");
    if (most < 1)
        scn_say(reporter, "there is never a user, expected at least one");
    if (users->stage_count > 0)
        check_sum(reporter, "spec.load.users.stages", sum);
}

/* What has to do with the way requests take. */
static void check_engine(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    const struct scn_load *load = &scenario->load;
    char name[] = "whatever it is";
    const struct load_spec spec = {
        .connections = (uint32_t)load->connections,
        .protocol = scn_load_protocol(scenario),
        .engine = load->engine,
        .http2 = load->http2,
        .streams = (uint32_t)load->streams,
        .proxy = load->proxy,
        .unix_socket = load->unix_socket,
        .source_count = load->source_count,
        .flow_count = load->flow_count,
        .pipeline = load->pipeline > 1 ? (uint32_t)load->pipeline : 0,
        .tls = {.server_name = scn_load_secure(scenario) ? name : NULL,
                .ca_file = scenario->target.tls.ca_file,
                .insecure = scenario->target.tls.verify == SCN_VERIFY_NONE},
    };
    const char *conflict = load_spec_engine_conflict(&spec);
    scn_at(reporter, "spec.load");
    if (conflict != NULL)
        scn_say(reporter, "%s", conflict);
    scn_at(reporter, "spec.load.proxy");
    if (load->proxy != NULL && strchr(load->proxy, '@') != NULL)
        scn_say(reporter, "a user and password would be kept in the run directory, expected a "
                          "proxy that asks for neither");
}

void scn_check_arrivals(struct scn_reporter *reporter)
{
    scn_at(reporter, "spec.target");
    if (!scn_spoiled(reporter))
        check_engine(reporter);
    scn_at(reporter, "spec.load.stages");
    if (reporter->scenario->load.source == SCN_LOAD_STAGES && !scn_spoiled(reporter))
        check_stages(reporter);
    scn_at(reporter, "spec.load.users");
    if (reporter->scenario->load.source == SCN_LOAD_USERS && !scn_spoiled(reporter))
        check_users(reporter);
}
