/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the kind tcp: one toxic, for a share of the connections. */
#ifndef CHAOS_PROXY_TCP_H
#define CHAOS_PROXY_TCP_H

#include "model/fault.h"
#include "proxy.h"

struct proxy_tcp_rules {
    enum fault_toxic toxic;
    uint64_t bytes;
    struct dur_ns time;
    struct dur_ns jitter; /* FAULT_TOXIC_LATENCY */
    double share;
    uint64_t seed;
};

extern const struct proxy_driver proxy_tcp_driver; /* its rules: struct proxy_tcp_rules */

#endif
