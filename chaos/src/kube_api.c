/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

/* A page of 100 pods is some 500 KiB, most of it managedFields. */
enum { timeout_ms = 4000, page = 100, answer_max = 16 << 20, token_max = 16 << 10 };

struct fault_kube {
    char *token_file;
    struct fault_rest *rest;
    char *pods; /* paths; NULL: no pod is asked about */
    char *pod;
};

struct fault_kube *fault_kube_open(struct io_loop *loop, struct io_http *http,
                                   const struct fault_kube_access *access)
{
    struct fault_kube *kube = base_calloc(1, sizeof *kube);
    size_t len = strlen(access->url);
    BASE_AUTO_FREE char *origin =
        base_str_ndup(access->url, len > 0 && access->url[len - 1] == '/' ? len - 1 : len);
    kube->token_file = base_str_dup(access->token_file);
    kube->rest = fault_rest_new(
        loop, http,
        &(struct fault_rest_config){
            .origin = origin,
            .ca_file = access->ca_file,
            .error_key = "message",
            .timeout = access->timeout.ns > 0 ? access->timeout : base_dur_ms(timeout_ms),
            .max_response = answer_max,
        });
    return kube;
}

struct fault_kube *fault_kube_new(const struct fault_env *env, const struct fault_target *target)
{
    const struct fault_kube_access access = {.url = target->api_url,
                                             .ca_file = target->api_ca_file,
                                             .token_file = target->api_token_file};
    struct fault_kube *kube = fault_kube_open(env->loop, env->http, &access);
    BASE_AUTO_FREE char *space = fault_rest_encode(target->pod_namespace);
    BASE_AUTO_FREE char *name = fault_rest_encode(target->pod_name);
    kube->pods = base_str_printf("/api/v1/namespaces/%s/pods", space);
    kube->pod = base_str_printf("%s/%s", kube->pods, name);
    return kube;
}

void fault_kube_free(struct fault_kube *kube)
{
    if (kube == NULL)
        return;
    fault_rest_free(kube->rest);
    free(kube->token_file);
    free(kube->pods);
    free(kube->pod);
    free(kube);
}

void fault_kube_cancel(struct fault_kube *kube)
{
    fault_rest_cancel(kube->rest);
}

static void ask(struct fault_kube *kube, const char *method, const char *path, json_t *body,
                fault_rest_next *next, void *ctx)
{
    BASE_AUTO_BUF struct base_buf header;
    struct base_error err = {0};
    base_buf_init(&header, token_max);
    if (base_buf_str(&header, "Authorization: Bearer ") &&
        base_secret_read(kube->token_file, &header, &err)) {
        fault_rest_ask(kube->rest, method, path, header.data, body, next, ctx);
    } else {
        json_decref(body);
        fault_rest_fail(kube->rest, &err, next, ctx);
    }
    explicit_bzero(header.data, header.len);
}

void fault_kube_pod(struct fault_kube *kube, fault_rest_next *next, void *ctx)
{
    ask(kube, "GET", kube->pod, NULL, next, ctx);
}

void fault_kube_list(struct fault_kube *kube, const char *after, fault_rest_next *next, void *ctx)
{
    BASE_AUTO_FREE char *token = fault_rest_encode(after != NULL ? after : "");
    BASE_AUTO_FREE char *path = base_str_printf("%s?limit=%d%s%s", kube->pods, page,
                                                after != NULL ? "&continue=" : "", token);
    ask(kube, "GET", path, NULL, next, ctx);
}

void fault_kube_versions(struct fault_kube *kube, fault_rest_next *next, void *ctx)
{
    ask(kube, "GET", "/api/v1", NULL, next, ctx);
}

void fault_kube_strike(struct fault_kube *kube, enum fault_kill_by by, json_t *body,
                       fault_rest_next *next, void *ctx)
{
    BASE_AUTO_FREE char *eviction = base_str_printf("%s/eviction", kube->pod);
    bool evict = by == FAULT_KILL_EVICT;
    ask(kube, evict ? "POST" : "DELETE", evict ? eviction : kube->pod, body, next, ctx);
}

void fault_kube_node(struct fault_kube *kube, const char *node, fault_rest_next *next, void *ctx)
{
    BASE_AUTO_FREE char *name = fault_rest_encode(node);
    BASE_AUTO_FREE char *path = base_str_printf("/api/v1/nodes/%s", name);
    ask(kube, "GET", path, NULL, next, ctx);
}

void fault_kube_patch_node(struct fault_kube *kube, const char *node, json_t *patch,
                           fault_rest_next *next, void *ctx)
{
    BASE_AUTO_FREE char *name = fault_rest_encode(node);
    BASE_AUTO_FREE char *path = base_str_printf("/api/v1/nodes/%s", name);
    ask(kube, "PATCH", path, patch, next, ctx);
}

void fault_kube_on_node(struct fault_kube *kube, const char *node, const char *after,
                        fault_rest_next *next, void *ctx)
{
    BASE_AUTO_FREE char *name = fault_rest_encode(node);
    BASE_AUTO_FREE char *token = fault_rest_encode(after != NULL ? after : "");
    BASE_AUTO_FREE char *path =
        base_str_printf("/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&limit=%d%s%s", name, page,
                        after != NULL ? "&continue=" : "", token);
    ask(kube, "GET", path, NULL, next, ctx);
}
