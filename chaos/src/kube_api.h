/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Kubernetes' API server about one pod (rest.h), by the CA and the token that the
 * topology names. The token's file is read anew for each, for such tokens are renewed. */
#ifndef CHAOS_KUBE_API_H
#define CHAOS_KUBE_API_H

#include "engine.h"
#include "resolve.h"
#include "rest.h"

struct fault_kube;

/* target: has a pod and an API server; it outlives this. Never NULL: what goes wrong is an
 * answer. */
struct fault_kube *fault_kube_new(const struct fault_env *env, const struct fault_target *target);
void fault_kube_free(struct fault_kube *kube); /* accepts NULL */
void fault_kube_cancel(struct fault_kube *kube);

void fault_kube_pod(struct fault_kube *kube, fault_rest_next *next, void *ctx);
/* A page of the pods of its namespace; after NULL: the first. */
void fault_kube_list(struct fault_kube *kube, const char *after, fault_rest_next *next, void *ctx);
void fault_kube_versions(struct fault_kube *kube, fault_rest_next *next, void *ctx);
/* body: taken over. */
void fault_kube_strike(struct fault_kube *kube, enum fault_kill_by by, json_t *body,
                       fault_rest_next *next, void *ctx);

#endif
