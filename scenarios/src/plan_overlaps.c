/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of a plan beside each other: which can be in force at the same time, and what must not be
 * then. */
#include <math.h>

#include "base/text.h"
#include "plan_internal.h"

/* Where in the scenario a planned fault stands. */
static const struct scn_occurrence *occurrence_of(const struct planner *planner,
                                                  const struct plan_fault *fault)
{
    return &planner->timeline.list[fault - planner->plan->faults];
}

/* One begins only when the other has been measured gone, however late that is. */
static bool follows(const struct plan *plan, const struct plan_fault *fault,
                    const struct plan_fault *leader)
{
    /* Each step leads to another fault, and the parser refuses circles. */
    for (size_t i = 0; i < plan->fault_count && fault != NULL && fault->after != NULL; i++) {
        const struct plan_fault *next = NULL;
        for (size_t k = 0; k < plan->fault_count; k++)
            if (base_str_eq(plan->faults[k].spec.name, fault->after))
                next = &plan->faults[k];
        if (next == leader)
            return true;
        fault = next;
    }
    return false;
}

/* Decided by the same answer, of which one needs the opposite of the other. */
static bool exclude_each_other(const struct plan_fault *a, const struct plan_fault *b)
{
    const struct plan_gate *x = &a->gate;
    const struct plan_gate *y = &b->gate;
    bool opposite = (x->only_if != NULL && base_str_eq(x->only_if, y->unless)) ||
                    (x->unless != NULL && base_str_eq(x->unless, y->only_if));
    return opposite && a->at.ns == b->at.ns && base_str_eq(a->after, b->after) &&
           x->wait_for == NULL && y->wait_for == NULL && x->suspend.ns == 0 && y->suspend.ns == 0;
}

/* From when it is due to the end, were it to wait as long as it may. */
static int64_t latest_end(const struct planner *planner, const struct plan_fault *fault)
{
    return fault->at.ns + occurrence_of(planner, fault)->waits.ns + fault->spec.duration.ns;
}

/* Operators move all back alike, so that only conditions can bring faults together. */
static bool at_the_same_time(const struct planner *planner, const struct plan_fault *a,
                             const struct plan_fault *b)
{
    return a->at.ns < latest_end(planner, b) && b->at.ns < latest_end(planner, a) &&
           !follows(planner->plan, a, b) && !follows(planner->plan, b, a) &&
           !exclude_each_other(a, b);
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

static size_t index_of(const struct planner *planner, const struct plan_fault *fault)
{
    return occurrence_of(planner, fault)->index;
}

/* Whether `other` may be in force when `fault` starts. */
static bool may_be_in_force(const struct planner *planner, const struct plan_fault *other,
                            const struct plan_fault *fault)
{
    int64_t starts = fault->at.ns + occurrence_of(planner, fault)->waits.ns;
    return other->at.ns <= starts && at_the_same_time(planner, other, fault);
}

static bool hits(const struct fault_spec *spec, const char *instance)
{
    for (size_t i = 0; i < spec->target_count; i++)
        if (base_str_eq(spec->targets[i], instance))
            return true;
    return false;
}

struct together { /* on one service, when a fault starts while `with` is in force */
    size_t hit;   /* instances, each counted once */
    double cap;
};

static struct together count_together(const struct planner *planner, const struct plan_fault *fault,
                                      const struct plan_fault *with,
                                      const struct topo_service *service)
{
    const struct plan *plan = planner->plan;
    struct together out = {.cap = fmin(fault->spec.max_affected, with->spec.max_affected)};
    for (size_t i = 0; i < service->instance_count; i++) {
        const char *name = service->instances[i].name;
        bool hit = hits(&fault->spec, name) || hits(&with->spec, name);
        for (size_t k = 0; k < plan->fault_count && !hit; k++) {
            const struct plan_fault *third = &plan->faults[k];
            hit = third != fault && third != with && hits(&third->spec, name) &&
                  may_be_in_force(planner, third, fault) && at_the_same_time(planner, third, with);
            if (hit)
                out.cap = fmin(out.cap, third->spec.max_affected);
        }
        out.hit += hit ? 1 : 0;
    }
    return out;
}

/* Faults on one service at one time share its cap: instances hit when `fault` starts. */
static void check_shared_cap(struct planner *planner, const struct plan_fault *fault)
{
    const struct plan *plan = planner->plan;
    const struct topo_service *service = topo_find_service(planner->topo, fault->spec.service);
    for (size_t i = 0; i < plan->fault_count && service != NULL; i++) {
        const struct plan_fault *with = &plan->faults[i];
        if (with == fault || !base_str_eq(with->spec.service, fault->spec.service) ||
            !may_be_in_force(planner, with, fault))
            continue;
        struct together all = count_together(planner, fault, with, service);
        if (all.hit <= (size_t)floor(all.cap * (double)service->instance_count + 1e-9))
            continue;
        scn_at(&planner->reporter, "spec.faults[%zu].maxAffected", index_of(planner, fault));
        scn_say(&planner->reporter,
                "together with the faults that are in force when this one starts, such as \"%s\", "
                "%zu of %zu instances of \"%s\" would be hit, more than the %.4g%% allowed",
                with->spec.name, all.hit, service->instance_count, service->name, all.cap * 100);
        return;
    }
}

/* Two faults on one instance would each undo what the other measures. */
void planner_overlaps(struct planner *planner)
{
    const struct plan *plan = planner->plan;
    for (size_t i = 0; i < plan->fault_count; i++) {
        bool shared = false;
        for (size_t k = 0; k < i; k++) {
            const char *target = common_target(&plan->faults[i].spec, &plan->faults[k].spec);
            if (target == NULL || !at_the_same_time(planner, &plan->faults[i], &plan->faults[k]))
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
