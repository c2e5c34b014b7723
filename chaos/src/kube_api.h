/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to Kubernetes' API server about a pod or nodes (rest.h), by the CA and the token that
 * the topology names. The token's file is read anew for each, for such tokens are renewed. */
#ifndef CHAOS_KUBE_API_H
#define CHAOS_KUBE_API_H

#include "engine.h"
#include "resolve.h"
#include "rest.h"

struct fault_kube;

struct fault_kube_access {
    const char *url;
    const char *ca_file; /* NULL: the system's authorities */
    const char *token_file;
    struct dur_ns timeout; /* of each question; 0: 4 s */
};

/* Never NULL: what goes wrong is an answer. The access is copied. */
struct fault_kube *fault_kube_open(struct io_loop *loop, struct io_http *http,
                                   const struct fault_kube_access *access);
/* For the pod that the target is, too. target: has a pod and an API server. */
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

void fault_kube_node(struct fault_kube *kube, const char *node, fault_rest_next *next, void *ctx);
/* patch: taken over. */
void fault_kube_patch_node(struct fault_kube *kube, const char *node, json_t *patch,
                           fault_rest_next *next, void *ctx);
/* A page of the pods on it, of all namespaces; after NULL: the first. */
void fault_kube_on_node(struct fault_kube *kube, const char *node, const char *after,
                        fault_rest_next *next, void *ctx);

#endif
