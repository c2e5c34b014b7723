/* SPDX-License-Identifier: Apache-2.0 */
/* squall load --workers: leads a distributed run and shows it as one. */
#include "load_lead.h"

#include <signal.h>
#include <stdio.h>

#include "base/random.h"
#include "cli.h"
#include "endings.h"
#include "load_metrics.h"
#include "load_outputs.h"
#include "loadgen/cluster_leader.h"

struct lead {
    struct load_adhoc *adhoc;
    struct load_outputs outputs;
    struct io_loop *loop;
    struct load_leader *leader;
    struct load_metrics metrics;
    struct io_server *server; /* of the metrics; NULL: none */
    struct endings endings;
    struct io_signal on_resize;
    bool interrupted;
    enum exit_code code;
};

static void fail(struct lead *lead, const struct base_error *err, enum exit_code code)
{
    live_view_end(&lead->outputs.view);
    if (lead->code == EXIT_CODE_PASS)
        lead->code = (enum exit_code)cli_fail(code, err);
    if (lead->loop != NULL)
        io_loop_stop(lead->loop);
}

static void on_joined(void *ctx, const char *name, uint32_t index)
{
    const struct lead *lead = ctx;
    if (!lead->adhoc->quiet)
        (void)fprintf(stderr, "worker %u is %s\n", (unsigned)index, name);
}

static void on_started(void *ctx, struct mono_ns mono, struct wall_ns wall)
{
    struct lead *lead = ctx;
    (void)wall;
    lead->outputs.start = mono;
}

static void on_interval(void *ctx, const struct load_interval *interval)
{
    struct lead *lead = ctx;
    struct base_error err;
    if (!load_outputs_interval(&lead->outputs, interval, &err))
        fail(lead, &err, EXIT_CODE_ERROR);
    else if (!load_thresholds_interval(&lead->adhoc->thresholds, interval))
        load_leader_stop(lead->leader);
}

static void on_histogram(void *ctx, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr)
{
    struct lead *lead = ctx;
    load_outputs_histogram(&lead->outputs, phase, kind, hdr);
    load_thresholds_histogram(&lead->adhoc->thresholds, phase, route, kind, hdr);
}

static bool finish(struct lead *lead, const struct load_totals *totals, struct base_error *err)
{
    struct load_outputs *outputs = &lead->outputs;
    if (outputs->hlog.fd >= 0 && !load_leader_write_log(lead->leader, outputs->hlog.fd, err))
        return base_fail_context(err, "cannot write %s", lead->adhoc->hlog_path);
    return load_outputs_finish(outputs, load_leader_result(lead->leader), totals, err);
}

static void on_finished(void *ctx)
{
    struct lead *lead = ctx;
    struct base_error err;
    const struct load_result *result = load_leader_result(lead->leader);
    if (lead->code != EXIT_CODE_PASS)
        return;
    const struct load_totals totals = load_leader_totals(lead->leader);
    enum verdict_status status = load_outputs_judge(&lead->outputs, result, &totals);
    if (!finish(lead, &totals, &err))
        fail(lead, &err, EXIT_CODE_ERROR);
    else if (lead->interrupted)
        lead->code = EXIT_CODE_ABORTED;
    else if (status == VERDICT_FAIL)
        lead->code = EXIT_CODE_FAIL;
    else if (result->client_limited || !result->complete || result->total.ok == 0 ||
             status != VERDICT_PASS)
        lead->code = EXIT_CODE_INSUFFICIENT;
    io_loop_stop(lead->loop);
}

static void on_error(void *ctx, const struct base_error *err)
{
    fail(ctx, err, EXIT_CODE_ERROR);
}

static void on_end(void *ctx)
{
    struct lead *lead = ctx;
    lead->interrupted = true;
    live_view_end(&lead->outputs.view);
    load_leader_stop(lead->leader);
}

static void on_resize(void *ctx, int number)
{
    struct lead *lead = ctx;
    (void)number;
    load_outputs_redraw(&lead->outputs);
}

static bool write_metrics(void *ctx, struct base_buf *out)
{
    const struct lead *lead = ctx;
    return load_leader_metrics(lead->leader, out);
}

/* Before the leader: an address that cannot be had is told before workers find a plan. */
static bool start_metrics(struct lead *lead, struct base_error *err)
{
    if (lead->adhoc->metrics_address == NULL)
        return true;
    lead->metrics = (struct load_metrics){.ctx = lead, .write = write_metrics};
    lead->server = load_metrics_start(lead->loop, lead->adhoc, &lead->metrics, err);
    return lead->server != NULL;
}

static bool start(struct lead *lead, const char *run, struct base_error *err)
{
    const struct load_leader_config config = {.host = lead->adhoc->redis_host,
                                              .port = lead->adhoc->redis_port,
                                              .run = run,
                                              .workers = lead->adhoc->workers,
                                              .patience = lead->adhoc->patience};
    const struct load_leader_events events = {.run = {.ctx = lead,
                                                      .on_started = on_started,
                                                      .on_interval = on_interval,
                                                      .on_histogram = on_histogram,
                                                      .on_finished = on_finished,
                                                      .on_error = on_error},
                                              .on_joined = on_joined};
    lead->loop = io_loop_new(err);
    if (lead->loop == NULL)
        return false;
    endings_init(&lead->endings, lead->loop, on_end, lead);
    if (!load_outputs_open(&lead->outputs, lead->adhoc, err) ||
        !load_thresholds_start(&lead->adhoc->thresholds, &lead->adhoc->spec, err) ||
        !start_metrics(lead, err))
        return false;
    lead->leader = load_leader_start(lead->loop, &lead->adhoc->spec, &config, &events, err);
    return lead->leader != NULL && (lead->server == NULL || load_leader_expose(lead->leader, err));
}

static void drive(struct lead *lead, const char *run)
{
    struct base_error err;
    if (!start(lead, run, &err)) {
        fail(lead, &err, err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR);
        return;
    }
    (void)fprintf(stderr, "run %s: start %u workers: squall load --join %s:%u --run %s\n", run,
                  (unsigned)lead->adhoc->workers, lead->adhoc->redis_host,
                  (unsigned)lead->adhoc->redis_port, run);
    io_signal_init(&lead->on_resize, lead->loop, SIGWINCH, on_resize, lead);
    io_loop_run(lead->loop);
}

int load_lead_command(struct load_adhoc *adhoc)
{
    struct lead lead = {.adhoc = adhoc,
                        .outputs = {.hlog.fd = -1, .csv.fd = -1, .hgrm.fd = -1, .view.fd = -1}};
    char made_up[BASE_ID_TEXT];
    base_random_id(made_up);
    drive(&lead, adhoc->run != NULL ? adhoc->run : made_up);
    io_server_free(lead.server);
    load_leader_free(lead.leader);
    endings_fini(&lead.endings);
    io_signal_fini(&lead.on_resize);
    io_loop_free(lead.loop);
    load_outputs_fini(&lead.outputs);
    return (int)lead.code;
}
