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
    const char *path;
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

static const char path_errors[] = "/api/chaos/errors";
static const char path_latency[] = "/api/chaos/latency";

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
                     const char *path)
{
    control->calls = base_reallocarray(control->calls, control->count + 1, sizeof *control->calls);
    control->calls[control->count++] =
        (struct call){.control = control, .target = target, .path = path};
}

void app_control_add(struct app_control *control, const struct fault_target *target)
{
    if (control->order.error_rate > 0.0)
        add_call(control, target, path_errors);
    if (control->order.latency.ns > 0)
        add_call(control, target, path_latency);
}

static char *body_of(const struct call *call)
{
    const struct app_control_order *order = &call->control->order;
    int64_t ttl_ms = base_dur_to_ms(fault_effect_left(order->fault));
    json_t *body = json_object();
    if (call->path == path_errors) {
        json_object_set_new(body, "rate", json_real(order->error_rate));
        json_object_set_new(body, "status", json_integer(order->error_status));
    } else {
        json_object_set_new(body, "ms", json_integer(base_dur_to_ms(order->latency)));
    }
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
    BASE_AUTO_FREE char *url = fault_url(call->target->address, call->target->port, call->path);
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

static void on_answer(void *ctx, const struct io_http_response *response)
{
    struct call *call = ctx;
    const char *verb = call->control->order.on ? "POST" : "DELETE";
    call->http = NULL;
    call->agreed = response->ok && response->status >= 200 && response->status < 300;
    if (!call->agreed && response->ok)
        (void)base_fail(&call->error, BASE_UNAVAILABLE, "%s: %s %s was answered %d: %.200s",
                        call->target->name, verb, call->path, response->status, response->body);
    else if (!call->agreed)
        (void)base_fail(&call->error, BASE_UNAVAILABLE, "%s: %s %s: %.300s", call->target->name,
                        verb, call->path, response->error.message);
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
