/* SPDX-License-Identifier: Apache-2.0 */
/* What service.c, request.c and control.c share. */
#ifndef KIT_SERVICE_PRIVATE_H
#define KIT_SERVICE_PRIVATE_H

#include "io/http_server.h"
#include "kit/service.h"
#include "strain.h"

enum { SERVICE_CHECKS_MAX = 8 };
#define KIT_CHAOS_MARK "X-Chaos" /* header of an answer that was ordered, beside its kind */

/* RUNNING -> DRAINING -> FINISHING -> STOPPED; moves only forward. */
enum service_phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_FINISHING, PHASE_STOPPED };

struct service_check {
    const char *name;
    bool (*check)(void *ctx, const char **detail);
    void *ctx;
};

struct process_metrics {
    struct kit_series *cpu;
    struct kit_series *resident;
    struct kit_series *fds;
};

struct kit_service {
    struct kit_service_config config;
    struct io_loop *loop;
    struct io_server *server;
    struct kit_router *router;
    struct kit_metrics *metrics;
    struct kit_chaos chaos;
    struct kit_strain *strain;
    struct base_log log;
    char *admin_token; /* NULL: nobody */
    enum service_phase phase;
    struct mono_ns started;
    struct mono_ns finish_by;
    struct io_timer drain;
    struct io_signal on_term;
    struct io_signal on_int;
    struct service_check checks[SERVICE_CHECKS_MAX];
    size_t check_count;
    struct kit_family *requests_total;
    struct kit_family *request_seconds;
    struct kit_family *injected_total;
    struct kit_series *in_flight;
    struct kit_series *ready;
    struct kit_family *fault_active;
    struct process_metrics process;
};

struct kit_request {
    struct kit_service *service;
    struct io_exchange *exchange;
    struct kit_trace trace;
    struct kit_match match;
    enum kit_match_result matched;
    const char *route;   /* the pattern, or "unmatched" */
    const char *traffic; /* user, load, probe */
    bool application;    /* counts in the metrics and may be faulted */
    struct io_timer delay;
    unsigned injected_status;
    void (*on_abandon)(void *ctx);
    void *abandon_ctx;
};

/* request.c */
void request_begin(void *service, struct io_exchange *exchange);
void request_abandoned(void *service, struct io_exchange *exchange);

/* control.c: /, /health, /ready, /metrics, /api/chaos */
bool control_routes(struct kit_service *service, struct base_error *err);
bool control_ready(const struct kit_service *service, json_t *checks); /* checks may be NULL */
/* Answers 401 and returns true when the caller has no right to /api/chaos. */
bool control_denied(struct kit_request *request);
bool control_is_chaos(const char *path);

/* process.c */
void process_metrics_add(struct kit_service *service);

#endif
