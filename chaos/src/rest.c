/* SPDX-License-Identifier: Apache-2.0 */
#include "rest.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { words_max = 4096 };

struct call {
    struct fault_rest *rest;
    struct call *next;
    struct io_http_call *http; /* NULL: it could not even be set up */
    struct io_timer late;      /* then its answer comes from the loop all the same */
    struct base_error error;
    fault_rest_next *then;
    void *ctx;
};

struct fault_rest {
    struct io_loop *loop;
    struct io_http *http;
    char *origin;
    char *ca_file;
    char *error_key;
    struct dur_ns timeout;
    size_t max_response;
    struct call *calls;
};

struct fault_rest *fault_rest_new(struct io_loop *loop, struct io_http *http,
                                  const struct fault_rest_config *config)
{
    struct fault_rest *rest = base_calloc(1, sizeof *rest);
    *rest = (struct fault_rest){
        .loop = loop,
        .http = http,
        .origin = base_str_dup(config->origin),
        .ca_file = base_str_dup(config->ca_file),
        .error_key = base_str_dup(config->error_key),
        .timeout = config->timeout,
        .max_response = config->max_response,
    };
    return rest;
}

static void forget(struct call *call)
{
    struct call **at = &call->rest->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    io_timer_fini(&call->late);
    free(call);
}

void fault_rest_cancel(struct fault_rest *rest)
{
    while (rest->calls != NULL) {
        if (rest->calls->http != NULL)
            io_http_cancel(rest->calls->http);
        forget(rest->calls);
    }
}

void fault_rest_free(struct fault_rest *rest)
{
    if (rest == NULL)
        return;
    fault_rest_cancel(rest);
    free(rest->origin);
    free(rest->ca_file);
    free(rest->error_key);
    free(rest);
}

static void on_done(void *ctx, const struct io_http_response *response)
{
    struct call *call = ctx;
    fault_rest_next *then = call->then;
    void *then_ctx = call->ctx;
    json_t *json = response->ok && response->body_len > 0
                       ? model_json_parse(response->body, response->body_len, "answer", NULL)
                       : NULL;
    const char *reason = json_string_value(json_object_get(json, call->rest->error_key));
    struct fault_rest_answer answer = {
        .status = response->ok ? response->status : 0,
        .json = json,
        .error = !response->ok    ? response->error.message
                 : reason != NULL ? reason
                                  : "",
    };
    forget(call);
    then(then_ctx, &answer);
    json_decref(json);
}

static void on_late(void *ctx)
{
    struct call *call = ctx;
    fault_rest_next *then = call->then;
    void *then_ctx = call->ctx;
    struct base_error error = call->error;
    forget(call);
    then(then_ctx, &(struct fault_rest_answer){.error = error.message});
}

static struct call *call_new(struct fault_rest *rest, fault_rest_next *next, void *ctx)
{
    struct call *call = base_calloc(1, sizeof *call);
    *call = (struct call){.rest = rest, .next = rest->calls, .then = next, .ctx = ctx};
    rest->calls = call;
    io_timer_init(&call->late, rest->loop, on_late, call);
    return call;
}

void fault_rest_fail(struct fault_rest *rest, const struct base_error *why, fault_rest_next *next,
                     void *ctx)
{
    struct call *call = call_new(rest, next, ctx);
    call->error = *why;
    io_timer_start(&call->late, (struct dur_ns){0});
}

void fault_rest_ask(struct fault_rest *rest, const char *method, const char *path,
                    const char *authorization, json_t *body, fault_rest_next *next, void *ctx)
{
    struct call *call = call_new(rest, next, ctx);
    BASE_AUTO_FREE char *url = base_str_printf("%s%s", rest->origin, path);
    BASE_AUTO_FREE char *text = body != NULL ? model_json_dump_line(body) : NULL;
    json_decref(body);
    /* What a PATCH means is said by its type alone (RFC 5789); RFC 7396 is a document to merge. */
    const char *type = base_str_eq(method, "PATCH") ? "Content-Type: application/merge-patch+json"
                                                    : "Content-Type: application/json";
    const char *const headers[] = {type, authorization, NULL};
    const struct io_http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = text,
        .body_len = text != NULL ? strlen(text) : 0,
        .timeout = rest->timeout,
        .max_response = rest->max_response,
        .tls = {.ca = rest->ca_file},
    };
    call->http = io_http_start(rest->http, &request, on_done, call, &call->error);
    if (call->http == NULL)
        io_timer_start(&call->late, (struct dur_ns){0});
}

char *fault_rest_encode(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, words_max);
    for (const char *at = text; *at != '\0'; at++)
        (void)(strchr(plain, *at) != NULL ? base_buf_printf(&out, "%c", *at)
                                          : base_buf_printf(&out, "%%%02X", (unsigned char)*at));
    return base_str_dup(out.len > 0 ? out.data : "");
}
