/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/service.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"
#include "service_private.h"

struct kit_service_config kit_service_defaults(const char *name, uint16_t port)
{
    return (struct kit_service_config){
        .name = name,
        .instance = name,
        .listen = {.host = "127.0.0.1", .port = port},
        .drain = base_dur_ms(1000), /* two rounds of a balancer that probes each 500 ms */
        .grace = base_dur_s(10),
        .log_fd = STDOUT_FILENO,
    };
}

static bool read_token(struct kit_service *service, struct base_error *err)
{
    const char *path = service->config.admin_token_file;
    if (path == NULL)
        return true;
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, 4096);
    if (!base_secret_read(path, &text, err))
        return base_fail_context(err, "--admin-token-file");
    if (text.len < 8)
        return base_fail(err, BASE_INVALID, "--admin-token-file: %s must hold 8 characters or more",
                         path);
    service->admin_token = base_buf_steal(&text);
    return true;
}

static void collect(void *ctx)
{
    struct kit_service *service = ctx;
    kit_series_set(service->ready, control_ready(service, NULL) ? 1 : 0);
    struct mono_ns now = base_mono_now();
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++) {
        enum kit_chaos_kind kind = (enum kit_chaos_kind)i;
        kit_series_set(kit_series_of(service->fault_active, kit_chaos_kind_name(kind)),
                       kit_chaos_active(&service->chaos, kind, now) ? 1 : 0);
    }
}

static void add_http_metrics(struct kit_service *service)
{
    service->requests_total = kit_metrics_add(
        service->metrics,
        &(struct kit_family_spec){.type = KIT_COUNTER,
                                  .name = "http_requests_total",
                                  .help = "Application requests answered.",
                                  .labels = {"service", "method", "route", "status", "traffic"},
                                  .max_series = 1000});
    service->request_seconds = kit_metrics_add(
        service->metrics,
        &(struct kit_family_spec){.type = KIT_HISTOGRAM,
                                  .name = "http_request_duration_seconds",
                                  .help = "From the whole request read to the reply handed over.",
                                  .labels = {"service", "method", "route", "outcome", "traffic"},
                                  .max_series = 500,
                                  .buckets = kit_seconds_buckets,
                                  .bucket_count = kit_seconds_bucket_count});
    service->in_flight = kit_series_of(
        kit_metrics_add(service->metrics,
                        &(struct kit_family_spec){.type = KIT_GAUGE,
                                                  .name = "http_requests_in_flight",
                                                  .help = "Requests not answered yet.",
                                                  .labels = {"service"}}),
        service->config.name);
}

static void add_metrics(struct kit_service *service)
{
    add_http_metrics(service);
    service->injected_total = kit_metrics_add(
        service->metrics, &(struct kit_family_spec){.type = KIT_COUNTER,
                                                    .name = "chaos_injected_total",
                                                    .help = "Requests that an ordered fault hit.",
                                                    .labels = {"kind"}});
    service->fault_active = kit_metrics_add(
        service->metrics, &(struct kit_family_spec){.type = KIT_GAUGE,
                                                    .name = "chaos_active",
                                                    .help = "1 while a fault of this kind holds.",
                                                    .labels = {"kind"}});
    service->ready = kit_series_plain(
        kit_metrics_add(service->metrics, &(struct kit_family_spec){.type = KIT_GAUGE,
                                                                    .name = "service_ready",
                                                                    .help = "What /ready says."}));
    kit_series_set(kit_series_of(kit_metrics_add(service->metrics,
                                                 &(struct kit_family_spec){
                                                     .type = KIT_GAUGE,
                                                     .name = "service_build_info",
                                                     .help = "1, with what runs as labels.",
                                                     .labels = {"service", "instance", "version"}}),
                                 service->config.name, service->config.instance, KIT_VERSION),
                   1);
    process_metrics_add(service);
    kit_metrics_on_collect(service->metrics, collect, service);
}

struct kit_service *kit_service_new(const struct kit_service_config *config, struct base_error *err)
{
    struct kit_service *service = base_calloc(1, sizeof *service);
    service->config = *config;
    service->log =
        (struct base_log){.fd = config->log_fd, .min = BASE_INFO, .service = service->config.name};
    service->started = base_mono_now();
    kit_chaos_init(&service->chaos,
                   config->chaos_seed != 0 ? config->chaos_seed : base_random_u64());
    service->strain = kit_strain_new();
    service->router = kit_router_new();
    service->metrics = kit_metrics_new();
    add_metrics(service);
    service->loop = io_loop_new(err);
    if (service->loop == NULL || !read_token(service, err) || !control_routes(service, err)) {
        kit_service_free(service);
        return NULL;
    }
    return service;
}

void kit_service_free(struct kit_service *service)
{
    if (service == NULL)
        return;
    io_server_free(service->server);
    kit_strain_free(service->strain);
    kit_router_free(service->router);
    kit_metrics_free(service->metrics);
    io_loop_free(service->loop);
    if (service->admin_token != NULL)
        explicit_bzero(service->admin_token, strlen(service->admin_token));
    free(service->admin_token);
    free(service);
}

bool kit_service_routes(struct kit_service *service, const struct kit_route *routes, size_t count,
                        void *ctx, struct base_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!kit_router_add(service->router, &routes[i], ctx))
            return base_fail(err, BASE_INTERNAL, "route %s %s is malformed or there already",
                             routes[i].method, routes[i].pattern);
    }
    return true;
}

void kit_service_check(struct kit_service *service, const char *name,
                       bool (*check)(void *ctx, const char **detail), void *ctx)
{
    if (service->check_count < SERVICE_CHECKS_MAX)
        service->checks[service->check_count++] = (struct service_check){name, check, ctx};
}

struct io_loop *kit_service_loop(struct kit_service *service)
{
    return service->loop;
}

struct kit_metrics *kit_service_metrics(struct kit_service *service)
{
    return service->metrics;
}

const struct base_log *kit_service_log(const struct kit_service *service)
{
    return &service->log;
}

struct kit_chaos *kit_service_chaos(struct kit_service *service)
{
    return &service->chaos;
}

struct dur_ns kit_service_uptime(const struct kit_service *service)
{
    return base_mono_sub(base_mono_now(), service->started);
}

/* --- the way out --- */

static void enter(struct kit_service *service, enum service_phase phase)
{
    static const char *const names[] = {"running", "draining", "finishing", "stopped"};
    if (phase <= service->phase)
        return;
    service->phase = phase;
    base_log_line(
        &service->log, BASE_INFO, "phase changed", BASE_TEXT("phase", names[phase]),
        BASE_INT("inFlight", service->server != NULL ? io_server_in_flight(service->server) : 0));
}

static void finish(struct kit_service *service)
{
    enter(service, PHASE_STOPPED);
    io_timer_stop(&service->drain);
    io_loop_stop(service->loop);
}

static void on_drain(void *ctx)
{
    struct kit_service *service = ctx;
    if (service->phase == PHASE_DRAINING) {
        enter(service, PHASE_FINISHING);
        service->finish_by = base_mono_add(base_mono_now(), service->config.grace);
        io_server_stop_accepting(service->server);
    }
    bool late = !base_mono_before(base_mono_now(), service->finish_by);
    if (io_server_in_flight(service->server) == 0 || late)
        finish(service);
    else
        io_timer_start(&service->drain, base_dur_ms(10));
}

static void on_signal(void *ctx, int number)
{
    struct kit_service *service = ctx;
    base_log_line(&service->log, BASE_INFO, "signal", BASE_INT("number", number));
    if (service->phase != PHASE_RUNNING) {
        finish(service);
        return;
    }
    enter(service, PHASE_DRAINING);
    io_timer_start(&service->drain, service->config.drain);
}

bool kit_service_run(struct kit_service *service, struct base_error *err)
{
    const struct io_server_config server = {
        .address = service->config.listen.host,
        .port = service->config.listen.port,
        .on_request = request_begin,
        .on_abandon = request_abandoned,
        .ctx = service,
    };
    service->server = io_server_new(service->loop, &server, err);
    if (service->server == NULL)
        return false;
    signal(SIGPIPE, SIG_IGN); /* a log reader or peer that goes away is not our end */
    io_timer_init(&service->drain, service->loop, on_drain, service);
    io_signal_init(&service->on_term, service->loop, SIGTERM, on_signal, service);
    io_signal_init(&service->on_int, service->loop, SIGINT, on_signal, service);
    base_log_line(&service->log, BASE_INFO, "listening",
                  BASE_TEXT("instance", service->config.instance),
                  BASE_TEXT("address", service->config.listen.host),
                  BASE_INT("port", io_server_port(service->server)), BASE_INT("pid", getpid()));
    io_loop_run(service->loop);
    io_server_free(service->server);
    service->server = NULL;
    io_signal_fini(&service->on_term);
    io_signal_fini(&service->on_int);
    io_timer_fini(&service->drain);
    return true;
}
