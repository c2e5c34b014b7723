/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "statistics.h"

struct round_trip {
    struct mono_ns sent;
    struct dur_ns took;
    unsigned answers;
};

struct fault_probe {
    struct fault_probe_task task;
    const struct fault_probe_ops *ops;
    struct io_alarm pace;
    struct io_timer patience;
    bool sending; /* answers may come from inside */
    struct mono_ns started;
    struct round_trip *trips;
    size_t sent;
    size_t answered;
    int64_t *came; /* when answers came, in that order; `answered` of them */
    char error[160];
    void (*on_done)(void *ctx, struct fault_probe_result *);
    void *ctx;
};

void fault_probe_result_fini(struct fault_probe_result *result)
{
    free(result->rtt_ns);
    *result = (struct fault_probe_result){0};
}

static const struct {
    const struct fault_probe_ops *ops;
    const char *protocol;
} methods[] = {
    [FAULT_PROBE_ECHO] = {&fault_probe_echo, "icmp"},
    [FAULT_PROBE_CONNECT] = {&fault_probe_connect, "tcp"},
    [FAULT_PROBE_DATAGRAM] = {&fault_probe_datagram, "udp"},
};

const char *fault_probe_protocol(enum fault_probe_method method)
{
    return methods[method].protocol;
}

struct fault_probe_task *fault_probe_task_of(struct fault_probe *probe)
{
    return &probe->task;
}

void fault_probe_cancel(struct fault_probe *probe)
{
    if (probe == NULL)
        return;
    probe->ops->close(probe);
    io_alarm_fini(&probe->pace);
    io_timer_fini(&probe->patience);
    free(probe->trips);
    free(probe->came);
    free(probe);
}

/* Half of the later half at a time, from each of its answers on; what is typical of that. */
static void set_arrival(const struct fault_probe *probe, struct fault_probe_result *result)
{
    size_t half = (probe->task.plan.count + 1) / 2;
    size_t later = probe->answered > half ? probe->answered - half : 0;
    size_t step = (later + 1) / 2;
    size_t count = later > 0 ? later - step + 1 : 0;
    BASE_AUTO_FREE int64_t *spans = base_calloc(count + 1, sizeof *spans);
    for (size_t i = 0; i < count; i++)
        spans[i] = probe->came[half - 1 + i + step] - probe->came[half - 1 + i];
    result->arrived = step;
    result->arrival.ns = fault_median(spans, count);
}

static struct fault_probe_result result_of(const struct fault_probe *probe)
{
    struct fault_probe_result result = {
        .sent = probe->sent,
        .rtt_ns = base_calloc(probe->answered + 1, sizeof *result.rtt_ns),
    };
    set_arrival(probe, &result);
    memcpy(result.error, probe->error, sizeof result.error);
    for (size_t i = 0; i < probe->sent; i++) {
        const struct round_trip *trip = &probe->trips[i];
        if (trip->answers == 0)
            continue;
        result.rtt_ns[result.answered++] = trip->took.ns;
        result.doubled += trip->answers > 1 ? 1 : 0;
    }
    return result;
}

static void finish(void *ctx)
{
    struct fault_probe *probe = ctx;
    struct fault_probe_result result = result_of(probe);
    void (*on_done)(void *ctx, struct fault_probe_result *) = probe->on_done;
    void *done_ctx = probe->ctx;
    fault_probe_cancel(probe);
    on_done(done_ctx, &result);
}

static bool all_sent(const struct fault_probe *probe)
{
    return probe->sent == probe->task.plan.count;
}

void fault_probe_answered(struct fault_probe *probe, size_t index, struct dur_ns took)
{
    if (index >= probe->sent + (probe->sending ? 1 : 0))
        return;
    struct round_trip *trip = &probe->trips[index];
    struct mono_ns now = base_mono_now();
    if (trip->answers++ > 0)
        return;
    trip->took = took.ns > 0 ? took : base_mono_sub(now, trip->sent);
    probe->came[probe->answered++] = now.ns;
    if (!probe->sending && all_sent(probe) && probe->answered == probe->sent &&
        !probe->task.plan.linger)
        finish(probe);
}

/* All that are due: when the loop was late, several. */
static void on_pace(void *ctx)
{
    struct fault_probe *probe = ctx;
    const struct fault_probe_plan *plan = &probe->task.plan;
    struct base_error err = {0};
    struct mono_ns due = probe->started;
    probe->sending = true;
    while (!all_sent(probe) && !base_mono_before(base_mono_now(), due)) {
        probe->trips[probe->sent].sent = base_mono_now();
        if (!probe->ops->send(probe, probe->sent, &err)) {
            (void)snprintf(probe->error, sizeof probe->error, "%.159s", err.message);
            probe->task.plan.count = probe->sent;
            break;
        }
        probe->sent++;
        due = base_mono_add(probe->started, (struct dur_ns){(int64_t)probe->sent * plan->gap.ns});
    }
    probe->sending = false;
    if (all_sent(probe)) /* or none could be, and no answer is to be waited for */
        io_timer_start(&probe->patience, probe->sent > 0 ? plan->patience : (struct dur_ns){0});
    else
        io_alarm_set(&probe->pace, due);
}

struct fault_probe *fault_probe_start(struct io_loop *loop, const struct fault_netns *netns,
                                      const struct fault_peer *peer,
                                      const struct fault_probe_plan *plan,
                                      void (*on_done)(void *ctx, struct fault_probe_result *),
                                      void *ctx, struct base_error *err)
{
    struct fault_probe *probe = base_calloc(1, sizeof *probe);
    probe->task =
        (struct fault_probe_task){.loop = loop, .netns = netns, .peer = peer, .plan = *plan};
    probe->ops = methods[plan->method].ops;
    probe->trips = base_calloc(plan->count, sizeof *probe->trips);
    probe->came = base_calloc(plan->count, sizeof *probe->came);
    probe->on_done = on_done;
    probe->ctx = ctx;
    io_timer_init(&probe->patience, loop, finish, probe);
    if (!io_alarm_init(&probe->pace, loop, on_pace, probe, err) || !probe->ops->open(probe, err)) {
        fault_probe_cancel(probe);
        return NULL;
    }
    probe->started = base_mono_now();
    io_alarm_set(&probe->pace, probe->started);
    return probe;
}
