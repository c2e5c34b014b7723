/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/spend.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"

/* ---- how many requests are due ---- */

static bool is_counted(const struct load_spec *load)
{
    return load->replay == NULL && load->closed.stage_count == 0;
}

/* Of a stage, by so many seconds after its start. */
static double due_in_stage(const struct load_stage *stage, double seconds)
{
    double length = base_dur_to_s(stage->length);
    double at = fmax(0, fmin(seconds, length));
    double slope = (stage->to - stage->from) / length;
    double due = stage->from * at + slope * at * at / 2;
    if (stage->burst > 0 && seconds > 0)
        due += (double)stage->burst * ceil(at / base_dur_to_s(stage->every));
    return due;
}

/* By so many seconds after the start of the load. */
static double due_by(const struct plan *plan, double seconds)
{
    const struct load_spec *load = &plan->load;
    double end = base_dur_to_s(plan->duration);
    double at = fmax(0, fmin(seconds, end));
    double due = 0;
    double start = 0;
    if (!is_counted(load))
        return at / end;
    if (load->stage_count == 0)
        return load->rate * at;
    for (size_t i = 0; i < load->stage_count; i++) {
        due += due_in_stage(&load->stages[i], at - start);
        start += base_dur_to_s(load->stages[i].length);
    }
    return due;
}

/* The highest rate between two moments; bursts apart. */
static double peak_between(const struct plan *plan, double from, double to)
{
    const struct load_spec *load = &plan->load;
    double peak = 0;
    double start = 0;
    if (!is_counted(load))
        return 1 / base_dur_to_s(plan->duration);
    if (load->stage_count == 0)
        return load->rate;
    for (size_t i = 0; i < load->stage_count; i++) {
        const struct load_stage *stage = &load->stages[i];
        double length = base_dur_to_s(stage->length);
        double slope = (stage->to - stage->from) / length;
        double first = fmax(from - start, 0);
        double last = fmin(to - start, length);
        if (first < last)
            peak = fmax(peak, stage->from + slope * (slope > 0 ? last : first));
        start += length;
    }
    return peak;
}

static bool has_bursts(const struct load_spec *load)
{
    for (size_t i = 0; i < load->stage_count; i++)
        if (load->stages[i].burst > 0)
            return true;
    return false;
}

/* Due during `length`, which begins at `from` or up to `late` seconds later. */
static double due_during(const struct plan *plan, double from, double late, double length)
{
    double within = due_by(plan, from + late + length) - due_by(plan, from);
    if (late <= 0 || has_bursts(&plan->load))
        return within;
    return fmin(within, length * peak_between(plan, from, from + late + length));
}

/* ---- when ---- */

static const struct plan_fault *leader_of(const struct plan *plan, const struct plan_fault *fault)
{
    for (size_t i = 0; fault->after != NULL && i < plan->fault_count; i++)
        if (base_str_eq(plan->faults[i].spec.name, fault->after))
            return &plan->faults[i];
    return NULL;
}

/* So much later it may begin: for conditions, its own and of what it follows, and for operators. */
static struct dur_ns lateness_of(const struct plan *plan, const struct plan_fault *fault)
{
    struct dur_ns late = fault->gate.within;
    const struct plan_fault *leader = leader_of(plan, fault);
    for (size_t i = 0; i < plan->fault_count && leader != NULL; i++) {
        late.ns += leader->gate.within.ns;
        leader = leader_of(plan, leader);
    }
    int64_t latest = fault->at.ns + late.ns;
    for (size_t i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].at.ns <= latest)
            late.ns += plan->faults[i].gate.suspend.ns;
    return late;
}

/* A process that was killed may be away for as long as its restart may take. */
static struct dur_ns length_of(const struct fault_spec *spec)
{
    struct dur_ns length = spec->duration;
    if (spec->kind != FAULT_KILL)
        return length;
    if (spec->kill.every.ns > 0)
        length.ns += spec->kill.restart_within.ns;
    else if (spec->kill.restart_within.ns > length.ns)
        length = spec->kill.restart_within;
    return length;
}

/* ---- how much ---- */

/* Of the requests that meet a target; negative: it does not say. */
static double stated_share(const struct plan_slo *slo, const struct fault_spec *spec)
{
    bool latency = slo->kind == PLAN_SLO_LATENCY;
    if (spec->kind == FAULT_HTTP)
        return spec->http.share;
    if (spec->kind == FAULT_NODE && spec->node.action == FAULT_NODE_CORDON)
        return 0; /* who runs there goes on */
    if (spec->kind != FAULT_APP || fault_app_order_of(spec) != FAULT_APP_ANSWERS ||
        spec->app.latency.ns > 0)
        return -1; /* what is slow may time out */
    return latency ? 0 : spec->app.error_rate;
}

/* Of a service that serves. A drain hits all that run on its nodes, whichever service they are of.
 */
static double share_of(const struct topo *topo, const struct fault_spec *spec,
                       const struct topo_service *service)
{
    bool own = base_str_eq(service->name, spec->service);
    size_t hit = 0;
    for (size_t i = 0; i < service->instance_count; i++)
        hit += fault_drains(spec, topo, &service->instances[i]) ? 1 : 0;
    if (own && hit < spec->target_count)
        hit = spec->target_count;
    if (service->observability || hit == 0)
        return 0; /* it serves nobody */
    return service->instance_count == 0 ? 1
                                        : fmin(1, (double)hit / (double)service->instance_count);
}

static double hit_share(const struct topo *topo, const struct fault_spec *spec)
{
    double share = topo_find_service(topo, spec->service) == NULL ? 1 : 0;
    for (size_t i = 0; i < topo->service_count; i++)
        share = fmax(share, share_of(topo, spec, &topo->services[i]));
    return share;
}

static struct scn_spend_part part_of(const struct plan *plan, const struct topo *topo,
                                     const struct plan_slo *slo, const struct plan_fault *fault)
{
    double stated = stated_share(slo, &fault->spec);
    struct scn_spend_part part = {
        .hit = hit_share(topo, &fault->spec),
        .spoilt = stated < 0 ? 1 : stated,
        .stated = stated >= 0,
        .length = length_of(&fault->spec),
    };
    part.requests = due_during(plan, base_dur_to_s(fault->at),
                               base_dur_to_s(lateness_of(plan, fault)), base_dur_to_s(part.length));
    part.bad = part.hit * part.spoilt * part.requests;
    return part;
}

struct scn_spend scn_spend(const struct plan *plan, const struct topo *topo, size_t slo)
{
    const struct plan_slo *of = &plan->slos[slo];
    struct scn_spend spend = {
        .counted = is_counted(&plan->load),
        .requests = due_by(plan, base_dur_to_s(plan->duration)),
        .parts = base_calloc(plan->fault_count, sizeof *spend.parts),
    };
    for (size_t i = 0; i < plan->fault_count; i++) {
        spend.parts[i] = part_of(plan, topo, of, &plan->faults[i]);
        spend.bad += spend.parts[i].bad;
    }
    spend.bad = fmin(spend.bad, spend.requests);
    spend.allowed = (1 - of->objective) * spend.requests;
    return spend;
}

double scn_spend_of(const struct scn_spend *spend, struct dur_ns over, struct dur_ns duration)
{
    double times = over.ns > 0 ? base_dur_to_s(over) / base_dur_to_s(duration) : 1;
    return spend->bad > 0 ? spend->bad / (spend->allowed * times) : 0;
}
