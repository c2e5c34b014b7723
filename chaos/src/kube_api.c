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
    const struct fault_target *target;
    struct fault_rest *rest;
    char *pods; /* paths */
    char *pod;
};

struct fault_kube *fault_kube_new(const struct fault_env *env, const struct fault_target *target)
{
    struct fault_kube *kube = base_calloc(1, sizeof *kube);
    BASE_AUTO_FREE char *space = fault_rest_encode(target->pod_namespace);
    BASE_AUTO_FREE char *name = fault_rest_encode(target->pod_name);
    size_t len = strlen(target->api_url);
    BASE_AUTO_FREE char *origin =
        base_str_ndup(target->api_url, len > 0 && target->api_url[len - 1] == '/' ? len - 1 : len);
    kube->target = target;
    kube->pods = base_str_printf("/api/v1/namespaces/%s/pods", space);
    kube->pod = base_str_printf("%s/%s", kube->pods, name);
    kube->rest = fault_rest_new(env->loop, env->http,
                                &(struct fault_rest_config){
                                    .origin = origin,
                                    .ca_file = target->api_ca_file,
                                    .error_key = "message",
                                    .timeout = base_dur_ms(timeout_ms),
                                    .max_response = answer_max,
                                });
    return kube;
}

void fault_kube_free(struct fault_kube *kube)
{
    if (kube == NULL)
        return;
    fault_rest_free(kube->rest);
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
        base_secret_read(kube->target->api_token_file, &header, &err)) {
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
