/* SPDX-License-Identifier: Apache-2.0 */
/* squall load: ad hoc load on one URL. Lines while running go to stderr, the result to stdout. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "loadgen/adhoc.h"
#include "model/verdict.h"

static const size_t text_max = (size_t)1024 * 1024;

struct session {
    struct load_adhoc adhoc;
    struct io_loop *loop;
    struct load_run *run;
    struct io_signal on_int;
    struct io_signal on_term;
    struct mono_ns start;
    int hlog_fd;
    bool interrupted;
    enum exit_code code;
};

static void complain(struct session *session, const struct base_error *err, enum exit_code code)
{
    session->code = (enum exit_code)cli_fail(code, err);
}

static void on_started(void *ctx, struct mono_ns mono, struct wall_ns wall)
{
    struct session *session = ctx;
    (void)wall;
    session->start = mono;
}

static void on_interval(void *ctx, const struct load_interval *interval)
{
    struct session *session = ctx;
    BASE_AUTO_BUF struct base_buf line;
    base_buf_init(&line, text_max);
    if (!session->adhoc.quiet && load_interval_line(&line, interval, session->start))
        (void)fputs(line.data, stderr);
    if (!load_thresholds_interval(&session->adhoc.thresholds, interval))
        load_run_stop(session->run);
}

static void on_histogram(void *ctx, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr)
{
    struct session *session = ctx;
    load_thresholds_histogram(&session->adhoc.thresholds, phase, route, kind, hdr);
}

static bool print_result(const struct session *session, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    if (session->adhoc.json) {
        json_t *json = load_summary_json(session->run);
        (void)json_object_set_new(json, "thresholds",
                                  load_thresholds_json(&session->adhoc.thresholds, session->run));
        BASE_AUTO_FREE char *dump = model_json_dump(json);
        json_decref(json);
        return base_fd_write_all(STDOUT_FILENO, dump, strlen(dump), err);
    }
    (void)load_summary_text(&text, &session->adhoc, session->run);
    (void)load_thresholds_text(&text, &session->adhoc.thresholds, session->run);
    return base_fd_write_all(STDOUT_FILENO, text.data, text.len, err);
}

static void on_finished(void *ctx)
{
    struct session *session = ctx;
    struct base_error err;
    const struct load_result *result = load_run_result(session->run);
    enum verdict_status status = load_thresholds_judge(&session->adhoc.thresholds, session->run);
    if (!print_result(session, &err))
        complain(session, &err, EXIT_CODE_ERROR);
    else if (session->interrupted)
        session->code = EXIT_CODE_ABORTED;
    else if (status == VERDICT_FAIL)
        session->code = EXIT_CODE_FAIL;
    else if (result->client_limited || result->total.ok == 0 || status != VERDICT_PASS)
        session->code = EXIT_CODE_INSUFFICIENT;
    io_loop_stop(session->loop);
}

static void on_error(void *ctx, const struct base_error *err)
{
    struct session *session = ctx;
    complain(session, err, EXIT_CODE_ERROR);
    io_loop_stop(session->loop);
}

/* The first signal ends the load and prints what there is; a second one ends the program. */
static void on_signal(void *ctx, int number)
{
    struct session *session = ctx;
    (void)number;
    session->interrupted = true;
    io_signal_fini(&session->on_int);
    io_signal_fini(&session->on_term);
    load_run_stop(session->run);
}

static bool start(struct session *session, struct base_error *err)
{
    const struct load_events events = {.ctx = session,
                                       .on_started = on_started,
                                       .on_interval = on_interval,
                                       .on_histogram = on_histogram,
                                       .on_finished = on_finished,
                                       .on_error = on_error};
    const char *path = session->adhoc.hlog_path;
    if (path != NULL) {
        session->hlog_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (session->hlog_fd < 0)
            return base_fail_errno(err, "cannot write %s", path);
    }
    session->loop = io_loop_new(err);
    if (session->loop == NULL ||
        !load_thresholds_start(&session->adhoc.thresholds, &session->adhoc.spec, err))
        return false;
    session->run =
        load_run_start(session->loop, &session->adhoc.spec, session->hlog_fd, &events, err);
    return session->run != NULL;
}

static void drive(struct session *session)
{
    struct base_error err;
    if (!start(session, &err)) {
        complain(session, &err, err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR);
        return;
    }
    io_signal_init(&session->on_int, session->loop, SIGINT, on_signal, session);
    io_signal_init(&session->on_term, session->loop, SIGTERM, on_signal, session);
    io_loop_run(session->loop);
}

int cmd_load(int argc, char **argv)
{
    struct session session = {.hlog_fd = -1};
    struct base_error err;
    BASE_AUTO_BUF struct base_buf help;
    base_buf_init(&help, text_max);
    if (!load_adhoc_parse(&session.adhoc, argc, (const char *const *)argv, &err))
        complain(&session, &err, err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR);
    else if (session.adhoc.help && load_adhoc_usage(&help))
        (void)fputs(help.data, stdout);
    else
        drive(&session);
    load_run_free(session.run);
    io_signal_fini(&session.on_int);
    io_signal_fini(&session.on_term);
    io_loop_free(session.loop);
    base_fd_close(&session.hlog_fd);
    load_adhoc_fini(&session.adhoc);
    return (int)session.code;
}
