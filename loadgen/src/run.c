/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/run.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/text.h"
#include "collector.h"
#include "descriptors.h"
#include "exposition.h"
#include "loadgen/replay.h"
#include "notes.h"
#include "program.h"
#include "run_flows.h"
#include "worker.h"

/* Long enough for every thread to have set its first alarm before the first arrival is due. */
static const struct dur_ns lead = {5 * BASE_NS_PER_MS};

enum stage { WARMING, RUNNING, OVER };
enum teardown { UNSAID, HERE, ELSEWHERE };

struct load_run {
    struct io_loop *loop;
    const struct load_spec *spec;
    struct load_events events;
    atomic_uint_least64_t iterations; /* left for all users of the closed model */
    struct load_replay replay;        /* empty when the spec names none */
    const struct load_driver *driver;
    void *prepared;               /* by the driver */
    struct load_program *program; /* NULL: no flows */
    enum teardown teardown;       /* whose it is */
    bool tearing;                 /* down: it was asked for */
    bool ended;                   /* on_ended was called */
    struct load_address *addresses;
    struct load_address *sources;
    struct load_worker *workers;
    uint32_t worker_count;
    struct load_share share;
    struct io_wake wake;
    struct io_timer tick;
    struct load_collector collector;
    enum stage stage;
    bool waiting;                  /* warm, and the start is somebody else's to say */
    struct load_segments segments; /* the phases, as all workers have them */
    bool told;                     /* a command named one: those of the plan are void */
    bool collecting;               /* a swap is under way */
    struct mono_ns swap_at;
    struct mono_ns start;
    bool stopped;
    struct mono_ns stop_at;
    struct dur_ns cpu_before;
};

static struct dur_ns process_cpu(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    int64_t s = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    int64_t us = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    return (struct dur_ns){s * BASE_NS_PER_S + us * BASE_NS_PER_US};
}

/* --- orders to workers --- */

static void quit_workers(struct load_run *run)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        if (!worker->running)
            continue;
        pthread_mutex_lock(&worker->mail.lock);
        worker->mail.quit = true;
        pthread_mutex_unlock(&worker->mail.lock);
        io_wake_send(&worker->wake);
    }
    for (uint32_t i = 0; i < run->worker_count; i++)
        load_worker_join(&run->workers[i]);
}

static void order_go(struct load_run *run)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->mail.lock);
        worker->mail.go = true;
        worker->mail.start = run->start.ns;
        pthread_mutex_unlock(&worker->mail.lock);
        io_wake_send(&worker->wake);
    }
}

static void order_stop(struct load_run *run)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->mail.lock);
        worker->mail.stop = true;
        worker->mail.stop_at = run->stop_at.ns;
        pthread_mutex_unlock(&worker->mail.lock);
        io_wake_send(&worker->wake);
    }
}

static void order_swap(struct load_run *run)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->mail.lock);
        worker->mail.swap = true;
        worker->mail.swapped = false;
        pthread_mutex_unlock(&worker->mail.lock);
        io_wake_send(&worker->wake);
    }
}

static void order_phases(struct load_run *run)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        struct load_mailbox *mail = &worker->mail;
        pthread_mutex_lock(&mail->lock);
        mail->segments =
            base_reallocarray(mail->segments, run->segments.count, sizeof *mail->segments);
        memcpy(mail->segments, run->segments.list, run->segments.count * sizeof *mail->segments);
        mail->segment_count = run->segments.count;
        pthread_mutex_unlock(&mail->lock);
        io_wake_send(&worker->wake);
    }
}

/* The first worker's business; all of them have ended. */
static void order_teardown(struct load_run *run)
{
    struct load_worker *worker = &run->workers[0];
    pthread_mutex_lock(&worker->mail.lock);
    worker->mail.teardown = true;
    pthread_mutex_unlock(&worker->mail.lock);
    io_wake_send(&worker->wake);
}

static bool is_torn(struct load_run *run)
{
    struct load_mailbox *mail = &run->workers[0].mail;
    pthread_mutex_lock(&mail->lock);
    bool torn = mail->torn;
    pthread_mutex_unlock(&mail->lock);
    return torn;
}

/* Whether every worker has raised the flag at this offset of its mailbox. */
static bool all_report(struct load_run *run, size_t flag)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_mailbox *mail = &run->workers[i].mail;
        pthread_mutex_lock(&mail->lock);
        bool raised = *(const bool *)((const char *)mail + flag);
        pthread_mutex_unlock(&mail->lock);
        if (!raised)
            return false;
    }
    return true;
}

/* Those of the plan, before anything is due: no command can be late for them. */
static bool plan_phases(struct load_run *run, struct base_error *err)
{
    for (size_t i = 0; i < run->spec->phase_count && !run->told; i++) {
        const struct load_phase *phase = &run->spec->phases[i];
        struct load_segment segment = {.from = base_mono_add(run->start, phase->start).ns};
        if (!load_collector_phase(&run->collector, phase->name, &segment.phase, err))
            return false;
        load_segments_plan(&run->segments, &segment);
    }
    order_phases(run);
    return true;
}

/* --- the course of a run; what calls on_finished or on_error does not touch the run after it, for
 * the callback may free it --- */

static void fail_run(struct load_run *run, const struct base_error *err)
{
    run->stage = OVER;
    io_timer_stop(&run->tick);
    quit_workers(run);
    run->events.on_error(run->events.ctx, err);
}

static void set_tick(struct load_run *run)
{
    struct dur_ns since = base_mono_sub(base_mono_now(), run->start);
    io_timer_start(&run->tick, load_collector_left(since, run->spec->interval));
}

static bool begin_at(struct load_run *run, struct mono_ns mono, struct wall_ns wall,
                     struct base_error *err)
{
    run->start = mono;
    run->stage = RUNNING;
    if (!load_collector_begin(&run->collector, mono, wall, err) || !plan_phases(run, err))
        return false;
    order_go(run);
    set_tick(run);
    run->events.on_started(run->events.ctx, mono, wall);
    return true;
}

static bool begin(struct load_run *run, struct base_error *err)
{
    struct mono_ns mono = base_mono_now();
    return begin_at(run, base_mono_add(mono, lead), base_wall_add(base_wall_now(), lead), err);
}

/* Whether nothing failed. */
static bool on_warm(struct load_run *run, struct base_error *err)
{
    if (run->waiting)
        return true;
    if (run->program != NULL && !load_run_set_up(&run->workers[0], err))
        return false;
    if (run->events.on_ready == NULL)
        return begin(run, err);
    run->waiting = true;
    run->events.on_ready(run->events.ctx);
    return true;
}

static void on_tick(void *ctx)
{
    struct load_run *run = ctx;
    if (run->stage != RUNNING || run->collecting)
        return;
    run->collecting = true;
    run->swap_at = base_mono_now();
    order_swap(run);
}

static bool close_interval(struct load_run *run, struct mono_ns end, struct base_error *err)
{
    const struct load_interval *interval =
        load_collector_close(&run->collector, end, load_segments_at(&run->segments, end.ns), err);
    if (interval == NULL)
        return false;
    run->events.on_interval(run->events.ctx, interval);
    return true;
}

static bool collect(struct load_run *run, struct base_error *err)
{
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct load_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->mail.lock);
        struct load_shard *full = &worker->shards[worker->active ^ 1U];
        pthread_mutex_unlock(&worker->mail.lock);
        if (!load_collector_take(&run->collector, i, full, err))
            return false;
    }
    run->collecting = false;
    if (!close_interval(run, run->swap_at, err))
        return false;
    set_tick(run);
    return true;
}

static bool collect_rest(struct load_run *run, struct base_error *err)
{
    for (uint32_t i = 0; i < run->worker_count; i++)
        for (int side = 0; side < 2; side++)
            if (!load_collector_take(&run->collector, i, &run->workers[i].shards[side], err))
                return false;
    /* Most often the last tick was at the end, and a few idle milliseconds are no interval. */
    bool idle =
        run->collector.result.interval_count > 0 && load_shard_is_empty(&run->collector.interval);
    return (idle || close_interval(run, base_mono_now(), err)) &&
           load_collector_settle(&run->collector, err);
}

/* How many iterations are asked of this process in the closed model; 0: as many as come about. */
static uint64_t all_iterations(const struct load_run *run)
{
    const struct load_spec *spec = run->spec;
    uint64_t each = spec->closed.each * load_share_even(run->share, load_users_most(spec));
    uint64_t shared = spec->closed.iterations;
    return shared > 0 && (each == 0 || shared < each) ? shared : each;
}

/* With them done the load is over before its time, and complete; otherwise it is not. */
static bool settle_iterations(const struct load_run *run, bool complete, struct dur_ns *scheduled)
{
    const struct load_collector *collector = &run->collector;
    if (load_run_begun(run->spec, &collector->counts) < all_iterations(run))
        return false;
    int64_t ran = collector->last_end - run->start.ns;
    if (ran > 0 && ran < scheduled->ns)
        scheduled->ns = ran;
    return complete || collector->result.total.missed == 0; /* stopped, but with nothing left */
}

/* The threads have ended: what their pools hold may be read. */
static void report_connections(struct load_run *run)
{
    const struct load_spec *spec = run->spec;
    struct load_result *result = &run->collector.result;
    struct load_troubles troubles = {0};
    if (spec->tls.server_name != NULL)
        result->tls.verified = load_notes_verified(&spec->tls);
    for (uint32_t i = 0; i < run->worker_count; i++) {
        const struct load_pool *pool = &run->workers[i].pool;
        load_troubles_add(&troubles, pool);
        run->driver->count_tls(pool, &result->tls);
    }
    load_notes_write(result, spec, &troubles);
    if (run->program != NULL)
        load_run_report_flows(run->workers, run->worker_count, &run->collector);
}

static void finish(struct load_run *run)
{
    struct base_error err;
    run->stage = OVER;
    io_timer_stop(&run->tick);
    quit_workers(run);
    if (!collect_rest(run, &err)) {
        fail_run(run, &err);
        return;
    }
    struct dur_ns scheduled = run->spec->duration;
    bool complete = true;
    if (run->stopped) {
        struct dur_ns ran = base_mono_sub(run->stop_at, run->start);
        complete = ran.ns >= scheduled.ns;
        if (!complete)
            scheduled.ns = ran.ns > 0 ? ran.ns : 0;
    }
    if (all_iterations(run) > 0)
        complete = settle_iterations(run, complete, &scheduled);
    struct dur_ns cpu = {process_cpu().ns - run->cpu_before.ns};
    load_collector_finish(&run->collector, complete, scheduled, cpu);
    report_connections(run);
    uint64_t begun = load_run_begun(run->spec, &run->collector.counts);
    if (!run->stopped && begun < all_iterations(run))
        load_notes_short(&run->collector.result, begun, all_iterations(run));
    run->events.on_finished(run->events.ctx);
}

/* No request will end any more: what is left is to tear down, or to hear who does it. */
static void end_load(struct load_run *run)
{
    if (run->program == NULL || run->teardown == ELSEWHERE || (run->tearing && is_torn(run))) {
        finish(run);
    } else if (run->teardown == HERE && !run->tearing) {
        run->tearing = true;
        order_teardown(run);
    } else if (run->teardown == UNSAID && !run->ended) {
        run->ended = true;
        run->events.on_ended(run->events.ctx);
    }
}

static void on_wake(void *ctx)
{
    struct load_run *run = ctx;
    struct base_error err;
    if (run->stage == WARMING && all_report(run, offsetof(struct load_mailbox, ready)) &&
        !on_warm(run, &err)) {
        fail_run(run, &err);
        return;
    }
    if (run->stage != RUNNING)
        return;
    if (run->collecting && all_report(run, offsetof(struct load_mailbox, swapped)) &&
        !collect(run, &err)) {
        fail_run(run, &err);
        return;
    }
    if (!all_report(run, offsetof(struct load_mailbox, done)))
        return;
    end_load(run);
}

/* --- beginning --- */

static uint32_t thread_count(const struct load_spec *spec)
{
    uint32_t threads = spec->threads;
    cpu_set_t cpus;
    if (threads == 0)
        threads = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
    return threads < spec->connections ? threads : spec->connections;
}

static bool check_spec(const struct load_spec *spec, struct base_error *err)
{
    bool scheduled = spec->stage_count > 0 || spec->replay != NULL || spec->closed.stage_count > 0;
    if (!scheduled && (!(spec->rate > 0) || spec->rate > LOAD_RATE_MAX))
        return base_fail(err, BASE_INVALID,
                         "rate must be above 0 and at most 100 million a second");
    if (spec->duration.ns <= 0 || spec->timeout.ns <= 0)
        return base_fail(err, BASE_INVALID, "duration and timeout must be above 0");
    if (spec->interval.ns < 10 * BASE_NS_PER_MS)
        return base_fail(err, BASE_INVALID, "interval must be 10 ms or more");
    const char *conflict = load_spec_engine_conflict(spec);
    if (conflict != NULL)
        return base_fail(err, BASE_INVALID, "%s", conflict);
    if (spec->connections == 0 || spec->target_count == 0 || load_spec_routes(spec) == 0)
        return base_fail(err, BASE_INVALID,
                         "at least one connection, one target and one route are needed");
    for (size_t i = 0; i < spec->route_count; i++)
        if (!load_tag_word(spec->routes[i].name) || spec->routes[i].weight == 0)
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": a name has 1 to 100 letters without '/', ',', quotes "
                             "and white space, and a weight above 0",
                             spec->routes[i].name);
    return true;
}

static bool prepare_sources(struct load_run *run, struct base_error *err)
{
    const struct load_spec *spec = run->spec;
    run->sources = base_calloc(spec->source_count, sizeof *run->sources);
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct load_target source = {.address = spec->sources[i]};
        if (!load_address_parse(&source, i, &run->sources[i], err) ||
            !load_source_check(&run->sources[i], spec->sources[i], run->addresses,
                               spec->target_count, err))
            return false;
    }
    return true;
}

static bool prepare(struct load_run *run, struct base_error *err)
{
    const struct load_spec *spec = run->spec;
    run->addresses = base_calloc(spec->target_count, sizeof *run->addresses);
    if (!run->driver->prepare(spec, &run->prepared, err))
        return false;
    if (spec->flow_count > 0) {
        run->program = load_run_program(spec, run->share, err);
        if (run->program == NULL)
            return false;
        if (!load_program_has(run->program, LOAD_PART_TEARDOWN))
            run->teardown = ELSEWHERE;
        else if (run->share.of == 1)
            run->teardown = HERE;
    }
    for (size_t i = 0; i < spec->target_count; i++) {
        run->addresses[i].number = i;
        bool name = run->driver->resolves && (spec->proxy != NULL || spec->unix_socket != NULL);
        if (!name && !load_address_parse(&spec->targets[i], i, &run->addresses[i], err))
            return false;
    }
    return prepare_sources(run, err) &&
           (spec->replay == NULL ||
            load_replay_read(spec->replay, spec->replay_unit, &run->replay, err));
}

/* Connections are numbered over all threads and given out in blocks, so that each thread has its
 * share of every target. */
static bool start_workers(struct load_run *run, uint32_t threads, struct base_error *err)
{
    uint32_t first = 0;
    run->workers = base_calloc(threads, sizeof *run->workers);
    for (uint32_t i = 0; i < threads; i++) {
        uint32_t conns = run->spec->connections / threads + (i < run->spec->connections % threads);
        const struct load_worker_setup setup = {
            .spec = run->spec,
            .iterations = run->spec->closed.iterations > 0 ? &run->iterations : NULL,
            .replay = run->spec->replay ? &run->replay : NULL,
            .driver = run->driver,
            .prepared = run->prepared,
            .program = run->program,
            .addresses = run->addresses,
            .sources = run->sources,
            .index = i,
            .once = i == 0 && run->share.index == 0,
            .share = run->share.index + run->share.of * i,
            .shares = run->share.of * threads,
            .first = first,
            .conns = conns,
            .reader = &run->wake};
        if (!load_worker_start(&run->workers[i], &setup, err))
            return false;
        run->worker_count = i + 1;
        first += conns;
    }
    return true;
}

static bool assemble(struct load_run *run, int hlog_fd, struct base_error *err)
{
    uint32_t threads = thread_count(run->spec);
    io_timer_init(&run->tick, run->loop, on_tick, run);
    return load_descriptors_raise(run->spec->connections, threads, err) && prepare(run, err) &&
           load_collector_init(&run->collector, run->spec, hlog_fd, threads, err) &&
           io_wake_init(&run->wake, run->loop, on_wake, run, err) &&
           start_workers(run, threads, err);
}

struct load_run *load_run_start(struct io_loop *loop, const struct load_spec *spec, int hlog_fd,
                                const struct load_events *events, struct base_error *err)
{
    return load_run_start_share(loop, spec, (struct load_share){.of = 1}, hlog_fd, events, err);
}

struct load_run *load_run_start_share(struct io_loop *loop, const struct load_spec *spec,
                                      struct load_share share, int hlog_fd,
                                      const struct load_events *events, struct base_error *err)
{
    if (!check_spec(spec, err))
        return NULL;
    if (spec->flow_count > 0 && !load_driver_of(spec)->flows)
        return (void)base_fail(err, BASE_INVALID,
                               "flows are sent by the native engines for HTTP only, not by \"%s\"",
                               load_driver_of(spec)->name),
               NULL;
    struct load_run *run = base_calloc(1, sizeof *run);
    run->loop = loop;
    run->spec = spec;
    run->driver = load_driver_of(spec);
    run->share = share;
    run->events = *events;
    run->cpu_before = process_cpu();
    load_segments_init(&run->segments);
    atomic_init(&run->iterations, spec->closed.iterations);
    if (!assemble(run, hlog_fd, err)) {
        load_run_free(run);
        return NULL;
    }
    run->collector.events = &run->events;
    return run;
}

bool load_run_go(struct load_run *run, struct mono_ns mono, struct wall_ns wall,
                 struct base_error *err)
{
    if (run->stage != WARMING)
        return base_fail(err, BASE_INVALID, "the load has begun already");
    if (!run->waiting || base_mono_sub(mono, base_mono_now()).ns < 0)
        return base_fail(err, BASE_TIMEOUT, "the load was not ready when it was to start");
    return begin_at(run, mono, wall, err);
}

bool load_run_bequest(const struct load_run *run, json_t **out, struct base_error *err)
{
    *out = NULL;
    return run->program == NULL || run->share.index > 0 ||
           !load_program_has(run->program, LOAD_PART_SETUP) ||
           load_program_bequest(run->program, out, err);
}

bool load_run_inherit(struct load_run *run, const json_t *bequest, struct base_error *err)
{
    if (run->program == NULL || run->share.index == 0)
        return true;
    return load_program_inherit(run->program, bequest, err);
}

void load_run_teardown(struct load_run *run, bool here)
{
    if (run->teardown != UNSAID)
        return;
    run->teardown = here ? HERE : ELSEWHERE;
    if (run->stage != OVER)
        io_wake_send(&run->wake);
}

bool load_run_phase(struct load_run *run, const char *name, struct base_error *err)
{
    struct load_segment segment = {.from = base_mono_now().ns};
    if (!load_collector_phase(&run->collector, name, &segment.phase, err))
        return false;
    run->told = true;
    load_segments_override(&run->segments, &segment);
    if (run->stage != OVER)
        order_phases(run);
    return true;
}

void load_run_stop(struct load_run *run)
{
    struct base_error err;
    if (run->stopped || run->stage == OVER)
        return;
    run->stopped = true;
    if (run->stage == WARMING && !begin(run, &err)) {
        fail_run(run, &err);
        return;
    }
    for (uint32_t i = 0; i < run->worker_count; i++)
        atomic_store(&run->workers[i].closing, true);
    run->stop_at = base_mono_now();
    order_stop(run);
}

const struct load_result *load_run_result(const struct load_run *run)
{
    return &run->collector.result;
}

const struct hdr *load_run_total(const struct load_run *run, enum load_kind kind)
{
    const struct hdr *total = &run->collector.totals[kind];
    return total->total > 0 ? total : NULL;
}

void load_run_expose(struct load_run *run)
{
    run->collector.keep = true;
}

bool load_run_metrics(const struct load_run *run, struct base_buf *out)
{
    const struct load_collector *c = &run->collector;
    const struct load_exposed exposed = {
        .phases = c->phases, .routes = c->routes, .cells = &c->counts, .total = &c->result.total};
    return load_exposition_write(&exposed, out);
}

void load_run_free(struct load_run *run)
{
    if (run == NULL)
        return;
    quit_workers(run);
    for (uint32_t i = 0; i < run->worker_count; i++)
        load_worker_fini(&run->workers[i]);
    free(run->workers);
    load_segments_fini(&run->segments);
    io_wake_fini(&run->wake);
    io_timer_fini(&run->tick);
    load_collector_fini(&run->collector);
    run->driver->discard(run->prepared);
    load_program_free(run->program);
    free(run->addresses);
    load_replay_fini(&run->replay);
    free(run->sources);
    free(run);
}
