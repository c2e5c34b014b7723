/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of a plan: whom each asks, and while which faults. */
#include <stdlib.h>
#include <string.h>

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

/* Every instance, at that port or, with 0, at its own. */
static struct load_target *plan_instances(const struct topo_service *service, int64_t port,
                                          size_t *count)
{
    struct load_target *targets = base_calloc(service->instance_count, sizeof *targets);
    *count = service->instance_count;
    for (size_t i = 0; i < service->instance_count; i++)
        targets[i] = (struct load_target){
            .address = base_str_dup(service->instances[i].address),
            .port = port > 0 ? (uint16_t)port : service->instances[i].port,
        };
    return targets;
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

static struct load_target *plan_address(const char *address)
{
    const char *colon = strrchr(address, ':'); /* both checked by the parser */
    bool v6 = address[0] == '[';
    struct load_target *target = base_calloc(1, sizeof *target);
    uint64_t port = 0;
    (void)base_parse_u64(colon + 1, &port);
    target->address =
        base_str_ndup(address + (v6 ? 1 : 0), (size_t)(colon - address) - (v6 ? 2 : 0));
    target->port = (uint16_t)port;
    return target;
}

static void plan_store(struct planner *planner, const struct scn_probe *from, const char *kind,
                       size_t index, struct plan_store *store)
{
    store->user = base_str_dup(from->store.user);
    store->password_file = planner_secret(planner, from->store.password_file);
    if (from->store.address != NULL) {
        store->targets = plan_address(from->store.address);
        store->target_count = 1;
        return;
    }
    const struct topo_service *service = service_of(planner, from->service, kind, index);
    if (service != NULL)
        store->targets = plan_instances(service, 0, &store->target_count);
}

static void plan_sql(const struct scn_probe *from, struct plan_probe *probe)
{
    probe->sql.database = base_str_dup(from->sql.database);
    probe->sql.query = base_str_dup(from->sql.query);
    probe->sql.compare = from->sql.compare;
    probe->sql.value = base_str_dup(from->sql.value);
    probe->sql.rows = from->sql.rows;
}

static void plan_redis(const struct scn_probe *from, struct plan_probe *probe)
{
    probe->redis.database = (int)from->redis.database;
    probe->redis.command_count = from->redis.command_count;
    probe->redis.command = base_calloc(from->redis.command_count, sizeof *probe->redis.command);
    for (size_t i = 0; i < from->redis.command_count; i++)
        probe->redis.command[i] = base_str_dup(from->redis.command[i]);
    probe->redis.compare = from->redis.compare;
    probe->redis.reply = base_str_dup(from->redis.reply);
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
            probe->tcp.targets = plan_instances(service, from->tcp.port, &probe->tcp.target_count);
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
    case PLAN_PROBE_SQL:
        plan_store(planner, from, "sql", index, &probe->sql.store);
        plan_sql(from, probe);
        return;
    case PLAN_PROBE_REDIS:
        plan_store(planner, from, "redis", index, &probe->redis.store);
        plan_redis(from, probe);
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
