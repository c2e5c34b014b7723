/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_member.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "by_hand.h"

enum { HOST_TEXT = 256 };
static const struct dur_ns poll_period = {100 * BASE_NS_PER_MS};
static const struct dur_ns alive_period = {500 * BASE_NS_PER_MS};
static const size_t snapshot_max = (size_t)256 * 1024 * 1024;

/* --- talking --- */

static bool tell(struct load_member *member, const char *type, json_t *message,
                 struct base_error *err)
{
    (void)json_object_set_new(message, "type", json_string(type));
    (void)json_object_set_new(message, "worker", json_integer((json_int_t)member->index));
    BASE_AUTO_FREE char *text = model_json_dump_line(message);
    json_decref(message);
    if (text == NULL)
        return base_fail(err, BASE_INTERNAL, "a message to the leader is no JSON");
    member->spoke = base_mono_now();
    return load_redis_send(member->redis, member->keys[LOAD_CLUSTER_UP], text, load_cluster_ttl,
                           err);
}

/* The end. Load without a leader must not go on, so no request becomes due any more; freed by
 * load_member_free, for we may be inside the run's callback. */
static void end_by(struct load_member *member, const struct base_error *err, bool finished)
{
    if (member->over)
        return;
    member->over = true;
    io_timer_stop(&member->poll);
    if (member->run != NULL)
        load_run_stop(member->run);
    /* Best effort: it may be Redis that failed. */
    (void)tell(member, "failed", json_pack("{s:o}", "message", model_json_text(err->message)),
               NULL);
    struct base_error whole = *err;
    BASE_AUTO_FREE char *more = load_member_about_teardown(member, finished);
    if (more != NULL)
        (void)base_fail(&whole, err->code, "%s; %s", err->message, more);
    member->events.on_error(member->events.ctx, &whole);
}

static void fail(struct load_member *member, const struct base_error *err)
{
    end_by(member, err, false);
}

/* --- what the run tells --- */

/* With what setup left, where it was done here. */
static bool tell_ready(struct load_member *member, struct base_error *err)
{
    json_t *setup = NULL;
    json_t *message = json_object();
    if (!load_run_bequest(member->run, &setup, err)) {
        json_decref(message);
        return false;
    }
    if (member->index == 0) {
        member->has_made = true;
        member->setup = json_incref(setup);
    }
    if (setup != NULL)
        (void)json_object_set_new(message, "setup", setup);
    return tell(member, "ready", message, err);
}

static void on_ready(void *ctx)
{
    struct load_member *member = ctx;
    struct base_error err;
    if (!tell_ready(member, &err))
        fail(member, &err);
}

static void on_ended(void *ctx)
{
    struct load_member *member = ctx;
    struct base_error err;
    member->ended = true;
    if (!member->over && !member->orphaned &&
        !tell(member, "ended", json_pack("{s:b}", "early", member->left), &err))
        fail(member, &err);
}

static void on_started(void *ctx, struct mono_ns mono, struct wall_ns wall)
{
    struct load_member *member = ctx;
    (void)wall;
    member->start = mono;
}

/* Takes what the log has grown by. */
static bool take_log(struct load_member *member, struct base_buf *out, struct base_error *err)
{
    off_t len = lseek(member->log_fd, 0, SEEK_CUR);
    if (len < 0 || lseek(member->log_fd, 0, SEEK_SET) < 0)
        return base_fail_errno(err, "cannot read back the histograms");
    char *room = base_buf_reserve(out, (size_t)len);
    if (room == NULL)
        return base_fail(err, BASE_LIMIT, "an interval's histograms exceed %zu bytes",
                         snapshot_max);
    ssize_t n = pread(member->log_fd, room, (size_t)len, 0);
    if (n != len || ftruncate(member->log_fd, 0) != 0)
        return base_fail_errno(err, "cannot read back the histograms");
    out->len += (size_t)n;
    return true;
}

static void on_interval(void *ctx, const struct load_interval *interval)
{
    struct load_member *member = ctx;
    struct base_error err;
    BASE_AUTO_BUF struct base_buf log;
    base_buf_init(&log, snapshot_max);
    if (member->over)
        return;
    if (!take_log(member, &log, &err) ||
        !tell(member, "interval",
              json_pack("{s:I, s:o, s:s%}", "number", (json_int_t)member->snapshots, "interval",
                        load_interval_to_json(interval), "log", log.data, log.len),
              &err)) {
        fail(member, &err);
        return;
    }
    member->snapshots++;
    member->events.on_interval(member->events.ctx, interval, member->start);
}

static void on_finished(void *ctx)
{
    struct load_member *member = ctx;
    struct base_error err;
    const struct load_result *result = load_run_result(member->run);
    if (member->over)
        return;
    if (member->orphaned) {
        (void)load_member_alone(&err);
        end_by(member, &err, true);
        return;
    }
    /* The leader has the intervals: told again, those of a day would take longer than Redis may. */
    struct load_result rest = *result;
    rest.intervals = NULL;
    rest.interval_count = 0;
    BASE_AUTO_BUF struct base_buf log;
    base_buf_init(&log, snapshot_max);
    if (!take_log(member, &log, &err) ||
        !tell(member, "finished",
              json_pack("{s:o, s:s%}", "result", load_result_to_json(&rest), "log", log.data,
                        log.len),
              &err)) {
        fail(member, &err);
        return;
    }
    member->over = true;
    io_timer_stop(&member->poll);
    member->events.on_finished(member->events.ctx, result);
}

static void on_run_error(void *ctx, const struct base_error *err)
{
    fail(ctx, err);
}

/* --- what the leader tells --- */

static bool go(struct load_member *member, const json_t *message, struct base_error *err)
{
    struct wall_ns start;
    if (!model_get_i64(message, "go", "startNs", 0, INT64_MAX, &start.ns, err) ||
        !load_member_inherit(member, message, err))
        return false;
    return load_run_go(member->run, load_cluster_clock_mono(&member->clock, start), start, err);
}

static bool on_message(void *ctx, const char *text, size_t len, struct base_error *err)
{
    struct load_member *member = ctx;
    BASE_AUTO_FREE char *type = NULL;
    json_t *message = model_json_parse(text, len, "the leader's message", err);
    bool good = message != NULL && model_get_text(message, "message", "type", &type, err);
    if (good && base_str_eq(type, "go"))
        good = go(member, message, err);
    else if (good && base_str_eq(type, "stop"))
        load_run_stop(member->run);
    else if (good && base_str_eq(type, "teardown"))
        good = load_member_take_teardown(member, message, err);
    else if (good && base_str_eq(type, "end"))
        load_member_leave_teardown(member);
    else if (good)
        good = base_fail(err, BASE_INVALID, "the leader said \"%s\"", type);
    json_decref(message);
    return good;
}

static bool leader_lives(struct load_member *member, bool *out, struct base_error *err)
{
    BASE_AUTO_FREE char *alive = NULL;
    if (!load_redis_get(member->redis, member->keys[LOAD_CLUSTER_ALIVE], &alive, err))
        return false;
    *out = alive != NULL;
    return true;
}

static void on_poll(void *ctx)
{
    struct load_member *member = ctx;
    struct base_error err;
    bool silent = base_mono_sub(base_mono_now(), member->spoke).ns >= alive_period.ns;
    bool lives = false;
    if (!load_redis_receive(member->redis, member->keys[LOAD_CLUSTER_DOWN], &member->last,
                            on_message, member, &err) ||
        !leader_lives(member, &lives, &err) || (!lives && !load_member_outlive(member, &err)) ||
        (lives && silent && !tell(member, "alive", json_object(), &err))) {
        fail(member, &err);
        return;
    }
    if (!member->over)
        io_timer_start(&member->poll, poll_period);
}

/* --- joining --- */

static bool read_plan(struct load_member *member, const char *run, const char *text,
                      struct base_error *err)
{
    uint64_t workers;
    BASE_AUTO_FREE char *id = NULL;
    json_t *plan = model_json_parse(text, strlen(text), "the plan", err);
    const json_t *spec = plan == NULL ? NULL : model_get_object(plan, "plan", "spec", err);
    bool good = spec != NULL && model_get_u64(plan, "plan", "workers", UINT32_MAX, &workers, err) &&
                model_get_text(plan, "plan", "id", &id, err) &&
                load_spec_from_json(spec, &member->spec, err);
    json_decref(plan);
    if (!good)
        return false;
    member->workers = (uint32_t)workers;
    member->tears = load_by_hand_has_teardown(&member->spec);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        member->keys[i] = load_cluster_key(run, id, (enum load_cluster_key)i);
    return true;
}

/* The plan may be a moment away: workers and leader are started together. */
static bool fetch_plan(struct load_member *member, const char *run, struct dur_ns patience,
                       struct base_error *err)
{
    struct mono_ns deadline = base_mono_add(base_mono_now(), patience);
    BASE_AUTO_FREE char *key = load_cluster_key(run, NULL, LOAD_CLUSTER_PLAN);
    for (;;) {
        BASE_AUTO_FREE char *text = NULL;
        if (!load_redis_get(member->redis, key, &text, err))
            return false;
        if (text != NULL)
            return read_plan(member, run, text, err);
        if (!base_mono_before(base_mono_now(), deadline))
            return base_fail(err, BASE_INVALID, "there is no run \"%s\": is the leader started?",
                             run);
        (void)usleep((useconds_t)(poll_period.ns / BASE_NS_PER_US));
    }
}

static bool take_place(struct load_member *member, const char *run, struct base_error *err)
{
    int64_t number;
    if (!load_redis_count(member->redis, member->keys[LOAD_CLUSTER_JOINED], load_cluster_ttl,
                          &number, err))
        return false;
    if (number < 1 || number > member->workers)
        return base_fail(err, BASE_INVALID, "run \"%s\" has its %u workers already", run,
                         member->workers);
    member->index = (uint32_t)(number - 1);
    const struct load_share share = {.index = member->index, .of = member->workers};
    member->spec.connections =
        load_cluster_connections(member->spec.connections, member->index, member->workers);
    member->spec.closed.iterations = load_share_even(share, member->spec.closed.iterations);
    return true;
}

static bool introduce(struct load_member *member, struct base_error *err)
{
    char host[HOST_TEXT] = "?";
    (void)gethostname(host, sizeof host - 1);
    BASE_AUTO_FREE char *name = base_str_printf("%s:%d", host, (int)getpid());
    return tell(member, "joined",
                json_pack("{s:o, s:I}", "name", model_json_text(name), "rttNs",
                          (json_int_t)member->clock.rtt.ns),
                err);
}

static bool start_run(struct load_member *member, struct base_error *err)
{
    const struct load_events events = {.ctx = member,
                                       .on_started = on_started,
                                       .on_interval = on_interval,
                                       .on_finished = on_finished,
                                       .on_error = on_run_error,
                                       .on_ready = on_ready,
                                       .on_ended = on_ended};
    member->log_fd = memfd_create("squall-load", MFD_CLOEXEC);
    if (member->log_fd < 0)
        return base_fail_errno(err, "cannot make a file in memory");
    const struct load_share share = {.index = member->index, .of = member->workers};
    member->run =
        load_run_start_share(member->loop, &member->spec, share, member->log_fd, &events, err);
    return member->run != NULL;
}

static bool join(struct load_member *member, const char *run, struct dur_ns patience,
                 struct base_error *err)
{
    if (!fetch_plan(member, run, patience, err) || !take_place(member, run, err))
        return false;
    if (load_cluster_clock_learn(&member->clock, member->redis, err) && introduce(member, err) &&
        start_run(member, err))
        return true;
    /* It counts on us by now. */
    if (err != NULL)
        (void)tell(member, "failed", json_pack("{s:o}", "message", model_json_text(err->message)),
                   NULL);
    return false;
}

struct load_member *load_member_join(struct io_loop *loop, const char *host, uint16_t port,
                                     const char *run, struct dur_ns patience,
                                     const struct load_member_events *events,
                                     struct base_error *err)
{
    struct load_member *member = base_calloc(1, sizeof *member);
    member->loop = loop;
    member->events = *events;
    member->log_fd = -1;
    io_timer_init(&member->poll, loop, on_poll, member);
    member->redis = load_redis_connect(host, port, load_cluster_patience, err);
    if (member->redis == NULL || !join(member, run, patience, err)) {
        load_member_free(member);
        return NULL;
    }
    io_timer_start(&member->poll, poll_period);
    events->on_joined(events->ctx, member->index, member->workers);
    return member;
}

void load_member_stop(struct load_member *member)
{
    member->left = true;
    if (!member->over)
        load_run_stop(member->run);
}

void load_member_free(struct load_member *member)
{
    if (member == NULL)
        return;
    member->over = true;
    load_run_free(member->run);
    json_decref(member->setup);
    io_timer_fini(&member->poll);
    load_redis_free(member->redis);
    base_fd_close(&member->log_fd);
    load_spec_fini(&member->spec);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        free(member->keys[i]);
    free(member->last);
    free(member);
}
