/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own endpoints: /api/data, /api/status, /api/flaky, /api/slow. */
#ifndef GATEWAY_SAMPLE_H
#define GATEWAY_SAMPLE_H

#include "base/random.h"
#include "upstream.h"

enum { SAMPLE_SECONDS = 60 };

struct sample_app {
    struct kit_service *service;
    const char *instance;
    const struct upstream *users;
    double flaky_rate;
    struct base_rng rng;
    struct dur_ns slow;
    /* Answers of /api/data by second, as a ring: entry s % SAMPLE_SECONDS belongs to second s. */
    struct {
        int64_t second;
        uint64_t requests;
    } ring[SAMPLE_SECONDS];
};

bool sample_routes(struct sample_app *app, struct base_error *err);

#endif
