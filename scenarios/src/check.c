/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the fields of a scenario that hold on any platform. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "buckets.h"
#include "check_gates.h"
#include "check_load.h"
#include "check_stores.h"
#include "decode.h"
#include "fields.h"
#include "intensity.h"
#include "phases.h"
#include "reporter.h"

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
    if (!first->tls && scn_scenario_has(reporter->scenario, "spec.target.tls"))
        scn_say(reporter, "makes sense only with urls that begin with https://, rediss:// or "
                          "tls://");
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

static void check_partition(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    for (size_t k = 0; k < fault->partition.from_count; k++) {
        if (!base_str_eq(fault->partition.from[k], fault->service))
            continue;
        scn_at(reporter, "spec.faults[%zu].partition.from[%zu]", i, k);
        scn_say(reporter, "\"%s\" is the target itself, expected other services", fault->service);
    }
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
    bool repeats = fault->repeat.times > 0;
    bool ramps = fault->ramp.steps > 0;
    if (repeats && fault->repeat.every.ns <= fault->duration.ns) {
        scn_at(reporter, "spec.faults[%zu].repeat.every", i);
        scn_say(reporter, "not longer than \"for\", expected a pause in which recovery is seen");
    }
    scn_at(reporter, "spec.faults[%zu].ramp", i);
    if (ramps && repeats)
        scn_say(reporter, "beside \"repeat\", expected one of them");
    else if (ramps && !scn_can_grow(fault->kind))
        scn_say(reporter, "this kind of fault has nothing that could grow");
    else if (ramps && fault->duration.ns < fault->ramp.steps * BASE_NS_PER_S)
        scn_say(reporter,
                "%" PRId64 " steps in less than as many seconds, expected at least 1s for "
                "each, which applying and measuring it takes",
                fault->ramp.steps);
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

/* The agent measures a rate by at most some thousand requests: less it would refuse, but only after
 * the load has begun. A ramp begins with one step of the whole. */
static void check_app(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    double steps = fault->ramp.steps > 0 ? (double)fault->ramp.steps : 1.0;
    double least = fault->app.error_rate / steps;
    scn_at(reporter, "spec.faults[%zu].app", i);
    if (fault->app.error_rate <= 0 && fault->app.latency.ns == 0)
        scn_say(reporter, "does nothing, expected errorRate, latency or both");
    scn_at(reporter, "spec.faults[%zu].app.errorRate", i);
    if (least > 0 && least < 0.01 - 1e-9)
        scn_say(reporter, "%.3g%% of the requests%s cannot be measured, expected 1%% or more",
                least * 100, steps > 1 ? " (the first step of the ramp)" : "");
}

static void check_kill(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    char path[SCN_PATH_LEN];
    scn_at(reporter, "spec.faults[%zu].kill.signal", i);
    (void)snprintf(path, sizeof path, "%s", reporter->path);
    bool given = scn_scenario_has(reporter->scenario, path);
    scn_at(reporter, "spec.faults[%zu].kill.grace", i);
    if (fault->kill.grace.ns > 0 && given && fault->kill.signal == SIGKILL)
        scn_say(reporter, "does nothing, expected another signal than SIGKILL with it");
    if (fault->kill.grace.ns > 0 && fault->kill.grace.ns >= fault->duration.ns)
        scn_say(reporter, "does nothing, expected less than the fault's own \"for\"");
    scn_at(reporter, "spec.faults[%zu].kill.every", i);
    if (fault->kill.every.ns > 0 && fault->kill.every.ns >= fault->duration.ns)
        scn_say(reporter, "does nothing, expected less than the fault's own \"for\"");
}

static void check_network(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    struct base_error err = {0};
    for (size_t k = 0; k < fault->network.peer_count; k++) {
        if (!base_str_eq(fault->network.peers[k], fault->service))
            continue;
        scn_at(reporter, "spec.faults[%zu].network.peers[%zu]", i, k);
        scn_say(reporter, "\"%s\" is the target itself, expected other services", fault->service);
    }
    scn_at(reporter, "spec.faults[%zu].network", i);
    if (!fault_network_check(&fault->network, &err))
        scn_say(reporter, "%s", err.message);
}

static void check_limits(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].limits", i);
    if (fault->limits.files < 0 && fault->limits.pids < 0)
        scn_say(reporter, "does nothing, expected files, pids or both");
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
    scn_at(reporter, "spec.faults[%zu].%s.ports", i, kind);
    if (route->port != 0 && route->port_count > 0)
        scn_say(reporter, "port is given, too, expected one of the two");
}

static void check_jitter(struct scn_reporter *reporter, const char *kind, const char *of,
                         bool delays, struct dur_ns time, struct dur_ns jitter, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].%s.jitter", i, kind);
    if (jitter.ns > 0 && !delays)
        scn_say(reporter, "makes sense only with %s", of);
    else if (jitter.ns > time.ns / 2)
        scn_say(reporter, "expected no more than half of the %s", of);
}

static void check_tcp(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    check_route(reporter, fault, &fault->tcp.route, i);
    check_jitter(reporter, "tcp", "latency", fault->tcp.toxic == FAULT_TOXIC_LATENCY,
                 fault->tcp.time, fault->tcp.jitter, i);
    scn_at(reporter, "spec.faults[%zu].tcp.percent", i);
    if (fault->tcp.share <= 0)
        scn_say(reporter, "hits nothing, expected more than 0%%");
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
    check_jitter(reporter, "http", "delay", fault->http.action == FAULT_HTTP_DELAY,
                 fault->http.time, fault->http.jitter, i);
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
    bool request = fault->http.action == FAULT_HTTP_PATCH_REQUEST;
    scn_at(reporter, "spec.faults[%zu].http.%s", i, request ? "patchRequest" : "patch");
    if ((request || fault->http.action == FAULT_HTTP_PATCH) &&
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

static void check_every(struct scn_reporter *reporter, struct dur_ns every)
{
    enum { least_ms = 100 };
    if (every.ns > 0 && every.ns < least_ms * BASE_NS_PER_MS)
        scn_say(reporter, "expected 0s (once) or at least %dms", least_ms);
}

static void check_redis(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].redis.killClients.every", i);
    if (fault->redis.action == FAULT_REDIS_KILL)
        check_every(reporter, fault->redis.every);
}

static void check_rabbitmq(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].rabbitmq.closeConnections.every", i);
    if (fault->rabbitmq.action == FAULT_RABBITMQ_CLOSE)
        check_every(reporter, fault->rabbitmq.every);
}

static void check_postgres(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    scn_at(reporter, "spec.faults[%zu].postgres.terminate.every", i);
    if (fault->postgres.action == FAULT_POSTGRES_TERMINATE)
        check_every(reporter, fault->postgres.every);
    scn_at(reporter, "spec.faults[%zu].postgres.lock.table", i);
    if (fault->postgres.action == FAULT_POSTGRES_LOCK &&
        !scn_matches("^[^.[:cntrl:]]{1,63}([.][^.[:cntrl:]]{1,63})?$", fault->postgres.table))
        scn_say(reporter, "expected the name of a table, or SCHEMA.TABLE");
}

static void check_throttle(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    enum { least_ops = 10 };
    const int64_t limits[FAULT_IO_LIMITS] = {
        [FAULT_IO_READ_RATE] = (int64_t)fault->throttle.read_rate,
        [FAULT_IO_WRITE_RATE] = (int64_t)fault->throttle.write_rate,
        [FAULT_IO_READ_OPS] = fault->throttle.read_ops,
        [FAULT_IO_WRITE_OPS] = fault->throttle.write_ops,
    };
    struct base_error err = {0};
    scn_at(reporter, "spec.faults[%zu].ioThrottle", i);
    if (!fault_io_limits_check(limits, &err))
        scn_say(reporter, "%s", err.message);
    for (int limit = FAULT_IO_READ_OPS; limit <= FAULT_IO_WRITE_OPS; limit++) {
        scn_at(reporter, "spec.faults[%zu].ioThrottle.%s", i,
               fault_io_limit_name((enum fault_io_limit)limit));
        if (limits[limit] > 0 && limits[limit] < least_ops)
            scn_say(reporter, "expected at least %d: fewer cannot be measured in time", least_ops);
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
        if (fault->kind == FAULT_PARTITION)
            check_partition(reporter, fault, i);
        if (fault->kind == FAULT_APP)
            check_app(reporter, fault, i);
        if (fault->kind == FAULT_KILL)
            check_kill(reporter, fault, i);
        if (fault->kind == FAULT_NETWORK)
            check_network(reporter, fault, i);
        if (fault->kind == FAULT_LIMITS)
            check_limits(reporter, fault, i);
        if (fault->kind == FAULT_TCP)
            check_tcp(reporter, fault, i);
        if (fault->kind == FAULT_HTTP) {
            check_route(reporter, fault, &fault->http.route, i);
            check_http(reporter, fault, i);
        }
        if (fault->kind == FAULT_DNS)
            check_dns(reporter, fault, i);
        if (fault->kind == FAULT_POSTGRES)
            check_postgres(reporter, fault, i);
        if (fault->kind == FAULT_REDIS)
            check_redis(reporter, fault, i);
        if (fault->kind == FAULT_IO_THROTTLE)
            check_throttle(reporter, fault, i);
        if (fault->kind == FAULT_RABBITMQ)
            check_rabbitmq(reporter, fault, i);
        if (fault->select.mode == SCN_SELECT_PERCENT && fault->select.percent <= 0) {
            scn_at(reporter, "spec.faults[%zu].select.percent", i);
            scn_say(reporter, "selects nothing, expected more than 0%%");
        }
        if (fault->select.mode == SCN_SELECT_UP_TO && fault->select.up_to <= 0) {
            scn_at(reporter, "spec.faults[%zu].select.randomMaxPercent", i);
            scn_say(reporter, "selects nothing, expected more than 0%%");
        }
    }
}

static bool means_two_phases(const char *name, const char *other)
{
    return base_str_starts(name, "after-") && base_str_eq(name + strlen("after-"), other);
}

/* Phases are named after what happens; a name must not mean two of them. */
static void check_phase_names(struct scn_reporter *reporter)
{
    if (scn_problems_under(reporter->problems, "spec.faults"))
        return;
    struct scn_timeline timeline;
    scn_timeline_make(reporter->scenario, NULL, &timeline);
    for (size_t i = 0; i < timeline.count; i++) {
        const char *name = timeline.list[i].name;
        scn_at(reporter, "spec.faults[%zu].name", timeline.list[i].index);
        if (base_str_eq(name, "steady"))
            scn_say(reporter, "\"steady\" is the phase before all faults, expected another name");
        for (size_t k = 0; k < timeline.count; k++) {
            if (means_two_phases(name, timeline.list[k].name))
                scn_say(reporter, "\"%s\" is the phase after \"%s\", expected another name", name,
                        timeline.list[k].name);
            if (k < i && base_str_eq(name, timeline.list[k].name))
                scn_say(reporter,
                        "\"%s\" is taken by a time that \"%s\" happens, expected another "
                        "name",
                        name, timeline.list[k].fault->name);
        }
    }
    scn_timeline_fini(&timeline);
}

/* A sliding window that is meant where the reporter is. */
static void check_window(struct scn_reporter *reporter, struct dur_ns over)
{
    char window[BASE_DUR_TEXT];
    char duration[BASE_DUR_TEXT];
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

static void check_threshold_phase(struct scn_reporter *reporter,
                                  const struct scn_timeline *timeline,
                                  const struct plan_phase *phases, size_t phase_count, size_t i)
{
    const char *phase = reporter->scenario->thresholds[i].phase;
    scn_at(reporter, "spec.thresholds[%zu].phase", i);
    if (phase == NULL || scn_spoiled(reporter) ||
        scn_phases_have(timeline, phases, phase_count, phase))
        return;
    const char **names = base_calloc(phase_count, sizeof *names);
    for (size_t k = 0; k < phase_count; k++)
        names[k] = phases[k].name;
    scn_say_unknown(reporter, "phase", phase, names, phase_count);
    free(names);
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
    bool faults_known = !scn_problems_under(reporter->problems, "spec.faults") &&
                        !scn_problems_under(reporter->problems, "spec.duration");
    bool routes_known = !scn_problems_under(reporter->problems, "spec.load.routes") &&
                        !scn_problems_under(reporter->problems, "spec.load.flows");
    struct plan_phase *phases = NULL;
    struct scn_timeline timeline = {0};
    if (faults_known)
        scn_timeline_make(scenario, NULL, &timeline);
    size_t count = faults_known ? scn_phases_make(&timeline, scenario->duration, &phases) : 0;
    for (size_t i = 0; i < scenario->threshold_count; i++) {
        if (faults_known)
            check_threshold_phase(reporter, &timeline, phases, count, i);
        if (routes_known && scenario->load.route_count + scenario->load.flow_count > 0)
            check_threshold_route(reporter, i);
        check_threshold_window(reporter, i);
    }
    scn_timeline_fini(&timeline);
    scn_phases_free(phases, count);
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
    /* First, since what the others find under spec.faults leaves the phases as they are. */
    check_thresholds(&reporter);
    check_faults(&reporter);
    check_phase_names(&reporter);
    check_probes(&reporter);
    check_slos(&reporter);
    check_aborts(&reporter);
    check_budget(&reporter);
}
