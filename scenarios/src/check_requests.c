/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about what is spoken with whom: a load speaks one protocol, that of its targets. */
#include "base/cleanup.h"
#include "check_load.h"

#define BIT(request) (1U << SCN_REQUEST_##request)

/* Keys of a route that go with some requests only. */
static void check_keys(struct scn_reporter *reporter, const struct scn_route *route, size_t i)
{
    static const struct {
        const char *key;
        unsigned requests;
    } rules[] = {{"method", BIT(PATH)},
                 {"headers", BIT(PATH)},
                 {"bodyFile", BIT(PATH)},
                 {"body", BIT(PATH) | BIT(PUBLISH) | BIT(CONSUME)},
                 {"until", BIT(SEND)},
                 {"answerBytes", BIT(SEND)},
                 {"params", BIT(SQL)},
                 {"exchange", BIT(PUBLISH) | BIT(CONSUME)},
                 {"persistent", BIT(PUBLISH) | BIT(CONSUME)}};
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        scn_at(reporter, "spec.load.routes[%zu].%s", i, rules[k].key);
        if (!scn_scenario_has(reporter->scenario, reporter->path) ||
            (rules[k].requests & 1U << route->request) != 0)
            continue;
        BASE_AUTO_FREE char *list = scn_request_list(rules[k].requests);
        scn_say(reporter, "makes sense only beside %s, expected it or not this", list);
    }
}

/* The model's own rules for where a response ends. */
static void check_end(struct scn_reporter *reporter, const struct scn_route *from, size_t i)
{
    struct load_route route = {.until = from->until, .answer_bytes = (uint64_t)from->answer_bytes};
    const struct load_spec spec = {
        .connections = 1, .protocol = LOAD_SPEECH_TCP, .routes = &route, .route_count = 1};
    const char *conflict = load_spec_engine_conflict(&spec);
    scn_at(reporter, "spec.load.routes[%zu]", i);
    if (from->request == SCN_REQUEST_SEND && conflict != NULL)
        scn_say(reporter, "%s", conflict);
}

static void check_protocol(struct scn_reporter *reporter, const struct scn_route *route, size_t i)
{
    const struct scn_target *target = &reporter->scenario->target;
    const struct load_scheme *scheme =
        target->url_count > 0 ? load_scheme_of(target->urls[0]) : NULL;
    enum load_speech protocol = scn_load_protocol(reporter->scenario);
    scn_at(reporter, "spec.load.routes[%zu].%s", i, scn_request_key(route->request));
    if (scn_request_protocol(route->request) == protocol)
        return;
    BASE_AUTO_FREE char *list = scn_request_list(scn_requests_of(protocol));
    if (scheme != NULL)
        scn_say(reporter, "the targets are %s, expected %s", scheme->prefix, list);
    else
        scn_say(reporter, "a load speaks one protocol, expected %s as in the first route", list);
}

static void check_routes(struct scn_reporter *reporter)
{
    const struct scn_load *load = &reporter->scenario->load;
    /* What is spoken is told by the targets, or else by the first route. */
    scn_at(reporter, "%s",
           reporter->scenario->target.url_count > 0 ? "spec.target.urls" : "spec.load.routes");
    bool known = !scn_spoiled(reporter);
    for (size_t i = 0; i < load->route_count; i++) {
        scn_at(reporter, "spec.load.routes[%zu]", i);
        if (scn_spoiled(reporter))
            continue;
        check_keys(reporter, &load->routes[i], i);
        check_end(reporter, &load->routes[i], i);
        if (known)
            check_protocol(reporter, &load->routes[i], i);
    }
}

/* What asks by HTTP cannot ask those who speak something else. */
static void check_asker(struct scn_reporter *reporter, const char *service, bool probe, size_t i)
{
    const struct scn_scenario *scenario = reporter->scenario;
    bool external = scenario->target.kind == SCN_TARGET_EXTERNAL;
    const char *spoken = load_speech_name(scn_load_protocol(scenario));
    if (!external && service != NULL)
        return;
    scn_at(reporter, probe ? "spec.probes[%zu].http" : "spec.steadyState.checks[%zu]", i);
    if (scn_spoiled(reporter))
        return;
    if (probe)
        scn_say(reporter,
                "asks by HTTP, but the load's targets speak %s, expected a probe by tcp, "
                "redis, sql or exec",
                spoken);
    else
        scn_say(reporter,
                "asks by HTTP, but the load's targets speak %s, expected a service that speaks "
                "HTTP, or a probe with mode: before",
                spoken);
}

void scn_check_requests(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    scn_at(reporter, "spec.load");
    bool broken = scn_spoiled(reporter);
    check_routes(reporter);
    if (broken || scn_load_protocol(scenario) == LOAD_SPEECH_HTTP)
        return;
    for (size_t i = 0; i < scenario->steady.check_count; i++)
        check_asker(reporter, scenario->steady.checks[i].service, false, i);
    for (size_t i = 0; i < scenario->probe_count; i++)
        if (scenario->probes[i].kind == PLAN_PROBE_HTTP)
            check_asker(reporter, scenario->probes[i].service, true, i);
}
