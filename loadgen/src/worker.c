/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_core.h"

#include "client_limits.h"
#include "worker_flow.h"

enum {
    DISPATCH_BATCH = 64,      /* arrivals sent before responses are looked at again */
    CONNECTING_AT_ONCE = 256, /* while warming up: a listen queue holds no more as a rule */
};

static const int64_t coarse_alarm = 5 * BASE_NS_PER_MS;
static const int64_t spin_for = 50 * BASE_NS_PER_US;
/* What waited in line until shortly before it would have been given up is sent late, and would be
 * cut off as if the target had not answered. */
static const int64_t drain_grace = BASE_NS_PER_S;
static const int64_t warm_limit = 5 * BASE_NS_PER_S;

static struct load_cell *cell_of(struct load_worker *w, const struct load_due *due)
{
    return load_shard_cell(load_worker_shard(w), due->phase, due->route);
}

void load_worker_report(struct load_worker *w, bool *what)
{
    pthread_mutex_lock(&w->mail.lock);
    *what = true;
    pthread_mutex_unlock(&w->mail.lock);
    io_wake_send(w->reader);
}

/* --- the end --- */

static void set_alarm(struct load_worker *w, int64_t now);

static void check_over(struct load_worker *w)
{
    if (!w->draining || w->over || !TAILQ_EMPTY(&w->in_flight) || w->waiting.count > 0 ||
        (w->flows != NULL && w->flows->pausing > 0))
        return;
    w->over = true;
    io_alarm_clear(&w->alarm);
    load_worker_report(w, &w->mail.done);
}

/* --- what is due next --- */

/* Closed model: who is ready first, unless nothing becomes due any more. */
static void look_ahead(struct load_worker *w)
{
    w->next.at = load_users_next(&w->users);
    w->pending = !w->draining && w->next.at < w->spec->duration.ns;
    if (load_users_over(&w->users) && !w->draining) {
        w->draining = true; /* all iterations are done */
        w->end = base_mono_now().ns;
    }
}

/* The first moment at which anything becomes due; INT64_MAX: nothing does any more. */
static int64_t next_at(const struct load_worker *w)
{
    int64_t at = w->pending ? w->start + w->next.at : INT64_MAX;
    if (w->flows == NULL)
        return at;
    int64_t step = load_flows_next(w->flows);
    return step < at ? step : at;
}

/* What w->next announced; false: there are no iterations left for that user. */
static bool take_next(struct load_worker *w, struct load_arrival *out)
{
    *out = w->next;
    if (!w->closed) {
        w->pending = load_schedule_next(&w->schedule, &w->next);
        return true;
    }
    bool taken = load_users_take(&w->users, out);
    look_ahead(w);
    return taken;
}

/* Somebody is ready then, perhaps earlier than the alarm was set for. For one who cannot be served
 * before a connection gets free it need not be precise, as in set_alarm: without think time that
 * would be a timer a request. */
static inline void wake_at(struct load_worker *w, int64_t at, int64_t now)
{
    bool blocked = at <= now && TAILQ_EMPTY(&w->free_conns);
    if (at < w->alarm_at && (!blocked || w->alarm_at > now + coarse_alarm))
        set_alarm(w, now);
}

enum ending { ENDED_WELL, ENDED_BADLY, ENDED_UNSENT };

/* In the closed model its user goes on. */
static inline void release_user(struct load_worker *w, const struct load_due *due, int64_t now,
                                enum ending ending)
{
    if (!w->closed)
        return;
    load_users_done(&w->users, due->user, now - w->start, ending == ENDED_UNSENT);
    look_ahead(w);
    if (w->pending)
        wake_at(w, w->start + w->next.at, now);
}

/* Its flow goes on, or its user when that is over. */
__attribute__((noinline)) static void
release_step(struct load_worker *w, const struct load_due *due, int64_t now, enum ending ending)
{
    if (load_flows_go_on(w, due, now, ending == ENDED_WELL))
        wake_at(w, load_flows_next(w->flows), now);
    else
        release_user(w, due, now, ending);
}

/* The request is over, whatever came of it. */
static void release(struct load_worker *w, const struct load_due *due, int64_t now,
                    enum ending ending)
{
    if (__builtin_expect(due->errand != NULL, 0))
        release_step(w, due, now, ending);
    else
        release_user(w, due, now, ending);
}

/* --- a request's ways to end without a response --- */

static void count_missed(struct load_worker *w, const struct load_due *due, int64_t now,
                         bool own_limit)
{
    cell_of(w, due)->counts.missed++;
    release(w, due, now, ENDED_BADLY);
    if (own_limit)
        load_worker_shard(w)->missed_busy++;
}

static void count_refused(struct load_worker *w, const struct load_due *due, int64_t now)
{
    struct load_cell *cell = cell_of(w, due);
    cell->counts.sent++;
    load_counts_fail(&cell->counts, w->pool.refusal);
    load_cell_record(cell, LOAD_KIND_FAILED, now - due->intended);
    release(w, due, now, ENDED_UNSENT);
}

/* A step whose request could not be made. */
static void count_input(struct load_worker *w, const struct load_due *due, int64_t now)
{
    struct load_cell *cell = cell_of(w, due);
    cell->counts.sent++;
    cell->counts.failed[LOAD_FAIL_INPUT]++;
    load_cell_record(cell, LOAD_KIND_FAILED, now - due->intended);
    release(w, due, now, ENDED_UNSENT);
}

/* It waited `timeout`. With no connection established at all that is the target's doing. */
static void give_up(struct load_worker *w, const struct load_due *due, int64_t now)
{
    if (w->pool.established == 0)
        count_refused(w, due, now);
    else
        count_missed(w, due, now, w->answered > due->answered);
}

static void drop_expired(struct load_worker *w, int64_t now)
{
    const struct load_due *due;
    while ((due = load_waiting_head(&w->waiting)) != NULL &&
           now - load_flows_since(due) >= w->spec->timeout.ns) {
        give_up(w, due, now);
        load_waiting_pop(&w->waiting);
    }
}

/* --- timeouts: both lists are in the order of their deadlines, so one timer serves --- */

static void start_sweep(struct load_worker *w, struct dur_ns after)
{
    if (w->sweeping)
        return;
    w->sweeping = true;
    io_timer_start(&w->sweep, after);
}

static void sweep_again(struct load_worker *w, int64_t now)
{
    const struct load_due *due = load_waiting_head(&w->waiting);
    const struct load_conn *conn = TAILQ_FIRST(&w->in_flight);
    if (due == NULL && conn == NULL)
        return;
    int64_t oldest = conn == NULL ? INT64_MAX : conn->sent_at;
    if (due != NULL && load_flows_since(due) < oldest)
        oldest = load_flows_since(due);
    start_sweep(w, (struct dur_ns){oldest + w->spec->timeout.ns - now});
}

static void report_warm(struct load_worker *w)
{
    if (w->warm)
        return;
    w->warm = true;
    io_timer_stop(&w->sweep);
    w->sweeping = false;
    if (!load_once_begin(w, LOAD_PART_SETUP))
        load_worker_report(w, &w->mail.ready);
}

static void on_sweep(void *ctx)
{
    struct load_worker *w = ctx;
    w->sweeping = false;
    if (!w->warm) {
        report_warm(w);
        return;
    }
    int64_t now = base_mono_now().ns;
    struct load_conn *conn;
    while ((conn = TAILQ_FIRST(&w->in_flight)) != NULL &&
           now - conn->sent_at >= w->spec->timeout.ns)
        w->pool.driver->abort(conn, now);
    drop_expired(w, now);
    sweep_again(w, now);
    check_over(w);
}

/* --- sending --- */

static inline void send_now(struct load_worker *w, struct load_conn *conn, int64_t now)
{
    TAILQ_INSERT_TAIL(&w->in_flight, conn, link);
    start_sweep(w, w->spec->timeout);
    conn->sent_at = now;
    w->pool.driver->send(conn);
}

void load_worker_send(struct load_worker *w, struct load_conn *conn, int64_t now)
{
    send_now(w, conn, now);
}

static void launch(struct load_worker *w, struct load_conn *conn, const struct load_due *due,
                   int64_t now)
{
    struct load_shard *shard = load_worker_shard(w);
    struct load_cell *cell = cell_of(w, due);
    cell->counts.sent++;
    load_cell_record(load_shard_cell(shard, due->phase, shard->routes), LOAD_KIND_SCHEDULE,
                     now - due->intended);
    conn->due = *due;
    send_now(w, conn, now);
}

/* There is no free connection. */
static void hold(struct load_worker *w, const struct load_due *due, int64_t now)
{
    const struct load_due *first = load_waiting_head(&w->waiting);
    if (load_pool_is_down(&w->pool))
        count_refused(w, due, now);
    else if (load_waiting_push(&w->waiting, due))
        start_sweep(w, w->spec->timeout);
    else
        count_missed(w, due, now, first != NULL && w->answered > first->answered);
}

static uint32_t phase_at(struct load_worker *w, int64_t intended)
{
    while (w->segment + 1 < w->segment_count && w->segments[w->segment + 1].from <= intended)
        w->segment++;
    return w->segments[w->segment].phase;
}

/* A step may have been due long ago. */
uint32_t load_worker_phase(const struct load_worker *w, int64_t intended)
{
    size_t segment = w->segment_count - 1;
    while (segment > 0 && w->segments[segment].from > intended)
        segment--;
    return w->segments[segment].phase;
}

/* When the schedule ends or, once it has, what is still under way. */
static int64_t last_moment(const struct load_worker *w)
{
    return w->draining ? w->end + w->spec->timeout.ns + drain_grace : w->end;
}

/* Whether nothing is waited for but the time. */
static inline bool may_spin(const struct load_worker *w)
{
    return w->spec->spin && w->pending && !w->coarse && TAILQ_EMPTY(&w->in_flight);
}

/* A timer is late by what it takes to wake. What this costs is no sign of a thread that has too
 * much to do, so it is left out of its account. */
static int64_t spin(struct load_worker *w, int64_t now)
{
    int64_t before = load_worker_cpu();
    while (now < w->alarm_at && may_spin(w))
        now = base_mono_now().ns;
    w->cpu_mark += load_worker_cpu() - before;
    w->woke_at = w->seen_at = now;
    return now;
}

/* While every connection is busy a due request can only wait in line, so the alarm may be coarse:
 * setting a timer for each arrival then costs a tenth of all work (the interrupt, most of it). The
 * connection that gets free next fetches what has become due (on_ready). */
static void set_alarm(struct load_worker *w, int64_t now)
{
    int64_t at = next_at(w);
    w->coarse = at != INT64_MAX && TAILQ_EMPTY(&w->free_conns) && !load_pool_is_down(&w->pool);
    if (w->coarse && at < now + coarse_alarm)
        at = now + coarse_alarm;
    if (!w->pending && at > last_moment(w))
        at = last_moment(w);
    w->alarm_at = at;
    io_alarm_set(&w->alarm, (struct mono_ns){may_spin(w) ? at - spin_for : at});
}

static inline bool is_due(const struct load_worker *w, int64_t at)
{
    return (w->pending && w->start + w->next.at <= at) ||
           (w->flows != NULL && load_flows_next(w->flows) <= at);
}

static void on_turn(void *ctx, struct mono_ns at)
{
    struct load_worker *w = ctx;
    int64_t now = at.ns;
    if (!is_due(w, w->woke_at)) {
        w->slept_at = w->seen_at;
        w->woke_at = now;
    }
    w->seen_at = now;
}

/* The time from which on the request should have been placed. With a connection at hand, being late
 * is nobody's doing but ours; without one it is ours from when the alarm should have rung. */
static void note_lateness(struct load_worker *w, int64_t intended, int64_t now)
{
    bool at_hand = !TAILQ_EMPTY(&w->free_conns);
    int64_t from = at_hand || intended > w->alarm_at ? intended : w->alarm_at;
    if (at_hand || now > from)
        load_shard_late(load_worker_shard(w), load_delay_of(w->slept_at, w->woke_at, from, now),
                        now - from);
}

/* The next arrival; false: there was none after all. */
static inline bool take_arrival(struct load_worker *w, struct load_due *due)
{
    struct load_arrival arrival;
    if (!take_next(w, &arrival))
        return false;
    int64_t intended = w->start + arrival.at;
    *due = (struct load_due){.intended = intended,
                             .number = w->closed ? load_users_request(&w->users, arrival.number)
                                                 : arrival.number,
                             .answered = w->answered,
                             .phase = phase_at(w, intended),
                             .route = arrival.route,
                             .user = (uint32_t)arrival.number};
    return true;
}

/* Where there are flows: a step, or an arrival that may be a flow's. False: nothing is to be
 * placed; what could not be made is counted. */
__attribute__((noinline)) static bool take_step(struct load_worker *w, struct load_due *due,
                                                int64_t now)
{
    bool made = true;
    if (load_flows_next(w->flows) <= next_at(w))
        made = load_flows_take(w, due);
    else if (!take_arrival(w, due))
        return false;
    else if (due->route >= w->spec->route_count)
        made = load_flows_begin(w, due->route - (uint32_t)w->spec->route_count, due);
    if (made)
        return true;
    cell_of(w, due)->counts.intended++;
    count_input(w, due, now);
    return false;
}

/* A stop is on its way, and its moment is not before the last time read here. */
static inline bool is_closing(struct load_worker *w)
{
    return atomic_load_explicit(&w->closing, memory_order_acquire);
}

/* Places what is due by `now` and not after `until`, with a bound on what is sent before responses
 * are looked at again. Returns the time it read last. */
static int64_t dispatch(struct load_worker *w, int64_t now, int64_t until)
{
    int sent = 0;
    while (sent < DISPATCH_BATCH && is_due(w, now < until ? now : until) && !is_closing(w)) {
        struct load_due due;
        if (w->flows != NULL) {
            if (!take_step(w, &due, now))
                continue;
        } else if (!take_arrival(w, &due)) {
            continue;
        }
        cell_of(w, &due)->counts.intended++;
        note_lateness(w, load_flows_since(&due), now);
        if (TAILQ_EMPTY(&w->free_conns)) {
            hold(w, &due, now);
            continue;
        }
        struct load_conn *conn = TAILQ_FIRST(&w->free_conns);
        TAILQ_REMOVE(&w->free_conns, conn, link);
        launch(w, conn, &due, now);
        sent++;
        if (next_at(w) != INT64_MAX) /* else nothing can have become due meanwhile */
            now = base_mono_now().ns;
    }
    w->seen_at = now;
    return now;
}

/* The last moment has come: what is still under way had its time. */
static void cut(struct load_worker *w, int64_t now)
{
    struct load_conn *conn;
    if (w->flows != NULL)
        load_flows_stop(w);
    while ((conn = TAILQ_FIRST(&w->in_flight)) != NULL)
        w->pool.driver->abort(conn, now);
    const struct load_due *due;
    while ((due = load_waiting_head(&w->waiting)) != NULL) {
        give_up(w, due, now);
        load_waiting_pop(&w->waiting);
    }
    check_over(w);
}

static void on_alarm(void *ctx)
{
    struct load_worker *w = ctx;
    if (w->over)
        return;
    int64_t now = base_mono_now().ns;
    if (now < w->alarm_at)
        now = spin(w, now);
    if (next_at(w) != INT64_MAX)
        now = dispatch(w, now, INT64_MAX);
    if (!w->pending && now >= last_moment(w)) {
        if (w->draining)
            cut(w, now);
        w->draining = true;
    }
    check_over(w);
    if (!w->over)
        set_alarm(w, now);
}

/* --- what connections report --- */

static void warm_up(struct load_worker *w)
{
    if (w->opening) /* an attempt that failed at once: the loop below goes on */
        return;
    w->opening = true;
    while (w->opened < w->pool.count && w->opened - w->pool.settled < CONNECTING_AT_ONCE)
        w->pool.driver->open(load_worker_conn(w, w->opened++));
    w->opening = false;
    if (w->pool.settled == w->pool.count)
        report_warm(w);
}

void load_worker_free(struct load_worker *w, struct load_conn *conn)
{
    if (w->opened < w->pool.count || !w->warm)
        warm_up(w);
    TAILQ_INSERT_TAIL(&w->free_conns, conn, link);
}

static void on_ready(void *ctx, struct load_conn *conn, int64_t now)
{
    struct load_worker *w = ctx;
    if (w->opened < w->pool.count || !w->warm)
        warm_up(w);
    bool due_now = w->prompt && is_due(w, now);
    if (!w->coarse && !due_now && w->waiting.count == 0) {
        TAILQ_INSERT_TAIL(&w->free_conns, conn, link);
        if (__builtin_expect(may_spin(w), 0))
            set_alarm(w, now);
        return;
    }
    now = dispatch(w, now, INT64_MAX);
    drop_expired(w, now);
    const struct load_due *due = load_waiting_head(&w->waiting);
    if (due != NULL) {
        struct load_due taken = *due;
        load_waiting_pop(&w->waiting);
        load_shard_late(load_worker_shard(w), LOAD_DELAY_NO_CONNECTION,
                        now - load_flows_since(&taken));
        launch(w, conn, &taken, now);
        return;
    }
    TAILQ_INSERT_TAIL(&w->free_conns, conn, link);
    if (w->coarse || due_now)
        set_alarm(w, now);
    check_over(w);
}

static void on_unready(void *ctx, struct load_conn *conn)
{
    struct load_worker *w = ctx;
    TAILQ_REMOVE(&w->free_conns, conn, link);
}

/* Of a response that somebody looks into: what he makes of it; NULL when it was no part of the load
 * but a step of setup or teardown. */
__attribute__((noinline)) static const struct load_outcome *
judge_errand(struct load_worker *w, struct load_conn *conn, const struct load_outcome *outcome)
{
    if (!load_once_is(&conn->due))
        return load_flows_judge(w, &conn->due, outcome);
    load_once_ended(w, conn, outcome);
    check_over(w);
    return NULL;
}

static void on_end(void *ctx, struct load_conn *conn, const struct load_outcome *outcome)
{
    struct load_worker *w = ctx;
    TAILQ_REMOVE(&w->in_flight, conn, link);
    if (__builtin_expect(conn->due.errand != NULL, 0)) {
        outcome = judge_errand(w, conn, outcome);
        if (outcome == NULL)
            return;
    }
    struct load_cell *cell = cell_of(w, &conn->due);
    w->answered += outcome->answered;
    load_worker_shard(w)->last_end = outcome->at;
    w->seen_at = outcome->at;
    cell->counts.bytes_in += outcome->bytes_in;
    cell->counts.bytes_out += outcome->bytes_out;
    int64_t response = outcome->at - conn->due.intended;
    if (outcome->ok) {
        cell->counts.ok++;
        load_shard_response(load_worker_shard(w), cell, &conn->due, response);
        load_cell_record(cell, LOAD_KIND_SERVICE, outcome->at - conn->sent_at);
        load_cell_record(cell, LOAD_KIND_FIRST_BYTE, outcome->first_at - conn->sent_at);
    } else {
        if (outcome->cause < LOAD_CAUSE_COUNT)
            load_counts_fail(&cell->counts, outcome->cause);
        else
            cell->counts.failed[outcome->failure]++;
        load_pool_note_status(&w->pool, outcome);
        load_cell_record(cell, LOAD_KIND_FAILED, response);
    }
    bool refused = !outcome->ok && outcome->failure == LOAD_FAIL_CONNECT;
    release(w, &conn->due, outcome->at,
            outcome->ok ? ENDED_WELL
            : refused   ? ENDED_UNSENT
                        : ENDED_BADLY);
    if (w->draining)
        check_over(w);
}

static void on_refused(void *ctx)
{
    struct load_worker *w = ctx;
    if (w->opened < w->pool.count || !w->warm)
        warm_up(w);
    if (load_pool_is_down(&w->pool) && w->flows != NULL && w->flows->once.active)
        load_once_refused(w);
    if (!load_pool_is_down(&w->pool) || w->waiting.count == 0)
        return;
    int64_t now = base_mono_now().ns;
    const struct load_due *due;
    while ((due = load_waiting_head(&w->waiting)) != NULL) {
        count_refused(w, due, now);
        load_waiting_pop(&w->waiting);
    }
    check_over(w);
}

static void on_blocked(void *ctx, int64_t ns)
{
    load_shard_late(load_worker_shard(ctx), LOAD_DELAY_BLOCKED, ns);
}

/* In the phase of the last arrival: what is due by now may be of an earlier one than now. */
static void on_opened(void *ctx, struct dur_ns connect, struct dur_ns tls)
{
    struct load_worker *w = ctx;
    struct load_shard *shard = load_worker_shard(w);
    struct load_cell *cell = load_shard_cell(shard, w->segments[w->segment].phase, shard->routes);
    load_cell_record(cell, LOAD_KIND_CONNECT, connect.ns);
    if (tls.ns >= 0)
        load_cell_record(cell, LOAD_KIND_TLS, tls.ns);
}

/* --- what the mailbox orders --- */

void load_worker_go(struct load_worker *w, int64_t start)
{
    load_once_abandon(w);
    w->started = true;
    w->start = start;
    w->end = start + w->spec->duration.ns;
    io_timer_stop(&w->sweep);
    w->sweeping = false;
    if (w->closed)
        look_ahead(w);
    else
        w->pending = load_schedule_next(&w->schedule, &w->next);
    set_alarm(w, base_mono_now().ns);
    check_over(w);
}

void load_worker_end(struct load_worker *w, int64_t at)
{
    if (w->draining)
        return;
    atomic_store_explicit(&w->closing, false, memory_order_relaxed); /* `at` is the bound now */
    int64_t now;
    do { /* a coarse alarm, or a busy loop, may have left due requests behind */
        now = dispatch(w, base_mono_now().ns, at);
    } while (is_due(w, at));
    w->pending = false;
    w->draining = true;
    w->end = at < w->end ? at : w->end;
    const struct load_due *due;
    while ((due = load_waiting_head(&w->waiting)) != NULL) {
        count_missed(w, due, at, false);
        load_waiting_pop(&w->waiting);
    }
    if (w->flows != NULL)
        load_flows_stop(w);
    set_alarm(w, now);
    check_over(w);
}

/* --- the beginning --- */

bool load_worker_arm(struct load_worker *w, struct base_error *err)
{
    w->pool.ctx = w;
    w->prompt = w->closed || w->flows != NULL;
    w->pool.on_ready = on_ready;
    w->pool.on_unready = on_unready;
    w->pool.on_end = on_end;
    w->pool.on_refused = on_refused;
    w->pool.on_blocked = on_blocked;
    w->pool.on_opened = on_opened;
    io_loop_on_turn(w->loop, on_turn, w);
    io_timer_init(&w->sweep, w->loop, on_sweep, w);
    if (w->flows != NULL)
        io_timer_init(&w->flows->once.timer, w->loop, load_once_timer, w);
    return io_alarm_init(&w->alarm, w->loop, on_alarm, w, err);
}

void load_worker_teardown(struct load_worker *w)
{
    if (!load_once_begin(w, LOAD_PART_TEARDOWN))
        load_worker_report(w, &w->mail.torn);
}

void load_worker_warm(struct load_worker *w)
{
    start_sweep(w, (struct dur_ns){warm_limit});
    warm_up(w);
}
