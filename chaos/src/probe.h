/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A paced series of round trips from inside a network namespace to one peer: ICMP echoes (echo.c),
 * TCP connects (knock.c) where only what TCP does is impaired, or UDP datagrams (datagram.c). What
 * the fault network is measured by.
 */
#ifndef CHAOS_PROBE_H
#define CHAOS_PROBE_H

#include "io/loop.h"
#include "netns.h"
#include "resolve.h"

enum fault_probe_method { FAULT_PROBE_ECHO, FAULT_PROBE_CONNECT, FAULT_PROBE_DATAGRAM };
const char *fault_probe_protocol(enum fault_probe_method method); /* "icmp", "tcp", "udp" */

struct fault_probe_plan {
    enum fault_probe_method method;
    size_t count;
    size_t bytes; /* of each echo, from the IP header on */
    struct dur_ns gap;
    struct dur_ns patience; /* for the answer to the last one; connects: for each */
    bool linger;            /* wait for more answers even when all have been answered */
    char *const *ports;     /* datagrams: one end has one of these; none: any. Borrowed */
    size_t port_count;
};

struct fault_probe_result {
    size_t sent;
    size_t answered;
    size_t doubled;  /* of those answered: more than once */
    int64_t *rtt_ns; /* of those answered, in the order they were sent; owned */
    /* In the later half (the first ones may have waited for us while the rest was being sent) that
     * many answers come in `arrival`, by the median: while this process has to wait for a
     * processor, answers wait with it, and then come at once. */
    size_t arrived;
    struct dur_ns arrival;
    char error[160]; /* why the rest was not sent; "" */
};
void fault_probe_result_fini(struct fault_probe_result *result); /* accepts a zeroed value */

struct fault_probe;

/* on_done fires once, on the loop and never from inside this call, unless cancelled; the series is
 * freed before it fires, and the result is the callee's. */
struct fault_probe *fault_probe_start(struct io_loop *loop, const struct fault_netns *netns,
                                      const struct fault_peer *peer,
                                      const struct fault_probe_plan *plan,
                                      void (*on_done)(void *ctx, struct fault_probe_result *),
                                      void *ctx, struct base_error *err);
void fault_probe_cancel(struct fault_probe *probe); /* accepts NULL */

/* --- between the series and its methods --- */

struct fault_probe_ops {
    bool (*open)(struct fault_probe *probe, struct base_error *err);
    bool (*send)(struct fault_probe *probe, size_t index, struct base_error *err);
    void (*close)(struct fault_probe *probe); /* the state may be NULL */
};
extern const struct fault_probe_ops fault_probe_echo;
extern const struct fault_probe_ops fault_probe_connect;
extern const struct fault_probe_ops fault_probe_datagram;

struct fault_probe_task { /* what a method needs to know */
    struct io_loop *loop;
    const struct fault_netns *netns;
    const struct fault_peer *peer;
    struct fault_probe_plan plan;
    void *state; /* of the method */
};
struct fault_probe_task *fault_probe_task_of(struct fault_probe *probe);
/* An answer came just now; may free the probe. took: as measured by who knows better than the time
 * between then and now; 0: nobody does. */
void fault_probe_answered(struct fault_probe *probe, size_t index, struct dur_ns took);

#endif
