/* SPDX-License-Identifier: Apache-2.0 */
#include "node_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kube_answer.h"

void fault_node_fini(struct fault_node *node)
{
    free(node->uid);
    free(node->version);
    free(node->mark);
    free(node->boot_id);
    *node = (struct fault_node){0};
}

bool fault_node_read(const json_t *json, struct fault_node *out, struct base_error *err)
{
    const json_t *metadata = json_object_get(json, "metadata");
    const json_t *spec = json_object_get(json, "spec");
    const json_t *unschedulable = json_object_get(spec, "unschedulable");
    const char *uid = fault_kube_text(metadata, "uid");
    const char *version = fault_kube_text(metadata, "resourceVersion");
    if (!base_str_eq(fault_kube_text(json, "kind"), "Node") || uid == NULL || version == NULL ||
        !json_is_object(spec) || (unschedulable != NULL && !json_is_boolean(unschedulable)))
        return base_fail(err, BASE_CORRUPT,
                         "the API server's answer is no node with a uid, a resourceVersion and a "
                         "spec");
    const json_t *info = json_object_get(json_object_get(json, "status"), "nodeInfo");
    /* An empty one is one all the same. */
    const char *mark = json_string_value(
        json_object_get(json_object_get(metadata, "annotations"), FAULT_NODE_ANNOTATION));
    *out = (struct fault_node){
        .uid = base_str_dup(uid),
        .version = base_str_dup(version),
        .mark = base_str_dup(mark),
        .unschedulable = json_is_true(unschedulable),
        .boot_id = base_str_dup(fault_kube_text(info, "bootID")),
    };
    return true;
}

static enum fault_node_sight sight_of(const struct fault_node *node, const char *mark)
{
    size_t len = strlen(mark);
    bool ours = node->mark != NULL && strncmp(node->mark, mark, len) == 0;
    if (ours && node->mark[len] == '\0')
        return node->unschedulable ? FAULT_NODE_OURS : FAULT_NODE_OPENED;
    if (ours && base_str_eq(node->mark + len, FAULT_NODE_ENDED))
        return FAULT_NODE_FENCED;
    return node->unschedulable || node->mark != NULL ? FAULT_NODE_OTHERS : FAULT_NODE_FREE;
}

enum fault_node_sight fault_node_see(const struct fault_rest_answer *answer, const char *uid,
                                     const char *mark, struct fault_node *out,
                                     struct base_error *err)
{
    struct fault_node node = {0};
    if (fault_kube_missing(answer)) {
        (void)base_fail(err, BASE_NOT_FOUND, "%s", answer->error);
        return FAULT_NODE_AWAY;
    }
    if (fault_kube_failed(answer, err) || !fault_node_read(answer->json, &node, err))
        return FAULT_NODE_UNKNOWN;
    if (uid != NULL && !base_str_eq(node.uid, uid)) {
        (void)base_fail(err, BASE_NOT_FOUND, "the node of that name has the uid %s, expected %s",
                        node.uid, uid);
        fault_node_fini(&node);
        return FAULT_NODE_AWAY;
    }
    *out = node;
    return sight_of(&node, mark);
}

char *fault_node_words(const struct fault_node *node)
{
    return base_str_printf("%s, %s%s", node->unschedulable ? "unschedulable" : "schedulable",
                           node->mark != NULL ? FAULT_NODE_ANNOTATION ": " : "without a mark",
                           node->mark != NULL ? node->mark : "");
}

enum fault_node_next fault_node_decide(enum fault_node_wish wish, enum fault_node_sight sight,
                                       bool unsure)
{
    bool ours = sight == FAULT_NODE_OURS || sight == FAULT_NODE_OPENED;
    switch (wish) {
    case FAULT_NODE_MARK:
        return sight == FAULT_NODE_FREE   ? FAULT_NODE_PUT
               : sight == FAULT_NODE_OURS ? FAULT_NODE_DONE
                                          : FAULT_NODE_REFUSED;
    case FAULT_NODE_LIFT:
        return sight == FAULT_NODE_FENCED           ? FAULT_NODE_WIPE
               : ours                               ? FAULT_NODE_TAKE
               : sight == FAULT_NODE_FREE && unsure ? FAULT_NODE_FENCE
                                                    : FAULT_NODE_DONE;
    default:
        return FAULT_NODE_DONE;
    }
}

json_t *fault_node_request(enum fault_node_next what, const struct fault_node *node,
                           const char *mark)
{
    bool off = what == FAULT_NODE_TAKE || what == FAULT_NODE_WIPE;
    json_t *text =
        off ? json_null()
            : json_sprintf("%s%s", mark, what == FAULT_NODE_FENCE ? FAULT_NODE_ENDED : "");
    json_t *patch =
        json_pack("{s:{s:s,s:s,s:{s:o}}}", "metadata", "uid", node->uid, "resourceVersion",
                  node->version, "annotations", FAULT_NODE_ANNOTATION, text);
    if (what == FAULT_NODE_PUT || what == FAULT_NODE_TAKE)
        json_object_set_new(patch, "spec",
                            json_pack("{s:o}", "unschedulable",
                                      what == FAULT_NODE_PUT ? json_true() : json_null()));
    return patch;
}
