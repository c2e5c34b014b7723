/* SPDX-License-Identifier: Apache-2.0 */
#include "drain_answer.h"

#include <stdlib.h>

#include "base/text.h"
#include "kube_answer.h"
#include "pod_answer.h"

void fault_drain_pods_fini(struct fault_drain_pods *pods)
{
    for (size_t i = 0; i < pods->count; i++) {
        free(pods->list[i].uid);
        free(pods->list[i].name);
    }
    free(pods->list);
    *pods = (struct fault_drain_pods){0};
}

static bool has_empty_dir(const json_t *pod)
{
    const json_t *volumes = json_object_get(json_object_get(pod, "spec"), "volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++)
        if (json_object_get(json_array_get(volumes, i), "emptyDir") != NULL)
            return true;
    return false;
}

static enum fault_drain_fate fate_of(const json_t *json, const struct fault_pod *pod)
{
    const json_t *notes = json_object_get(json_object_get(json, "metadata"), "annotations");
    const char *phase = fault_kube_text(json_object_get(json, "status"), "phase");
    if (json_object_get(notes, "kubernetes.io/config.mirror") != NULL)
        return FAULT_DRAIN_MIRROR;
    if (pod->deleting)
        return FAULT_DRAIN_LEAVING;
    if (base_str_eq(phase, "Succeeded") || base_str_eq(phase, "Failed"))
        return FAULT_DRAIN_FINISHED;
    return base_str_eq(pod->owner_kind, "DaemonSet") ? FAULT_DRAIN_DAEMON : FAULT_DRAIN_EVICT;
}

static bool read_pod(const json_t *json, struct fault_drain_pod *out, struct base_error *err)
{
    const json_t *metadata = json_object_get(json, "metadata");
    const char *space = fault_kube_text(metadata, "namespace");
    const char *name = fault_kube_text(metadata, "name");
    struct fault_pod pod = {0};
    if (!fault_pod_read(json, &pod, err))
        return false;
    if (space == NULL || name == NULL) {
        fault_pod_fini(&pod);
        return base_fail(err, BASE_CORRUPT, "a pod of the list has no namespace or no name");
    }
    *out = (struct fault_drain_pod){
        .uid = base_str_dup(pod.uid),
        .name = base_str_printf("%s/%s", space, name),
        .fate = fate_of(json, &pod),
        .owned = pod.owner_uid != NULL,
        .empty_dir = has_empty_dir(json),
        .grace_s = pod.grace_s,
    };
    fault_pod_fini(&pod);
    return true;
}

bool fault_drain_page(const struct fault_rest_answer *answer, struct fault_drain_pods *pods,
                      char **next, struct base_error *err)
{
    const json_t *items = json_object_get(answer->json, "items");
    struct fault_drain_pods page = {0};
    if (fault_kube_failed(answer, err))
        return false;
    if (!json_is_array(items))
        return base_fail(err, BASE_CORRUPT, "the API server's answer is no list of pods");
    page.list = base_calloc(json_array_size(items) + 1, sizeof *page.list);
    for (; page.count < json_array_size(items); page.count++) {
        if (read_pod(json_array_get(items, page.count), &page.list[page.count], err))
            continue;
        fault_drain_pods_fini(&page);
        return false;
    }
    pods->list = base_reallocarray(pods->list, pods->count + page.count + 1, sizeof *pods->list);
    for (size_t i = 0; i < page.count; i++)
        pods->list[pods->count++] = page.list[i];
    free(page.list);
    *next = base_str_dup(fault_kube_text(json_object_get(answer->json, "metadata"), "continue"));
    return true;
}

const struct fault_drain_pod *fault_drain_find(const struct fault_drain_pods *pods, const char *uid)
{
    for (size_t i = 0; i < pods->count; i++)
        if (base_str_eq(pods->list[i].uid, uid))
            return &pods->list[i];
    return NULL;
}

bool fault_drain_allowed(const struct fault_drain_pods *pods, bool empty_dir, struct dur_ns within,
                         struct base_error *err)
{
    for (size_t i = 0; i < pods->count; i++) {
        const struct fault_drain_pod *pod = &pods->list[i];
        if (pod->fate != FAULT_DRAIN_EVICT)
            continue;
        if (!pod->owned)
            return base_fail(err, BASE_INVALID,
                             "pod %s has no controller in ownerReferences: nothing would put "
                             "another one in its place",
                             pod->name);
        if (pod->empty_dir && !empty_dir)
            return base_fail(err, BASE_INVALID,
                             "pod %s has an emptyDir volume, and what is in it would be lost: say "
                             "drain: {emptyDir: true} when that may be",
                             pod->name);
        if (pod->grace_s * BASE_NS_PER_S >= within.ns)
            return base_fail(err, BASE_INVALID,
                             "pod %s has a terminationGracePeriodSeconds of %lld, as long as the "
                             "lease, which nobody renews before the node is drained: ask for a "
                             "longer `lease`",
                             pod->name, (long long)pod->grace_s);
    }
    return true;
}

char *fault_drain_words(const struct fault_drain_pods *pods)
{
    size_t counts[FAULT_DRAIN_FATES] = {0};
    for (size_t i = 0; i < pods->count; i++)
        counts[pods->list[i].fate]++;
    return base_str_printf("%zu to evict; left alone: %zu of DaemonSets, %zu mirrors of files, %zu "
                           "that have ended, %zu being deleted",
                           counts[FAULT_DRAIN_EVICT], counts[FAULT_DRAIN_DAEMON],
                           counts[FAULT_DRAIN_MIRROR], counts[FAULT_DRAIN_FINISHED],
                           counts[FAULT_DRAIN_LEAVING]);
}
