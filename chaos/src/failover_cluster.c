/* SPDX-License-Identifier: Apache-2.0 */
#include "failover.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

enum { patience_ms = 1000 }; /* with one node's answer */

struct failover_cluster {
    struct fault *fault;
    const struct failover_store *store;
    struct failover_node nodes[FAILOVER_NODES];
    size_t count;
    struct failover_verdict verdict;
    enum fault_step step;
    struct mono_ns until;
    struct mono_ns right; /* since when all is as it should be; 0: it is not */
    struct io_timer patience;
    struct io_timer again;
    void (*on_done)(void *ctx, const struct failover_verdict *verdict);
    void *ctx;
};

struct fault *failover_fault(const struct failover_node *node)
{
    return node->cluster->fault;
}

size_t failover_cluster_size(const struct failover_cluster *cluster)
{
    return cluster->count;
}

const struct fault_target *failover_cluster_at(const struct failover_cluster *cluster, size_t index)
{
    return &cluster->nodes[index].target;
}

/* --- a round of questions --- */

static void drop_all(struct failover_cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        cluster->store->drop(&cluster->nodes[i]);
        cluster->nodes[i].asked = false;
    }
}

static void round_begin(struct failover_cluster *cluster)
{
    struct dur_ns left = base_mono_sub(cluster->until, base_mono_now());
    struct dur_ns patience = base_dur_ms(patience_ms);
    bool hurry = left.ns < patience.ns && cluster->right.ns == 0;
    io_timer_start(&cluster->patience, hurry ? left : patience);
    for (size_t i = 0; i < cluster->count; i++) {
        struct failover_node *node = &cluster->nodes[i];
        node->view.answered = false;
        (void)snprintf(node->view.why, sizeof node->view.why, "none in time");
        node->asked = true;
        cluster->store->ask(node);
    }
}

/* Right at the end of the time is right: then it only has to stay so. */
static bool is_over(struct failover_cluster *cluster, struct mono_ns now)
{
    const struct failover_store *store = cluster->store;
    bool steady = cluster->step == FAULT_STEP_VERIFY_GONE;
    if (!cluster->verdict.ok)
        cluster->right = (struct mono_ns){0};
    else if (cluster->right.ns == 0)
        cluster->right = now;
    if (cluster->verdict.ok)
        return !steady ||
               base_mono_sub(now, cluster->right).ns >= store->steady_ms * BASE_NS_PER_MS;
    return cluster->verdict.settled ||
           base_mono_sub(cluster->until, now).ns < store->again_ms * BASE_NS_PER_MS;
}

static void round_end(struct failover_cluster *cluster)
{
    io_timer_stop(&cluster->patience);
    drop_all(cluster);
    cluster->verdict = (struct failover_verdict){0};
    cluster->store->judge[cluster->step](cluster->nodes, cluster->count, &cluster->verdict);
    if (is_over(cluster, base_mono_now()))
        cluster->on_done(cluster->ctx, &cluster->verdict);
    else
        io_timer_start(&cluster->again, base_dur_ms(cluster->store->again_ms));
}

void failover_said(struct failover_node *node, const char *why)
{
    struct failover_cluster *cluster = node->cluster;
    if (!node->asked)
        return;
    node->asked = false;
    node->view.answered = why == NULL;
    (void)snprintf(node->view.why, sizeof node->view.why, "%s", why != NULL ? why : "");
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].asked)
            return;
    /* Not from here: the session that speaks is let go of at a round's end. */
    io_timer_start(&cluster->patience, (struct dur_ns){0});
}

static void on_patience(void *ctx)
{
    round_end(ctx);
}

static void on_again(void *ctx)
{
    round_begin(ctx);
}

void failover_cluster_watch(struct failover_cluster *cluster, enum fault_step step,
                            struct dur_ns within,
                            void (*on_done)(void *ctx, const struct failover_verdict *verdict),
                            void *ctx)
{
    failover_cluster_cancel(cluster);
    cluster->step = step;
    cluster->right = (struct mono_ns){0};
    cluster->until = base_mono_add(base_mono_now(), within);
    cluster->on_done = on_done;
    cluster->ctx = ctx;
    round_begin(cluster);
}

void failover_cluster_cancel(struct failover_cluster *cluster)
{
    if (cluster == NULL)
        return;
    io_timer_stop(&cluster->patience);
    io_timer_stop(&cluster->again);
    drop_all(cluster);
}

/* --- birth and death --- */

struct failover_cluster *failover_cluster_new(struct fault *fault,
                                              const struct failover_store *store)
{
    struct failover_cluster *cluster = base_calloc(1, sizeof *cluster);
    cluster->fault = fault;
    cluster->store = store;
    io_timer_init(&cluster->patience, fault_env_of(fault)->loop, on_patience, cluster);
    io_timer_init(&cluster->again, fault_env_of(fault)->loop, on_again, cluster);
    return cluster;
}

void failover_cluster_free(struct failover_cluster *cluster)
{
    if (cluster == NULL)
        return;
    drop_all(cluster);
    for (size_t i = 0; i < cluster->count; i++) {
        fault_target_fini(&cluster->nodes[i].target);
        fault_credentials_fini(&cluster->nodes[i].credentials);
    }
    io_timer_fini(&cluster->patience);
    io_timer_fini(&cluster->again);
    free(cluster);
}

static bool check(const struct failover_cluster *cluster, const struct fault_target *target,
                  struct base_error *err)
{
    if (cluster->count == FAILOVER_NODES)
        return base_fail(err, BASE_LIMIT, "more than %d members: name those that can take over",
                         FAULT_MAX_MEMBERS);
    if (!base_str_eq(target->kind, cluster->store->kind))
        return base_fail(err, BASE_INVALID, "%s is of the kind \"%s\", expected \"%s\"",
                         target->name, target->kind, cluster->store->kind);
    return target->credentials_file != NULL ||
           base_fail(err, BASE_UNAVAILABLE,
                     "%s: its service has no credentialsFile in the topology", target->name);
}

bool failover_cluster_add(struct failover_cluster *cluster, struct fault_target *target,
                          struct base_error *err)
{
    struct fault_credentials credentials = {0};
    bool ok = check(cluster, target, err) &&
              (fault_credentials_read(target->credentials_file, &credentials, err) ||
               base_fail_context(err, "%s", target->name));
    if (!ok) {
        fault_target_fini(target);
        return false;
    }
    cluster->nodes[cluster->count++] =
        (struct failover_node){.cluster = cluster, .target = *target, .credentials = credentials};
    *target = (struct fault_target){0};
    return true;
}
