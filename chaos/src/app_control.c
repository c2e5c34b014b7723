/* SPDX-License-Identifier: Apache-2.0 */
#include "app_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"
#include "measure.h"

enum { timeout_ms = 1000, again_ms = 50 };

struct call {
    struct app_control *control;
    const struct fault_target *target; /* the caller's, outlives this */
    const struct endpoint *endpoint;
    struct io_http_call *http; /* NULL: not under way */
    struct io_timer again;
    bool agreed;
    bool refused; /* said no for good */
    struct base_error error;
};

struct app_control {
    struct fault_env *env;
    struct app_control_order order;
    struct call *calls;
    size_t count;
    struct io_timer over; /* the answer goes out in a turn of its own */
    void (*on_done)(void *ctx, const struct base_error *err);
    void *ctx;
};

static bool has_errors(const struct fault_spec *spec)
{
    return spec->app.error_rate > 0.0;
}
static bool has_latency(const struct fault_spec *spec)
{
    return spec->app.latency.ns > 0;
}
static bool is_unready(const struct fault_spec *spec)
{
    return spec->app.unready;
}
static bool has_dependency(const struct fault_spec *spec)
{
    return spec->app.dependency != NULL;
}
static bool has_cpu(const struct fault_spec *spec)
{
    return spec->app.cpu > 0.0;
}
static bool has_memory(const struct fault_spec *spec)
{
    return spec->app.memory > 0;
}

static void put_errors(const struct fault_spec *spec, json_t *body)
{
    json_object_set_new(body, "rate", json_real(spec->app.error_rate));
    json_object_set_new(body, "status", json_integer(spec->app.error_status));
}
static void put_latency(const struct fault_spec *spec, json_t *body)
{
    json_object_set_new(body, "ms", json_integer(base_dur_to_ms(spec->app.latency)));
}
static void put_nothing(const struct fault_spec *spec, json_t *body)
{
    (void)spec;
    (void)body;
}
static void put_dependency(const struct fault_spec *spec, json_t *body)
{
    json_object_set_new(body, "name", json_string(spec->app.dependency));
}
static void put_cpu(const struct fault_spec *spec, json_t *body)
{
    json_object_set_new(body, "load", json_real(spec->app.cpu));
}
static void put_memory(const struct fault_spec *spec, json_t *body)
{
    json_object_set_new(body, "bytes", json_integer(spec->app.memory));
}

struct endpoint {
    const char *path;
    bool (*asked)(const struct fault_spec *spec);
    void (*put)(const struct fault_spec *spec, json_t *body); /* beside the TTL */
};
static const struct endpoint endpoints[] = {
    {"/api/chaos/errors", has_errors, put_errors},
    {"/api/chaos/latency", has_latency, put_latency},
    {"/api/chaos/readiness", is_unready, put_nothing},
    {"/api/chaos/dependency", has_dependency, put_dependency},
    {"/api/chaos/cpu", has_cpu, put_cpu},
    {"/api/chaos/memory", has_memory, put_memory},
};

void app_control_cancel(struct app_control *control)
{
    if (control == NULL)
        return;
    for (size_t i = 0; i < control->count; i++) {
        if (control->calls[i].http != NULL)
            io_http_cancel(control->calls[i].http);
        io_timer_fini(&control->calls[i].again);
    }
    io_timer_fini(&control->over);
    free(control->calls);
    free(control);
}

static void on_over(void *ctx)
{
    struct app_control *control = ctx;
    struct base_error err = {0};
    bool failed = false;
    for (size_t i = 0; i < control->count && !failed; i++) {
        failed = !control->calls[i].agreed;
        if (failed)
            err = control->calls[i].error;
    }
    void (*on_done)(void *ctx, const struct base_error *err) = control->on_done;
    void *on_done_ctx = control->ctx;
    app_control_cancel(control);
    on_done(on_done_ctx, failed ? &err : NULL);
}

struct app_control *app_control_new(struct fault_env *env, const struct app_control_order *order,
                                    void (*on_done)(void *ctx, const struct base_error *err),
                                    void *ctx)
{
    struct app_control *control = base_calloc(1, sizeof *control);
    *control = (struct app_control){.env = env, .order = *order, .on_done = on_done, .ctx = ctx};
    io_timer_init(&control->over, env->loop, on_over, control);
    return control;
}

static void add_call(struct app_control *control, const struct fault_target *target,
                     const struct endpoint *endpoint)
{
    control->calls = base_reallocarray(control->calls, control->count + 1, sizeof *control->calls);
    control->calls[control->count++] =
        (struct call){.control = control, .target = target, .endpoint = endpoint};
}

void app_control_add(struct app_control *control, const struct fault_target *target)
{
    const struct fault_spec *spec = fault_spec_of(control->order.fault);
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        if (endpoints[i].asked(spec))
            add_call(control, target, &endpoints[i]);
}

static char *body_of(const struct call *call)
{
    const struct app_control_order *order = &call->control->order;
    int64_t ttl_ms = base_dur_to_ms(fault_effect_left(order->fault));
    json_t *body = json_object();
    call->endpoint->put(fault_spec_of(order->fault), body);
    json_object_set_new(body, "ttlMs", json_integer(ttl_ms > 0 ? ttl_ms : 1));
    char *text = model_json_dump_line(body);
    json_decref(body);
    return text;
}

static void on_answer(void *ctx, const struct io_http_response *response);

static bool call_start(struct call *call, struct base_error *err)
{
    bool on = call->control->order.on;
    BASE_AUTO_BUF struct base_buf token;
    base_buf_init(&token, 4096);
    if (!base_secret_read(call->target->admin_token_file, &token, err))
        return base_fail_context(err, "admin token");
    BASE_AUTO_FREE char *url =
        fault_url(call->target->address, call->target->port, call->endpoint->path);
    BASE_AUTO_FREE char *bearer = base_str_printf("Authorization: Bearer %s", token.data);
    BASE_AUTO_FREE char *body = on ? body_of(call) : NULL;
    const char *headers[] = {bearer, "Content-Type: application/json", NULL};
    struct io_http_request request = {
        .method = on ? "POST" : "DELETE",
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
        .timeout = base_dur_ms(timeout_ms),
        .max_response = 65536,
    };
    call->http = io_http_start(call->control->env->http, &request, on_answer, call, err);
    return call->http != NULL;
}

static void check_over(struct app_control *control)
{
    for (size_t i = 0; i < control->count; i++)
        if (!control->calls[i].agreed && !control->calls[i].refused)
            return;
    io_timer_start(&control->over, (struct dur_ns){0});
}

static void call_begin(struct call *call)
{
    if (call_start(call, &call->error))
        return;
    call->refused = true;
    check_over(call->control);
}

static void on_again(void *ctx)
{
    call_begin(ctx);
}

/* A service that somebody else has written need not have every endpoint. */
static bool is_missing(const struct io_http_response *response)
{
    return response->ok && (response->status == 404 || response->status == 405);
}

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct call *call = ctx;
    bool on = call->control->order.on;
    const char *verb = on ? "POST" : "DELETE";
    const char *path = call->endpoint->path;
    call->http = NULL;
    call->agreed = response->ok && response->status >= 200 && response->status < 300;
    if (!on && is_missing(response)) /* it cannot have what it does not know */
        call->agreed = true;
    if (on && is_missing(response))
        (void)base_fail(&call->error, BASE_UNAVAILABLE,
                        "%s: its service has no POST %s (answered %d): teach it that, as "
                        "target-app/kit/include/kit/chaos.h describes, or leave this out of the "
                        "fault",
                        call->target->name, path, response->status);
    else if (!call->agreed && response->ok)
        (void)base_fail(&call->error, BASE_UNAVAILABLE, "%s: %s %s was answered %d: %.400s",
                        call->target->name, verb, path, response->status, response->body);
    else if (!call->agreed)
        (void)base_fail(&call->error, BASE_UNAVAILABLE, "%s: %s %s: %.300s", call->target->name,
                        verb, path, response->error.message);
    bool may_change = !response->ok || response->status >= 500;
    if (!call->agreed && call->control->order.insist && may_change) {
        io_timer_start(&call->again, base_dur_ms(again_ms));
        return;
    }
    call->refused = !call->agreed;
    check_over(call->control);
}

void app_control_start(struct app_control *control)
{
    for (size_t i = 0; i < control->count; i++) /* the array moves no more */
        io_timer_init(&control->calls[i].again, control->env->loop, on_again, &control->calls[i]);
    for (size_t i = 0; i < control->count; i++)
        call_begin(&control->calls[i]);
}

void app_control_describe(const struct app_control *control, struct fault *fault)
{
    for (size_t i = 0; control != NULL && i < control->count; i++)
        if (!control->calls[i].agreed && control->calls[i].error.code != BASE_OK)
            fault_note_error(fault, control->calls[i].error.message);
}
