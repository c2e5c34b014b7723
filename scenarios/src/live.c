/* SPDX-License-Identifier: Apache-2.0 */
/* Wires the runner to the real effects on one loop. */
#include "scenarios/live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "live_internal.h"

enum { SIGNALS = 3 };

struct live {
    const struct live_config *config;
    struct io_loop *loop;
    struct io_http *http;
    struct run *run;
    struct live_record record;
    struct live_load load;
    struct live_agent agent;
    struct live_questions questions;
    struct live_probes probes;
    struct live_operator operator;
    struct io_alarm wake;
    struct io_signal signals[SIGNALS];
    sigset_t held; /* the caller's signal mask */
    bool over;
};

static const int signal_numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static struct mono_ns fx_mono(void *ctx)
{
    (void)ctx;
    return base_mono_now();
}

static struct wall_ns fx_wall(void *ctx)
{
    (void)ctx;
    return base_wall_now();
}

static void fx_wake_at(void *ctx, struct mono_ns when)
{
    struct live *live = ctx;
    if (when.ns == INT64_MAX)
        io_alarm_clear(&live->wake);
    else
        io_alarm_set(&live->wake, when);
}

static bool fx_event(void *ctx, const char *type, const json_t *fields)
{
    struct live *live = ctx;
    if (live->config->on_event != NULL)
        live->config->on_event(live->config->ctx, type, fields);
    return live_record_event(&live->record, type, fields, base_mono_now(), base_wall_now());
}

static bool fx_store(void *ctx, const char *name, const json_t *document)
{
    struct live *live = ctx;
    return live_record_store(&live->record, name, document);
}

static void fx_check(void *ctx, size_t check)
{
    struct live *live = ctx;
    const struct plan *plan = live->config->plan;
    if (check < plan->check_count + plan->slo_count)
        live_check_start(&live->questions, check);
    else
        live_agent_check(&live->agent, check);
}

static void fx_probe(void *ctx, size_t probe)
{
    struct live *live = ctx;
    live_probe_start(&live->probes, probe);
}

static void fx_load_start(void *ctx)
{
    struct live *live = ctx;
    live_load_start(&live->load, live->config);
}

static void fx_load_phase(void *ctx, const char *phase)
{
    struct live *live = ctx;
    live_load_phase(&live->load, phase);
}

static void fx_load_stop(void *ctx)
{
    struct live *live = ctx;
    live_load_stop(&live->load);
}

static void fx_load_kill(void *ctx)
{
    struct live *live = ctx;
    live_load_kill(&live->load);
}

static void fx_fault(void *ctx, size_t fault, enum run_request request)
{
    struct live *live = ctx;
    live_agent_ask(&live->agent, fault, request);
}

static void fx_query(void *ctx, size_t query, const char *text, struct wall_ns at)
{
    struct live *live = ctx;
    live_query_start(&live->questions, query, text, at);
}

static void fx_suspended(void *ctx, bool on)
{
    struct live *live = ctx;
    (void)live_operator_listen(&live->operator, on); /* its deadline ends a run that is deaf */
}

static void fx_finished(void *ctx)
{
    struct live *live = ctx;
    live->over = true;
    io_loop_stop(live->loop);
}

static void on_wake(void *ctx)
{
    struct live *live = ctx;
    run_on_wake(live->run);
}

static void on_signal(void *ctx, int number)
{
    struct live *live = ctx;
    char name[16];
    (void)snprintf(name, sizeof name, "SIG%s", sigabbrev_np(number));
    run_on_signal(live->run, name);
}

/* nohup asks for no more than that a hang-up stays ignored. SIGINT is heard even where a shell had
 * it ignored, as scripts do for what they put in the background: faults must be revertible. */
static bool is_ignored(int number)
{
    struct sigaction action;
    return number == SIGHUP && sigaction(number, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

/* A caller that holds these signals back, so that none falls between the run and its report, has
 * them let in for as long as there is somebody to hear them. */
static void hear_signals(struct live *live)
{
    sigset_t ours;
    (void)sigemptyset(&ours);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (is_ignored(signal_numbers[i]))
            continue;
        (void)sigaddset(&ours, signal_numbers[i]);
        io_signal_init(&live->signals[i], live->loop, signal_numbers[i], on_signal, live);
    }
    (void)pthread_sigmask(SIG_UNBLOCK, &ours, &live->held);
}

static bool open_live(struct live *live, const struct run_effects *effects, struct base_error *err)
{
    const struct plan *plan = live->config->plan;
    live->loop = io_loop_new(err);
    if (live->loop == NULL)
        return false;
    live->http = io_http_new(live->loop);
    live->run = run_new(plan, effects);
    live_load_init(&live->load, live->loop, live->run);
    live_questions_init(&live->questions, live->http, live->run, plan);
    live_probes_init(&live->probes, live->loop, live->http, live->run, plan);
    live_operator_init(&live->operator, live->loop, live->run, live->config->run_dir,
                       live->config->terminal);
    return live_agent_init(&live->agent, live->loop, live->http, live->run, plan, err) &&
           io_alarm_init(&live->wake, live->loop, on_wake, live, err) &&
           live_record_open(&live->record, live->config->run_dir, err);
}

static void close_live(struct live *live)
{
    for (size_t i = 0; i < SIGNALS; i++)
        io_signal_fini(&live->signals[i]);
    live_load_fini(&live->load);
    live_probes_fini(&live->probes);
    live_operator_fini(&live->operator);
    io_http_free(live->http);
    live_agent_fini(&live->agent);
    live_questions_fini(&live->questions);
    io_alarm_fini(&live->wake);
    live_record_close(&live->record);
    run_free(live->run);
    io_loop_free(live->loop);
}

bool live_run(const struct live_config *config, struct run_outcome *out, struct base_error *err)
{
    struct live live = {.config = config,
                        .record = {.events_fd = -1},
                        .load = {.commands = -1},
                        .wake = {.fd = -1}};
    const struct run_effects effects = {
        .ctx = &live,
        .mono = fx_mono,
        .wall = fx_wall,
        .wake_at = fx_wake_at,
        .event = fx_event,
        .store = fx_store,
        .check = fx_check,
        .probe = fx_probe,
        .load_start = fx_load_start,
        .load_phase = fx_load_phase,
        .load_stop = fx_load_stop,
        .load_kill = fx_load_kill,
        .fault = fx_fault,
        .query = fx_query,
        .suspended = fx_suspended,
        .finished = fx_finished,
    };
    bool opened = open_live(&live, &effects, err);
    if (opened) {
        (void)signal(SIGPIPE, SIG_IGN); /* a generator that died is told by its exit */
        hear_signals(&live);
        run_begin(live.run);
        if (!live.over) /* it may have ended before it had anything to wait for */
            io_loop_run(live.loop);
        (void)pthread_sigmask(SIG_SETMASK, &live.held, NULL);
        *out = *run_get_outcome(live.run);
        out->why = base_str_dup(out->why);
    }
    close_live(&live);
    return opened;
}
