/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's thread: how it is made, what it obeys, how it ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hurry.h"
#include "base/text.h"
#include "worker_core.h"
#include "worker_flow.h"

enum { WAITING_MAX = 1 << 20 };

static const int nice_level = -10;

/* Lets a lost first SYN (sent again after 1 s: RFC 6298) be answered. */
static const int64_t connect_limit = 3 * BASE_NS_PER_S;

int64_t load_worker_cpu(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * BASE_NS_PER_S + t.tv_nsec;
}

/* How long the thread was ready to run while another had the CPU: the second number of its
 * schedstat (Documentation/scheduler/sched-stats.rst). Kernels without it give 0. */
static int64_t thread_waited(const struct load_worker *w)
{
    char text[128];
    ssize_t n = w->schedstat >= 0 ? pread(w->schedstat, text, sizeof text - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    char *rest = text;
    (void)strsep(&rest, " ");
    const char *second = strsep(&rest, " ");
    int64_t waited = 0;
    return second != NULL && base_parse_i64(second, &waited) ? waited : 0;
}

/* The interval of the grid that has begun; a swap may come somewhat before its time, as
 * load_collector_left has it. */
static void move_home(struct load_worker *w, int64_t now)
{
    struct load_shard *shard = load_worker_shard(w);
    int64_t length = w->spec->interval.ns;
    int64_t since = now - w->start + length / 10;
    shard->home = w->start + (since > 0 ? since - since % length : 0);
    shard->home_length = (uint64_t)length;
}

static void obey_go(struct load_worker *w, int64_t start)
{
    w->cpu_mark = load_worker_cpu();
    w->waited_mark = thread_waited(w);
    w->span_mark = base_mono_now().ns;
    load_worker_go(w, start);
    move_home(w, start);
}

static void close_account(struct load_worker *w)
{
    int64_t cpu = load_worker_cpu();
    int64_t now = base_mono_now().ns;
    struct load_shard *shard = load_worker_shard(w);
    int64_t waited = thread_waited(w);
    shard->time = (struct load_thread){.span = {now - w->span_mark},
                                       .cpu = {cpu - w->cpu_mark},
                                       .waited = {waited - w->waited_mark}};
    shard->owed = load_worker_owed(w, now);
    shard->out_of_ports += w->pool.out_of_ports;
    w->pool.out_of_ports = 0;
    w->cpu_mark = cpu;
    w->span_mark = now;
    w->waited_mark = waited;
}

static void obey_swap(struct load_worker *w)
{
    close_account(w);
    pthread_mutex_lock(&w->mail.lock);
    w->active ^= 1U;
    w->mail.swapped = true;
    pthread_mutex_unlock(&w->mail.lock);
    move_home(w, w->span_mark);
    io_wake_send(w->reader);
}

static void fini_conns(struct load_worker *w)
{
    for (size_t i = 0; i < w->pool.count; i++)
        w->pool.driver->fini(load_worker_conn(w, i));
}

static void obey_quit(struct load_worker *w)
{
    close_account(w);
    w->over = true;
    load_once_abandon(w);
    fini_conns(w);
    io_loop_stop(w->loop);
}

static void learn_segments(struct load_worker *w)
{
    if (w->segment_count == w->mail.segment_count)
        return;
    size_t count = w->mail.segment_count;
    w->segments = base_reallocarray(w->segments, count, sizeof *w->segments);
    memcpy(w->segments, w->mail.segments, count * sizeof *w->segments);
    w->segment_count = count;
}

static void on_wake(void *ctx)
{
    struct load_worker *w = ctx;
    if (w->quitting)
        return;
    pthread_mutex_lock(&w->mail.lock);
    learn_segments(w);
    bool go = w->mail.go && !w->started;
    bool swap = w->mail.swap;
    bool stop = w->mail.stop;
    bool teardown = w->mail.teardown;
    int64_t start = w->mail.start, stop_at = w->mail.stop_at;
    w->quitting = w->mail.quit;
    w->mail.swap = false;
    w->mail.teardown = false;
    pthread_mutex_unlock(&w->mail.lock);
    if (go)
        obey_go(w, start);
    if (stop && w->started)
        load_worker_end(w, stop_at);
    if (teardown)
        load_worker_teardown(w);
    if (swap)
        obey_swap(w);
    if (w->quitting)
        obey_quit(w);
}

/* --- the thread --- */

static void *work(void *arg)
{
    struct load_worker *w = arg;
    /* Without it the kernel may be 50 us late on purpose: prctl(2), PR_SET_TIMERSLACK. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    w->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    /* Where the target runs on the same cores, the time a due request or an answer waits for one of
     * them would be measured as the target's latency. Harmless: the thread sleeps between events,
     * and what it takes in all is bounded by the schedule and by the answers it waits for. The
     * lateness is recorded either way. */
    base_hurry(nice_level);
    load_worker_warm(w);
    io_loop_run(w->loop);
    base_fd_close(&w->schedstat);
    return NULL;
}

static uint32_t streams_of(const struct load_spec *spec)
{
    uint32_t most = spec->streams > spec->pipeline ? spec->streams : spec->pipeline;
    return most > 1 ? most : 1;
}

static void setup_conn(struct load_worker *w, const struct load_worker_setup *setup)
{
    const struct load_spec *spec = setup->spec;
    size_t number = setup->first + w->pool.count / streams_of(spec);
    struct load_conn *conn = load_worker_conn(w, w->pool.count++);
    conn->pool = &w->pool;
    conn->address = &setup->addresses[number % spec->target_count];
    if (spec->source_count > 0) /* each target from each of them */
        conn->source = &setup->sources[number / spec->target_count % spec->source_count];
    w->pool.driver->init(conn);
}

static bool setup_pool(struct load_worker *w, const struct load_worker_setup *setup,
                       struct base_error *err)
{
    int64_t timeout = setup->spec->timeout.ns;
    w->pool.spec = setup->spec;
    w->pool.loop = w->loop;
    w->pool.connections = setup->conns;
    w->pool.connect_limit = (struct dur_ns){timeout < connect_limit ? timeout : connect_limit};
    w->pool.refusal = LOAD_CAUSE_CONNECT_TIMEOUT; /* as long as none failed they are under way */
    base_rng_seed(&w->pool.rng, setup->spec->seed + setup->share);
    if (!w->pool.driver->pool_init(&w->pool, setup->prepared, err))
        return false;
    uint32_t count = setup->conns * streams_of(setup->spec);
    w->conns = base_calloc(count, w->pool.driver->conn_size);
    for (uint32_t i = 0; i < count; i++)
        setup_conn(w, setup);
    return true;
}

static void setup_plain(struct load_worker *w, const struct load_worker_setup *setup)
{
    *w = (struct load_worker){.schedstat = -1,
                              .spec = setup->spec,
                              .pool = {.driver = setup->driver},
                              .reader = setup->reader};
    TAILQ_INIT(&w->free_conns);
    TAILQ_INIT(&w->in_flight);
    load_waiting_init(&w->waiting, WAITING_MAX);
    w->closed = setup->spec->closed.stage_count > 0;
    if (w->closed)
        load_users_init(&w->users, setup->spec, setup->iterations, setup->share, setup->shares);
    else
        load_schedule_init(&w->schedule, setup->spec, setup->replay, setup->share, setup->shares);
    w->flows = load_flows_new(setup->program, setup->once, w->users.count);
    /* The first phase holds from before the beginning. */
    w->segments = base_calloc(1, sizeof *w->segments);
    w->segments[0] = (struct load_segment){.from = INT64_MIN, .phase = 0};
    w->segment_count = 1;
    w->mail.segments = base_calloc(1, sizeof *w->mail.segments);
    w->mail.segments[0] = w->segments[0];
    w->mail.segment_count = 1;
    (void)pthread_mutex_init(&w->mail.lock, NULL); /* cannot fail on Linux */
}

static bool setup_loop(struct load_worker *w, const struct load_worker_setup *setup,
                       struct base_error *err)
{
    uint32_t routes = load_spec_routes(setup->spec);
    w->loop = io_loop_new_direct(err);
    if (w->loop == NULL || !io_wake_init(&w->wake, w->loop, on_wake, w, err) ||
        !load_shard_init(&w->shards[0], routes, err) ||
        !load_shard_init(&w->shards[1], routes, err))
        return false;
    return setup_pool(w, setup, err) && load_worker_arm(w, err);
}

/* Signals are for the threads of the caller: libev's handlers would interrupt system calls here. */
static int start_thread(struct load_worker *w, uint32_t index)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        char name[16];
        (void)snprintf(name, sizeof name, "load-%u", index % 1000000);
        (void)pthread_setname_np(w->thread, name);
    }
    return error;
}

bool load_worker_start(struct load_worker *worker, const struct load_worker_setup *setup,
                       struct base_error *err)
{
    setup_plain(worker, setup);
    if (!setup_loop(worker, setup, err)) {
        load_worker_fini(worker);
        return base_fail_context(err, "load thread %u", setup->index);
    }
    int error = start_thread(worker, setup->index);
    if (error != 0) {
        load_worker_fini(worker);
        return base_fail(err, BASE_IO, "cannot start load thread %u: %s (see ulimit -u)",
                         setup->index, strerrordesc_np(error));
    }
    worker->running = true;
    return true;
}

void load_worker_join(struct load_worker *worker)
{
    if (worker->running)
        (void)pthread_join(worker->thread, NULL);
    worker->running = false;
}

void load_worker_fini(struct load_worker *worker)
{
    if (worker->spec == NULL)
        return;
    fini_conns(worker);
    free(worker->conns);
    worker->pool.driver->pool_fini(&worker->pool);
    io_timer_fini(&worker->sweep);
    if (worker->flows != NULL)
        io_timer_fini(&worker->flows->once.timer);
    io_alarm_fini(&worker->alarm);
    io_wake_fini(&worker->wake);
    io_loop_free(worker->loop);
    load_shard_fini(&worker->shards[0]);
    load_shard_fini(&worker->shards[1]);
    load_schedule_fini(&worker->schedule);
    load_users_fini(&worker->users);
    load_waiting_fini(&worker->waiting);
    load_flows_free(worker->flows);
    free(worker->segments);
    free(worker->mail.segments);
    (void)pthread_mutex_destroy(&worker->mail.lock);
    *worker = (struct load_worker){0};
}
