/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation over TCP (or UDP) from inside a network namespace: what came back, when, and how
 * it ended. What a proxy's effect is measured by. */
#ifndef CHAOS_PROXY_PROBE_H
#define CHAOS_PROXY_PROBE_H

#include "io/loop.h"
#include "netns.h"
#include "resolve.h"

struct proxy_probe;

struct proxy_probe_plan {
    const char *say; /* said when connected, and again at each answer until there is enough */
    size_t say_len;
    size_t enough;   /* bytes of answer after which it is over; 0: never, until the end */
    bool say_once;   /* even when the answer is not enough */
    bool datagram;   /* over UDP: the first answer is all of it */
    bool half_close; /* says that it has said all when an answer comes */
    struct dur_ns patience;
};

enum proxy_probe_end {
    PROXY_PROBE_NONE, /* not measured */
    PROXY_PROBE_ENOUGH,
    PROXY_PROBE_CLOSED,
    PROXY_PROBE_RESET,
    PROXY_PROBE_SILENT, /* patience ended */
    PROXY_PROBE_REFUSED /* no connection: sys */
};

enum { PROXY_PROBE_KEPT = 2048 };

struct proxy_probe_result {
    enum proxy_probe_end end;
    int sys;
    size_t bytes;                /* of answer */
    struct dur_ns first;         /* from saying to the first byte */
    struct dur_ns spread;        /* from the first byte to the last */
    struct dur_ns ended;         /* from saying to the end */
    char kept[PROXY_PROBE_KEPT]; /* the first bytes of the answer, ended by a NUL */
};

/* on_done fires once, on the loop and never from inside this call, unless cancelled; the probe is
 * freed before it fires. What the plan points to is copied or outlives the probe (say). */
struct proxy_probe *proxy_probe_start(struct io_loop *loop, const struct fault_netns *netns,
                                      const struct fault_peer *peer,
                                      const struct proxy_probe_plan *plan,
                                      void (*on_done)(void *ctx, const struct proxy_probe_result *),
                                      void *ctx, struct base_error *err);
void proxy_probe_cancel(struct proxy_probe *probe); /* accepts NULL */
/* "150 bytes in 1.2ms", "closed after 10 bytes", "no answer in 500ms", "connection refused". */
void proxy_probe_describe(const struct proxy_probe_result *result, char *out, size_t size);

#endif
