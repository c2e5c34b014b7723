/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that owns a platform. Its life: take the lock; sweep what an earlier one left; choose
 * addresses, make network and files; start every unit as soon as those it needs are ready; keep
 * them running; at a signal stop them in order and sweep again. Phases: starting -> running ->
 * stopping, or starting -> stopping when a unit fails or a signal comes first.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lock.h"
#include "prepare.h"
#include "sandbox/sandbox.h"
#include "store.h"
#include "sweep.h"

enum { SIGNALS = 3, TAIL_LINES = 12, LOGS_MS = 250 };

struct supervisor {
    const struct sandbox_options *options;
    const struct sandbox_sink *sink;
    struct sandbox_place place;
    struct sandbox_setup setup;
    struct sandbox_unit_owner owner;
    struct base_log log;
    struct io_loop *loop;
    struct io_http *http;
    struct io_signal signals[SIGNALS];
    struct io_timer advance; /* looks again what is to be stopped next */
    struct io_timer logs;    /* keeps them bounded while their writers run */
    char *own_log;
    struct mono_ns begun;
    enum sandbox_phase phase;
    unsigned ready; /* bits of units */
    enum sandbox_result result;
    struct base_error error; /* behind SANDBOX_FAILED */
};

static void say(const struct supervisor *super, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct supervisor *super, const char *format, ...)
{
    BASE_AUTO_BUF struct base_buf line;
    base_buf_init(&line, 64 << 10);
    va_list args;
    va_start(args, format);
    (void)base_buf_vprintf(&line, format, args);
    va_end(args);
    super->sink->line(super->sink->ctx, line.data);
}

static void enter(struct supervisor *super, enum sandbox_phase phase)
{
    struct base_error err;
    super->phase = phase;
    if (!sandbox_supervisor_write(&super->place, phase, &err))
        base_log_line(&super->log, BASE_ERROR, "phase not recorded",
                      BASE_TEXT("error", err.message));
    base_log_line(&super->log, BASE_INFO, "phase", BASE_TEXT("phase", sandbox_phase_name(phase)));
}

static void begin_stop(struct supervisor *super, enum sandbox_result result)
{
    if (super->phase == SANDBOX_PHASE_STOPPING)
        return;
    super->result = result;
    enter(super, SANDBOX_PHASE_STOPPING);
    for (size_t i = 0; i < super->setup.unit_count; i++)
        if (super->setup.units[i].child == NULL)
            sandbox_unit_stop(&super->setup.units[i]);
    io_timer_start(&super->advance, base_dur_ms(0));
}

/* Stops the lowest order that still has processes; what stands below it goes first. */
static void on_advance(void *ctx)
{
    struct supervisor *super = ctx;
    unsigned lowest = UINT32_MAX;
    for (size_t i = 0; i < super->setup.unit_count; i++) {
        const struct sandbox_unit *unit = &super->setup.units[i];
        if (unit->child != NULL && unit->stop_order < lowest)
            lowest = unit->stop_order;
    }
    if (lowest == UINT32_MAX) {
        io_loop_stop(super->loop);
        return;
    }
    for (size_t i = 0; i < super->setup.unit_count; i++)
        if (super->setup.units[i].stop_order <= lowest)
            sandbox_unit_stop(&super->setup.units[i]);
}

static void start_pending(struct supervisor *super)
{
    for (size_t i = 0; i < super->setup.unit_count; i++) {
        struct sandbox_unit *unit = &super->setup.units[i];
        if (super->phase == SANDBOX_PHASE_STARTING && !unit->started &&
            (unit->after & ~super->ready) == 0)
            sandbox_unit_start(unit);
    }
}

static void say_ready(const struct supervisor *super, const struct sandbox_unit *unit)
{
    char address[64];
    double took = base_dur_to_s(base_mono_sub(base_mono_now(), unit->since));
    (void)snprintf(address, sizeof address, "%s:%u", unit->probe.address,
                   (unsigned)unit->probe.port);
    if (unit->job)
        say(super, "  %-14s %-22s done   %6.2f s", unit->name, "", took);
    else
        say(super, "  %-14s %-22s ready  %6.2f s", unit->name, address, took);
}

/* From now on the starter is not needed: its pipe is given up, so that it sees the end. */
static void let_go(struct supervisor *super)
{
    if (!super->options->detached)
        return;
    say(super, "@ready");
    (void)dup2(super->log.fd, STDOUT_FILENO);
}

static void on_ready(void *ctx, struct sandbox_unit *unit)
{
    struct supervisor *super = ctx;
    unsigned all = (1U << super->setup.unit_count) - 1;
    super->ready |= 1U << (unit - super->setup.units);
    if (super->phase != SANDBOX_PHASE_STARTING)
        return;
    say_ready(super, unit);
    if (super->ready != all) {
        start_pending(super);
        return;
    }
    enter(super, SANDBOX_PHASE_RUNNING);
    say(super, "sandbox '%s' is up after %.1f s (%s); topology: %s/topology.json",
        super->place.name, base_dur_to_s(base_mono_sub(base_mono_now(), super->begun)),
        super->setup.roster.loopback ? "loopback addresses, no kernel-level faults"
                                     : "network namespaces",
        super->place.dir);
    let_go(super);
}

static void on_failed(void *ctx, struct sandbox_unit *unit, const char *why)
{
    struct supervisor *super = ctx;
    if (super->phase != SANDBOX_PHASE_STARTING) {
        io_timer_start(&super->advance, base_dur_ms(0));
        return;
    }
    BASE_AUTO_BUF struct base_buf tail;
    base_buf_init(&tail, 64 << 10);
    sandbox_log_tail(unit->log_file, unit->log_start, TAIL_LINES, "    | ", &tail);
    say(super, "  %-14s failed: %s", unit->name, why);
    if (tail.len > 0) {
        tail.data[tail.len - 1] = '\0'; /* its last newline */
        say(super, "  last lines of %s:\n%s", unit->log_file, tail.data);
    }
    /* It waited in vain for those it needs, or was not heard. */
    struct dur_ns took = base_mono_sub(base_mono_now(), unit->since);
    bool deaf = unit->after != 0 && unit->netns != NULL && took.ns >= base_dur_s(2).ns;
    const char *caution = deaf ? sandbox_net_caution() : NULL;
    if (caution != NULL)
        say(super, "  note: %s", caution);
    base_fail(&super->error, BASE_UNAVAILABLE, "%s %s; its log: %s", unit->name, why,
              unit->log_file);
    begin_stop(super, SANDBOX_FAILED);
}

static void on_stopped(void *ctx, struct sandbox_unit *unit)
{
    struct supervisor *super = ctx;
    (void)unit;
    if (super->phase == SANDBOX_PHASE_STOPPING)
        io_timer_start(&super->advance, base_dur_ms(0));
}

static void on_signal(void *ctx, int number)
{
    struct supervisor *super = ctx;
    base_log_line(&super->log, BASE_INFO, "signal", BASE_INT("number", number));
    begin_stop(super, super->phase == SANDBOX_PHASE_RUNNING ? SANDBOX_DONE : SANDBOX_ABORTED);
}

static bool bound_log(const struct supervisor *super, const char *path)
{
    struct base_error err;
    bool moved = false;
    if (!sandbox_log_bound(path, &moved, &err))
        base_log_line(&super->log, BASE_WARN, "log not bounded", BASE_TEXT("error", err.message));
    return moved;
}

static void on_logs(void *ctx)
{
    struct supervisor *super = ctx;
    for (size_t i = 0; i < super->setup.unit_count; i++)
        if (bound_log(super, super->setup.units[i].log_file))
            super->setup.units[i].log_start = 0;
    (void)bound_log(super, super->own_log);
    io_timer_start(&super->logs, base_dur_ms(LOGS_MS));
}

static bool open_loop(struct supervisor *super, struct base_error *err)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    super->loop = io_loop_new(err);
    if (super->loop == NULL)
        return false;
    super->http = io_http_new(super->loop);
    io_timer_init(&super->advance, super->loop, on_advance, super);
    io_timer_init(&super->logs, super->loop, on_logs, super);
    for (size_t i = 0; i < SIGNALS; i++)
        io_signal_init(&super->signals[i], super->loop, numbers[i], on_signal, super);
    super->owner = (struct sandbox_unit_owner){
        .ctx = super,
        .on_ready = on_ready,
        .on_failed = on_failed,
        .on_stopped = on_stopped,
        .loop = super->loop,
        .http = super->http,
        .log = &super->log,
        .place = &super->place,
        .ready_timeout =
            super->options->ready_timeout.ns > 0 ? super->options->ready_timeout : base_dur_s(30),
    };
    return true;
}

static void close_loop(struct supervisor *super)
{
    sandbox_setup_fini(&super->setup);
    io_http_free(super->http);
    if (super->http != NULL) {
        io_timer_fini(&super->advance);
        io_timer_fini(&super->logs);
        for (size_t i = 0; i < SIGNALS; i++)
            io_signal_fini(&super->signals[i]);
    }
    io_loop_free(super->loop);
}

static bool sweep_before(struct supervisor *super, struct base_error *err)
{
    struct sandbox_leftovers left;
    sandbox_leftovers(&super->place, &left);
    if (left.processes || left.network || left.groups)
        say(super, "  removing what an earlier start left behind");
    return sandbox_sweep(&super->place, err) ||
           base_fail_context(err, "cleaning up after an earlier start");
}

static bool open_log(struct supervisor *super, struct base_error *err)
{
    off_t start;
    super->own_log = sandbox_log_path(&super->place, "supervisor");
    super->log = (struct base_log){.fd = -1, .min = BASE_INFO, .service = "supervisor"};
    if (!sandbox_make_folders(&super->place, err))
        return false;
    super->log.fd = sandbox_log_open(super->own_log, &start, err);
    if (super->log.fd < 0)
        return false;
    if (super->options->detached)
        (void)dup2(super->log.fd, STDERR_FILENO);
    return true;
}

/* Under the lock, until everything that was started is gone again. */
static void supervise(struct supervisor *super)
{
    struct base_error *err = &super->error;
    super->result = SANDBOX_FAILED;
    bool ok = open_loop(super, err) && open_log(super, err) && sweep_before(super, err) &&
              sandbox_make_folders(&super->place, err) &&
              sandbox_supervisor_write(&super->place, SANDBOX_PHASE_STARTING, err) &&
              sandbox_prepare(&super->setup, super->options, super->sink, err);
    if (ok) {
        for (size_t i = 0; i < super->setup.unit_count; i++)
            sandbox_unit_init(&super->setup.units[i], &super->owner);
        start_pending(super);
        io_timer_start(&super->logs, base_dur_ms(LOGS_MS));
        io_loop_run(super->loop);
    }
    close_loop(super);
    struct base_error why;
    if (!sandbox_sweep(&super->place, &why)) {
        base_log_line(&super->log, BASE_ERROR, "not all was removed",
                      BASE_TEXT("error", why.message));
        if (super->result != SANDBOX_FAILED)
            super->error = why;
        super->result = SANDBOX_FAILED;
    }
    base_log_text(&super->log, BASE_INFO, "ended");
    base_fd_close(&super->log.fd);
    free(super->own_log);
}

/* The starter's shell may be set up for another database (libpq, "Environment Variables") and for
 * private files; PostgreSQL's user has to reach its folder, and what is secret is made so by name.
 * This process is ours alone, so its environment and umask may be changed. */
static void forget_the_shell(void)
{
    (void)umask(022);
    for (size_t i = 0; environ[i] != NULL;) {
        const char *end = strchr(environ[i], '=');
        if (end == NULL || !base_str_starts(environ[i], "PG")) {
            i++;
            continue;
        }
        BASE_AUTO_FREE char *name = base_str_ndup(environ[i], (size_t)(end - environ[i]));
        (void)unsetenv(name); /* moves the rest down */
    }
}

enum sandbox_result sandbox_supervise(const struct sandbox_options *options,
                                      const struct sandbox_sink *sink, struct base_error *err)
{
    struct supervisor super = {.options = options, .sink = sink, .begun = base_mono_now()};
    if (!sandbox_place_init(&super.place, options->name, options->state, err))
        return SANDBOX_FAILED;
    super.setup.place = &super.place;
    forget_the_shell();
    BASE_AUTO_FD int lock = -1;
    if (base_dir_make(super.place.dir, 0755, &super.error))
        lock = sandbox_lock(&super.place, (struct dur_ns){0}, &super.error);
    if (lock >= 0)
        supervise(&super);
    else
        super.result = super.error.code == BASE_UNAVAILABLE ? SANDBOX_BUSY : SANDBOX_FAILED;
    if (options->detached && super.result == SANDBOX_BUSY)
        say(&super, "@busy");
    else if (options->detached && super.result == SANDBOX_FAILED)
        say(&super, "@error %d %s", (int)super.error.code, super.error.message);
    if (err != NULL)
        *err = super.error;
    sandbox_place_fini(&super.place);
    return super.result;
}
