/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame around a service: loop, server, router, metrics, log, faults and shutdown.
 *
 * Every service answers GET / (what it is), /health (200 as long as the loop turns, never a
 * dependency), /ready (every registered check holds and no shutdown is under way), /metrics, and
 * /api/chaos for whoever holds the admin token. Only "/" and "/api/..." without /api/chaos count in
 * http_requests_total and suffer injected faults: /health and /metrics never do, and /ready says no
 * only when that was ordered, or when a dependency was ordered to have failed. What was ordered is
 * over when its TTL is, whoever has died meanwhile.
 *
 * SIGTERM or SIGINT: /ready fails at once and answers carry "Connection: close"; after `drain` no
 * connection is accepted any more; requests under way finish within `grace`; kit_service_run
 * returns. A second signal ends the waiting.
 */
#ifndef KIT_SERVICE_H
#define KIT_SERVICE_H

#include "base/log.h"
#include "io/loop.h"
#include "kit/chaos.h"
#include "kit/flags.h"
#include "kit/metrics.h"
#include "kit/request.h"
#include "kit/router.h"

struct io_http;
struct kit_service;

#define KIT_VERSION "0.1.0"

struct kit_service_config {
    const char *name;             /* "gateway"; strings outlive the service */
    const char *instance;         /* "gateway-1" */
    struct kit_endpoint listen;   /* host is an IP literal */
    const char *admin_token_file; /* NULL: /api/chaos answers 401 to everybody */
    struct dur_ns drain;
    struct dur_ns grace;
    uint64_t chaos_seed; /* 0: from the kernel */
    int log_fd;          /* where the JSON lines go */
};
struct kit_service_config kit_service_defaults(const char *name, uint16_t port);

/* The rows of the flag table that every service has. */
#define KIT_SERVICE_FLAGS(config)                                                                  \
    {"instance", KIT_FLAG_TEXT, &(config)->instance, "name of this instance"},                     \
        {"listen", KIT_FLAG_LISTEN, &(config)->listen, "ADDR:PORT to serve on"},                   \
        {"admin-token-file", KIT_FLAG_TEXT, &(config)->admin_token_file,                           \
         "file with the bearer token of /api/chaos"},                                              \
        {"drain", KIT_FLAG_DURATION, &(config)->drain,                                             \
         "on SIGTERM: how long to accept while /ready fails"},                                     \
        {"grace", KIT_FLAG_DURATION, &(config)->grace,                                             \
         "on SIGTERM: how long requests under way may take after that"},                           \
    {                                                                                              \
        "chaos-seed", KIT_FLAG_COUNT, &(config)->chaos_seed,                                       \
            "seed of injected errors; 0 takes a random one"                                        \
    }

struct kit_service *kit_service_new(const struct kit_service_config *config,
                                    struct base_error *err);
void kit_service_free(struct kit_service *service); /* accepts NULL */
/* Before kit_service_run. ctx is handed to the handlers. false for a bad or duplicate route. */
bool kit_service_routes(struct kit_service *service, const struct kit_route *routes, size_t count,
                        void *ctx, struct base_error *err);
/* A dependency: /ready fails while check does. *detail may be set to a static reason. It can be
 * ordered to have failed (/api/chaos/dependency, by this name): then /ready fails without asking
 * check, and handlers ask kit_request_lacks before they use it. */
void kit_service_check(struct kit_service *service, const char *name,
                       bool (*check)(void *ctx, const char **detail), void *ctx);
struct io_loop *kit_service_loop(struct kit_service *service);
struct kit_metrics *kit_service_metrics(struct kit_service *service);
const struct base_log *kit_service_log(const struct kit_service *service);
struct kit_chaos *kit_service_chaos(struct kit_service *service);
struct dur_ns kit_service_uptime(const struct kit_service *service);
/* Listens and serves until a signal has been obeyed; requests under way at the end are abandoned
 * (their hooks run) before it returns. */
bool kit_service_run(struct kit_service *service, struct base_error *err);

#endif
