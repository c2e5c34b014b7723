/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields of a scenario that hold on any platform. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "buckets.h"
#include "check_gates.h"
#include "check_kinds.h"
#include "check_load.h"
#include "check_phases.h"
#include "check_ramp.h"
#include "check_stores.h"
#include "decode.h"
#include "reporter.h"
#include "timeline.h"

/* One load has one kind of connection, and one identity. */
static void check_target(struct scn_reporter *reporter)
{
    const struct scn_target *target = &reporter->scenario->target;
    const struct scn_target_tls *tls = &target->tls;
    scn_at(reporter, "spec.target");
    if (scn_spoiled(reporter) || target->url_count == 0)
        return;
    const struct load_scheme *first = load_scheme_of(target->urls[0]);
    for (size_t i = 1; i < target->url_count; i++) {
        const struct load_scheme *scheme = load_scheme_of(target->urls[i]);
        scn_at(reporter, "spec.target.urls[%zu]", i);
        if (scheme != first)
            scn_say(reporter, "%s and %s are mixed, expected one of them in all urls",
                    scheme->prefix, first->prefix);
    }
    scn_at(reporter, "spec.target.tls");
    if (!scn_load_secure(reporter->scenario) &&
        scn_scenario_has(reporter->scenario, "spec.target.tls"))
        scn_say(reporter, "makes sense only with urls that begin with https://, rediss://, tls://, "
                          "amqps:// or postgres://");
    if ((tls->cert_file == NULL) != (tls->key_file == NULL))
        scn_say(reporter, "certFile and keyFile belong together, expected both");
    if (tls->ca_file != NULL && tls->verify == SCN_VERIFY_NONE)
        scn_say(reporter, "caFile says whom to trust and verify: none says not to ask, expected "
                          "one of them");
}

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
    scn_check_arrivals(reporter);
    scn_check_login(reporter);
    scn_check_flows(reporter);
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
    struct dur_ns ends = scn_timeline_over(reporter->scenario, i);
    bool waits = scn_timeline_waits(reporter->scenario, i);
    if (scn_problems_under(reporter->problems, "spec.duration") ||
        (fault->after != NULL && scn_problems_under(reporter->problems, "spec.faults")) ||
        ends.ns < reporter->scenario->duration.ns)
        return;
    base_dur_format(ends, end);
    base_dur_format(reporter->scenario->duration, duration);
    scn_at(reporter, "spec.faults[%zu].for", i);
    scn_say(reporter,
            "the fault ends at %s%s, expected before the load does at %s, so that recovery is "
            "seen",
            end, waits ? " when all that is waited for takes as long as it may" : "", duration);
}

static void check_after(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    const struct scn_scenario *scenario = reporter->scenario;
    scn_at(reporter, "spec.faults[%zu].after", i);
    enum scn_origin origin = scn_timeline_origin(scenario, i);
    if (origin == SCN_ORIGIN_CIRCLE)
        scn_say(reporter, "\"%s\" itself waits for this fault: nobody would begin", fault->after);
    if (origin != SCN_ORIGIN_UNKNOWN)
        return;
    const char **names = base_calloc(scenario->fault_count, sizeof *names);
    size_t count = 0;
    for (size_t k = 0; k < scenario->fault_count; k++)
        if (k != i && scenario->faults[k].name != NULL)
            names[count++] = scenario->faults[k].name;
    scn_say_unknown(reporter, "fault", fault->after, names, count);
    free(names);
}

static void check_times(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    if (fault->repeat.times > 0 && fault->repeat.every.ns <= fault->duration.ns) {
        scn_at(reporter, "spec.faults[%zu].repeat.every", i);
        scn_say(reporter, "not longer than \"for\", expected a pause in which recovery is seen");
    }
    scn_check_ramp(reporter, i);
}

static void check_track(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    const char *refused = fault->track ? fault_track_refused(fault->kind) : NULL;
    scn_at(reporter, "spec.faults[%zu].track", i);
    if (refused != NULL)
        scn_say(reporter, "makes no sense with %s: %s", fault_kind_name(fault->kind), refused);
}

/* Of an external target only the URLs are known: not its processes, namespaces or chaos endpoints,
 * which are what a fault is applied to and measured on. */
static void check_breakable(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    scn_at(reporter, "spec.target");
    if (scn_spoiled(reporter))
        return;
    scn_at(reporter, "spec.faults");
    if (scenario->fault_count > 0 && scenario->target.kind == SCN_TARGET_EXTERNAL)
        scn_say(reporter, "cannot be applied to an external target, of which squall knows nothing "
                          "but its URLs; leave them out, or break a sandbox "
                          "(target: {kind: sandbox})");
}

static void check_where(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    const struct topo_where *where = &fault->where;
    bool some = where->zone != NULL || where->node != NULL || where->namespace != NULL ||
                where->label_count > 0;
    scn_at(reporter, "spec.faults[%zu].where", i);
    if (!some && scn_scenario_has(reporter->scenario, reporter->path))
        scn_say(reporter, "says nothing, expected zone, node, namespace or labels");
}

static void check_select(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    if (fault->select.mode == SCN_SELECT_PERCENT && fault->select.percent <= 0) {
        scn_at(reporter, "spec.faults[%zu].select.percent", i);
        scn_say(reporter, "selects nothing, expected more than 0%%");
    }
    if (fault->select.mode == SCN_SELECT_UP_TO && fault->select.up_to <= 0) {
        scn_at(reporter, "spec.faults[%zu].select.randomMaxPercent", i);
        scn_say(reporter, "selects nothing, expected more than 0%%");
    }
}

static void check_faults(struct scn_reporter *reporter)
{
    check_breakable(reporter);
    for (size_t i = 0; i < reporter->scenario->fault_count; i++) {
        const struct scn_fault *fault = &reporter->scenario->faults[i];
        scn_at(reporter, "spec.faults[%zu]", i);
        if (scn_spoiled(reporter))
            continue;
        check_after(reporter, fault, i);
        check_times(reporter, fault, i);
        check_track(reporter, fault, i);
        check_fault_end(reporter, fault, i);
        scn_check_gate(reporter, i);
        scn_check_kind(reporter, i);
        check_select(reporter, fault, i);
        check_where(reporter, fault, i);
    }
}

/* Windows are made of intervals. */
static void check_window_interval(struct scn_reporter *reporter, struct dur_ns over)
{
    char window[BASE_DUR_TEXT];
    char interval[BASE_DUR_TEXT];
    if (scn_problems_under(reporter->problems, "spec.load.interval") || scn_spoiled(reporter) ||
        over.ns == 0 || over.ns >= reporter->scenario->load.interval.ns)
        return;
    base_dur_format(over, window);
    base_dur_format(reporter->scenario->load.interval, interval);
    scn_say(reporter,
            "a window of %s is shorter than the load's interval of %s, expected one that "
            "is not, or a shorter spec.load.interval",
            window, interval);
}

/* A sliding window that is meant where the reporter is. */
static void check_window(struct scn_reporter *reporter, struct dur_ns over)
{
    char window[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
    check_window_interval(reporter, over);
    if (scn_problems_under(reporter->problems, "spec.duration") || scn_spoiled(reporter) ||
        over.ns <= reporter->scenario->duration.ns)
        return;
    base_dur_format(over, window);
    base_dur_format(reporter->scenario->duration, duration);
    scn_say(reporter, "a window of %s is never full in a load of %s, expected a shorter one",
            window, duration);
}

static void check_threshold_window(struct scn_reporter *reporter, size_t i)
{
    const struct scn_threshold *threshold = &reporter->scenario->thresholds[i];
    scn_at(reporter, "spec.thresholds[%zu]", i);
    if (scn_spoiled(reporter))
        return;
    scn_at(reporter, "spec.thresholds[%zu].over", i);
    check_window(reporter, threshold->over);
    scn_at(reporter, "spec.thresholds[%zu].abort", i);
    if (threshold->abort && threshold->over.ns == 0)
        scn_say(reporter, "needs \"over\", expected the length of the window that is judged while "
                          "the load runs, such as 10s");
}

/* All that is recorded apart: routes, and the steps of flows. free() each name and the array. */
static size_t route_names(const struct scn_load *load, char ***out)
{
    const struct load_spec flows = {.flows = load->flows, .flow_count = load->flow_count};
    size_t count = load->route_count + load_spec_routes(&flows);
    *out = base_calloc(count, sizeof **out);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = i < load->route_count
                        ? base_str_dup(load->routes[i].name)
                        : load_spec_route_name(&flows, (uint32_t)(i - load->route_count));
    return count;
}

static void check_threshold_route(struct scn_reporter *reporter, size_t i)
{
    const struct scn_load *load = &reporter->scenario->load;
    const char *route = reporter->scenario->thresholds[i].route;
    scn_at(reporter, "spec.thresholds[%zu].route", i);
    if (route == NULL || scn_spoiled(reporter))
        return;
    BASE_AUTO_FREE char **names = NULL;
    size_t count = route_names(load, &names);
    bool known = false;
    for (size_t k = 0; k < count; k++)
        known = known || base_str_eq(names[k], route);
    if (!known)
        scn_say_unknown(reporter, "route", route, (const char *const *)names, count);
    for (size_t k = 0; k < count; k++)
        free(names[k]);
}

static void check_thresholds(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    bool routes_known = !scn_problems_under(reporter->problems, "spec.load.routes") &&
                        !scn_problems_under(reporter->problems, "spec.load.flows");
    scn_check_threshold_phases(reporter);
    for (size_t i = 0; i < scenario->threshold_count; i++) {
        if (routes_known && scenario->load.route_count + scenario->load.flow_count > 0)
            check_threshold_route(reporter, i);
        check_threshold_window(reporter, i);
    }
}

/* The names of faults, for a question that is to be asked while one of them is active. */
static void check_probe_fault(struct scn_reporter *reporter, const struct scn_probe *probe,
                              size_t index)
{
    const struct scn_scenario *scenario = reporter->scenario;
    const char **names = base_calloc(scenario->fault_count, sizeof *names);
    bool known = false;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        names[i] = scenario->faults[i].name;
        known = known || base_str_eq(names[i], probe->fault);
    }
    scn_at(reporter, "spec.probes[%zu].fault", index);
    if (probe->fault != NULL && probe->mode != PLAN_PROBE_DURING)
        scn_say(reporter, "makes sense only with mode: during");
    else if (probe->fault != NULL && !known)
        scn_say_unknown(reporter, "fault", probe->fault, names, scenario->fault_count);
    free(names);
    scn_at(reporter, "spec.probes[%zu].mode", index);
    if (probe->mode == PLAN_PROBE_DURING && scenario->fault_count == 0)
        scn_say(reporter, "during what? there are no faults");
}

static void check_probe_name(struct scn_reporter *reporter, const struct scn_probe *probe,
                             size_t index)
{
    const struct scn_steady *steady = &reporter->scenario->steady;
    scn_at(reporter, "spec.probes[%zu].name", index);
    for (size_t i = 0; i < steady->check_count; i++)
        if (base_str_eq(steady->checks[i].name, probe->name))
            scn_say(reporter, "\"%s\" is the name of a steady-state check, expected another",
                    probe->name);
}

static void check_probes(struct scn_reporter *reporter)
{
    bool faults_known = !scn_problems_under(reporter->problems, "spec.faults");
    for (size_t i = 0; i < reporter->scenario->probe_count; i++) {
        const struct scn_probe *probe = &reporter->scenario->probes[i];
        scn_at(reporter, "spec.probes[%zu]", i);
        if (scn_spoiled(reporter))
            continue;
        check_probe_name(reporter, probe, i);
        scn_check_gate_probe(reporter, i);
        scn_check_store_probe(reporter, i);
        if (faults_known)
            check_probe_fault(reporter, probe, i);
    }
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

static void check_abort(struct scn_reporter *reporter, size_t i)
{
    scn_at(reporter, "spec.abort[%zu].over", i);
    check_window(reporter, reporter->scenario->aborts[i].over);
}

static void check_aborts(struct scn_reporter *reporter)
{
    for (size_t i = 0; i < reporter->scenario->abort_count; i++) {
        scn_at(reporter, "spec.abort[%zu]", i);
        if (!scn_spoiled(reporter))
            check_abort(reporter, i);
    }
}

static void check_budget(struct scn_reporter *reporter)
{
    scn_at(reporter, "spec.budget");
    if (scn_scenario_has(reporter->scenario, "spec.budget") && reporter->scenario->slo_count == 0 &&
        !scn_problems_under(reporter->problems, "spec.slos"))
        scn_say(reporter, "of which objectives? there are no slos");
}

void scn_check(const struct scn_scenario *scenario, struct scn_problems *problems)
{
    struct scn_reporter reporter = {.scenario = scenario, .problems = problems};
    check_target(&reporter);
    check_load(&reporter);
    check_steady(&reporter);
    scn_check_requests(&reporter);
    scn_check_stage_names(&reporter);
    /* First, since what the others find under spec.faults leaves the phases as they are. */
    check_thresholds(&reporter);
    check_faults(&reporter);
    scn_check_fault_names(&reporter);
    check_probes(&reporter);
    check_slos(&reporter);
    check_aborts(&reporter);
    check_budget(&reporter);
}
