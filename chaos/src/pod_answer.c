/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_answer.h"

#include <stdlib.h>

#include "base/text.h"
#include "kube_answer.h"

enum { grace_max_s = 365 * 24 * 3600 };

void fault_pod_fini(struct fault_pod *pod)
{
    free(pod->uid);
    free(pod->owner_uid);
    free(pod->owner);
    free(pod->owner_kind);
    *pod = (struct fault_pod){0};
}

static bool is_ready(const json_t *pod)
{
    const json_t *conditions = json_object_get(json_object_get(pod, "status"), "conditions");
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *one = json_array_get(conditions, i);
        if (base_str_eq(fault_kube_text(one, "type"), "Ready"))
            return base_str_eq(fault_kube_text(one, "status"), "True");
    }
    return false;
}

/* At most one of the owners is its controller. */
static const json_t *controller_of(const json_t *metadata)
{
    const json_t *owners = json_object_get(metadata, "ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *one = json_array_get(owners, i);
        if (json_is_true(json_object_get(one, "controller")))
            return one;
    }
    return NULL;
}

bool fault_pod_read(const json_t *json, struct fault_pod *out, struct base_error *err)
{
    const json_t *metadata = json_object_get(json, "metadata");
    const json_t *owner = controller_of(metadata);
    const char *uid = fault_kube_text(metadata, "uid");
    int64_t grace_s = 0;
    if (uid == NULL || !json_is_object(json_object_get(json, "status")) ||
        !model_get_i64(json_object_get(json, "spec"), "spec", "terminationGracePeriodSeconds", 0,
                       grace_max_s, &grace_s, NULL))
        return base_fail(err, BASE_CORRUPT,
                         "the API server's answer is no pod with a uid, a status and a "
                         "terminationGracePeriodSeconds");
    if (owner != NULL &&
        (fault_kube_text(owner, "uid") == NULL || fault_kube_text(owner, "kind") == NULL ||
         fault_kube_text(owner, "name") == NULL))
        return base_fail(err, BASE_CORRUPT, "the pod's controller has no uid, kind or name");
    *out = (struct fault_pod){
        .uid = base_str_dup(uid),
        .ready = is_ready(json),
        .deleting = fault_kube_text(metadata, "deletionTimestamp") != NULL,
        .grace_s = grace_s,
    };
    if (owner != NULL) {
        out->owner_uid = base_str_dup(fault_kube_text(owner, "uid"));
        out->owner_kind = base_str_dup(fault_kube_text(owner, "kind"));
        out->owner = base_str_printf("%s %s", fault_kube_text(owner, "kind"),
                                     fault_kube_text(owner, "name"));
    }
    return true;
}

enum fault_pod_sight fault_pod_see(const struct fault_rest_answer *answer, const char *uid,
                                   struct fault_pod *out, struct base_error *err)
{
    struct fault_pod pod = {0};
    if (fault_kube_missing(answer)) {
        (void)base_fail(err, BASE_NOT_FOUND, "%s", answer->error);
        return FAULT_POD_GONE;
    }
    if (fault_kube_failed(answer, err) || !fault_pod_read(answer->json, &pod, err))
        return FAULT_POD_UNKNOWN;
    if (!base_str_eq(pod.uid, uid)) {
        (void)base_fail(err, BASE_NOT_FOUND, "the pod of that name has the uid %s, expected %s",
                        pod.uid, uid);
        fault_pod_fini(&pod);
        return FAULT_POD_GONE;
    }
    *out = pod;
    return FAULT_POD_HERE;
}

bool fault_pods_count(const struct fault_rest_answer *answer, const char *owner_uid, size_t *ready,
                      char **next, struct base_error *err)
{
    const json_t *items = json_object_get(answer->json, "items");
    size_t count = 0;
    if (fault_kube_failed(answer, err))
        return false;
    if (!json_is_array(items))
        return base_fail(err, BASE_CORRUPT, "the API server's answer is no list of pods");
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct fault_pod pod = {0};
        if (!fault_pod_read(json_array_get(items, i), &pod, err))
            return false;
        count += base_str_eq(pod.owner_uid, owner_uid) && pod.ready && !pod.deleting ? 1 : 0;
        fault_pod_fini(&pod);
    }
    *ready += count;
    *next = base_str_dup(fault_kube_text(json_object_get(answer->json, "metadata"), "continue"));
    return true;
}

char *fault_pod_eviction_version(const struct fault_rest_answer *answer, struct base_error *err)
{
    const json_t *all = json_object_get(answer->json, "resources");
    if (fault_kube_failed(answer, err))
        return NULL;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        const char *group = fault_kube_text(one, "group");
        const char *version = fault_kube_text(one, "version");
        if (base_str_eq(fault_kube_text(one, "name"), "pods/eviction") && group != NULL &&
            version != NULL)
            return base_str_printf("%s/%s", group, version);
    }
    (void)base_fail(err, BASE_UNAVAILABLE, "the API server has no eviction of pods");
    return NULL;
}

/* 429 is also a server's word that it has too much to do; a budget is named as its cause. */
static const char *budget_words(const json_t *status)
{
    const json_t *causes = json_object_get(json_object_get(status, "details"), "causes");
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *one = json_array_get(causes, i);
        if (base_str_eq(fault_kube_text(one, "reason"), "DisruptionBudget"))
            return fault_kube_text(one, "message");
    }
    return NULL;
}

bool fault_pod_accepted(const struct fault_rest_answer *answer, enum fault_kill_by by,
                        struct base_error *err)
{
    const char *what = fault_kill_by_name(by);
    if (answer->status == 429 && budget_words(answer->json) != NULL)
        return base_fail(err, BASE_DENIED,
                         "not evicted, for a disruption budget holds it back: %s (%s)",
                         budget_words(answer->json), answer->error);
    if (answer->status == 404)
        return base_fail(err, BASE_NOT_FOUND, "%s: it is gone already: %s", what, answer->error);
    if (answer->status == 409)
        return base_fail(err, BASE_NOT_FOUND,
                         "%s: a conflict, as when another pod has its name by now: %s", what,
                         answer->error);
    /* 201: an eviction, 202: a deletion that goes on behind the answer. */
    if (answer->status != 201 && answer->status != 202 && fault_kube_failed(answer, err))
        return base_fail_context(err, "%s", what);
    return json_is_object(answer->json) ||
           base_fail(err, BASE_CORRUPT, "%s: the API server's answer is no JSON object", what);
}

json_t *fault_pod_request(const struct fault_spec *spec, const char *space, const char *name,
                          const char *uid, const char *version)
{
    json_t *options = json_pack("{s:{s:s}}", "preconditions", "uid", uid);
    if (spec->kill.force || spec->kill.grace.ns > 0)
        json_object_set_new(options, "gracePeriodSeconds",
                            json_integer(spec->kill.grace.ns / BASE_NS_PER_S));
    if (spec->kill.by == FAULT_KILL_EVICT)
        return json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion", version, "kind", "Eviction",
                         "metadata", "namespace", space, "name", name, "deleteOptions", options);
    json_object_set_new(options, "apiVersion", json_string("v1"));
    json_object_set_new(options, "kind", json_string("DeleteOptions"));
    return options;
}
