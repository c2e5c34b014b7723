/* SPDX-License-Identifier: Apache-2.0 */
/* squall load: ad hoc load on one URL. Lines while running go to stderr, the result to stdout. */
#include <signal.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli.h"
#include "endings.h"
#include "load_join.h"
#include "load_lead.h"
#include "load_merge.h"
#include "load_metrics.h"
#include "load_outputs.h"
#include "loadgen/adhoc.h"
#include "loadgen/carry.h"
#include "model/verdict.h"
#include "run_one.h"

static const size_t text_max = (size_t)1024 * 1024;

struct session {
    struct load_adhoc adhoc;
    struct load_outputs outputs;
    struct io_loop *loop;
    struct load_run *run;
    struct load_metrics metrics;
    struct io_server *server; /* of the metrics; NULL: none */
    struct endings endings;
    struct io_signal on_resize;
    bool interrupted;
    enum exit_code code;
};

/* Says it below what has been drawn. */
static void complain(struct session *session, const struct base_error *err, enum exit_code code)
{
    live_view_end(&session->outputs.view);
    session->code = (enum exit_code)cli_fail(code, err);
}

static void on_started(void *ctx, struct mono_ns mono, struct wall_ns wall)
{
    struct session *session = ctx;
    (void)wall;
    session->outputs.start = mono;
}

/* Without its record the load is worth nothing: ends at once. */
static void fail(struct session *session, const struct base_error *err)
{
    if (session->code == EXIT_CODE_PASS)
        complain(session, err, EXIT_CODE_ERROR);
    io_loop_stop(session->loop);
}

static void on_interval(void *ctx, const struct load_interval *interval)
{
    struct session *session = ctx;
    struct base_error err;
    if (!load_outputs_interval(&session->outputs, interval, &err))
        fail(session, &err);
    else if (!load_thresholds_interval(&session->adhoc.thresholds, interval))
        load_run_stop(session->run);
}

static void on_histogram(void *ctx, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr)
{
    struct session *session = ctx;
    load_outputs_histogram(&session->outputs, phase, kind, hdr);
    load_thresholds_histogram(&session->adhoc.thresholds, phase, route, kind, hdr);
}

static void on_finished(void *ctx)
{
    struct session *session = ctx;
    struct base_error err;
    const struct load_result *result = load_run_result(session->run);
    const struct load_totals totals = load_run_totals(session->run);
    if (session->code != EXIT_CODE_PASS)
        return; /* the last interval could not be written */
    enum verdict_status status = load_outputs_judge(&session->outputs, result, &totals);
    if (!load_outputs_finish(&session->outputs, result, &totals, &err))
        complain(session, &err, EXIT_CODE_ERROR);
    else if (session->interrupted)
        session->code = EXIT_CODE_ABORTED;
    else if (status == VERDICT_FAIL)
        session->code = EXIT_CODE_FAIL;
    else if (result->client_limited || !result->complete || result->total.ok == 0 ||
             status != VERDICT_PASS)
        session->code = EXIT_CODE_INSUFFICIENT;
    io_loop_stop(session->loop);
}

static void on_error(void *ctx, const struct base_error *err)
{
    struct session *session = ctx;
    struct base_error told = *err;
    if (session->adhoc.hlog_path != NULL && base_str_starts(told.message, "histogram log"))
        (void)base_fail_context(&told, "cannot write %s", session->adhoc.hlog_path);
    fail(session, &told);
}

/* Ends the load and prints what there is; nothing is on the screen any more when a second signal
 * ends the program. */
static void on_end(void *ctx)
{
    struct session *session = ctx;
    session->interrupted = true;
    live_view_end(&session->outputs.view);
    load_run_stop(session->run);
}

static void on_resize(void *ctx, int number)
{
    struct session *session = ctx;
    (void)number;
    load_outputs_redraw(&session->outputs);
}

static bool write_metrics(void *ctx, struct base_buf *out)
{
    const struct session *session = ctx;
    return load_run_metrics(session->run, out);
}

static bool start(struct session *session, struct base_error *err)
{
    const struct load_events events = {.ctx = session,
                                       .on_started = on_started,
                                       .on_interval = on_interval,
                                       .on_histogram = on_histogram,
                                       .on_finished = on_finished,
                                       .on_error = on_error};
    session->loop = io_loop_new(err);
    if (session->loop == NULL)
        return false;
    endings_init(&session->endings, session->loop, on_end, session);
    if (!load_outputs_open(&session->outputs, &session->adhoc, err) ||
        !load_thresholds_start(&session->adhoc.thresholds, &session->adhoc.spec, err))
        return false;
    session->run =
        load_run_start(session->loop, &session->adhoc.spec, session->outputs.hlog.fd, &events, err);
    if (session->run == NULL || session->adhoc.metrics_address == NULL)
        return session->run != NULL;
    session->metrics = (struct load_metrics){.ctx = session, .write = write_metrics};
    load_run_expose(session->run);
    session->server = load_metrics_start(session->loop, &session->adhoc, &session->metrics, err);
    return session->server != NULL;
}

static void drive(struct session *session)
{
    struct base_error err;
    if (!start(session, &err)) {
        complain(session, &err, err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR);
        return;
    }
    io_signal_init(&session->on_resize, session->loop, SIGWINCH, on_resize, session);
    io_loop_run(session->loop);
}

/* Of a scenario, its load; for several workers, with all that it needs. An exit code, or -1. */
static int take_scenario(struct load_adhoc *adhoc)
{
    struct load_spec spec;
    struct base_error err;
    int code = run_one_load(adhoc->scenario_path, &spec, &adhoc->max_missed);
    if (code >= 0)
        return code;
    load_spec_fini(&adhoc->spec);
    adhoc->spec = spec;
    if (adhoc->workers > 0 && !load_spec_carry(&adhoc->spec, &err))
        return cli_fail(EXIT_CODE_USAGE, &err);
    return -1;
}

static enum exit_code send_load(struct session *session)
{
    int code = session->adhoc.mode == LOAD_ADHOC_SCENARIO ? take_scenario(&session->adhoc) : -1;
    if (code >= 0)
        return (enum exit_code)code;
    if (session->adhoc.workers > 0)
        return (enum exit_code)load_lead_command(&session->adhoc);
    drive(session);
    return session->code;
}

int cmd_load(int argc, char **argv)
{
    struct session session = {
        .outputs = {.hlog.fd = -1, .csv.fd = -1, .hgrm.fd = -1, .view.fd = -1}};
    struct base_error err;
    BASE_AUTO_BUF struct base_buf help;
    base_buf_init(&help, text_max);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of write, not our end */
    if (!load_adhoc_parse(&session.adhoc, argc, (const char *const *)argv, &err))
        complain(&session, &err, err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR);
    else if (session.adhoc.help && load_adhoc_usage(&help))
        (void)fputs(help.data, stdout);
    else if (session.adhoc.mode == LOAD_ADHOC_MERGE)
        session.code = (enum exit_code)load_merge_command(&session.adhoc);
    else if (session.adhoc.mode == LOAD_ADHOC_JOIN)
        session.code = (enum exit_code)load_join_command(&session.adhoc);
    else
        session.code = send_load(&session);
    io_server_free(session.server);
    load_run_free(session.run);
    endings_fini(&session.endings);
    io_signal_fini(&session.on_resize);
    io_loop_free(session.loop);
    load_outputs_fini(&session.outputs);
    load_adhoc_fini(&session.adhoc);
    return (int)session.code;
}
