/* SPDX-License-Identifier: Apache-2.0 */
/* A platform and a scenario that tests bend out of shape. */
#ifndef TESTS_SCENARIOS_FIXTURE_H
#define TESTS_SCENARIOS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "scenarios/parse.h"
#include "scenarios/plan.h"

/* Replaces the first `old` in text; free() the result. */
static inline char *replaced(const char *text, const char *old, const char *new_text)
{
    const char *at = strstr(text, old);
    if (at == NULL)
        fail_msg("the sample has no \"%s\"", old);
    return base_str_printf("%.*s%s%s", (int)(at - text), text, new_text, at + strlen(old));
}

static inline struct scn_scenario parsed(const char *text)
{
    struct scn_scenario scenario;
    struct scn_problems problems = {.items = NULL};
    if (!scn_parse("s.yaml", text, strlen(text), &scenario, &problems)) {
        char *list = scn_problems_text(&problems);
        fail_msg("%s", list);
    }
    assert_int_equal(problems.count, 0);
    return scenario;
}

/* What is wrong with text; fails when nothing is. free() it. */
static inline char *complaints(const char *text, size_t len)
{
    struct scn_scenario scenario;
    struct scn_scenario untouched;
    struct scn_problems problems = {.items = NULL};
    memset(&scenario, 0xA5, sizeof scenario);
    memset(&untouched, 0xA5, sizeof untouched);
    if (scn_parse("s.yaml", text, len, &scenario, &problems))
        fail_msg("accepted: %.*s", (int)len, text);
    assert_memory_equal(&scenario, &untouched, sizeof scenario);
    char *list = scn_problems_text(&problems);
    scn_problems_fini(&problems);
    return list;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

#define HEAD                                                                                       \
    "apiVersion: squall/v1\n"                                                                      \
    "kind: Scenario\n"                                                                             \
    "metadata: {name: sample}\n"                                                                   \
    "spec:\n"
#define LOAD                                                                                       \
    "  load:\n"                                                                                    \
    "    service: gateway\n"                                                                       \
    "    rate: 100/s\n"                                                                            \
    "    routes:\n"                                                                                \
    "      - {name: list, path: /api/users}\n"                                                     \
    "      - {name: data, path: /api/data}\n"
#define FAULTS                                                                                     \
    "  faults:\n"                                                                                  \
    "    - {name: lose, at: 2s, for: 2s, service: users, kill: {}}\n"                              \
    "    - {name: cut, at: 4s, for: 2s, service: users, partition: {from: [postgres]}}\n"          \
    "    - {name: err, at: 10s, for: 2s, service: users, app: {errorRate: 20%}}\n"
#define REST                                                                                       \
    "  thresholds:\n"                                                                              \
    "    - {name: fast, expect: p99 < 250ms, phase: steady, route: list}\n"                        \
    "    - {name: cut-holds, expect: errors < 50%, phase: cut}\n"                                  \
    "    - {name: after, expect: errors < 1%, phase: after-cut}\n"                                 \
    "  slos:\n"                                                                                    \
    "    - {name: avail, objective: 95%, availability: {service: gateway}}\n"                      \
    "    - {name: quick, objective: 90%, latency: {service: gateway, within: 250ms}}\n"            \
    "  abort:\n"                                                                                   \
    "    - {name: stop, when: errors > 60%}\n"
#define SAMPLE                                                                                     \
    HEAD "  duration: 20s\n" LOAD "  steadyState:\n"                                               \
         "    checks: [{name: ready}]\n" FAULTS REST

/* Four users, two gateways, one postgres, one prometheus that observes. */
static inline struct topo platform(enum topo_mode mode)
{
    static const struct {
        const char *name;
        size_t instances;
        bool admin;
        bool observability;
    } services[] = {{"gateway", 2, true, false},
                    {"users", 4, true, false},
                    {"postgres", 1, false, false},
                    {"prometheus", 2, false, true}};
    struct topo topo = {
        .name = base_str_dup("default"),
        .mode = mode,
        .state_dir = base_str_dup("/s"),
        .agent_url = base_str_dup("http://127.0.0.1:7070"),
        .agent_token_file = base_str_dup("/t"),
        .prometheus_url = base_str_dup("http://10.0.0.2:9090"),
        .scrape_interval = base_dur_s(1),
        .services = base_calloc(4, sizeof(struct topo_service)),
        .service_count = 4,
    };
    for (size_t i = 0; i < 4; i++) {
        struct topo_service *service = &topo.services[i];
        size_t count = services[i].instances;
        *service = (struct topo_service){
            .name = base_str_dup(services[i].name),
            .kind = base_str_dup("http"),
            .port = 3000,
            .admin_token_file = services[i].admin ? base_str_dup("/a") : NULL,
            .observability = services[i].observability,
            .instances = base_calloc(count, sizeof(struct topo_instance)),
            .instance_count = count,
        };
        for (size_t k = 0; k < count; k++)
            service->instances[k] = (struct topo_instance){
                .name = base_str_printf("%s-%zu", services[i].name, k + 1),
                .address = base_str_printf("10.0.%zu.%zu", i, k + 1),
                .port = 3000,
                .netns = mode == TOPO_NETNS ? base_str_dup("/run/netns/x") : NULL,
                .status_file = base_str_dup("/status"),
                .log_file = base_str_dup("/log"),
            };
    }
    return topo;
}

static inline struct plan planned_from(const struct scn_scenario *scenario, const struct topo *topo,
                                       const struct scn_plan_options *options)
{
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    if (!scn_plan(scenario, topo, options, &plan, &problems)) {
        char *list = scn_problems_text(&problems);
        fail_msg("%s", list);
    }
    return plan;
}

static inline struct plan planned(const char *text, const struct topo *topo,
                                  const struct scn_plan_options *options)
{
    struct scn_scenario scenario = parsed(text);
    struct plan plan = planned_from(&scenario, topo, options);
    scn_scenario_fini(&scenario);
    return plan;
}

/* Why it cannot be planned; fails when it can. free() it. */
static inline char *refused_from(const struct scn_scenario *scenario, const struct topo *topo,
                                 const struct scn_plan_options *options)
{
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    struct plan untouched;
    memset(&plan, 0xA5, sizeof plan);
    memset(&untouched, 0xA5, sizeof untouched);
    if (scn_plan(scenario, topo, options, &plan, &problems))
        fail_msg("planned: %s", scenario->name);
    assert_memory_equal(&plan, &untouched, sizeof plan);
    char *list = scn_problems_text(&problems);
    scn_problems_fini(&problems);
    return list;
}

static inline char *refused(const char *text, const struct topo *topo,
                            const struct scn_plan_options *options)
{
    struct scn_scenario scenario = parsed(text);
    char *list = refused_from(&scenario, topo, options);
    scn_scenario_fini(&scenario);
    return list;
}

static inline void assert_refused(const char *text, const struct topo *topo,
                                  const struct scn_plan_options *options, const char *why)
{
    char *list = refused(text, topo, options);
    assert_contains(list, why);
    free(list);
}

static const struct scn_plan_options plain = {.run = "r1"};

/* "steady@0 lose@2! after-lose@4": where each phase begins, with a mark on those of a fault. */
static inline void assert_phases(const struct plan *plan, const char *expected)
{
    struct base_buf text;
    base_buf_init(&text, 1000);
    for (size_t i = 0; i < plan->phase_count; i++)
        base_buf_printf(&text, "%s%s@%lld%s", i > 0 ? " " : "", plan->phases[i].name,
                        (long long)(plan->phases[i].start.ns / BASE_NS_PER_S),
                        plan->phases[i].fault != NULL ? "!" : "");
    assert_string_equal(text.data, expected);
    base_buf_fini(&text);
}

#endif
