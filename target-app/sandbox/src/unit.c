/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"
#include "store.h"

enum {
    FIRST_PROBES_MS = 25,
    LATER_PROBES_MS = 200, /* of one that was ready before */
    FROZEN_MS = 50,
    HTTP_PROBES_MS = 500,
    POSTGRES_PROBES_MS = 2000,
    STOP_GRACE_S = 10,
    JOB_S = 120
};

static void write_status(struct sandbox_unit *unit)
{
    if (unit->status_file == NULL)
        return;
    struct sandbox_status_file status = {
        .name = unit->name,
        .state = unit->state,
        .pid = unit->child == NULL ? 0 : io_child_pid(unit->child),
        .start_ticks = unit->child == NULL ? 0 : unit->start_ticks,
        .restarts = unit->restarts,
        .last_exit = unit->last_exit,
    };
    struct base_error err;
    if (!sandbox_status_write(unit->status_file, &status, &err))
        base_log_line(unit->owner->log, BASE_ERROR, "status not written",
                      BASE_TEXT("instance", unit->name), BASE_TEXT("error", err.message));
}

/* The one place where a unit changes its state. */
static void move(struct sandbox_unit *unit, enum sandbox_state to)
{
    if (!sandbox_state_move_allowed(unit->state, to)) {
        base_log_line(unit->owner->log, BASE_ERROR, "a move that is not allowed",
                      BASE_TEXT("instance", unit->name),
                      BASE_TEXT("from", sandbox_state_name(unit->state)),
                      BASE_TEXT("to", sandbox_state_name(to)));
        return;
    }
    base_log_line(unit->owner->log, BASE_INFO, "state", BASE_TEXT("instance", unit->name),
                  BASE_TEXT("from", sandbox_state_name(unit->state)),
                  BASE_TEXT("to", sandbox_state_name(to)), BASE_INT("restarts", unit->restarts),
                  BASE_TEXT("lastExit", unit->last_exit));
    unit->state = to;
    write_status(unit);
}

static void note(char **to, const char *text)
{
    free(*to);
    *to = base_str_dup(text);
}

static void give_up(struct sandbox_unit *unit, const char *why)
{
    if (!unit->job && unit->state == SANDBOX_STARTING)
        move(unit, SANDBOX_GAVE_UP);
    unit->owner->on_failed(unit->owner->ctx, unit, why);
}

static void wait_and_restart(struct sandbox_unit *unit, struct dur_ns lived)
{
    struct dur_ns wait = sandbox_backoff_next(&unit->backoff, lived);
    if (unit->clear_group && unit->cgroup != NULL)
        sandbox_cgroup_kill(unit->cgroup);
    unit->restarts++;
    move(unit, SANDBOX_BACKOFF);
    io_timer_start(&unit->tick, wait);
}

static void job_done(struct sandbox_unit *unit)
{
    struct base_error err;
    unit->ready_once = true;
    if (unit->on_done != NULL && !unit->on_done(unit->owner->place, &err)) {
        give_up(unit, err.message);
        return;
    }
    unit->owner->on_ready(unit->owner->ctx, unit);
}

static void on_exit_of(void *ctx, const struct io_child_exit *end)
{
    struct sandbox_unit *unit = ctx;
    char text[64];
    (void)snprintf(text, sizeof text, end->signaled ? "killed by signal %d" : "exit status %d",
                   end->status);
    note(&unit->last_exit, text);
    io_child_free(unit->child);
    unit->child = NULL;
    sandbox_probe_cancel(&unit->probe);
    io_timer_stop(&unit->tick);
    io_timer_stop(&unit->deadline);
    if (unit->stopping) {
        if (!unit->job)
            move(unit, SANDBOX_STOPPED);
        unit->owner->on_stopped(unit->owner->ctx, unit);
    } else if (unit->job && !end->signaled && end->status == 0) {
        job_done(unit);
    } else if (unit->ready_once && !unit->job) {
        wait_and_restart(unit, end->lived);
    } else {
        BASE_AUTO_FREE char *why =
            base_str_printf("ended before it was %s: %s", unit->job ? "done" : "ready", text);
        give_up(unit, why);
    }
}

static void on_probe(void *ctx, bool ready, const char *why)
{
    struct sandbox_unit *unit = ctx;
    bool first = ready && !unit->ready_once;
    int64_t period = unit->probe.kind == SANDBOX_PROBE_HTTP ? HTTP_PROBES_MS : POSTGRES_PROBES_MS;
    note(&unit->last_probe, why);
    if (ready && unit->state != SANDBOX_READY)
        move(unit, SANDBOX_READY);
    else if (!ready && unit->state == SANDBOX_READY)
        move(unit, SANDBOX_UNREADY);
    if (unit->state != SANDBOX_READY)
        period = unit->ready_once ? LATER_PROBES_MS : FIRST_PROBES_MS;
    io_timer_start(&unit->tick, base_dur_ms(period));
    if (ready)
        io_timer_stop(&unit->deadline);
    unit->ready_once = unit->ready_once || ready;
    if (first)
        unit->owner->on_ready(unit->owner->ctx, unit);
}

static void on_tick(void *ctx)
{
    struct sandbox_unit *unit = ctx;
    if (unit->child != NULL)
        sandbox_probe_start(&unit->probe);
    else if (unit->cgroup != NULL && sandbox_cgroup_frozen(unit->cgroup))
        io_timer_start(&unit->tick, base_dur_ms(FROZEN_MS));
    else
        sandbox_unit_start(unit);
}

static void kill_hard(struct sandbox_unit *unit)
{
    if (unit->cgroup != NULL)
        sandbox_cgroup_kill(unit->cgroup);
    (void)io_child_signal(unit->child, SIGKILL);
}

/* initdb on a slow disk is no sign of trouble. */
static struct dur_ns time_to_start(const struct sandbox_unit *unit)
{
    struct dur_ns limit = unit->owner->ready_timeout;
    struct dur_ns least = base_dur_s(JOB_S);
    return unit->job && limit.ns < least.ns ? least : limit;
}

static void on_deadline(void *ctx)
{
    struct sandbox_unit *unit = ctx;
    if (unit->child == NULL)
        return;
    if (unit->stopping) {
        base_log_line(unit->owner->log, BASE_WARN, "did not stop in time: killed",
                      BASE_TEXT("instance", unit->name));
        kill_hard(unit);
        return;
    }
    if (unit->ready_once)
        return;
    char limit[BASE_DUR_TEXT];
    base_dur_format(time_to_start(unit), limit);
    BASE_AUTO_FREE char *why =
        base_str_printf("not %s within %s%s%s", unit->job ? "done" : "ready", limit,
                        unit->last_probe == NULL ? "" : "; last answer: ",
                        unit->last_probe == NULL ? "" : unit->last_probe);
    give_up(unit, why);
}

static bool spawn(struct sandbox_unit *unit, struct base_error *err)
{
    struct io_child_spec spec = io_child_spec_default((const char *const *)unit->argv);
    BASE_AUTO_FD int log = sandbox_log_open(unit->log_file, &unit->log_start, err);
    BASE_AUTO_FD int netns = -1;
    BASE_AUTO_FD int procs = -1;
    if (log < 0)
        return false;
    if (unit->netns != NULL && (netns = open(unit->netns, O_RDONLY | O_CLOEXEC)) < 0)
        return base_fail_errno(err, "cannot open the network namespace %s", unit->netns);
    if (unit->cgroup != NULL && (procs = sandbox_cgroup_procs(unit->cgroup, err)) < 0)
        return false;
    spec.env = (const char *const *)unit->env;
    spec.cwd = "/";
    spec.stdout_fd = log;
    spec.stderr_fd = log;
    spec.set_user = unit->set_user;
    spec.uid = unit->uid;
    spec.gid = unit->gid;
    spec.netns_fd = netns;
    spec.cgroup_procs_fd = procs;
    spec.hosts_file = unit->netns != NULL ? unit->hosts_file : NULL;
    spec.new_session = true;
    /* Without a supervisor nobody would restart or stop it: it ends as if asked to. */
    spec.death_signal = unit->stop_signal;
    unit->child = io_child_start(unit->owner->loop, &spec, on_exit_of, unit, err);
    return unit->child != NULL;
}

void sandbox_unit_start(struct sandbox_unit *unit)
{
    struct base_error err;
    unit->started = true;
    unit->since = base_mono_now();
    if (!unit->job && unit->state != SANDBOX_STARTING)
        move(unit, SANDBOX_STARTING);
    if (!spawn(unit, &err)) {
        note(&unit->last_exit, err.message);
        if (unit->ready_once)
            wait_and_restart(unit, (struct dur_ns){0});
        else
            give_up(unit, err.message);
        return;
    }
    if (!base_process_ticks(io_child_pid(unit->child), &unit->start_ticks))
        unit->start_ticks = 0; /* it has ended already: on_exit_of comes */
    write_status(unit);
    if (!unit->ready_once)
        io_timer_start(&unit->deadline, time_to_start(unit));
    if (!unit->job)
        io_timer_start(&unit->tick, base_dur_ms(FIRST_PROBES_MS));
}

void sandbox_unit_stop(struct sandbox_unit *unit)
{
    bool again = unit->stopping;
    unit->stopping = true;
    io_timer_stop(&unit->tick);
    sandbox_probe_cancel(&unit->probe);
    if (again)
        return;
    if (unit->child != NULL) {
        io_timer_start(&unit->deadline, base_dur_s(STOP_GRACE_S));
        if (!io_child_signal(unit->child, unit->stop_signal))
            io_timer_start(&unit->deadline, base_dur_s(1));
        return;
    }
    io_timer_stop(&unit->deadline);
    if (!unit->job && unit->started && unit->state != SANDBOX_STOPPED)
        move(unit, SANDBOX_STOPPED);
    unit->owner->on_stopped(unit->owner->ctx, unit);
}

void sandbox_unit_init(struct sandbox_unit *unit, const struct sandbox_unit_owner *owner)
{
    unit->owner = owner;
    unit->probe.on_result = on_probe;
    unit->probe.ctx = unit;
    sandbox_probe_init(&unit->probe, owner->loop, owner->http);
    io_timer_init(&unit->tick, owner->loop, on_tick, unit);
    io_timer_init(&unit->deadline, owner->loop, on_deadline, unit);
}

static void free_list(char **list)
{
    for (char **item = list; item != NULL && *item != NULL; item++)
        free(*item);
    free(list);
}

void sandbox_unit_fini(struct sandbox_unit *unit)
{
    if (unit->owner != NULL) {
        sandbox_probe_fini(&unit->probe);
        io_timer_fini(&unit->tick);
        io_timer_fini(&unit->deadline);
    }
    if (unit->child != NULL)
        io_child_free(unit->child);
    free(unit->name);
    free_list(unit->argv);
    free_list(unit->env);
    free(unit->log_file);
    free(unit->status_file);
    free(unit->last_exit);
    free(unit->last_probe);
    *unit = (struct sandbox_unit){0};
}
