/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RabbitMQ: each node tells, through its management interface, which nodes of the cluster run in
 * its eyes, and from whom it was parted. Nobody leads: what has to be shown is that the others see
 * the node go and come back.
 */
#include "failover_rabbit.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "rabbit_api.h"

/* --- asking --- */

static void say_refused(struct failover_node *node, const struct fault_rest_answer *answer)
{
    BASE_AUTO_FREE char *why = answer->status == 0
                                   ? base_str_dup(answer->error)
                                   : base_str_printf("answered %d %s", answer->status,
                                                     answer->error != NULL ? answer->error : "");
    failover_said(node, why);
}

bool failover_rabbit_read(const json_t *nodes, struct failover_view *out)
{
    size_t i;
    const json_t *one;
    out->mate_count = 0;
    json_array_foreach(nodes, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *parted =
            json_string_value(json_array_get(json_object_get(one, "partitions"), 0));
        if (name == NULL || out->mate_count == FAILOVER_MATES)
            return false;
        struct failover_mate *mate = &out->mates[out->mate_count++];
        (void)snprintf(mate->name, sizeof mate->name, "%s", name);
        (void)snprintf(mate->parted, sizeof mate->parted, "%s", parted != NULL ? parted : "");
        mate->running = json_is_true(json_object_get(one, "running"));
    }
    return out->mate_count > 0;
}

static void on_nodes(void *ctx, const struct fault_rest_answer *answer)
{
    struct failover_node *node = ctx;
    if (answer->status != 200)
        say_refused(node, answer);
    else
        failover_said(node, failover_rabbit_read(answer->json, &node->view)
                                ? NULL
                                : "/api/nodes is no list of nodes");
}

static void on_overview(void *ctx, const struct fault_rest_answer *answer)
{
    struct failover_node *node = ctx;
    const char *name =
        answer->status == 200 ? json_string_value(json_object_get(answer->json, "node")) : NULL;
    if (answer->status != 200) {
        say_refused(node, answer);
        return;
    }
    if (name == NULL) {
        failover_said(node, "/api/overview names no node");
        return;
    }
    (void)snprintf(node->view.name, sizeof node->view.name, "%s", name);
    fault_rabbit_ask(node->session, "GET", "/nodes?columns=name,running,partitions", NULL, on_nodes,
                     node);
}

static void rabbit_drop(struct failover_node *node)
{
    fault_rabbit_free(node->session);
    node->session = NULL;
}

static void rabbit_ask(struct failover_node *node)
{
    const struct fault_env *env = fault_env_of(failover_fault(node));
    rabbit_drop(node);
    node->session = fault_rabbit_new(env->loop, env->http, node->target.address,
                                     node->credentials.management_port, &node->credentials);
    fault_rabbit_ask(node->session, "GET", "/overview?columns=node", NULL, on_overview, node);
}

/* --- judging --- */

static const struct failover_mate *mate_of(const struct failover_node *node, const char *name)
{
    for (size_t i = 0; node->view.answered && i < node->view.mate_count; i++)
        if (base_str_eq(node->view.mates[i].name, name))
            return &node->view.mates[i];
    return NULL;
}

static bool sees_running(const struct failover_node *node, const char *name)
{
    const struct failover_mate *mate = mate_of(node, name);
    return mate != NULL && mate->running;
}

/* The first of those that one node reports to be parted; NULL: it reports none. */
static const struct failover_mate *parted_in(const struct failover_node *node)
{
    for (size_t i = 0; node->view.answered && i < node->view.mate_count; i++)
        if (node->view.mates[i].parted[0] != '\0')
            return &node->view.mates[i];
    return NULL;
}

static void describe(const struct failover_node *node, const char *name, char *out, size_t size)
{
    const struct failover_mate *parted = parted_in(node);
    const struct failover_mate *mate = mate_of(node, name);
    if (!node->view.answered)
        (void)snprintf(out, size, "no answer: %s", node->view.why);
    else if (parted != NULL)
        (void)snprintf(out, size, "%s is parted from %s", parted->name, parted->parted);
    else if (mate == NULL)
        (void)snprintf(out, size, "does not know %s", name);
    else
        (void)snprintf(out, size, "%s %s", name, mate->running ? "runs" : "does not run");
}

static void put(struct failover_verdict *out, const struct failover_node *node, const char *name,
                const char *expected, bool ok)
{
    struct failover_line *line = &out->lines[out->count++];
    *line = (struct failover_line){.node = node, .ok = ok};
    describe(node, name, line->value, sizeof line->value);
    (void)snprintf(line->expected, sizeof line->expected, "%.64s %s", name, expected);
    out->metric = "cluster in the eyes";
}

static bool complain_parted(const struct failover_node *nodes, size_t count,
                            struct failover_verdict *out)
{
    const struct failover_mate *parted = NULL;
    for (size_t i = 0; i < count && parted == NULL; i++)
        parted = parted_in(&nodes[i]);
    if (parted != NULL)
        (void)snprintf(out->error, sizeof out->error,
                       "RabbitMQ reports a partition: %s is parted from %s; with "
                       "cluster_partition_handling = ignore an operator has to mend that: stop and "
                       "start the nodes of the side that is not to be kept, or set pause_minority "
                       "or autoheal",
                       parted->name, parted->parted);
    return parted != NULL;
}

static const char *name_of(const struct failover_node *node)
{
    return node->target.name;
}

static void judge_before(const struct failover_node *nodes, size_t count,
                         struct failover_verdict *out)
{
    const struct failover_node *first = &nodes[0];
    const char *name = first->view.name;
    const struct failover_node *stranger = NULL;
    size_t witnesses = 0;
    out->settled = first->view.answered;
    put(out, first, name, "runs", sees_running(first, name) && parted_in(first) == NULL);
    for (size_t i = 1; i < count; i++) {
        bool sees = sees_running(&nodes[i], name) && !base_str_eq(nodes[i].view.name, name);
        witnesses += sees ? 1 : 0;
        stranger = stranger == NULL && nodes[i].view.answered && !sees ? &nodes[i] : stranger;
        out->settled = out->settled && nodes[i].view.answered;
        put(out, &nodes[i], name, "runs", sees && parted_in(&nodes[i]) == NULL);
    }
    if (!first->view.answered)
        (void)snprintf(out->error, sizeof out->error, "%s does not answer: %s", name_of(first),
                       first->view.why);
    else if (complain_parted(nodes, count, out))
        return;
    else if (stranger != NULL)
        (void)snprintf(out->error, sizeof out->error,
                       "%s (%s) is no other node of the cluster of %s, in which that one runs: "
                       "name those that are",
                       name_of(stranger), stranger->view.name, name);
    else if (witnesses == 0)
        (void)snprintf(out->error, sizeof out->error,
                       "no other node of the cluster of %s answers: nobody would go on without it, "
                       "nor see it go; see the evidence",
                       name_of(first));
    out->ok = out->error[0] == '\0';
}

static void judge_during(const struct failover_node *nodes, size_t count,
                         struct failover_verdict *out)
{
    const char *name = nodes[0].view.name;
    bool cut = !nodes[0].view.answered;
    const struct failover_node *late = NULL;
    size_t seen = 0;
    put(out, &nodes[0], name, "does not answer", cut);
    for (size_t i = 1; i < count; i++) {
        const struct failover_mate *mate = mate_of(&nodes[i], name);
        bool gone = mate != NULL && !mate->running;
        seen += gone ? 1 : 0;
        late = late == NULL && nodes[i].view.answered && !gone ? &nodes[i] : late;
        put(out, &nodes[i], name, "does not run", gone || !nodes[i].view.answered);
    }
    if (!cut)
        (void)snprintf(out->error, sizeof out->error,
                       "%s still answers: what is said to it does not come through its network "
                       "namespace",
                       name_of(&nodes[0]));
    else if (late != NULL)
        (void)snprintf(out->error, sizeof out->error,
                       "%s did not see %s go within the lease: a longer lease (60s at most) gives "
                       "it more time, and so does a shorter net_ticktime",
                       name_of(late), name);
    else if (seen == 0)
        (void)snprintf(out->error, sizeof out->error,
                       "no other node answered while %s was cut off: the cluster did not go on "
                       "without it (with pause_minority more than half of the nodes have to be "
                       "left)",
                       name);
    out->ok = out->error[0] == '\0';
    for (size_t i = 1; seen == 0 && i < count; i++)
        out->lines[i].ok = false;
}

/* The first of the nodes that does not run in its eyes; NULL: all do. */
static const char *misses(const struct failover_node *node, const struct failover_node *nodes,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (nodes[i].view.name[0] != '\0' && !sees_running(node, nodes[i].view.name))
            return nodes[i].view.name;
    return NULL;
}

static void judge_after(const struct failover_node *nodes, size_t count,
                        struct failover_verdict *out)
{
    bool parted = complain_parted(nodes, count, out);
    for (size_t i = 0; i < count; i++) {
        const struct failover_node *node = &nodes[i];
        const char *missed = misses(node, nodes, count);
        bool ok = node->view.answered && missed == NULL && parted_in(node) == NULL;
        put(out, node, missed != NULL ? missed : nodes[0].view.name, "runs", ok);
        if (ok || parted || out->error[0] != '\0')
            continue;
        if (!node->view.answered)
            (void)snprintf(out->error, sizeof out->error, "%s does not answer: %s", name_of(node),
                           node->view.why);
        else
            (void)snprintf(out->error, sizeof out->error, "in the eyes of %s %s does not run",
                           name_of(node), missed);
    }
    out->ok = out->error[0] == '\0';
}

const struct failover_store failover_rabbitmq = {
    .kind = "rabbitmq",
    .ask = rabbit_ask,
    .drop = rabbit_drop,
    .again_ms = 300,
    .steady_ms = 6000, /* what it says of partitions is up to 5 s old */
    .judge = {[FAULT_STEP_PREPARE] = judge_before,
              [FAULT_STEP_VERIFY] = judge_during,
              [FAULT_STEP_VERIFY_GONE] = judge_after},
};
