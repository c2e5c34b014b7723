/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of a plan: whom each asks, and while which faults. */
#include <stdlib.h>

#include "base/text.h"
#include "plan_internal.h"

static void plan_http(const struct planner *planner, const struct scn_probe *from,
                      const struct topo_service *service, struct plan_probe *probe)
{
    probe->http.status = (int)from->http.status;
    probe->http.contains = base_str_dup(from->http.contains);
    probe->http.url_count = service->instance_count;
    probe->http.urls = base_calloc(service->instance_count, sizeof *probe->http.urls);
    for (size_t i = 0; i < service->instance_count; i++)
        probe->http.urls[i] = planner_url(planner, service, i, from->http.path);
}

static void plan_tcp(const struct scn_probe *from, const struct topo_service *service,
                     struct plan_probe *probe)
{
    probe->tcp.target_count = service->instance_count;
    probe->tcp.targets = base_calloc(service->instance_count, sizeof *probe->tcp.targets);
    for (size_t i = 0; i < service->instance_count; i++)
        probe->tcp.targets[i] = (struct load_target){
            .address = base_str_dup(service->instances[i].address),
            .port = from->tcp.port > 0 ? (uint16_t)from->tcp.port : service->instances[i].port,
        };
}

/* NULL when that was told. */
static const struct topo_service *service_of(struct planner *planner, const char *name,
                                             const char *kind, size_t index)
{
    scn_at(&planner->reporter, "spec.probes[%zu].%s.service", index, kind);
    const struct topo_service *service = planner_service_or_default(planner, name);
    if (service != NULL && service->instance_count == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances to ask", service->name);
    return service;
}

static void plan_kind(struct planner *planner, const struct scn_probe *from, size_t index,
                      struct plan_probe *probe)
{
    const struct topo_service *service = NULL;
    switch (from->kind) {
    case PLAN_PROBE_HTTP:
        service = service_of(planner, from->service, "http", index);
        if (service != NULL)
            plan_http(planner, from, service, probe);
        return;
    case PLAN_PROBE_TCP:
        service = service_of(planner, from->service, "tcp", index);
        if (service != NULL)
            plan_tcp(from, service, probe);
        return;
    case PLAN_PROBE_PROMQL:
        scn_at(&planner->reporter, "spec.probes[%zu].promql", index);
        if (planner->topo->prometheus_url == NULL)
            scn_say(&planner->reporter, "the target has no Prometheus to ask; name one in "
                                        "spec.target.prometheus or remove this probe");
        probe->promql.query = base_str_dup(from->promql.query);
        return;
    case PLAN_PROBE_EXEC:
        probe->exec.command = base_str_dup(from->exec.command);
        return;
    }
}

/* Each time that the fault happens, or any fault does. */
static void plan_faults(const struct planner *planner, const struct scn_probe *from,
                        struct plan_probe *probe)
{
    const struct scn_timeline *timeline = &planner->timeline;
    if (from->mode != PLAN_PROBE_DURING)
        return;
    probe->faults = base_calloc(timeline->count, sizeof *probe->faults);
    for (size_t i = 0; i < timeline->count; i++)
        if (from->fault == NULL || base_str_eq(timeline->list[i].fault->name, from->fault))
            probe->faults[probe->fault_count++] = base_str_dup(timeline->list[i].name);
}

static struct plan_probe plan_probe(struct planner *planner, const struct scn_probe *from,
                                    size_t index)
{
    struct plan_probe probe = {
        .name = base_str_dup(from->name),
        .mode = from->mode,
        .kind = from->kind,
        .every = from->every,
        .timeout = from->timeout,
        .within = from->within,
        .at_least = from->at_least,
    };
    plan_kind(planner, from, index, &probe);
    plan_faults(planner, from, &probe);
    return probe;
}

static bool lost_its_faults(const struct planner *planner, const struct scn_probe *from)
{
    if (from->mode != PLAN_PROBE_DURING)
        return false;
    for (size_t i = 0; i < planner->timeline.count; i++)
        if (from->fault == NULL || base_str_eq(planner->timeline.list[i].fault->name, from->fault))
            return false;
    return true;
}

void planner_probes(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    struct plan *plan = planner->plan;
    plan->probes = base_calloc(scenario->probe_count, sizeof *plan->probes);
    for (size_t i = 0; i < scenario->probe_count; i++) {
        const struct scn_probe *from = &scenario->probes[i];
        if (lost_its_faults(planner, from))
            planner_skip(planner, from->name,
                         base_str_dup("the fault during which it would ask is left out"));
        else
            plan->probes[plan->probe_count++] = plan_probe(planner, from, i);
    }
}
