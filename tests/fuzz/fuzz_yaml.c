/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario files from anywhere: refused with at least one problem, or a scenario that either is
 * refused for a fixed platform in the same way or becomes a plan whose file reads back as the same
 * plan.
 */
#include <stdlib.h>
#include <string.h>

#include "model/json.h"
#include "scenarios/parse.h"
#include "scenarios/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTANCE(name, address)                                                                    \
    "{\"name\":\"" name "\",\"address\":\"" address "\",\"port\":3000,\"netns\":\"/n\","           \
    "\"cgroup\":\"/c\",\"statusFile\":\"/s\",\"logFile\":\"/l\"}"
#define SERVICE(name, admin, observes, instances)                                                  \
    "{\"name\":\"" name "\",\"port\":3000,\"kind\":\"http\",\"adminTokenFile\":" admin             \
    ",\"observability\":" observes ",\"instances\":[" instances "]}"
static const char platform[] =
    "{\"version\":1,\"name\":\"default\",\"mode\":\"netns\",\"stateDir\":\"/s\","
    "\"agent\":{\"url\":\"http://a\",\"tokenFile\":\"/t\"},"
    "\"prometheus\":{\"url\":\"http://p\",\"scrapeIntervalNs\":1000000000},\"services\":[" SERVICE(
        "gateway", "\"/a\"", "false",
        INSTANCE(
            "gateway-1",
            "10.0.0.1")) "," SERVICE("users", "\"/a\"", "false",
                                     INSTANCE("users-1", "10.0.0.2") "," INSTANCE(
                                         "users-2",
                                         "::2")) "," SERVICE("postgres", "null", "false",
                                                             INSTANCE(
                                                                 "postgres-1",
                                                                 "10.0.0.4")) "," SERVICE("promethe"
                                                                                          "us",
                                                                                          "null",
                                                                                          "true",
                                                                                          INSTANCE(
                                                                                              "prom"
                                                                                              "ethe"
                                                                                              "us-"
                                                                                              "1",
                                                                                              "10."
                                                                                              "0.0."
                                                                                              "5")) "]}";

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct topo fixed_topology(void)
{
    struct topo topo = {.name = NULL};
    struct base_error err;
    json_t *json = model_json_parse(platform, sizeof platform - 1, "platform", &err);
    require(json != NULL && topo_from_json(json, &topo, &err));
    json_decref(json);
    return topo;
}

static void check_plan(const struct plan *plan)
{
    struct plan again;
    struct base_error err;
    json_t *json = plan_to_json(plan);
    require(plan_from_json(json, &again, &err));
    json_t *second = plan_to_json(&again);
    require(json_equal(json, second));
    json_decref(json);
    json_decref(second);
    plan_fini(&again);
}

static void plan_on(const struct scn_scenario *scenario, const struct topo *topo, bool without)
{
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    const struct scn_plan_options options = {
        .run = "r1", .target_given = true, .without_kernel_faults = without};
    if (scn_plan(scenario, topo, &options, &plan, &problems)) {
        require(problems.count == 0);
        check_plan(&plan);
        plan_fini(&plan);
    } else {
        require(problems.count > 0);
    }
    free(scn_problems_text(&problems));
    scn_problems_fini(&problems);
}

static void plan_everywhere(const struct scn_scenario *scenario)
{
    struct scn_problems problems = {.items = NULL};
    struct topo topo = fixed_topology();
    plan_on(scenario, &topo, false);
    plan_on(scenario, &topo, true);
    topo_fini(&topo);
    if (scn_external_topology(scenario, NULL, NULL, &topo, &problems)) {
        plan_on(scenario, &topo, false);
        topo_fini(&topo);
    }
    scn_problems_fini(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scn_problems problems = {.items = NULL};
    struct scn_scenario scenario;
    if (scn_parse("f", (const char *)data, size, &scenario, &problems)) {
        require(problems.count == 0);
        plan_everywhere(&scenario);
        scn_scenario_fini(&scenario);
    } else {
        require(problems.count > 0 && problems.count <= SCN_MAX_PROBLEMS);
    }
    free(scn_problems_text(&problems));
    scn_problems_fini(&problems);
    return 0;
}
