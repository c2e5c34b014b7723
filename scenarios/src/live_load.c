/* SPDX-License-Identifier: Apache-2.0 */
/* squall-load as a child: its lines in, our commands out (model/load.h says how they look). */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "live_internal.h"
#include "model/hlog.h"
#include "model/window.h"

enum { HLOG_MAX_BYTES = 256 << 20 }; /* of one interval */

void live_load_init(struct live_load *load, struct io_loop *loop, struct run *run)
{
    *load = (struct live_load){.loop = loop, .run = run, .commands = -1};
}

static void keep_error(struct live_load *load, const char *text)
{
    free(load->error);
    load->error = base_str_dup(text);
}

/* Its end is told once its exit and the end of both its pipes are in: nothing it said is lost. */
static void report_end(struct live_load *load)
{
    if (load->reported || !load->exited || load->out_open || load->log_open)
        return;
    load->reported = true;
    bool clean = load->finished && !load->exit.signaled && load->exit.status == 0;
    if (!clean && load->error == NULL && load->exit.signaled)
        load->error = base_str_printf("squall-load was killed by signal %d", load->exit.status);
    else if (!clean && load->error == NULL)
        load->error = base_str_printf("squall-load exited with status %d", load->exit.status);
    run_on_load_ended(load->run, clean, clean ? NULL : load->error);
}

static void on_exit_status(void *ctx, const struct io_child_exit *status)
{
    struct live_load *load = ctx;
    load->exited = true;
    load->exit = *status;
    base_fd_close(&load->commands);
    report_end(load);
}

static void on_started(struct live_load *load, const json_t *line)
{
    struct mono_ns start = {json_integer_value(json_object_get(line, "mono"))};
    run_on_load_started(load->run, start);
}

struct telling {
    struct live_load *load;
    struct wall_ns start; /* of the interval that is told next */
    bool later;           /* the line belongs to one after it */
};

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct telling *telling = ctx;
    BASE_AUTO_FREE char *tag = base_str_dup(entry->tag);
    char *rest = tag;
    const char *phase = strsep(&rest, "/");
    const char *route = strsep(&rest, "/");
    if (route == NULL || rest == NULL || base_str_eq(rest, LOAD_RESPONSE))
        return true; /* by when requests were due: of no interval that is told */
    telling->later = load_window_entry_is_later(entry->start, telling->start);
    if (!telling->later)
        run_on_load_histogram(telling->load->run, phase, route, rest, &entry->hdr);
    return true;
}

/* Whole lines, up to the first of a later interval. Returns how many bytes were told. */
static size_t tell_lines(struct telling *telling, const char *data, size_t len)
{
    size_t told = 0;
    for (;;) {
        const char *end = memchr(data + told, '\n', len - told);
        size_t line = end == NULL ? 0 : (size_t)(end - data) + 1 - told;
        if (line == 0)
            return told;
        (void)hlog_read(data + told, line, NULL, on_entry, telling, NULL);
        if (telling->later)
            return told;
        told += line;
    }
}

/* The interval's lines are in the log before it is told (loadgen/run.h), and perhaps those of the
 * next. What cannot be read is no reason to end the run: reports say what the log is worth. */
static void tell_histograms(struct live_load *load, const struct load_interval *interval)
{
    struct telling telling = {.load = load, .start = interval->start};
    BASE_AUTO_BUF struct base_buf fresh;
    base_buf_init(&fresh, HLOG_MAX_BYTES);
    BASE_AUTO_FD int fd = open(load->hlog_path, O_RDONLY | O_CLOEXEC);
    char chunk[16384];
    ssize_t n;
    while (fd >= 0 &&
           (n = pread(fd, chunk, sizeof chunk, load->hlog_read + (off_t)fresh.len)) > 0 &&
           base_buf_append(&fresh, chunk, (size_t)n))
        continue;
    if (fresh.len > 0)
        load->hlog_read += (off_t)tell_lines(&telling, fresh.data, fresh.len);
}

static void on_interval(struct live_load *load, const json_t *line)
{
    struct load_interval interval = {0};
    if (load_interval_from_json(line, &interval, NULL)) {
        tell_histograms(load, &interval);
        run_on_load_interval(load->run, &interval);
    }
    load_interval_fini(&interval);
}

static void on_finished(struct live_load *load, const json_t *line)
{
    (void)line;
    load->finished = true;
}

static void on_error(struct live_load *load, const json_t *line)
{
    const char *message = json_string_value(json_object_get(line, "message"));
    keep_error(load, message != NULL ? message : "squall-load failed without saying why");
}

static const struct {
    const char *type;
    void (*on_line)(struct live_load *load, const json_t *line);
} line_types[] = {
    {"started", on_started},
    {"interval", on_interval},
    {"finished", on_finished},
    {"error", on_error},
};

static void on_out_line(void *ctx, char *text, size_t len)
{
    struct live_load *load = ctx;
    json_t *line = model_json_parse(text, len, "squall-load", NULL);
    const char *type = json_string_value(json_object_get(line, "type"));
    for (size_t i = 0; i < sizeof line_types / sizeof line_types[0]; i++) {
        if (base_str_eq(type, line_types[i].type))
            line_types[i].on_line(load, line);
    }
    json_decref(line);
}

static void on_out_end(void *ctx, const struct base_error *err)
{
    struct live_load *load = ctx;
    (void)err;
    load->out_open = false;
    report_end(load);
}

static void on_log_line(void *ctx, char *text, size_t len)
{
    if (len > 0)
        keep_error(ctx, text);
}

static void on_log_end(void *ctx, const struct base_error *err)
{
    struct live_load *load = ctx;
    (void)err;
    load->log_open = false;
    report_end(load);
}

static void on_refusal(void *ctx)
{
    struct live_load *load = ctx;
    load->reported = true;
    run_on_load_ended(load->run, false, load->error);
}

struct pipes {
    int in[2], out[2], log[2];
};

static void close_pipes(struct pipes *p)
{
    int *all[] = {&p->in[0], &p->in[1], &p->out[0], &p->out[1], &p->log[0], &p->log[1]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        base_fd_close(all[i]);
}

static bool open_pipes(struct pipes *p, struct base_error *err)
{
    *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 &&
        pipe2(p->log, O_CLOEXEC) == 0)
        return true;
    (void)base_fail_errno(err, "cannot make the pipes to squall-load");
    close_pipes(p);
    return false;
}

/* The child's ends are closed here once it has them; ours live on in the readers. */
static bool adopt_pipes(struct live_load *load, struct pipes *p, struct base_error *err)
{
    enum { LINE_MAX_BYTES = 1 << 20 };
    load->commands = p->in[1];
    p->in[1] = -1;
    int out = p->out[0];
    int log = p->log[0];
    p->out[0] = -1;
    p->log[0] = -1;
    close_pipes(p);
    load->out_open = io_lines_init(&load->out, load->loop, out, LINE_MAX_BYTES, on_out_line,
                                   on_out_end, load, err);
    load->log_open = io_lines_init(&load->log, load->loop, log, LINE_MAX_BYTES, on_log_line,
                                   on_log_end, load, err);
    return load->out_open && load->log_open && base_fd_set_nonblocking(load->commands, err);
}

static bool spawn(struct live_load *load, const struct live_config *config, struct base_error *err)
{
    BASE_AUTO_FREE char *spec_path = base_str_printf("%s/load-spec.json", config->run_dir);
    BASE_AUTO_FREE char *hlog = base_str_printf("%s/latency.hlog", config->run_dir);
    BASE_AUTO_FREE char *result = base_str_printf("%s/load.json", config->run_dir);
    load->hlog_path = base_str_dup(hlog);
    json_t *json = load_spec_to_json(&config->plan->load);
    bool written = model_json_write(spec_path, json, err);
    json_decref(json);
    struct pipes pipes;
    if (!written || !open_pipes(&pipes, err))
        return false;
    const char *const argv[] = {config->load_program, "--plan", spec_path, "--hlog", hlog,
                                "--result",           result,   NULL};
    struct io_child_spec spec = io_child_spec_default(argv);
    spec.stdin_fd = pipes.in[0];
    spec.stdout_fd = pipes.out[1];
    spec.stderr_fd = pipes.log[1];
    spec.new_session = true; /* a terminal's Ctrl-C is ours to handle: faults go before load */
    spec.death_signal = SIGTERM;
    load->child = io_child_start(load->loop, &spec, on_exit_status, load, err);
    if (load->child == NULL) {
        close_pipes(&pipes);
        return false;
    }
    return adopt_pipes(load, &pipes, err);
}

void live_load_start(struct live_load *load, const struct live_config *config)
{
    struct base_error err;
    if (spawn(load, config, &err))
        return;
    keep_error(load, err.message);
    if (load->child != NULL) {
        live_load_kill(load);
        return;
    }
    io_timer_init(&load->refusal, load->loop, on_refusal, load);
    io_timer_start(&load->refusal, (struct dur_ns){0});
}

static void send_command(struct live_load *load, json_t *command)
{
    BASE_AUTO_FREE char *line = model_json_dump_line(command);
    json_decref(command);
    BASE_AUTO_FREE char *whole = base_str_printf("%s\n", line);
    /* A generator that is gone is news that its exit brings. */
    if (load->commands >= 0)
        (void)base_fd_write_all(load->commands, whole, strlen(whole), NULL);
}

void live_load_phase(struct live_load *load, const char *phase)
{
    send_command(load, json_pack("{s:s,s:o}", "type", "phase", "name", model_json_text(phase)));
}

void live_load_stop(struct live_load *load)
{
    send_command(load, json_pack("{s:s}", "type", "stop"));
    base_fd_close(&load->commands);
}

void live_load_kill(struct live_load *load)
{
    if (load->child != NULL && !load->exited)
        (void)io_child_signal(load->child, SIGKILL);
}

void live_load_fini(struct live_load *load)
{
    live_load_kill(load);
    base_fd_close(&load->commands);
    io_lines_fini(&load->out);
    io_lines_fini(&load->log);
    io_timer_fini(&load->refusal);
    io_child_free(load->child);
    free(load->error);
    free(load->hlog_path);
    *load = (struct live_load){.commands = -1};
}
