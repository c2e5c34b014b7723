/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields of a scenario that hold on any platform. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "buckets.h"
#include "decode.h"
#include "phases.h"
#include "reporter.h"

static void check_load(struct scn_reporter *reporter)
{
    const struct scn_load *load = &reporter->scenario->load;
    scn_at(reporter, "spec.load");
    if (scn_spoiled(reporter))
        return;
    scn_at(reporter, "spec.load.service");
    if (load->service == NULL && reporter->scenario->target.kind == SCN_TARGET_SANDBOX)
        scn_say(reporter,
                "this key is missing, expected the name of one of the sandbox's services");
    if (load->threads > load->connections) {
        scn_at(reporter, "spec.load.threads");
        scn_say(reporter,
                "%" PRId64 " threads for %" PRId64 " connections, expected no more than those",
                load->threads, load->connections);
    }
}

static void check_steady(struct scn_reporter *reporter)
{
    const struct scn_steady *steady = &reporter->scenario->steady;
    scn_at(reporter, "spec.steadyState");
    if (scn_spoiled(reporter) || steady->hold.ns <= steady->within.ns)
        return;
    scn_at(reporter, "spec.steadyState.within");
    scn_say(reporter, "ends before the checks can have held for as long as \"for\" asks");
}

static void check_fault_end(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    char end[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    struct dur_ns ends = {fault->at.ns + fault->duration.ns};
    if (scn_problems_under(reporter->problems, "spec.duration") ||
        ends.ns < reporter->scenario->duration.ns)
        return;
    base_dur_format(ends, end);
    base_dur_format(reporter->scenario->duration, duration);
    scn_at(reporter, "spec.faults[%zu].for", i);
    scn_say(reporter,
            "the fault ends at %s, expected before the load does at %s, so that recovery is "
            "seen",
            end, duration);
}

static void check_partition(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    for (size_t k = 0; k < fault->partition.from_count; k++) {
        if (!base_str_eq(fault->partition.from[k], fault->service))
            continue;
        scn_at(reporter, "spec.faults[%zu].partition.from[%zu]", i, k);
        scn_say(reporter, "\"%s\" is the target itself, expected other services", fault->service);
    }
}

static void check_route(struct scn_reporter *reporter, const struct scn_fault *fault,
                        const struct scn_route_of *route, size_t i)
{
    const char *kind = fault_kind_name(fault->kind);
    scn_at(reporter, "spec.faults[%zu].%s.peers", i, kind);
    if (route->side == FAULT_OUTBOUND && route->peer_count == 0 && !scn_spoiled(reporter))
        scn_say(reporter, "outbound connections need peers: the services connected to");
    for (size_t k = 0; k < route->peer_count; k++) {
        if (!base_str_eq(route->peers[k], fault->service))
            continue;
        scn_at(reporter, "spec.faults[%zu].%s.peers[%zu]", i, kind, k);
        scn_say(reporter, "\"%s\" is the target itself, expected other services", fault->service);
    }
}

static void check_http(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS"};
    bool changes = fault->http.method != NULL;
    for (size_t k = 0; k < sizeof safe / sizeof *safe; k++)
        changes = changes && !base_str_eq(fault->http.method, safe[k]);
    scn_at(reporter, "spec.faults[%zu].http.percent", i);
    if (fault->http.share <= 0)
        scn_say(reporter, "hits nothing, expected more than 0%%");
    scn_at(reporter, "spec.faults[%zu].http.pathPrefix", i);
    if (fault->http.path != NULL && fault->http.path_prefix != NULL)
        scn_say(reporter, "path is given, too, expected one of the two");
    scn_at(reporter, "spec.faults[%zu].http.path", i);
    if (fault->http.path != NULL && changes)
        scn_say(reporter,
                "the effect on %s would be measured by such requests, which change things, "
                "expected pathPrefix",
                fault->http.method);
    if (fault->http.path != NULL && strchr(fault->http.path, '?') != NULL)
        scn_say(reporter, "expected a path without a query");
    scn_at(reporter, "spec.faults[%zu].http.patch", i);
    if (fault->http.action == FAULT_HTTP_PATCH &&
        fault->http.set_count + fault->http.remove_count == 0)
        scn_say(reporter, "does nothing, expected set, remove or both");
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static void check_dns(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    bool wrong = fault->dns.answer == FAULT_DNS_ADDRESS;
    scn_at(reporter, "spec.faults[%zu].dns.percent", i);
    if (fault->dns.share <= 0)
        scn_say(reporter, "hits nothing, expected more than 0%%");
    scn_at(reporter, "spec.faults[%zu].dns.address", i);
    if (wrong && (fault->dns.address == NULL || !is_address(fault->dns.address)))
        scn_say(reporter, "expected the IPv4 or IPv6 address to answer with");
    if (!wrong && fault->dns.address != NULL)
        scn_say(reporter, "makes sense only with answer: address");
    scn_at(reporter, "spec.faults[%zu].dns.server", i);
    if (fault->dns.server != NULL && !is_address(fault->dns.server))
        scn_say(reporter, "expected an IPv4 or IPv6 address");
}

static void check_faults(struct scn_reporter *reporter)
{
    for (size_t i = 0; i < reporter->scenario->fault_count; i++) {
        const struct scn_fault *fault = &reporter->scenario->faults[i];
        scn_at(reporter, "spec.faults[%zu]", i);
        if (scn_spoiled(reporter))
            continue;
        check_fault_end(reporter, fault, i);
        if (fault->kind == FAULT_PARTITION)
            check_partition(reporter, fault, i);
        if (fault->kind == FAULT_TCP)
            check_route(reporter, fault, &fault->tcp.route, i);
        if (fault->kind == FAULT_HTTP) {
            check_route(reporter, fault, &fault->http.route, i);
            check_http(reporter, fault, i);
        }
        if (fault->kind == FAULT_DNS)
            check_dns(reporter, fault, i);
        scn_at(reporter, "spec.faults[%zu].app", i);
        if (fault->kind == FAULT_APP && fault->app.error_rate <= 0 && fault->app.latency.ns == 0)
            scn_say(reporter, "does nothing, expected errorRate, latency or both");
        if (fault->select.mode == SCN_SELECT_PERCENT && fault->select.percent <= 0) {
            scn_at(reporter, "spec.faults[%zu].select.percent", i);
            scn_say(reporter, "selects nothing, expected more than 0%%");
        }
    }
}

/* Phases are named after faults; a name must not mean two of them. */
static void check_phase_names(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const char *name = scenario->faults[i].name;
        if (name == NULL)
            continue;
        scn_at(reporter, "spec.faults[%zu].name", i);
        if (base_str_eq(name, "steady"))
            scn_say(reporter, "\"steady\" is the phase before all faults, expected another name");
        for (size_t k = 0; k < scenario->fault_count; k++) {
            if (base_str_starts(name, "after-") &&
                base_str_eq(name + strlen("after-"), scenario->faults[k].name))
                scn_say(reporter, "\"%s\" is the phase after \"%s\", expected another name", name,
                        scenario->faults[k].name);
        }
    }
}

static void check_threshold_phase(struct scn_reporter *reporter, const struct plan_phase *phases,
                                  size_t phase_count, size_t i)
{
    const char *phase = reporter->scenario->thresholds[i].phase;
    scn_at(reporter, "spec.thresholds[%zu].phase", i);
    if (phase == NULL || scn_spoiled(reporter) || scn_phases_have(phases, phase_count, phase))
        return;
    const char **names = base_calloc(phase_count, sizeof *names);
    for (size_t k = 0; k < phase_count; k++)
        names[k] = phases[k].name;
    scn_say_unknown(reporter, "phase", phase, names, phase_count);
    free(names);
}

static void check_threshold_route(struct scn_reporter *reporter, size_t i)
{
    const struct scn_load *load = &reporter->scenario->load;
    const char *route = reporter->scenario->thresholds[i].route;
    scn_at(reporter, "spec.thresholds[%zu].route", i);
    if (route == NULL || scn_spoiled(reporter))
        return;
    const char **names = base_calloc(load->route_count, sizeof *names);
    bool known = false;
    for (size_t k = 0; k < load->route_count; k++) {
        names[k] = load->routes[k].name;
        known = known || base_str_eq(names[k], route);
    }
    if (!known)
        scn_say_unknown(reporter, "route", route, names, load->route_count);
    free(names);
}

static void check_thresholds(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    bool faults_known = !scn_problems_under(reporter->problems, "spec.faults") &&
                        !scn_problems_under(reporter->problems, "spec.duration");
    bool routes_known = !scn_problems_under(reporter->problems, "spec.load.routes");
    struct plan_phase *phases = NULL;
    size_t count = faults_known ? scn_phases_make(scenario, NULL, &phases) : 0;
    for (size_t i = 0; i < scenario->threshold_count; i++) {
        if (faults_known)
            check_threshold_phase(reporter, phases, count, i);
        if (routes_known && scenario->load.route_count > 0)
            check_threshold_route(reporter, i);
    }
    scn_phases_free(phases, count);
}

static void check_availability(struct scn_reporter *reporter, const struct scn_indicator *indicator)
{
    if ((indicator->total == NULL) != (indicator->bad == NULL))
        scn_say(reporter, "\"%s\" without \"%s\", expected both or neither",
                indicator->total != NULL ? "total" : "bad",
                indicator->total != NULL ? "bad" : "total");
}

static void check_latency(struct scn_reporter *reporter, const struct scn_indicator *indicator,
                          size_t i)
{
    if ((indicator->total == NULL) != (indicator->good == NULL)) {
        scn_say(reporter, "\"%s\" without \"%s\", expected both or neither",
                indicator->total != NULL ? "total" : "good",
                indicator->total != NULL ? "good" : "total");
        return;
    }
    if (indicator->good != NULL || scn_bucket_bound(indicator->within) != NULL)
        return;
    BASE_AUTO_FREE char *bounds = scn_bucket_list();
    scn_at(reporter, "spec.slos[%zu].latency.within", i);
    scn_say(reporter,
            "not a bound of the platform's latency histogram, expected one of %s, or \"total\" and "
            "\"good\" with selectors of your own",
            bounds);
}

static void check_slos(struct scn_reporter *reporter)
{
    for (size_t i = 0; i < reporter->scenario->slo_count; i++) {
        const struct scn_slo *slo = &reporter->scenario->slos[i];
        scn_at(reporter, "spec.slos[%zu]", i);
        if (scn_spoiled(reporter))
            continue;
        scn_at(reporter, "spec.slos[%zu].%s", i,
               slo->kind == PLAN_SLO_LATENCY ? "latency" : "availability");
        if (slo->kind == PLAN_SLO_LATENCY)
            check_latency(reporter, &slo->indicator, i);
        else
            check_availability(reporter, &slo->indicator);
    }
}

/* What the generator says while it runs (struct load_interval); the rest is known at the end. */
static bool known_while_running(const struct expectation *when)
{
    if (when->stat == EXPECT_MEAN)
        return false;
    return when->stat != EXPECT_QUANTILE || fabs(when->quantile - 0.50) < 1e-9 ||
           fabs(when->quantile - 0.99) < 1e-9;
}

static void check_abort(struct scn_reporter *reporter, size_t i)
{
    const struct scn_abort *condition = &reporter->scenario->aborts[i];
    char over[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    if (!known_while_running(&condition->when)) {
        scn_at(reporter, "spec.abort[%zu].when", i);
        scn_say(reporter, "of latencies only p50, p99 and max are known while the load runs, "
                          "expected one of those, errors, achieved_rate, rate or count");
    }
    if (scn_problems_under(reporter->problems, "spec.duration") ||
        condition->over.ns <= reporter->scenario->duration.ns)
        return;
    base_dur_format(condition->over, over);
    base_dur_format(reporter->scenario->duration, duration);
    scn_at(reporter, "spec.abort[%zu].over", i);
    scn_say(reporter, "a window of %s is never full in a load of %s, expected a shorter one", over,
            duration);
}

static void check_aborts(struct scn_reporter *reporter)
{
    for (size_t i = 0; i < reporter->scenario->abort_count; i++) {
        scn_at(reporter, "spec.abort[%zu]", i);
        if (!scn_spoiled(reporter))
            check_abort(reporter, i);
    }
}

void scn_check(const struct scn_scenario *scenario, struct scn_problems *problems)
{
    struct scn_reporter reporter = {.scenario = scenario, .problems = problems};
    check_load(&reporter);
    check_steady(&reporter);
    /* First, since what the others find under spec.faults leaves the phases as they are. */
    check_thresholds(&reporter);
    check_faults(&reporter);
    check_phase_names(&reporter);
    check_slos(&reporter);
    check_aborts(&reporter);
}
