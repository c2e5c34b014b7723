/* SPDX-License-Identifier: Apache-2.0 */
/* A set of equal peers behind the gateway: who is up, by probes and by what requests meet. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include <jansson.h>

#include "io/http_client.h"
#include "kit/balancer.h"
#include "kit/service.h"

struct upstream;

struct probe {
    struct upstream *upstream;
    size_t index;
    struct io_http_call *call; /* NULL: none under way */
};

struct upstream {
    const char *name;
    struct kit_service *service;
    struct io_http *http;
    struct kit_balancer balancer;
    struct kit_retry_budget budget;
    struct probe probes[KIT_PEERS_MAX];
    struct io_timer timer;
    struct dur_ns probe_every;
    struct kit_family *up;
    struct kit_family *in_flight;
    struct kit_family *ejections;
    struct kit_family *requests; /* by peer and outcome */
    struct kit_series *retries;
    struct kit_family *retries_denied;
};

/* Probing starts with the loop. The upstream must not move. */
bool upstream_init(struct upstream *upstream, const char *name, const char *peers,
                   struct kit_service *service, struct io_http *http, struct dur_ns probe_every,
                   struct base_error *err);
void upstream_fini(struct upstream *upstream);
/* As kit_balancer_give, with metrics and log. */
void upstream_give(struct upstream *upstream, size_t index, enum kit_outcome outcome);
bool upstream_ready(void *upstream, const char **detail); /* one peer at least is up */
json_t *upstream_describe(const struct upstream *upstream);

#endif
