/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/utf8.h"
#include "service_private.h"

enum { BODY_MAX = 8 << 20 };

const char *kit_request_method(const struct kit_request *request)
{
    return io_exchange_method(request->exchange);
}

const char *kit_request_target(const struct kit_request *request)
{
    return io_exchange_target(request->exchange);
}

const char *kit_request_param(const struct kit_request *request, const char *name)
{
    return kit_match_param(&request->match, name);
}

const char *kit_request_query(const struct kit_request *request, const char *name)
{
    return io_exchange_query(request->exchange, name);
}

const char *kit_request_header(const struct kit_request *request, const char *name)
{
    return io_exchange_header(request->exchange, name);
}

const char *kit_request_body(const struct kit_request *request, size_t *len)
{
    return io_exchange_body(request->exchange, len);
}

const char *kit_request_traffic(const struct kit_request *request)
{
    return request->traffic;
}

const struct kit_trace *kit_request_trace(const struct kit_request *request)
{
    return &request->trace;
}

struct mono_ns kit_request_received(const struct kit_request *request)
{
    return io_exchange_received(request->exchange);
}

void kit_request_on_abandon(struct kit_request *request, void (*on_abandon)(void *ctx), void *ctx)
{
    request->on_abandon = on_abandon;
    request->abandon_ctx = ctx;
}

void kit_reply_header(struct kit_request *request, const char *name, const char *value)
{
    io_exchange_add_header(request->exchange, name, value);
}

bool kit_request_lacks(struct kit_request *request, const char *dependency)
{
    struct kit_service *service = request->service;
    if (!kit_chaos_lacks(&service->chaos, dependency, base_mono_now()))
        return false;
    kit_series_add(kit_series_of(service->injected_total, "dependency"), 1);
    kit_reply_header(request, KIT_CHAOS_MARK, "dependency");
    return true;
}

/* --- the end of a request --- */

static const char *known_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], method) == 0)
            return known[i];
    }
    return "OTHER"; /* anything can be a method: the label must stay bounded */
}

static void record(const struct kit_request *request, unsigned status, struct dur_ns took)
{
    const struct kit_service *service = request->service;
    if (!request->application)
        return;
    char code[16];
    snprintf(code, sizeof code, "%u", status);
    const char *method = known_method(kit_request_method(request));
    const char *name = service->config.name;
    /* 499: the caller gave up before the answer; not well served. */
    const char *outcome = status >= 499 ? "error" : "ok";
    kit_series_add(kit_series_of(service->requests_total, name, method, request->route, code,
                                 request->traffic),
                   1);
    kit_series_observe(kit_series_of(service->request_seconds, name, method, request->route,
                                     outcome, request->traffic),
                       base_dur_to_s(took));
}

/* Health checks and scrapes come by the second and say nothing while they succeed. */
static bool is_routine(const struct kit_request *request, unsigned status)
{
    static const char *const routes[] = {"/health", "/ready", "/metrics"};
    for (size_t i = 0; status < 400 && i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i], request->route) == 0)
            return true;
    return false;
}

static void log_request(const struct kit_request *request, unsigned status, size_t bytes,
                        struct dur_ns took)
{
    if (is_routine(request, status))
        return;
    BASE_AUTO_FREE char *target = base_utf8_clean(kit_request_target(request));
    BASE_AUTO_FREE char *method = base_utf8_clean(kit_request_method(request));
    base_log_line(&request->service->log, status >= 500 ? BASE_WARN : BASE_INFO, "request",
                  BASE_TEXT("instance", request->service->config.instance),
                  BASE_TEXT("traceId", request->trace.id), BASE_TEXT("spanId", request->trace.span),
                  BASE_TEXT("method", method), BASE_TEXT("path", target),
                  BASE_TEXT("route", request->route), BASE_INT("status", status),
                  BASE_REAL("durationMs", (double)took.ns / (double)BASE_NS_PER_MS),
                  BASE_INT("bytes", bytes), BASE_TEXT("traffic", request->traffic),
                  BASE_TEXT("injected", request->injected_status != 0 ? "errors" : ""));
}

static void request_free(struct kit_request *request)
{
    kit_series_add(request->service->in_flight, -1);
    io_timer_fini(&request->delay);
    kit_match_fini(&request->match);
    free(request);
}

static void add_security_headers(struct kit_request *request)
{
    /* OWASP REST Security Cheat Sheet. Strict-Transport-Security belongs to whoever ends TLS: over
     * plain HTTP it must not be sent (RFC 6797 section 7.2). */
    static const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        kit_reply_header(request, headers[i][0], headers[i][1]);
    kit_reply_header(request, "X-Request-Id", request->trace.id);
    if (request->service->phase != PHASE_RUNNING)
        kit_reply_header(request, "Connection", "close");
}

void kit_reply_bytes(struct kit_request *request, unsigned status, const char *content_type,
                     const void *body, size_t len)
{
    struct dur_ns took = base_mono_sub(base_mono_now(), kit_request_received(request));
    record(request, status, took);
    log_request(request, status, len, took);
    if (status == 429 || status == 503)
        kit_reply_header(request, "Retry-After", "1");
    add_security_headers(request);
    struct io_exchange *exchange = request->exchange;
    io_exchange_set_ctx(exchange, NULL);
    request_free(request);
    io_exchange_reply(exchange, status, content_type, body, len);
}

static void reply_envelope(struct kit_request *request, unsigned status, json_t *data, json_t *meta,
                           struct kit_errors *errors)
{
    BASE_AUTO_BUF struct base_buf body;
    base_buf_init(&body, BODY_MAX);
    struct mono_ns now = base_mono_now();
    struct kit_envelope envelope = {
        .request_id = request->trace.id,
        .now = base_wall_now(),
        .took = base_mono_sub(now, kit_request_received(request)),
        .data = data,
        .meta = meta,
        .errors = errors,
    };
    if (!kit_envelope_write(&envelope, &body)) {
        struct kit_errors too_large = {.count = 0};
        kit_errors_add(&too_large, "INTERNAL", NULL, "the answer could not be written");
        envelope.data = NULL;
        envelope.meta = NULL;
        envelope.errors = &too_large;
        status = 500;
        base_buf_clear(&body);
        kit_envelope_write(&envelope, &body);
        kit_errors_fini(&too_large);
    }
    json_decref(data);
    json_decref(meta);
    if (errors != NULL)
        kit_errors_fini(errors);
    kit_reply_bytes(request, status, "application/json; charset=utf-8", body.data, body.len);
}

void kit_reply_json(struct kit_request *request, unsigned status, json_t *data, json_t *meta)
{
    reply_envelope(request, status, data, meta, NULL);
}

void kit_reply_errors(struct kit_request *request, unsigned status, json_t *data,
                      struct kit_errors *errors)
{
    reply_envelope(request, status, data, NULL, errors);
}

void kit_reply_error(struct kit_request *request, unsigned status, const char *code,
                     const char *field, const char *message)
{
    struct kit_errors errors = {.count = 0};
    kit_errors_add(&errors, code, field, "%s", message);
    reply_envelope(request, status, NULL, NULL, &errors);
}

json_t *kit_request_json(struct kit_request *request, const struct kit_field *fields, size_t count)
{
    const char *type = kit_request_header(request, "Content-Type");
    if (type != NULL && strncasecmp(type, "application/json", strlen("application/json")) != 0) {
        kit_reply_error(request, 415, "UNSUPPORTED_MEDIA_TYPE", NULL,
                        "send the body as application/json");
        return NULL;
    }
    size_t len;
    const char *body = kit_request_body(request, &len);
    struct kit_errors errors = {.count = 0};
    json_t *value = kit_json_parse(body, len, &errors);
    if (value != NULL && kit_validate(value, fields, count, &errors))
        return value;
    unsigned status = value == NULL ? 400 : 422;
    json_decref(value);
    kit_reply_errors(request, status, NULL, &errors);
    return NULL;
}

/* --- the begin of a request --- */

static const char *traffic_of(const char *header)
{
    if (base_str_eq(header, "load"))
        return "load";
    return base_str_eq(header, "probe") ? "probe" : "user";
}

static void dispatch(struct kit_request *request)
{
    char message[160];
    switch (request->matched) {
    case KIT_MATCHED:
        request->match.handler(request->match.ctx, request);
        return;
    case KIT_NO_METHOD:
        kit_reply_header(request, "Allow", request->match.allow);
        snprintf(message, sizeof message, "use one of: %s", request->match.allow);
        kit_reply_error(request, 405, "METHOD_NOT_ALLOWED", NULL, message);
        return;
    case KIT_NO_PATH:
        kit_reply_error(request, 404, "NOT_FOUND", NULL,
                        "nothing is served at this path; GET / lists what is");
        return;
    }
}

static void inject_or_dispatch(struct kit_request *request)
{
    if (request->injected_status == 0) {
        dispatch(request);
        return;
    }
    kit_series_add(kit_series_of(request->service->injected_total, "errors"), 1);
    kit_reply_error(request, request->injected_status, "CHAOS_INJECTED", NULL,
                    "this answer was ordered through /api/chaos/errors");
}

static void on_delay_over(void *ctx)
{
    struct kit_request *request = ctx;
    io_timer_stop(&request->delay);
    inject_or_dispatch(request);
}

static void suffer(struct kit_request *request)
{
    struct kit_service *service = request->service;
    struct kit_chaos_effect effect = {0};
    if (request->application)
        effect = kit_chaos_draw(&service->chaos, base_mono_now());
    request->injected_status = effect.error_status;
    if (effect.delay.ns > 0) {
        kit_series_add(kit_series_of(service->injected_total, "latency"), 1);
        io_timer_start(&request->delay, effect.delay);
        return;
    }
    inject_or_dispatch(request);
}

static bool is_application(const char *path)
{
    return strcmp(path, "/") == 0 || (base_str_starts(path, "/api/") && !control_is_chaos(path));
}

static bool target_hostile(const struct kit_request *request)
{
    /* A decoded NUL would cut the path that the router sees; a '#' never belongs into a request
     * (RFC 9112, 3.2), and who forwards it would ask for another path than was matched here. */
    const char *target = kit_request_target(request);
    return strstr(target, "%00") != NULL || strchr(target, '#') != NULL || strlen(target) > 4096;
}

void request_begin(void *ctx, struct io_exchange *exchange)
{
    struct kit_service *service = ctx;
    struct kit_request *request = base_calloc(1, sizeof *request);
    request->service = service;
    request->exchange = exchange;
    io_exchange_set_ctx(exchange, request);
    io_timer_init(&request->delay, service->loop, on_delay_over, request);
    kit_trace_start(&request->trace, io_exchange_header(exchange, "traceparent"));
    request->traffic = traffic_of(io_exchange_header(exchange, "X-Traffic"));
    kit_series_add(service->in_flight, 1);
    const char *path = io_exchange_path(exchange);
    request->application = is_application(path);
    request->matched =
        kit_router_match(service->router, io_exchange_method(exchange), path, &request->match);
    request->route = request->matched == KIT_NO_PATH ? "unmatched" : request->match.pattern;
    if (target_hostile(request)) {
        kit_reply_error(request, 400, "BAD_TARGET", NULL,
                        "the request target is too long, or holds a NUL or a fragment");
        return;
    }
    if (control_is_chaos(path) && control_denied(request))
        return;
    suffer(request);
}

void request_abandoned(void *ctx, struct io_exchange *exchange)
{
    (void)ctx;
    struct kit_request *request = io_exchange_ctx(exchange);
    if (request == NULL)
        return;
    if (request->on_abandon != NULL)
        request->on_abandon(request->abandon_ctx);
    struct dur_ns took = base_mono_sub(base_mono_now(), kit_request_received(request));
    record(request, 499, took);
    log_request(request, 499, 0, took);
    request_free(request);
}
