/* SPDX-License-Identifier: Apache-2.0 */
#include "node_set.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "undo.h"

enum { ask_ms = 2000, late_s = 2 };

static void set_init(struct fault_node_set *set, struct fault *fault, size_t targets)
{
    *set = (struct fault_node_set){
        .fault = fault,
        .targets = base_calloc(targets, sizeof *set->targets),
        .node_of = base_calloc(targets, sizeof *set->node_of),
        .list = base_calloc(targets, sizeof *set->list),
    };
}

/* Several targets may run on one node: it is marked once. */
static bool add_node(struct fault_node_set *set, const char *node, const char *uid,
                     const char *text, struct base_error *err)
{
    const struct fault_env *env = fault_env_of(set->fault);
    const struct fault_target *target = &set->targets[set->target_count];
    const struct fault_kube_access access = {.url = target->api_url,
                                             .ca_file = target->api_ca_file,
                                             .token_file = target->api_token_file,
                                             .timeout = base_dur_ms(ask_ms)};
    size_t at = 0;
    while (at < set->count && !base_str_eq(set->list[at].mark.node, node))
        at++;
    if (target->api_url == NULL || target->api_token_file == NULL)
        return base_fail(err, BASE_UNAVAILABLE, "%s: no API server is known", target->name);
    if (at == FAULT_NODES_MOST)
        return base_fail(err, BASE_LIMIT, "more than %d nodes at a time", FAULT_NODES_MOST);
    set->node_of[set->target_count++] = at;
    if (at < set->count)
        return true;
    set->list[at] = (struct fault_node_one){.set = set, .target = target->name};
    fault_node_mark_init(&set->list[at].mark, env->loop, env->http, &access, node, uid, text);
    set->count++;
    return true;
}

/* For whoever finds it: whose it is, until when it can be there, and who takes it off. */
static char *text_of(const struct fault_spec *spec)
{
    struct utsname host;
    char until[BASE_WALL_TEXT];
    struct dur_ns most = {spec->duration.ns + late_s * BASE_NS_PER_S};
    base_wall_format(base_wall_add(base_wall_now(), most), until);
    return base_str_printf("squall fault %s until %s by squall-agent on %s", spec->id, until,
                           uname(&host) == 0 ? host.nodename : "?");
}

bool fault_node_set_open(struct fault_node_set *set, struct fault *fault, const struct topo *topo,
                         struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    BASE_AUTO_FREE char *text = text_of(spec);
    set_init(set, fault, spec->target_count);
    for (size_t i = 0; i < spec->target_count; i++) {
        const struct topo_instance *instance = topo_find_instance(topo, spec->targets[i], NULL);
        if (instance == NULL || instance->node == NULL)
            return base_fail(err, BASE_INVALID,
                             "this agent's topology does not say on which \"node\" %s runs",
                             spec->targets[i]);
        if (!fault_target_look_up(topo, spec->targets[i], &set->targets[i], err) ||
            !add_node(set, instance->node, NULL, text, err)) {
            fault_target_fini(&set->targets[i]);
            return false;
        }
    }
    return true;
}

void fault_node_set_fini(struct fault_node_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        fault_node_mark_fini(&set->list[i].mark);
    for (size_t i = 0; i < set->target_count; i++)
        fault_target_fini(&set->targets[i]);
    free(set->targets);
    free(set->node_of);
    free(set->list);
    *set = (struct fault_node_set){.fault = NULL};
}

/* --- on disk, and for the watchdog --- */

static json_t *mark_to_json(const struct fault_node_mark *mark)
{
    json_t *json = json_object();
    json_object_set_new(json, "node", model_json_text(mark->node));
    json_object_set_new(json, "uid", model_json_text(mark->uid));
    json_object_set_new(json, "text", model_json_text(mark->text));
    return json;
}

json_t *fault_node_set_undo(const struct fault_node_set *set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->target_count; i++) {
        json_t *one = mark_to_json(&set->list[set->node_of[i]].mark);
        json_object_set_new(one, "target", fault_target_to_json(&set->targets[i]));
        json_array_append_new(list, one);
    }
    return list;
}

bool fault_node_set_reopen(struct fault_node_set *set, struct fault *fault, const json_t *undo,
                           struct base_error *err)
{
    set_init(set, fault, json_array_size(undo));
    for (size_t i = 0; i < json_array_size(undo); i++) {
        const json_t *one = json_array_get(undo, i);
        BASE_AUTO_FREE char *node = NULL;
        BASE_AUTO_FREE char *uid = NULL;
        BASE_AUTO_FREE char *text = NULL;
        if (!model_get_text(one, "undo", "node", &node, err) ||
            !model_get_text(one, "undo", "uid", &uid, err) ||
            !model_get_text(one, "undo", "text", &text, err))
            return false;
        if (!fault_target_from_json(json_object_get(one, "target"), &set->targets[i], err) ||
            !add_node(set, node, uid, text, err)) {
            fault_target_fini(&set->targets[i]);
            return false;
        }
    }
    /* What the agent that died had under way is not known. */
    for (size_t i = 0; i < set->count; i++)
        set->list[i].mark.unsure = true;
    return true;
}

json_t *fault_node_set_watched(const struct fault_node_set *set)
{
    const struct fault_target *target = &set->targets[0];
    json_t *marks = json_array();
    json_t *json = json_object();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(marks, mark_to_json(&set->list[i].mark));
    json_object_set_new(json, "url", model_json_text(target->api_url));
    json_object_set_new(json, "caFile", model_json_text(target->api_ca_file));
    json_object_set_new(json, "tokenFile", model_json_text(target->api_token_file));
    json_object_set_new(json, "marks", marks);
    return json;
}

/* --- questions about all of them --- */

bool fault_node_set_busy(const struct fault_node_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].busy)
            return true;
    return false;
}

static void on_done(void *ctx, const struct base_error *err)
{
    struct fault_node_one *one = ctx;
    struct fault_node_set *set = one->set;
    one->busy = false;
    one->error = err != NULL ? *err : (struct base_error){0};
    if (!fault_node_set_busy(set))
        set->answered(set->fault);
}

void fault_node_set_ask(struct fault_node_set *set, enum fault_node_wish wish,
                        void (*answered)(struct fault *fault))
{
    fault_node_set_cancel(set);
    set->answered = answered;
    for (size_t i = 0; i < set->count; i++) {
        set->list[i].busy = true;
        fault_node_mark_ask(&set->list[i].mark, wish, on_done, &set->list[i]);
    }
}

void fault_node_set_cancel(struct fault_node_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        set->list[i].busy = false;
        fault_node_mark_cancel(&set->list[i].mark);
    }
}

const struct base_error *fault_node_set_error(const struct fault_node_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].error.code != BASE_OK)
            return &set->list[i].error;
    return NULL;
}

void fault_node_say(const struct fault_node_one *one, const char *when, const char *expected,
                    bool ok)
{
    BASE_AUTO_FREE char *metric = base_str_printf("node %s", one->mark.node);
    fault_evidence(one->set->fault, one->target, when, metric, one->mark.words, expected, ok);
}
