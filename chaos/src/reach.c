/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "probe.h"

enum {
    datagrams = 5, /* one of them answered is a peer that is reached */
    datagram_bytes = 64,
    datagram_gap_ms = 20
};

struct attempt {
    struct fault_reach *reach;
    struct fault_path path;
    struct io_connect *connect; /* NULL: not under way */
    struct fault_probe *probe;  /* likewise */
    struct mono_ns began;
    bool pending; /* in this round */
};

struct fault_reach {
    struct io_loop *loop;
    struct attempt *tries;
    size_t count;
    bool by_datagrams;
    char *const *ports; /* of datagrams */
    size_t port_count;
    struct io_timer over; /* for a round with nothing to wait for */
    void (*on_done)(void *ctx);
    void *ctx;
};

static bool measured(const struct fault_path *path)
{
    return path->netns->fd >= 0;
}

static bool round_over(const struct fault_reach *reach)
{
    for (size_t i = 0; i < reach->count; i++)
        if (reach->tries[i].pending)
            return false;
    return true;
}

static void on_over(void *ctx)
{
    struct fault_reach *reach = ctx;
    reach->on_done(reach->ctx);
}

struct fault_reach *fault_reach_new(struct io_loop *loop)
{
    struct fault_reach *reach = base_calloc(1, sizeof *reach);
    reach->loop = loop;
    io_timer_init(&reach->over, loop, on_over, reach);
    return reach;
}

void fault_reach_by_datagrams(struct fault_reach *reach, char *const *ports, size_t port_count)
{
    reach->by_datagrams = true;
    reach->ports = ports;
    reach->port_count = port_count;
}

void fault_reach_free(struct fault_reach *reach)
{
    if (reach == NULL)
        return;
    fault_reach_cancel(reach);
    io_timer_fini(&reach->over);
    free(reach->tries);
    free(reach);
}

void fault_reach_add(struct fault_reach *reach, const char *target, const struct fault_netns *netns,
                     const struct fault_peer *peer)
{
    reach->tries = base_reallocarray(reach->tries, reach->count + 1, sizeof *reach->tries);
    reach->tries[reach->count++] = (struct attempt){
        .reach = reach,
        .path = {.target = target, .netns = netns, .peer = peer, .datagrams = reach->by_datagrams}};
}

void fault_reach_cancel(struct fault_reach *reach)
{
    if (reach == NULL)
        return;
    io_timer_stop(&reach->over);
    for (size_t i = 0; i < reach->count; i++) {
        io_connect_cancel(reach->tries[i].connect);
        reach->tries[i].connect = NULL;
        fault_probe_cancel(reach->tries[i].probe);
        reach->tries[i].probe = NULL;
    }
}

static void attempt_over(struct attempt *attempt, const struct io_connect_result *result)
{
    attempt->pending = false;
    attempt->path.result = *result;
    attempt->path.done = true;
    if (round_over(attempt->reach))
        attempt->reach->on_done(attempt->reach->ctx);
}

static void on_connect(void *ctx, const struct io_connect_result *result)
{
    struct attempt *attempt = ctx;
    attempt->connect = NULL;
    attempt_over(attempt, result);
}

static void on_series(void *ctx, struct fault_probe_result *series)
{
    struct attempt *attempt = ctx;
    struct io_connect_result result = {
        .connected = series->answered > 0,
        .sys = ETIMEDOUT,
        .elapsed = base_mono_sub(base_mono_now(), attempt->began),
    };
    if (result.connected)
        result.elapsed.ns = series->rtt_ns[0];
    attempt->probe = NULL;
    memcpy(attempt->path.unasked, series->error, sizeof attempt->path.unasked);
    fault_probe_result_fini(series);
    attempt_over(attempt, &result);
}

static bool attempt_start(struct attempt *attempt, struct dur_ns patience, struct base_error *err)
{
    const struct fault_path *path = &attempt->path;
    const struct fault_reach *reach = attempt->reach;
    const struct fault_probe_plan plan = {
        .method = FAULT_PROBE_DATAGRAM,
        .count = datagrams,
        .bytes = datagram_bytes,
        .gap = base_dur_ms(datagram_gap_ms),
        .patience = patience,
        .ports = reach->ports,
        .port_count = reach->port_count,
    };
    attempt->began = base_mono_now();
    if (reach->by_datagrams)
        attempt->probe =
            fault_probe_start(reach->loop, path->netns, path->peer, &plan, on_series, attempt, err);
    else
        attempt->connect = fault_connect_start(reach->loop, path->netns, path->peer, patience,
                                               on_connect, attempt, err);
    return attempt->connect != NULL || attempt->probe != NULL ||
           base_fail_context(err, "%s", path->target);
}

bool fault_reach_repeat(struct fault_reach *reach, struct dur_ns patience,
                        void (*on_done)(void *ctx), void *ctx, struct base_error *err)
{
    fault_reach_cancel(reach);
    reach->on_done = on_done;
    reach->ctx = ctx;
    for (size_t i = 0; i < reach->count; i++)
        reach->tries[i].pending = measured(&reach->tries[i].path);
    for (size_t i = 0; i < reach->count; i++) {
        if (reach->tries[i].pending && !attempt_start(&reach->tries[i], patience, err)) {
            fault_reach_cancel(reach);
            return false;
        }
    }
    if (round_over(reach))
        io_timer_start(&reach->over, (struct dur_ns){0});
    return true;
}

bool fault_reach_start(struct fault_reach *reach, struct dur_ns patience,
                       void (*on_done)(void *ctx), void *ctx, struct base_error *err)
{
    for (size_t i = 0; i < reach->count; i++) {
        reach->tries[i].path.done = false;
        reach->tries[i].path.result = (struct io_connect_result){0};
        reach->tries[i].path.unasked[0] = '\0';
    }
    return fault_reach_repeat(reach, patience, on_done, ctx, err);
}

static bool as_it_should(const struct fault_path *path, bool should_connect)
{
    return path->done && path->unasked[0] == '\0' && path->result.connected == should_connect;
}

const struct fault_path *fault_reach_odd(const struct fault_reach *reach, bool should_connect)
{
    for (size_t i = 0; i < reach->count; i++) {
        const struct fault_path *path = &reach->tries[i].path;
        if (measured(path) && !as_it_should(path, should_connect))
            return path;
    }
    return NULL;
}

bool fault_reach_explained(const struct fault_reach *reach)
{
    for (size_t i = 0; i < reach->count; i++) {
        const struct fault_path *path = &reach->tries[i].path;
        int sys = path->result.sys;
        bool told = sys == ECONNREFUSED || sys == EHOSTUNREACH || sys == ENETUNREACH ||
                    path->unasked[0] != '\0';
        if (measured(path) && !(path->done && (path->result.connected || told)))
            return false;
    }
    return true;
}

static void describe(const struct fault_path *path, char *out, size_t size)
{
    static const struct io_connect_result unfinished = {.sys = ETIMEDOUT};
    char took[BASE_DUR_TEXT];
    base_dur_format_brief(path->result.elapsed, took);
    if (path->unasked[0] != '\0')
        (void)snprintf(out, size, "%s", path->unasked);
    else if (path->datagrams && path->result.connected)
        (void)snprintf(out, size, "answered in %s", took);
    else
        io_connect_describe(path->done ? &path->result : &unfinished, out, size);
}

void fault_reach_evidence(const struct fault_reach *reach, struct fault *fault, const char *when,
                          bool should_connect)
{
    for (size_t i = 0; i < reach->count; i++) {
        const struct fault_path *path = &reach->tries[i].path;
        if (!measured(path))
            continue;
        char value[160];
        describe(path, value, sizeof value);
        const char *word = path->datagrams ? "answered" : "connected";
        BASE_AUTO_FREE char *metric =
            base_str_printf(path->datagrams ? "udp to %s" : "tcp connect to %s", path->peer->label);
        BASE_AUTO_FREE char *expected = base_str_printf("%s%s", should_connect ? "" : "not ", word);
        fault_evidence(fault, path->target, when, metric, value, expected,
                       as_it_should(path, should_connect));
    }
}

void fault_path_error(const struct fault_path *path, const char *what, struct base_error *err)
{
    char value[160];
    describe(path, value, sizeof value);
    (void)base_fail(err, BASE_UNAVAILABLE, "%s %s %s: %s", path->target, what, path->peer->label,
                    value);
}
