/* SPDX-License-Identifier: Apache-2.0 */
#include "node_drain.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "drain_answer.h"
#include "pod_answer.h"

/* The end of the lease is told in this fault's own words. */
enum { again_ms = 250, late_ms = 600, ask_ms = 4000 };

struct drained { /* an instance that the topology places on one of the nodes */
    struct fault_drain *drain;
    struct fault_target target;
    struct fault_kube *kube;
    size_t node;
    bool there; /* is to be evicted */
    bool busy;
    bool accepted;
    bool gone;
    struct dur_ns gone_after;
    struct base_error held; /* why it was not evicted yet; code 0: it was not asked for */
};

struct fault_drain {
    const struct fault_node_set *set;
    struct fault_kube *kube;
    struct drained *list;
    size_t count;
    size_t node;                               /* whose pods are being listed */
    struct fault_drain_pods pods;              /* of that node so far */
    void (*listed)(struct fault_drain *drain); /* of each node */
    void (*all_listed)(struct fault_drain *drain);
    char *version; /* of an eviction */
    struct io_timer again;
    struct mono_ns begun;
    bool over; /* the step has ended */
};

static void end(struct fault_drain *drain, enum fault_outcome outcome, const struct base_error *err)
{
    if (drain->over)
        return;
    drain->over = true;
    fault_drain_cancel(drain);
    fault_step_done(drain->set->fault, outcome, err);
}

/* --- before anything --- */

static bool add(struct fault_drain *drain, const struct topo *topo,
                const struct topo_instance *instance, size_t node, struct base_error *err)
{
    if (!topo_knows_pod(instance))
        return base_fail(err, BASE_INVALID,
                         "%s is on node %s, but no pod (namespace, name, uid) in this agent's "
                         "topology",
                         instance->name, instance->node);
    size_t count = drain->count + 1;
    drain->list = base_reallocarray(drain->list, count, sizeof *drain->list);
    struct drained *one = &drain->list[drain->count];
    *one = (struct drained){.drain = drain, .node = node};
    if (!fault_target_look_up(topo, instance->name, &one->target, err))
        return false;
    one->kube = fault_kube_new(fault_env_of(drain->set->fault), &one->target);
    drain->count = count;
    return true;
}

static bool add_all(struct fault_drain *drain, const struct topo *topo, struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++) {
            const struct topo_instance *instance = &topo->services[s].instances[i];
            for (size_t n = 0; n < drain->set->count; n++)
                if (base_str_eq(instance->node, drain->set->list[n].mark.node) &&
                    !add(drain, topo, instance, n, err))
                    return false;
        }
    return true;
}

static void on_again(void *ctx);

struct fault_drain *fault_drain_new(const struct fault_node_set *set, const struct topo *topo,
                                    struct base_error *err)
{
    const struct fault_env *env = fault_env_of(set->fault);
    const struct fault_kube_access access = {.url = topo->kubernetes_url,
                                             .ca_file = topo->kubernetes_ca_file,
                                             .token_file = topo->kubernetes_token_file,
                                             .timeout = base_dur_ms(ask_ms)};
    struct fault_drain *drain = base_calloc(1, sizeof *drain);
    drain->set = set;
    drain->kube = fault_kube_open(env->loop, env->http, &access);
    io_timer_init(&drain->again, env->loop, on_again, drain);
    if (!add_all(drain, topo, err)) {
        fault_drain_free(drain);
        return NULL;
    }
    return drain;
}

void fault_drain_free(struct fault_drain *drain)
{
    if (drain == NULL)
        return;
    io_timer_fini(&drain->again);
    fault_kube_free(drain->kube);
    for (size_t i = 0; i < drain->count; i++) {
        fault_kube_free(drain->list[i].kube);
        fault_target_fini(&drain->list[i].target);
    }
    fault_drain_pods_fini(&drain->pods);
    free(drain->list);
    free(drain->version);
    free(drain);
}

void fault_drain_cancel(struct fault_drain *drain)
{
    if (drain == NULL)
        return;
    io_timer_stop(&drain->again);
    fault_kube_cancel(drain->kube);
    for (size_t i = 0; i < drain->count; i++) {
        drain->list[i].busy = false;
        fault_kube_cancel(drain->list[i].kube);
    }
}

/* --- the pods of all nodes, page by page --- */

static void on_page(void *ctx, const struct fault_rest_answer *answer);

static void list_node(struct fault_drain *drain, const char *page)
{
    fault_kube_on_node(drain->kube, drain->set->list[drain->node].mark.node, page, on_page, drain);
}

static void on_page(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_drain *drain = ctx;
    struct base_error err = {0};
    BASE_AUTO_FREE char *next = NULL;
    if (!fault_drain_page(answer, &drain->pods, &next, &err)) {
        (void)base_fail_context(&err, "pods of node %s", drain->set->list[drain->node].mark.node);
        end(drain, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (next == NULL) {
        drain->listed(drain);
        fault_drain_pods_fini(&drain->pods);
        drain->node++;
    }
    if (drain->over)
        return;
    if (drain->node < drain->set->count)
        list_node(drain, next);
    else
        drain->all_listed(drain);
}

static void list_all(struct fault_drain *drain, void (*listed)(struct fault_drain *drain),
                     void (*all_listed)(struct fault_drain *drain))
{
    drain->listed = listed;
    drain->all_listed = all_listed;
    drain->node = 0;
    fault_drain_pods_fini(&drain->pods);
    list_node(drain, NULL);
}

/* --- before --- */

static struct drained *known(struct fault_drain *drain, const char *uid)
{
    for (size_t i = 0; i < drain->count; i++)
        if (drain->list[i].node == drain->node && base_str_eq(drain->list[i].target.pod_uid, uid))
            return &drain->list[i];
    return NULL;
}

/* Whoever is in no topology was counted by no cap and named in no plan. */
static bool all_known(struct fault_drain *drain, struct base_error *err)
{
    for (size_t i = 0; i < drain->pods.count; i++) {
        const struct fault_drain_pod *pod = &drain->pods.list[i];
        if (pod->fate != FAULT_DRAIN_EVICT)
            continue;
        struct drained *one = known(drain, pod->uid);
        if (one == NULL)
            return base_fail(err, BASE_DENIED,
                             "pod %s (uid %s) would be evicted, but is no instance on node %s in "
                             "this agent's topology: no plan names it and no cap counts it; write "
                             "it down there, or choose another node",
                             pod->name, pod->uid, drain->set->list[drain->node].mark.node);
        one->there = true;
    }
    return true;
}

static void listed_before(struct fault_drain *drain)
{
    const struct fault_node_one *node = &drain->set->list[drain->node];
    const struct fault_spec *spec = fault_spec_of(drain->set->fault);
    struct base_error err = {0};
    BASE_AUTO_FREE char *metric = base_str_printf("pods of node %s", node->mark.node);
    BASE_AUTO_FREE char *words = fault_drain_words(&drain->pods);
    bool ok = fault_drain_allowed(&drain->pods, spec->node.empty_dir, spec->lease, &err) &&
              all_known(drain, &err);
    fault_evidence(drain->set->fault, node->target, "before", metric, words,
                   "all of them instances that may be evicted", ok);
    if (!ok)
        end(drain, FAULT_OUTCOME_FAILED, &err);
}

static void on_versions(void *ctx, const struct fault_rest_answer *answer)
{
    struct fault_drain *drain = ctx;
    struct base_error err = {0};
    free(drain->version);
    drain->version = fault_pod_eviction_version(answer, &err);
    end(drain, drain->version != NULL ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void all_listed_before(struct fault_drain *drain)
{
    struct base_error err = {0};
    for (size_t i = 0; i < drain->count; i++)
        if (drain->list[i].there) {
            fault_kube_versions(drain->kube, on_versions, drain);
            return;
        }
    (void)base_fail(&err, BASE_UNAVAILABLE, "nothing runs there that would be evicted");
    end(drain, FAULT_OUTCOME_FAILED, &err);
}

void fault_drain_prepare(struct fault_drain *drain)
{
    drain->over = false;
    list_all(drain, listed_before, all_listed_before);
}

/* --- evicting --- */

static void gone_evidence(struct fault_drain *drain)
{
    for (size_t i = 0; i < drain->count; i++) {
        const struct drained *one = &drain->list[i];
        char took[BASE_DUR_TEXT];
        if (!one->there)
            continue;
        base_dur_format_brief(
            one->gone ? one->gone_after : base_mono_sub(base_mono_now(), drain->begun), took);
        BASE_AUTO_FREE char *value = base_str_printf(
            "%s/%s uid %s %s after %s%s%s", one->target.pod_namespace, one->target.pod_name,
            one->target.pod_uid, one->gone ? "gone" : "not shown to be gone", took,
            one->gone || one->held.code == BASE_OK ? "" : "; ",
            one->gone || one->held.code == BASE_OK ? "" : one->held.message);
        fault_evidence(drain->set->fault, one->target.name, "during", "pod", value,
                       "evicted, then gone", one->gone);
    }
}

static void listed_during(struct fault_drain *drain)
{
    struct base_error err = {0};
    bool all = true;
    for (size_t i = 0; i < drain->count; i++) {
        struct drained *one = &drain->list[i];
        if (one->node != drain->node || !one->there || one->gone)
            continue;
        one->gone = fault_drain_find(&drain->pods, one->target.pod_uid) == NULL;
        one->gone_after = base_mono_sub(base_mono_now(), drain->begun);
        all = all && one->gone;
    }
    for (size_t i = 0; all && i < drain->pods.count; i++) {
        const struct fault_drain_pod *pod = &drain->pods.list[i];
        if (pod->fate != FAULT_DRAIN_EVICT)
            continue;
        (void)base_fail(&err, BASE_UNAVAILABLE, "pod %s has come to node %s meanwhile", pod->name,
                        drain->set->list[drain->node].mark.node);
        gone_evidence(drain);
        end(drain, FAULT_OUTCOME_NO_EFFECT, &err);
        return;
    }
}

static void give_up(struct fault_drain *drain, const struct drained *one)
{
    struct base_error err = one->held;
    if (err.code == BASE_OK)
        (void)base_fail(&err, BASE_TIMEOUT,
                        "its pod is not gone, and the lease is over: ask for a longer `lease`");
    (void)base_fail_context(&err, "%s", one->target.name);
    gone_evidence(drain);
    end(drain, FAULT_OUTCOME_FAILED, &err);
}

static void all_listed_during(struct fault_drain *drain)
{
    const struct drained *left = NULL;
    for (size_t i = 0; i < drain->count; i++)
        if (drain->list[i].there && !drain->list[i].gone &&
            (left == NULL || left->held.code == BASE_OK))
            left = &drain->list[i];
    if (left == NULL) {
        gone_evidence(drain);
        end(drain, FAULT_OUTCOME_OK, NULL);
    } else if (fault_effect_left(drain->set->fault).ns < late_ms * BASE_NS_PER_MS) {
        give_up(drain, left);
    } else {
        io_timer_start(&drain->again, base_dur_ms(again_ms));
    }
}

/* A budget may allow it a moment later; a request that had no answer is repeated, for it is about
 * one uid; what is gone by itself is as good. */
static void on_evicted(void *ctx, const struct fault_rest_answer *answer)
{
    struct drained *one = ctx;
    struct fault_drain *drain = one->drain;
    one->busy = false;
    one->held = (struct base_error){0};
    one->accepted = fault_pod_accepted(answer, FAULT_KILL_EVICT, &one->held);
    bool later = answer->status == 0 || answer->status == 429 || answer->status == 404 ||
                 answer->status == 409;
    if (!one->accepted && !later) {
        give_up(drain, one);
        return;
    }
    for (size_t i = 0; i < drain->count; i++)
        if (drain->list[i].busy)
            return;
    list_all(drain, listed_during, all_listed_during);
}

static void on_again(void *ctx)
{
    static const struct fault_spec as_kill = {.kind = FAULT_KILL, .kill = {.by = FAULT_KILL_EVICT}};
    struct fault_drain *drain = ctx;
    bool asked = false;
    for (size_t i = 0; i < drain->count; i++) {
        struct drained *one = &drain->list[i];
        const struct fault_target *target = &one->target;
        if (!one->there || one->gone || one->accepted)
            continue;
        asked = true;
        one->busy = true;
        fault_kube_strike(one->kube, FAULT_KILL_EVICT,
                          fault_pod_request(&as_kill, target->pod_namespace, target->pod_name,
                                            target->pod_uid, drain->version),
                          on_evicted, one);
    }
    if (!asked)
        list_all(drain, listed_during, all_listed_during);
}

void fault_drain_run(struct fault_drain *drain)
{
    drain->over = false;
    drain->begun = base_mono_now();
    on_again(drain);
}
