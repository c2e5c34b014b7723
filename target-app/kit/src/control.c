/* SPDX-License-Identifier: Apache-2.0 */
/* What every service answers beside its own routes: identity, probes, metrics, faults. */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/digest.h"
#include "service_private.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { METRICS_MAX = 16 << 20 };

static void list_route(void *ctx, const char *method, const char *pattern)
{
    if (!control_is_chaos(pattern))
        json_array_append_new(ctx, json_pack("{s:s,s:s}", "method", method, "path", pattern));
}

static void on_root(void *ctx, struct kit_request *request)
{
    const struct kit_service *service = ctx;
    json_t *routes = json_array();
    kit_router_each(service->router, list_route, routes);
    kit_reply_json(request, 200,
                   json_pack("{s:s,s:s,s:s,s:o}", "service", service->config.name, "instance",
                             service->config.instance, "version", KIT_VERSION, "endpoints", routes),
                   NULL);
}

static void on_health(void *ctx, struct kit_request *request)
{
    const struct kit_service *service = ctx;
    /* Reaching this line is the check: the loop turns. Dependencies belong to /ready; a liveness
     * probe that fails with the database restarts every healthy process behind it. */
    kit_reply_json(request, 200,
                   json_pack("{s:s,s:f}", "status", "ok", "uptimeSeconds",
                             base_dur_to_s(kit_service_uptime(service))),
                   NULL);
}

static void add_check(json_t *checks, const char *name, bool ok, const char *detail)
{
    if (checks == NULL)
        return;
    json_t *one = json_pack("{s:s,s:b}", "name", name, "ok", (int)ok);
    if (detail != NULL)
        json_object_set_new(one, "detail", kit_json_text(detail));
    json_array_append_new(checks, one);
}

bool control_ready(const struct kit_service *service, json_t *checks)
{
    bool all = true;
    struct mono_ns now = base_mono_now();
    for (size_t i = 0; i < service->check_count; i++) {
        const struct service_check *check = &service->checks[i];
        const char *detail = "ordered through /api/chaos/dependency";
        bool ok = !kit_chaos_lacks(&service->chaos, check->name, now);
        if (ok) {
            detail = NULL;
            ok = check->check(check->ctx, &detail);
        }
        add_check(checks, check->name, ok, detail);
        all = all && ok;
    }
    bool draining = service->phase != PHASE_RUNNING;
    bool faulted = kit_chaos_active(&service->chaos, KIT_CHAOS_READINESS, now);
    if (draining)
        add_check(checks, "shutdown", false, "the service is shutting down");
    if (faulted)
        add_check(checks, "chaos", false, "ordered through /api/chaos/readiness");
    return all && !draining && !faulted;
}

static void on_ready(void *ctx, struct kit_request *request)
{
    const struct kit_service *service = ctx;
    json_t *checks = json_array();
    bool ready = control_ready(service, checks);
    if (kit_chaos_active(&service->chaos, KIT_CHAOS_READINESS, base_mono_now()))
        kit_reply_header(request, KIT_CHAOS_MARK, "readiness");
    json_t *data = json_pack("{s:b,s:o}", "ready", (int)ready, "checks", checks);
    struct kit_errors errors = {.count = 0};
    size_t i;
    json_t *one;
    json_array_foreach(checks, i, one)
    {
        const char *detail = json_string_value(json_object_get(one, "detail"));
        if (!json_is_true(json_object_get(one, "ok")))
            kit_errors_add(&errors, "NOT_READY", NULL, "%s: %s",
                           json_string_value(json_object_get(one, "name")),
                           detail != NULL ? detail : "the check fails");
    }
    kit_reply_errors(request, ready ? 200 : 503, data, &errors);
}

static void on_metrics(void *ctx, struct kit_request *request)
{
    struct kit_service *service = ctx;
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, METRICS_MAX);
    if (!kit_metrics_render(service->metrics, &out)) {
        kit_reply_error(request, 500, "INTERNAL", NULL, "the exposition grew over its maximum");
        return;
    }
    kit_reply_bytes(request, 200, "text/plain; version=0.0.4; charset=utf-8", out.data, out.len);
}

/* --- /api/chaos --- */

bool control_is_chaos(const char *path)
{
    size_t len = strlen("/api/chaos");
    return strncmp(path, "/api/chaos", len) == 0 && (path[len] == '\0' || path[len] == '/');
}

bool control_denied(struct kit_request *request)
{
    const char *token = request->service->admin_token;
    const char *header = kit_request_header(request, "Authorization");
    if (token != NULL && header != NULL && base_str_starts(header, "Bearer ") &&
        io_secret_equal(header + strlen("Bearer "), token))
        return false;
    kit_reply_header(request, "WWW-Authenticate", "Bearer realm=\"chaos\"");
    kit_reply_error(request, 401, "UNAUTHORIZED", NULL,
                    "send Authorization: Bearer <admin token of this service>");
    return true;
}

static void reply_chaos(struct kit_service *service, struct kit_request *request)
{
    kit_reply_json(request, 200, kit_chaos_describe(&service->chaos, base_mono_now()), NULL);
}

static void on_chaos_get(void *ctx, struct kit_request *request)
{
    reply_chaos(ctx, request);
}

static bool kind_of(struct kit_request *request, enum kit_chaos_kind *kind)
{
    if (kit_chaos_kind_parse(kit_request_param(request, "kind"), kind))
        return true;
    kit_reply_error(request, 404, "NOT_FOUND", "kind",
                    "faults are errors, latency, readiness, dependency, cpu and memory");
    return false;
}

/* Its dependencies are what it is not ready without. */
static bool knows_dependency(const struct kit_service *service, const json_t *body,
                             struct kit_errors *errors)
{
    const char *name = json_string_value(json_object_get(body, "name"));
    BASE_AUTO_BUF struct base_buf names;
    base_buf_init(&names, 4096);
    for (size_t i = 0; i < service->check_count; i++) {
        if (base_str_eq(service->checks[i].name, name))
            return true;
        (void)base_buf_printf(&names, "%s%s", i > 0 ? ", " : "", service->checks[i].name);
    }
    if (name != NULL)
        kit_errors_add(errors, "UNKNOWN_DEPENDENCY", "name", "the dependencies of this service: %s",
                       service->check_count > 0 ? names.data : "none");
    return name == NULL; /* then the body is refused for that */
}

/* Puts the threads to what is in force now. */
static bool strain_follow(struct kit_service *service, enum kit_chaos_kind kind,
                          struct base_error *err)
{
    const struct kit_chaos *chaos = &service->chaos;
    if (kind == KIT_CHAOS_CPU)
        return kit_strain_cpu(service->strain, chaos->load, chaos->until[kind], err);
    if (kind == KIT_CHAOS_MEMORY)
        return kit_strain_memory(service->strain, (uint64_t)chaos->bytes, chaos->until[kind], err);
    return true;
}

static void clear(struct kit_service *service, enum kit_chaos_kind kind)
{
    kit_chaos_clear(&service->chaos, kind);
    if (kind == KIT_CHAOS_CPU)
        (void)kit_strain_cpu(service->strain, 0, (struct mono_ns){0}, NULL);
    if (kind == KIT_CHAOS_MEMORY)
        (void)kit_strain_memory(service->strain, 0, (struct mono_ns){0}, NULL);
}

/* 0: in force; else the status of the refusal. */
static unsigned put_in_force(struct kit_service *service, enum kit_chaos_kind kind,
                             const json_t *body, struct kit_errors *errors)
{
    struct base_error err = {0};
    if (kind == KIT_CHAOS_DEPENDENCY && !knows_dependency(service, body, errors))
        return 422;
    if (!kit_chaos_apply(&service->chaos, kind, body, base_mono_now(), errors))
        return 422;
    if (strain_follow(service, kind, &err))
        return 0;
    clear(service, kind);
    kit_errors_add(errors, "NO_ROOM", NULL, "%s", err.message);
    return 507;
}

static void on_chaos_post(void *ctx, struct kit_request *request)
{
    struct kit_service *service = ctx;
    enum kit_chaos_kind kind;
    if (!kind_of(request, &kind))
        return;
    size_t len;
    const char *text = kit_request_body(request, &len);
    struct kit_errors errors = {.count = 0};
    json_t *body = kit_json_parse(text, len, &errors);
    unsigned refused = body == NULL ? 400 : put_in_force(service, kind, body, &errors);
    json_decref(body);
    if (refused != 0) {
        kit_reply_errors(request, refused, NULL, &errors);
        return;
    }
    base_log_line(
        &service->log, BASE_WARN, "fault put in force",
        BASE_TEXT("fault", kit_chaos_kind_name(kind)), BASE_TEXT("traceId", request->trace.id),
        BASE_INT("ttlMs",
                 base_dur_to_ms(base_mono_sub(service->chaos.until[kind], base_mono_now()))));
    reply_chaos(service, request);
}

static void on_chaos_delete_one(void *ctx, struct kit_request *request)
{
    struct kit_service *service = ctx;
    enum kit_chaos_kind kind;
    if (!kind_of(request, &kind))
        return;
    clear(service, kind);
    reply_chaos(service, request);
}

static void on_chaos_delete_all(void *ctx, struct kit_request *request)
{
    struct kit_service *service = ctx;
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++)
        clear(service, (enum kit_chaos_kind)i);
    reply_chaos(service, request);
}

bool control_routes(struct kit_service *service, struct base_error *err)
{
    static const struct kit_route routes[] = {
        {"GET", "/", on_root},
        {"GET", "/health", on_health},
        {"GET", "/ready", on_ready},
        {"GET", "/metrics", on_metrics},
        {"GET", "/api/chaos", on_chaos_get},
        {"DELETE", "/api/chaos", on_chaos_delete_all},
        {"POST", "/api/chaos/:kind", on_chaos_post},
        {"DELETE", "/api/chaos/:kind", on_chaos_delete_one},
    };
    return kit_service_routes(service, routes, COUNT(routes), service, err);
}
