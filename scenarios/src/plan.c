/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "buckets.h"
#include "phases.h"
#include "plan_arrivals.h"
#include "plan_internal.h"
#include "scenarios/spend.h"

const struct topo_service *planner_service(struct planner *planner, const char *name)
{
    const struct topo *topo = planner->topo;
    const struct topo_service *service = topo_find_service(topo, name);
    if (service != NULL)
        return service;
    const char **names = base_calloc(topo->service_count, sizeof *names);
    for (size_t i = 0; i < topo->service_count; i++)
        names[i] = topo->services[i].name;
    scn_say_unknown(&planner->reporter, "service", name, names, topo->service_count);
    free(names);
    return NULL;
}

void planner_skip(struct planner *planner, const char *name, char *why)
{
    struct plan *plan = planner->plan;
    plan->skipped =
        base_reallocarray(plan->skipped, plan->skipped_count + 1, sizeof *plan->skipped);
    plan->skipped[plan->skipped_count++] =
        (struct plan_skip){.name = base_str_dup(name), .why = why};
}

bool planner_leaves_out(const struct planner *planner, const struct scn_fault *fault)
{
    static const bool kernel[FAULT_KIND_COUNT] = {
        [FAULT_PARTITION] = true, [FAULT_CPU] = true, [FAULT_MEMORY] = true,
        [FAULT_NETWORK] = true,   [FAULT_TCP] = true, [FAULT_HTTP] = true,
        [FAULT_DNS] = true,       [FAULT_IO] = true,  [FAULT_IO_THROTTLE] = true,
    };
    bool slow_disk =
        fault->kind == FAULT_POSTGRES && fault->postgres.action == FAULT_POSTGRES_SLOW_DISK;
    bool cuts_off =
        (fault->kind == FAULT_POSTGRES && fault->postgres.action == FAULT_POSTGRES_FAILOVER) ||
        (fault->kind == FAULT_REDIS && fault->redis.action == FAULT_REDIS_FAILOVER) ||
        (fault->kind == FAULT_RABBITMQ && fault->rabbitmq.action == FAULT_RABBITMQ_STOP);
    return planner->options->without_kernel_faults &&
           (kernel[fault->kind] || slow_disk || cuts_off);
}

/* ---- target ---- */

static void plan_target(struct planner *planner)
{
    const struct scn_target *target = &planner->scenario->target;
    const struct topo *topo = planner->topo;
    bool external = target->kind == SCN_TARGET_EXTERNAL;
    scn_at(&planner->reporter, "spec.target");
    if (!planner->options->target_given && external != (topo->mode == TOPO_EXTERNAL))
        scn_say(&planner->reporter, "asks for a target that is %s, but \"%s\" is %s",
                external ? "external" : "a sandbox", topo->name,
                external ? "a sandbox" : "external");
    else if (!planner->options->target_given && !external && !base_str_eq(target->name, topo->name))
        scn_say(&planner->reporter, "asks for the sandbox \"%s\", but this one is \"%s\"",
                target->name, topo->name);
    planner->plan->target_name = base_str_dup(topo->name);
    planner->plan->target_mode = base_str_dup(topo_mode_name(topo->mode));
    planner->plan->prometheus_url = base_str_dup(topo->prometheus_url);
    planner->plan->scrape_interval = topo->scrape_interval;
}

/* ---- load ---- */

const struct topo_service *planner_service_or_default(struct planner *planner, const char *name)
{
    const struct topo *topo = planner->topo;
    if (name == NULL)
        name = planner->scenario->load.service;
    if (name == NULL && topo->mode == TOPO_EXTERNAL && topo->service_count > 0)
        return &topo->services[0];
    if (name != NULL)
        return planner_service(planner, name);
    scn_say(&planner->reporter,
            "this key is missing, expected the name of one of the target's services");
    return NULL;
}

/* What an instance of the load's service was made from, behind the scheme; NULL when it is not
 * spoken to over TLS. */
static const char *secure_origin(const struct planner *planner, size_t instance)
{
    const struct scn_target *target = &planner->scenario->target;
    if (planner->topo->mode != TOPO_EXTERNAL || instance >= target->url_count)
        return NULL;
    const struct load_scheme *scheme = load_scheme_of(target->urls[instance]);
    bool secure = scheme != NULL && scn_load_secure(planner->scenario);
    return secure ? target->urls[instance] + strlen(scheme->prefix) : NULL;
}

/* Without brackets and port. */
static char *name_in(const char *authority)
{
    size_t len = *authority == '[' ? strcspn(++authority, "]") : strcspn(authority, ":/");
    return base_str_ndup(authority, len);
}

/* The Host header: what external clients would send, or the service's own name. libpq looks for
 * passwords and certificates by a host without a port. */
static char *host_of(const struct planner *planner, const struct topo_service *service)
{
    const struct scn_target *target = &planner->scenario->target;
    if (planner->topo->mode != TOPO_EXTERNAL || target->url_count == 0)
        return base_str_dup(service->name);
    const char *authority = strstr(target->urls[0], "//") + 2;
    if (scn_load_protocol(planner->scenario) == LOAD_SPEECH_POSTGRES)
        return name_in(authority);
    return base_str_ndup(authority, strcspn(authority, "/"));
}

/* As the Host header, the name in the certificate is that of the first origin. */
static void plan_tls(const struct planner *planner, struct load_tls_spec *tls)
{
    const struct scn_target_tls *from = &planner->scenario->target.tls;
    const char *host = secure_origin(planner, 0);
    if (host == NULL)
        return;
    *tls = (struct load_tls_spec){
        .server_name = name_in(host),
        .ca_file = base_str_dup(from->ca_file),
        .cert_file = base_str_dup(from->cert_file),
        .key_file = base_str_dup(from->key_file),
        .insecure = from->verify == SCN_VERIFY_NONE,
    };
}

static void plan_targets(struct load_spec *load, const struct topo_service *service)
{
    load->target_count = service->instance_count;
    load->targets = base_calloc(load->target_count, sizeof *load->targets);
    for (size_t i = 0; i < load->target_count; i++)
        load->targets[i] = (struct load_target){
            .address = base_str_dup(service->instances[i].address),
            .port = service->instances[i].port,
        };
}

static void plan_engine(struct load_spec *load, const struct scn_load *from)
{
    load->engine = from->engine;
    load->http2 = from->http2;
    load->streams = from->http2 || from->streams > 1 ? (uint32_t)from->streams : 0;
    load->pipeline = from->pipeline > 1 ? (uint32_t)from->pipeline : 0;
    load->proxy = base_str_dup(from->proxy);
    load->unix_socket = base_str_dup(from->unix_socket);
}

static void plan_load(struct planner *planner)
{
    const struct scn_load *from = &planner->scenario->load;
    struct load_spec *load = &planner->plan->load;
    scn_at(&planner->reporter, "spec.load.service");
    const struct topo_service *service = planner_service_or_default(planner, NULL);
    if (service == NULL)
        return;
    if (service->instance_count == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances to send load to", service->name);
    plan_arrivals(planner->scenario, load);
    load->duration = planner->scenario->duration;
    load->threads = (uint32_t)from->threads;
    load->seed = planner->seed;
    load->timeout = from->timeout;
    load->interval = from->interval;
    load->max_late = from->max_late;
    planner->plan->max_missed = from->max_missed;
    load->host = host_of(planner, service);
    plan_tls(planner, &load->tls);
    load->source_count = from->source_count;
    load->sources = base_calloc(load->source_count, sizeof *load->sources);
    for (size_t i = 0; i < load->source_count; i++)
        load->sources[i] = base_str_dup(from->sources[i]);
    plan_targets(load, service);
    scn_routes_plan(planner->scenario, load);
    planner_login(planner, load);
    plan_engine(load, from);
    scn_flows_plan(planner->scenario, load);
}

/* ---- steady state ---- */

char *planner_url(const struct planner *planner, const struct topo_service *service,
                  size_t instance, const char *path)
{
    /* By name where a certificate must have it, by address otherwise. */
    const char *secure = secure_origin(planner, instance);
    if (secure != NULL)
        return base_str_printf("https://%.*s%s", (int)strcspn(secure, "/"), secure, path);
    const struct topo_instance *one = &service->instances[instance];
    bool v6 = strchr(one->address, ':') != NULL;
    return base_str_printf("http://%s%s%s:%u%s", v6 ? "[" : "", one->address, v6 ? "]" : "",
                           one->port, path);
}

static void plan_check(struct planner *planner, const struct scn_check *from,
                       struct plan_check *check)
{
    const struct topo_service *service = planner_service_or_default(planner, from->service);
    check->name = base_str_dup(from->name);
    check->status = (int)from->status;
    check->timeout = from->timeout;
    if (service == NULL)
        return;
    if (service->instance_count == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances to ask", service->name);
    check->url_count = service->instance_count;
    check->urls = base_calloc(check->url_count, sizeof *check->urls);
    for (size_t i = 0; i < check->url_count; i++)
        check->urls[i] = planner_url(planner, service, i, from->path);
}

static void plan_steady(struct planner *planner)
{
    const struct scn_steady *steady = &planner->scenario->steady;
    struct plan *plan = planner->plan;
    plan->steady_for = steady->hold;
    plan->steady_deadline = steady->within;
    if (!scn_scenario_has(planner->scenario, "spec.steadyState")) {
        (void)base_parse_duration(SCN_STEADY_FOR, &plan->steady_for);
        (void)base_parse_duration(SCN_STEADY_WITHIN, &plan->steady_deadline);
    }
    plan->check_count = steady->check_count;
    plan->checks = base_calloc(plan->check_count, sizeof *plan->checks);
    for (size_t i = 0; i < plan->check_count; i++) {
        scn_at(&planner->reporter, "spec.steadyState.checks[%zu].service", i);
        plan_check(planner, &steady->checks[i], &plan->checks[i]);
    }
}

/* ---- phases, thresholds, aborts ---- */

static void plan_phases(struct planner *planner)
{
    struct plan *plan = planner->plan;
    plan->phase_count = scn_phases_make(&planner->timeline, plan->duration, &plan->phases);
    scn_phases_of_load(&planner->timeline, plan->phases, plan->phase_count, &plan->load);
}

/* A threshold on a phase that went with its fault is left out with it, and said so: judged without
 * its phase it would pass or fail for the wrong reason. */
static void plan_thresholds(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    plan->thresholds = base_calloc(scenario->threshold_count, sizeof *plan->thresholds);
    for (size_t i = 0; i < scenario->threshold_count; i++) {
        const struct scn_threshold *from = &scenario->thresholds[i];
        if (from->phase != NULL &&
            !scn_phases_have(&planner->timeline, plan->phases, plan->phase_count, from->phase)) {
            planner_skip(planner, from->name,
                         base_str_printf("its phase \"%s\" went with a fault that is left out",
                                         from->phase));
            continue;
        }
        plan->thresholds[plan->threshold_count++] = (struct plan_threshold){
            .name = base_str_dup(from->name),
            .expect = from->expect,
            .phase = base_str_dup(from->phase),
            .route = base_str_dup(from->route),
            .over = from->over,
            .abort = from->abort,
        };
    }
}

static void plan_aborts(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    plan->abort_count = scenario->abort_count;
    plan->aborts = base_calloc(plan->abort_count, sizeof *plan->aborts);
    for (size_t i = 0; i < plan->abort_count; i++)
        plan->aborts[i] = (struct plan_abort){
            .name = base_str_dup(scenario->aborts[i].name),
            .when = scenario->aborts[i].when,
            .over = scenario->aborts[i].over,
        };
}

/* ---- SLOs ---- */

/* Of the load's own requests to the application's routes, as every service of the platform counts
 * them; a service's name is a plain word and needs no escaping. */
static char *selector(const char *metric, const char *service, const char *more)
{
    return base_str_printf("%s{job=\"%s\",route=~\"/api/.*\",traffic=\"load\"%s}", metric, service,
                           more);
}

static void default_selectors(struct plan_slo *slo)
{
    if (slo->total == NULL && slo->kind == PLAN_SLO_AVAILABILITY) {
        slo->total = selector("http_requests_total", slo->service, "");
        /* 499: whoever asked gave up waiting. */
        slo->bad = selector("http_requests_total", slo->service, ",status=~\"499|5..\"");
    } else if (slo->total == NULL) {
        char *more = base_str_printf(",outcome=\"ok\",le%s", scn_bucket_bound(slo->within));
        slo->total =
            selector("http_request_duration_seconds_count", slo->service, ",outcome=\"ok\"");
        slo->good = selector("http_request_duration_seconds_bucket", slo->service, more);
        free(more);
    }
    if (slo->up == NULL)
        slo->up = base_str_printf("up{job=\"%s\"}", slo->service);
}

static void plan_slo(struct planner *planner, const struct scn_slo *from, struct plan_slo *slo)
{
    const struct topo *topo = planner->topo;
    const struct topo_service *service = topo->mode == TOPO_EXTERNAL && topo->service_count > 0
                                             ? &topo->services[0]
                                             : planner_service(planner, from->indicator.service);
    *slo = (struct plan_slo){
        .name = base_str_dup(from->name),
        .kind = from->kind,
        .objective = from->objective,
        .service = base_str_dup(from->indicator.service),
        .within = from->indicator.within,
        .min_coverage = from->min_coverage,
        .total = base_str_dup(from->indicator.total),
        .bad = base_str_dup(from->indicator.bad),
        .good = base_str_dup(from->indicator.good),
        .up = base_str_dup(from->indicator.up),
        .instances = service != NULL ? service->instance_count : 0,
    };
    default_selectors(slo);
}

static void plan_slos(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    scn_at(&planner->reporter, "spec.slos");
    if (scenario->slo_count > 0 && planner->topo->prometheus_url == NULL)
        scn_say(&planner->reporter, "the target has no Prometheus, so that these cannot be judged; "
                                    "name one in spec.target.prometheus or remove them");
    plan->slo_count = scenario->slo_count;
    plan->slos = base_calloc(plan->slo_count, sizeof *plan->slos);
    for (size_t i = 0; i < plan->slo_count; i++) {
        scn_at(&planner->reporter, "spec.slos[%zu].%s.service", i,
               scenario->slos[i].kind == PLAN_SLO_LATENCY ? "latency" : "availability");
        plan_slo(planner, &scenario->slos[i], &plan->slos[i]);
    }
}

/* ---- what it can cost ---- */

static void check_spend(struct planner *planner, const struct plan_slo *slo,
                        const struct scn_spend *spend)
{
    const struct plan *plan = planner->plan;
    double share = scn_spend_of(spend, plan->budget_over, plan->duration);
    char over[BASE_DUR_TEXT];
    if (plan->budget_over.ns == 0 || share <= plan->max_spend + 1e-9)
        return;
    base_dur_format(plan->budget_over, over);
    scn_at(&planner->reporter, "spec.budget.maxSpend");
    scn_say(&planner->reporter,
            "the faults can spend %.4g%% of the error budget that \"%s\" has in %s, more than the "
            "%.4g%% allowed; hit fewer instances or for a shorter time, or raise maxSpend",
            share * 100, slo->name, over, plan->max_spend * 100);
}

/* Last, for it adds up what all the faults do. */
static void plan_spend(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    if (scn_scenario_has(scenario, "spec.budget")) {
        plan->max_spend = scenario->budget.max_spend;
        plan->budget_over =
            scenario->budget.over.ns > 0 ? scenario->budget.over : scenario->duration;
    }
    for (size_t i = 0; i < plan->slo_count; i++) {
        struct scn_spend spend = scn_spend(plan, planner->topo, i);
        plan->slos[i].predicted_bad = spend.requests > 0 ? spend.bad / spend.requests : 0;
        check_spend(planner, &plan->slos[i], &spend);
        free(spend.parts);
    }
}

/* ---- the whole ---- */

/* Whether the probe asks only during faults that are left out. */
static bool went_with_its_faults(const struct planner *planner, const char *probe)
{
    const struct scn_scenario *scenario = planner->scenario;
    for (size_t i = 0; probe != NULL && i < scenario->probe_count; i++) {
        const struct scn_probe *one = &scenario->probes[i];
        if (!base_str_eq(one->name, probe) || one->mode != PLAN_PROBE_DURING)
            continue;
        for (size_t k = 0; k < scenario->fault_count; k++)
            if (!planner->left_out[k] &&
                (one->fault == NULL || base_str_eq(one->fault, scenario->faults[k].name)))
                return false;
        return true;
    }
    return false;
}

/* A fault that depends on such a probe goes, too, and with it perhaps the next. */
static void plan_timeline(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    bool more = true;
    planner->left_out = base_calloc(scenario->fault_count, sizeof *planner->left_out);
    for (size_t i = 0; i < scenario->fault_count; i++)
        planner->left_out[i] = planner_leaves_out(planner, &scenario->faults[i]);
    while (more) {
        more = false;
        for (size_t i = 0; i < scenario->fault_count; i++) {
            const struct scn_fault *fault = &scenario->faults[i];
            bool goes = went_with_its_faults(planner, fault->only_if) ||
                        went_with_its_faults(planner, fault->unless);
            more = more || (goes && !planner->left_out[i]);
            planner->left_out[i] = planner->left_out[i] || goes;
        }
    }
    scn_timeline_make(scenario, planner->left_out, &planner->timeline);
}

static bool check_options(struct planner *planner)
{
    const struct scn_plan_options *options = planner->options;
    const char *file = planner->scenario->file;
    struct scn_mark none = {0, 0};
    if (options->run == NULL || *options->run == '\0' || strpbrk(options->run, "/, \t\n") != NULL) {
        scn_problems_add(planner->reporter.problems, file, "", none,
                         "the run id \"%s\" must not be empty nor contain '/', ',' or spaces",
                         options->run != NULL ? options->run : "");
        return false;
    }
    if (options->seed_given && options->seed > (uint64_t)INT64_MAX) {
        scn_problems_add(planner->reporter.problems, file, "", none,
                         "the seed is out of range, expected 0 to 9223372036854775807");
        return false;
    }
    return true;
}

static void plan_all(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    plan->run = base_str_dup(planner->options->run);
    plan->scenario = base_str_dup(scenario->name);
    plan->description = base_str_dup(scenario->description);
    plan->seed = planner->seed;
    plan->duration = scenario->duration;
    plan_timeline(planner);
    plan_target(planner);
    plan_load(planner);
    plan_steady(planner);
    planner_faults(planner);
    planner_probes(planner);
    plan_phases(planner);
    plan_thresholds(planner);
    plan_slos(planner);
    plan_aborts(planner);
    plan_spend(planner);
}

bool scn_plan(const struct scn_scenario *scenario, const struct topo *topo,
              const struct scn_plan_options *options, struct plan *out,
              struct scn_problems *problems)
{
    struct plan plan = {.run = NULL};
    struct planner planner = {
        .reporter = {.scenario = scenario, .problems = problems},
        .scenario = scenario,
        .topo = topo,
        .options = options,
        .seed = options->seed_given ? options->seed : (uint64_t)scenario->seed,
        .plan = &plan,
    };
    size_t before = problems->count + problems->dropped;
    if (check_options(&planner))
        plan_all(&planner);
    scn_timeline_fini(&planner.timeline);
    free(planner.left_out);
    if (problems->count + problems->dropped == before) {
        *out = plan;
        return true;
    }
    plan_fini(&plan);
    return false;
}
