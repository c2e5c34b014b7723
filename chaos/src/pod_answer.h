/* SPDX-License-Identifier: Apache-2.0 */
/* What Kubernetes' API server answers about pods, read. Pure. What an answer does not say is an
 * error, and nothing that could pass for a pod that is ready or gone. */
#ifndef CHAOS_POD_ANSWER_H
#define CHAOS_POD_ANSWER_H

#include "model/fault.h"
#include "rest.h"

struct fault_pod { /* as https://kubernetes.io/docs/reference/ has it */
    char *uid;
    char *owner_uid;  /* of its controller, which makes another one; NULL: has none */
    char *owner;      /* "ReplicaSet web-7d9f"; NULL likewise */
    char *owner_kind; /* "ReplicaSet" */
    bool ready;
    bool deleting; /* has a deletionTimestamp */
    int64_t grace_s;
};

bool fault_pod_read(const json_t *json, struct fault_pod *out, struct base_error *err);
void fault_pod_fini(struct fault_pod *pod); /* accepts a zeroed value */

/* Where the pod of that uid is. */
enum fault_pod_sight { FAULT_POD_UNKNOWN, FAULT_POD_HERE, FAULT_POD_GONE };
/* Of an answer to a GET: UNKNOWN with err; HERE with *out; GONE: there is none of that name, or its
 * uid is another, which err says. */
enum fault_pod_sight fault_pod_see(const struct fault_rest_answer *answer, const char *uid,
                                   struct fault_pod *out, struct base_error *err);

/* Of a page of a list: adds those of the owner that are ready and not being deleted. *next becomes
 * the token of the page behind it; NULL: this was the last. */
bool fault_pods_count(const struct fault_rest_answer *answer, const char *owner_uid, size_t *ready,
                      char **next, struct base_error *err);

/* Of /api/v1: the group and version of an Eviction, "policy/v1". free() it; NULL with err. */
char *fault_pod_eviction_version(const struct fault_rest_answer *answer, struct base_error *err);

/* Of the request itself: whether it was accepted. err has the server's own words, of a disruption
 * budget those that say which and why. */
bool fault_pod_accepted(const struct fault_rest_answer *answer, enum fault_kill_by by,
                        struct base_error *err);

/* The bodies of such requests. version: of an eviction. */
json_t *fault_pod_request(const struct fault_spec *spec, const char *space, const char *name,
                          const char *uid, const char *version);

#endif
