/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a plan: whom each hits, and whether that may be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/text.h"
#include "intensity.h"
#include "plan_internal.h"

/* Each fault draws from a stream of its own, so that adding or removing one leaves the selections
 * of the others as they were. FNV-1a spreads the name over the 64 bits. */
uint64_t planner_seed(const struct planner *planner, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return planner->seed ^ hash;
}

/* One to so many, each as likely: drawn from another stream than who is hit. */
static size_t random_up_to(uint64_t seed, size_t most)
{
    struct base_rng rng;
    base_rng_seed(&rng, ~seed);
    return most == 0 ? 0 : 1 + (size_t)base_rng_below(&rng, most);
}

static size_t share_of(double share, size_t instances)
{
    /* 33% of 100 is 33, whatever binary fractions make of it. */
    return (size_t)floor(share * (double)instances + 1e-9);
}

static size_t wanted(const struct scn_select *select, size_t instances, uint64_t seed)
{
    switch (select->mode) {
    case SCN_SELECT_ONE:
        return 1;
    case SCN_SELECT_ALL:
        return instances;
    case SCN_SELECT_COUNT:
        return (size_t)select->count;
    case SCN_SELECT_PERCENT:
        return share_of(select->percent, instances);
    case SCN_SELECT_UP_TO:
        return random_up_to(seed, share_of(select->up_to, instances));
    }
    return 0;
}

static size_t cap_of(const struct scn_fault *fault, size_t instances)
{
    return (size_t)floor(fault->max_affected * (double)instances + 1e-9);
}

/* Chooses `want` of the `matching` instances that are as `where` says (a partial Fisher-Yates
 * shuffle); chosen keeps their order. */
static void choose(uint64_t seed, const struct topo_service *service,
                   const struct topo_where *where, size_t want, bool *chosen)
{
    struct base_rng rng;
    size_t *order = base_calloc(service->instance_count, sizeof *order);
    size_t matching = 0;
    for (size_t i = 0; i < service->instance_count; i++)
        if (topo_matches(&service->instances[i], where))
            order[matching++] = i;
    base_rng_seed(&rng, seed);
    for (size_t i = 0; i < want; i++) {
        size_t k = i + (size_t)base_rng_below(&rng, matching - i);
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
    size_t matching = topo_count_matching(service, &fault->where);
    const char *such = matching == instances ? "" : "matching ";
    bool none = instances > 0 && matching == 0;
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index, none ? "where" : "select");
    if (instances == 0)
        scn_say(&planner->reporter, "\"%s\" has no instances, so that nothing is selected",
                service->name);
    else if (none)
        scn_say(&planner->reporter,
                "none of the %zu instance%s of \"%s\" is like this, as the topology says; its "
                "instances have zone, node, namespace and labels there",
                instances, instances == 1 ? "" : "s", service->name);
    else if (want == 0)
        scn_say(
            &planner->reporter, "%.4g%% of the %zu %sinstance%s of \"%s\" is none",
            (fault->select.mode == SCN_SELECT_UP_TO ? fault->select.up_to : fault->select.percent) *
                100,
            matching, such, matching == 1 ? "" : "s", service->name);
    else if (want > matching)
        scn_say(&planner->reporter, "%zu instances are asked for, but \"%s\" has %zu%s", want,
                service->name, matching, *such != '\0' ? " that match" : "");
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

/* ---- one fault ---- */

/* A ramp stays on its targets; each repetition draws anew. */
static uint64_t draw_of(const struct planner *planner, const struct scn_occurrence *occurrence)
{
    const struct scn_fault *fault = occurrence->fault;
    return planner_seed(planner, fault->ramp.steps > 1 ? fault->name : occurrence->name);
}

static void fill_targets(struct planner *planner, const struct scn_occurrence *occurrence,
                         const struct topo_service *service, size_t want, struct fault_spec *spec)
{
    bool *chosen = base_calloc(service->instance_count, sizeof *chosen);
    choose(draw_of(planner, occurrence), service, &occurrence->fault->where, want, chosen);
    spec->targets = base_calloc(want, sizeof *spec->targets);
    for (size_t i = 0; i < service->instance_count; i++) {
        if (chosen[i])
            spec->targets[spec->target_count++] = base_str_dup(service->instances[i].name);
    }
    free(chosen);
}

static void fill_where(const struct topo_where *from, struct topo_where *out)
{
    *out = (struct topo_where){
        .zone = base_str_dup(from->zone),
        .node = base_str_dup(from->node),
        .namespace = base_str_dup(from->namespace),
        .labels = base_calloc(from->label_count, sizeof *out->labels),
        .label_count = from->label_count,
    };
    for (size_t i = 0; i < from->label_count; i++)
        out->labels[i] = base_str_dup(from->labels[i]);
}

/* How many are hit at a time, also of instances that come later. */
static void fill_track(const struct scn_fault *fault, size_t want, struct fault_spec *spec)
{
    spec->track.on = fault->track;
    if (!fault->track)
        return;
    if (fault->select.mode == SCN_SELECT_ALL)
        spec->track.share = 1;
    else if (fault->select.mode == SCN_SELECT_PERCENT)
        spec->track.share = fault->select.percent;
    else
        spec->track.count = want;
}

static bool is_other(const struct topo *topo, const char *member, const char *target)
{
    const struct topo_service *service = topo_find_service(topo, member);
    if (topo_find_instance(topo, member, NULL) != NULL || service == NULL)
        return !base_str_eq(member, target);
    return service->instance_count > 1 ||
           (service->instance_count == 1 && !base_str_eq(service->instances[0].name, target));
}

/* One node is cut off, and somebody has to be left who can take over. */
static void check_cut_off(struct planner *planner, const struct fault_spec *spec, size_t index)
{
    const struct fault_failover *failover = fault_failover_of(spec);
    bool others = false;
    if (failover == NULL)
        return;
    for (size_t i = 0; i < failover->member_count; i++)
        others = others || is_other(planner->topo, failover->members[i], spec->targets[0]);
    scn_at(&planner->reporter, "spec.faults[%zu].%s", index,
           spec->target_count != 1 ? "select" : fault_kind_name(spec->kind));
    if (spec->target_count != 1)
        scn_say(&planner->reporter, "%zu instances are selected, and one node is cut off at a time",
                spec->target_count);
    else if (!others)
        scn_say(&planner->reporter,
                "members: nobody but \"%s\" itself, expected the others of its cluster",
                spec->targets[0]);
}

/* What is right as a whole may be too little in the first of a ramp's steps. */
static void check_scaled(struct planner *planner, const struct fault_spec *spec, size_t index)
{
    struct base_error err;
    scn_at(&planner->reporter, "spec.faults[%zu].ramp", index);
    if (spec->kind == FAULT_NETWORK && !fault_network_check(&spec->network, &err))
        scn_say(&planner->reporter, "in \"%s\": %s", spec->name, err.message);
}

/* A fault waits once, however often it happens; whether it is to happen is asked each time. */
static void fill_gate(const struct scn_occurrence *occurrence, struct plan_gate *gate)
{
    const struct scn_fault *fault = occurrence->fault;
    gate->only_if = base_str_dup(fault->only_if);
    gate->unless = base_str_dup(fault->unless);
    if (!occurrence->first)
        return;
    gate->suspend = fault->suspend.within;
    gate->message = base_str_dup(fault->suspend.message);
    gate->wait_for = base_str_dup(fault->wait.probe);
    gate->within = fault->wait.within;
}

static void plan_fault(struct planner *planner, const struct scn_occurrence *occurrence,
                       size_t number, struct plan_fault *out)
{
    const struct scn_fault *fault = occurrence->fault;
    size_t index = occurrence->index;
    struct fault_spec *spec = &out->spec;
    out->at = occurrence->at;
    out->after = base_str_dup(scn_timeline_leader(&planner->timeline, occurrence));
    fill_gate(occurrence, &out->gate);
    *spec = (struct fault_spec){
        .id = base_str_printf("%s-%zu", planner->options->run, number),
        .run = base_str_dup(planner->options->run),
        .started = planner->options->started,
        .name = base_str_dup(occurrence->name),
        .kind = fault->kind,
        .duration = occurrence->duration,
        .lease = fault->lease,
        .max_affected = fault->max_affected,
        .service = base_str_dup(fault->service),
    };
    scn_at(&planner->reporter, "spec.faults[%zu].service", index);
    const struct topo_service *service = planner_service(planner, fault->service);
    if (service == NULL)
        return;
    planner_kind(planner, fault, index, service, spec);
    scn_scale(spec, occurrence->intensity);
    check_scaled(planner, spec, index);
    size_t matching = topo_count_matching(service, &fault->where);
    size_t want = wanted(&fault->select, matching, draw_of(planner, occurrence));
    if (!check_selection(planner, fault, service, index, want))
        return;
    /* A random number is judged by the most that it may be: no seed makes a file valid. */
    bool random = fault->select.mode == SCN_SELECT_UP_TO;
    check_cap(planner, fault, service, index,
              random ? share_of(fault->select.up_to, matching) : want);
    fill_where(&fault->where, &spec->where);
    fill_targets(planner, occurrence, service, want, spec);
    fill_track(fault, want, spec);
    check_cut_off(planner, spec, index);
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
    plan->agent_ca_file = base_str_dup(planner->topo->agent_ca_file);
    plan->agent_cert_file = base_str_dup(planner->topo->agent_cert_file);
    plan->agent_key_file = base_str_dup(planner->topo->agent_key_file);
}

static void skip_left_out(struct planner *planner)
{
    const struct scn_scenario *scenario = planner->scenario;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        if (!planner->left_out[i])
            continue;
        bool itself = planner_leaves_out(planner, fault);
        planner_skip(
            planner, fault->name,
            itself ? base_str_printf("%s needs kernel privileges and was left out with "
                                     "--without-kernel-faults",
                                     fault_kind_name(fault->kind))
                   : base_str_printf("the probe \"%s\" went with a fault that is left out",
                                     fault->only_if != NULL ? fault->only_if : fault->unless));
    }
}

void planner_faults(struct planner *planner)
{
    const struct scn_timeline *timeline = &planner->timeline;
    struct plan *plan = planner->plan;
    skip_left_out(planner);
    plan->fault_count = timeline->count;
    plan->faults = base_calloc(timeline->count, sizeof *plan->faults);
    for (size_t i = 0; i < timeline->count; i++)
        plan_fault(planner, &timeline->list[i], i + 1, &plan->faults[i]);
    planner_overlaps(planner);
    need_agent(planner);
}
