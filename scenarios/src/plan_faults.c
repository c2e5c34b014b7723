/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a plan: whom each hits, and whether that may be. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/text.h"
#include "plan_internal.h"

/* Each fault draws from a stream of its own, so that adding or removing one leaves the selections
 * of the others as they were. FNV-1a spreads the name over the 64 bits. */
static uint64_t seed_of(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return seed ^ hash;
}

static size_t wanted(const struct scn_select *select, size_t instances)
{
    switch (select->mode) {
    case SCN_SELECT_ONE:
        return 1;
    case SCN_SELECT_ALL:
        return instances;
    case SCN_SELECT_COUNT:
        return (size_t)select->count;
    case SCN_SELECT_PERCENT:
        /* 33% of 100 is 33, whatever binary fractions make of it. */
        return (size_t)floor(select->percent * (double)instances + 1e-9);
    }
    return 0;
}

static size_t cap_of(const struct scn_fault *fault, size_t instances)
{
    return (size_t)floor(fault->max_affected * (double)instances + 1e-9);
}

/* Chooses `want` of the instances (a partial Fisher-Yates shuffle); chosen keeps their order. */
static void choose(uint64_t seed, size_t instances, size_t want, bool *chosen)
{
    struct base_rng rng;
    size_t *order = base_calloc(instances, sizeof *order);
    for (size_t i = 0; i < instances; i++)
        order[i] = i;
    base_rng_seed(&rng, seed);
    for (size_t i = 0; i < want; i++) {
        size_t k = i + (size_t)base_rng_below(&rng, instances - i);
        size_t swap = order[i];
        order[i] = order[k];
        order[k] = swap;
        chosen[order[i]] = true;
    }
    free(order);
}

static bool check_selection(struct planner *planner, const struct scn_fault *fault,
                            const struct topo_service *service, size_t index, size_t want)
{
    size_t instances = service->instance_count;
    scn_at(&planner->reporter, "spec.faults[%zu].select", index);
    if (instances == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances, so that nothing is selected",
                service->name);
    else if (want == 0)
        scn_say(&planner->reporter, "%.4g%% of the %zu instance%s of \"%s\" is none",
                fault->select.percent * 100, instances, instances == 1 ? "" : "s", service->name);
    else if (want > instances)
        scn_say(&planner->reporter, "%zu instances are asked for, but \"%s\" has %zu", want,
                service->name, instances);
    else
        return true;
    return false;
}

static void check_cap(struct planner *planner, const struct scn_fault *fault,
                      const struct topo_service *service, size_t index, size_t want)
{
    char path[SCN_PATH_LEN];
    scn_at(&planner->reporter, "spec.faults[%zu].maxAffected", index);
    (void)snprintf(path, sizeof path, "%s", planner->reporter.path);
    if (service->observability && !scn_scenario_has(planner->scenario, path))
        scn_say(&planner->reporter,
                "\"%s\" observes the platform; without it a run can prove nothing. Give "
                "maxAffected to hit it all the same",
                service->name);
    else if (want > cap_of(fault, service->instance_count))
        scn_say(&planner->reporter,
                "%zu of %zu instances of \"%s\" would be hit, more than the %.4g%% allowed; select "
                "fewer or raise maxAffected",
                want, service->instance_count, service->name, fault->max_affected * 100);
}

/* ---- what each kind needs of its targets ---- */

static void need_netns(struct planner *planner, const struct topo_service *service, size_t index,
                       enum fault_kind kind)
{
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, fault_kind_name(kind));
    for (size_t i = 0; i < service->instance_count; i++) {
        if (service->instances[i].netns != NULL)
            continue;
        scn_say(&planner->reporter,
                "needs a network namespace, which \"%s\" has none of (target \"%s\" is %s): bring "
                "the sandbox up as root, or leave this fault out with --without-kernel-faults",
                service->instances[i].name, planner->topo->name,
                topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_supervisor(struct planner *planner, const struct topo_service *service,
                            size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].kill", index);
    for (size_t i = 0; i < service->instance_count; i++) {
        const char *file = service->instances[i].status_file;
        if (file != NULL && *file != '\0')
            continue;
        scn_say(&planner->reporter,
                "needs to know the process of \"%s\", which target \"%s\" (%s) does not tell",
                service->instances[i].name, planner->topo->name,
                topo_mode_name(planner->topo->mode));
        return;
    }
}

static void need_chaos_endpoints(struct planner *planner, const struct topo_service *service,
                                 size_t index)
{
    scn_at(&planner->reporter, "spec.faults[%zu].app", index);
    if (service->admin_token_file == NULL)
        scn_say(&planner->reporter, "\"%s\" has no endpoints that inject errors or latency",
                service->name);
}

static void check_peers(struct planner *planner, const struct scn_fault *fault, size_t index)
{
    for (size_t i = 0; i < fault->partition.from_count; i++) {
        scn_at(&planner->reporter, "spec.faults[%zu].partition.from[%zu]", index, i);
        planner_service(planner, fault->partition.from[i]);
    }
}

static void check_route(struct planner *planner, const struct scn_fault *fault,
                        const struct scn_route_of *route, size_t index)
{
    const char *kind = fault_kind_name(fault->kind);
    for (size_t i = 0; i < route->peer_count; i++) {
        scn_at(&planner->reporter, "spec.faults[%zu].%s.peers[%zu]", index, kind, i);
        planner_service(planner, route->peers[i]);
    }
}

/* ---- one fault ---- */

static void fill_route(const struct scn_route_of *route, struct fault_route *out)
{
    out->side = route->side;
    out->port = (int)route->port;
    out->peer_count = route->peer_count;
    out->peers = base_calloc(route->peer_count, sizeof(char *));
    for (size_t i = 0; i < route->peer_count; i++)
        out->peers[i] = base_str_dup(route->peers[i]);
}

static void fill_partition(const struct scn_fault *fault, struct fault_spec *spec)
{
    spec->partition.peer_count = fault->partition.from_count;
    spec->partition.peers = base_calloc(spec->partition.peer_count, sizeof(char *));
    for (size_t i = 0; i < spec->partition.peer_count; i++)
        spec->partition.peers[i] = base_str_dup(fault->partition.from[i]);
    spec->partition.action = fault->partition.action;
    spec->partition.direction = fault->partition.direction;
}

static void copy_texts(char *const *list, size_t count, struct fault_texts *out)
{
    out->count = count;
    out->list = base_calloc(count, sizeof *out->list);
    for (size_t i = 0; i < count; i++)
        out->list[i] = base_str_dup(list[i]);
}

static void fill_http(const struct planner *planner, const struct scn_fault *fault,
                      struct fault_spec *spec)
{
    fill_route(&fault->http.route, &spec->http.route);
    spec->http.method = base_str_dup(fault->http.method);
    spec->http.path = base_str_dup(fault->http.path);
    spec->http.path_prefix = base_str_dup(fault->http.path_prefix);
    copy_texts(fault->http.headers, fault->http.header_count, &spec->http.headers);
    spec->http.share = fault->http.share;
    /* An integer of JSON has 63 bits. */
    spec->http.seed = seed_of(planner->seed, fault->name) >> 1;
    spec->http.action = fault->http.action;
    spec->http.status = (int)fault->http.status;
    spec->http.body = base_str_dup(fault->http.body);
    spec->http.time = fault->http.time;
    spec->http.bytes = (uint64_t)fault->http.bytes;
    copy_texts(fault->http.set, fault->http.set_count, &spec->http.set);
    copy_texts(fault->http.remove, fault->http.remove_count, &spec->http.remove);
}

static void fill_dns(const struct planner *planner, const struct scn_fault *fault,
                     struct fault_spec *spec)
{
    copy_texts(fault->dns.names, fault->dns.name_count, &spec->dns.names);
    spec->dns.share = fault->dns.share;
    spec->dns.seed = seed_of(planner->seed, fault->name) >> 1;
    spec->dns.answer = fault->dns.answer;
    spec->dns.address = base_str_dup(fault->dns.address);
    spec->dns.server = base_str_dup(fault->dns.server);
}

static void fill_kind(struct planner *planner, const struct scn_fault *fault,
                      const struct topo_service *service, size_t index, struct fault_spec *spec)
{
    switch (fault->kind) {
    case FAULT_KILL:
        need_supervisor(planner, service, index);
        spec->kill.signal = fault->kill.signal;
        spec->kill.restart_within = fault->kill.restart_within;
        break;
    case FAULT_PARTITION:
        need_netns(planner, service, index, fault->kind);
        check_peers(planner, fault, index);
        fill_partition(fault, spec);
        break;
    case FAULT_APP:
        need_chaos_endpoints(planner, service, index);
        spec->app.error_rate = fault->app.error_rate;
        spec->app.error_status = (int)fault->app.error_status;
        spec->app.latency = fault->app.latency;
        break;
    case FAULT_TCP:
        need_netns(planner, service, index, fault->kind);
        check_route(planner, fault, &fault->tcp.route, index);
        fill_route(&fault->tcp.route, &spec->tcp.route);
        spec->tcp.toxic = fault->tcp.toxic;
        spec->tcp.bytes = (uint64_t)fault->tcp.bytes;
        spec->tcp.time = fault->tcp.time;
        break;
    case FAULT_HTTP:
        need_netns(planner, service, index, fault->kind);
        check_route(planner, fault, &fault->http.route, index);
        fill_http(planner, fault, spec);
        break;
    case FAULT_DNS:
        need_netns(planner, service, index, fault->kind);
        fill_dns(planner, fault, spec);
        break;
    }
}

static void fill_targets(struct planner *planner, const struct scn_fault *fault,
                         const struct topo_service *service, size_t want, struct fault_spec *spec)
{
    bool *chosen = base_calloc(service->instance_count, sizeof *chosen);
    choose(seed_of(planner->seed, fault->name), service->instance_count, want, chosen);
    spec->targets = base_calloc(want, sizeof *spec->targets);
    for (size_t i = 0; i < service->instance_count; i++) {
        if (chosen[i])
            spec->targets[spec->target_count++] = base_str_dup(service->instances[i].name);
    }
    free(chosen);
}

static void plan_fault(struct planner *planner, const struct scn_fault *fault, size_t index,
                       struct plan_fault *out)
{
    struct fault_spec *spec = &out->spec;
    out->at = fault->at;
    *spec = (struct fault_spec){
        .id = base_str_printf("%s-%zu", planner->options->run, index + 1),
        .run = base_str_dup(planner->options->run),
        .started = planner->options->started,
        .name = base_str_dup(fault->name),
        .kind = fault->kind,
        .duration = fault->duration,
        .lease = fault->lease,
        .max_affected = fault->max_affected,
        .service = base_str_dup(fault->service),
    };
    scn_at(&planner->reporter, "spec.faults[%zu].service", index);
    const struct topo_service *service = planner_service(planner, fault->service);
    if (service == NULL)
        return;
    fill_kind(planner, fault, service, index, spec);
    size_t want = wanted(&fault->select, service->instance_count);
    if (!check_selection(planner, fault, service, index, want))
        return;
    check_cap(planner, fault, service, index, want);
    fill_targets(planner, fault, service, want, spec);
}

/* ---- faults beside each other ---- */

static bool at_the_same_time(const struct plan_fault *a, const struct plan_fault *b)
{
    return a->at.ns < b->at.ns + b->spec.duration.ns && b->at.ns < a->at.ns + a->spec.duration.ns;
}

static const char *common_target(const struct fault_spec *a, const struct fault_spec *b)
{
    for (size_t i = 0; i < a->target_count; i++) {
        for (size_t k = 0; k < b->target_count; k++) {
            if (base_str_eq(a->targets[i], b->targets[k]))
                return a->targets[i];
        }
    }
    return NULL;
}

/* Where in the scenario a planned fault stands: faults may have been left out before it. */
static size_t index_of(const struct planner *planner, const struct plan_fault *fault)
{
    size_t i = 0;
    while (!base_str_eq(planner->scenario->faults[i].name, fault->spec.name))
        i++;
    return i;
}

/* Faults on one service at one time share its cap: instances hit when `fault` starts. */
static void check_shared_cap(struct planner *planner, const struct plan_fault *fault)
{
    const struct plan *plan = planner->plan;
    const struct topo_service *service = topo_find_service(planner->topo, fault->spec.service);
    size_t hit = 0;
    size_t faults = 0;
    double cap = 1;
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *other = &plan->faults[i];
        if (!base_str_eq(other->spec.service, fault->spec.service) || other->at.ns > fault->at.ns ||
            !at_the_same_time(other, fault))
            continue;
        hit += other->spec.target_count;
        faults++;
        cap = fmin(cap, other->spec.max_affected);
    }
    if (service == NULL || faults < 2 ||
        hit <= (size_t)floor(cap * (double)service->instance_count + 1e-9))
        return;
    scn_at(&planner->reporter, "spec.faults[%zu].maxAffected", index_of(planner, fault));
    scn_say(&planner->reporter,
            "together with the faults that are in force when this one starts, %zu of %zu instances "
            "of \"%s\" would be hit, more than the %.4g%% allowed",
            hit, service->instance_count, service->name, cap * 100);
}

/* Two faults on one instance would each undo what the other measures. */
static void check_overlaps(struct planner *planner)
{
    const struct plan *plan = planner->plan;
    for (size_t i = 0; i < plan->fault_count; i++) {
        bool shared = false;
        for (size_t k = 0; k < i; k++) {
            const char *target = common_target(&plan->faults[i].spec, &plan->faults[k].spec);
            if (target == NULL || !at_the_same_time(&plan->faults[i], &plan->faults[k]))
                continue;
            shared = true;
            scn_at(&planner->reporter, "spec.faults[%zu].at", index_of(planner, &plan->faults[i]));
            scn_say(&planner->reporter,
                    "hits \"%s\" while \"%s\" is in force there; move one of them in time, or "
                    "select others (the seed decides where there is a choice)",
                    target, plan->faults[k].spec.name);
        }
        if (!shared)
            check_shared_cap(planner, &plan->faults[i]);
    }
}

static void need_agent(struct planner *planner)
{
    struct plan *plan = planner->plan;
    if (plan->fault_count == 0)
        return;
    scn_at(&planner->reporter, "spec.faults");
    if (planner->topo->agent_url == NULL || planner->topo->agent_token_file == NULL)
        scn_say(&planner->reporter, "target \"%s\" has no agent that could apply faults",
                planner->topo->name);
    plan->agent_url = base_str_dup(planner->topo->agent_url);
    plan->agent_token_file = base_str_dup(planner->topo->agent_token_file);
}

void planner_faults(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    plan->faults = base_calloc(scenario->fault_count, sizeof *plan->faults);
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (planner_leaves_out(planner, fault))
            planner_skip(planner, fault->name,
                         base_str_printf("%s needs kernel privileges and was left out with "
                                         "--without-kernel-faults",
                                         fault_kind_name(fault->kind)));
        else
            plan_fault(planner, fault, i, &plan->faults[plan->fault_count++]);
    }
    check_overlaps(planner);
    need_agent(planner);
}
