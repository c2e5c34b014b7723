/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series of direct requests to one instance: how many answers were injected errors, and how long
 * the answers took. Marked `X-Traffic: probe`, so that the service keeps them out of what is
 * counted for its users. The path exists in no service: the kit injects before it routes, so the
 * answer is 404 or, when injected, has the code CHAOS_INJECTED; the application is never touched.
 */
#ifndef CHAOS_MEASURE_H
#define CHAOS_MEASURE_H

#include <stdint.h>

#include "io/http_client.h"

#define FAULT_MEASURE_PATH "/api/chaos-probe"

struct fault_measure;

struct fault_measure_result {
    size_t asked;
    size_t answered;
    size_t injected;
    int64_t median_ns; /* of answers that were not injected, unless nearly all were; 0: none */
    char error[256];   /* of the last request without an answer; "" */
};

/* on_done fires once, on the loop and never from inside this call, unless cancelled; the series is
 * freed before it fires. A series stops early when its first requests get no answer. */
struct fault_measure *fault_measure_start(struct io_http *http, const char *address, uint16_t port,
                                          size_t count, size_t parallel, struct dur_ns timeout,
                                          void (*on_done)(void *ctx,
                                                          const struct fault_measure_result *),
                                          void *ctx, struct base_error *err);
void fault_measure_cancel(struct fault_measure *measure); /* accepts NULL */

/* "http://10.0.0.1:80/path", with brackets around IPv6; free() it. */
char *fault_url(const char *address, uint16_t port, const char *path);

#endif
