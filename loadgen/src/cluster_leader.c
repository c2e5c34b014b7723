/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/cluster_leader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "cluster.h"
#include "cluster_peers.h"
#include "cluster_slots.h"
#include "loadgen/merge.h"
#include "redis.h"

enum { CLOCK_SAMPLES = 16, MESSAGES_A_TURN = 4096 };
static const struct dur_ns poll_period = {50 * BASE_NS_PER_MS};
static const struct dur_ns alive_period = {BASE_NS_PER_S};
/* Between saying "go" and the start: workers look every 100 ms, and Redis may be slow. */
static const struct dur_ns start_lead = {BASE_NS_PER_S};
/* A worker says something twice a second, and at each interval. */
static const struct dur_ns silence_limit = {3 * BASE_NS_PER_S};

/* What may be added to another time without overflow. */
static const int64_t time_max = INT64_C(1) << 61;

enum stage { GATHERING, RUNNING, OVER };

struct load_leader {
    struct io_loop *loop;
    const struct load_spec *spec;
    struct load_leader_config config;
    struct load_leader_events events;
    struct load_redis *redis;
    char id[BASE_ID_TEXT]; /* of this run, whatever its name */
    char *keys[LOAD_CLUSTER_KEYS];
    char *last;   /* message of a worker */
    size_t heard; /* messages, for the present turn */
    struct load_peers peers;
    enum stage stage;
    bool stopped;  /* "stop" was said */
    bool tears;    /* flows have a teardown, which is worker 0's */
    bool torn;     /* "teardown" was said */
    json_t *setup; /* what worker 0's left; NULL: nothing */
    struct load_cluster_clock clock;
    struct dur_ns slowest; /* round trip of a worker */
    struct mono_ns began;  /* to gather */
    struct mono_ns revived;
    struct wall_ns start;
    struct mono_ns start_mono;
    struct load_slots slots;
    struct load_result result;
    struct load_merge *merge;
    struct io_timer poll;
};

/* --- talking --- */

static bool say(struct load_leader *leader, json_t *message, struct base_error *err)
{
    BASE_AUTO_FREE char *text = model_json_dump_line(message);
    json_decref(message);
    return load_redis_send(leader->redis, leader->keys[LOAD_CLUSTER_DOWN], text, load_cluster_ttl,
                           err);
}

static bool say_stop(struct load_leader *leader, struct base_error *err)
{
    if (leader->stopped)
        return true;
    leader->stopped = true;
    return say(leader, json_pack("{s:s}", "type", "stop"), err);
}

static bool say_go(struct load_leader *leader, struct base_error *err)
{
    struct wall_ns now;
    if (!load_redis_time(leader->redis, &now, err))
        return false;
    int64_t lead = start_lead.ns + 4 * leader->slowest.ns;
    leader->start = base_wall_add(now, (struct dur_ns){lead});
    leader->start_mono = load_cluster_clock_mono(&leader->clock, leader->start);
    leader->stage = RUNNING;
    json_t *go = json_pack("{s:s, s:I}", "type", "go", "startNs", (json_int_t)leader->start.ns);
    if (leader->setup != NULL)
        (void)json_object_set(go, "setup", leader->setup);
    if (!say(leader, go, err))
        return false;
    leader->events.run.on_started(leader->events.run.ctx, leader->start_mono, leader->start);
    return true;
}

static bool stay_alive(struct load_leader *leader, struct base_error *err)
{
    struct mono_ns now = base_mono_now();
    if (leader->revived.ns != 0 && base_mono_sub(now, leader->revived).ns < alive_period.ns)
        return true;
    leader->revived = now;
    return load_redis_set(leader->redis, leader->keys[LOAD_CLUSTER_ALIVE], "1", load_cluster_alive,
                          err);
}

static void fail(struct load_leader *leader, const struct base_error *err)
{
    leader->stage = OVER;
    io_timer_stop(&leader->poll);
    leader->events.run.on_error(leader->events.run.ctx, err);
}

/* --- what workers tell --- */

static bool hear_joined(struct load_leader *leader, uint32_t index, const json_t *message,
                        struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    struct dur_ns rtt;
    if (!model_get_text(message, "joined", "name", &peer->name, err) ||
        !model_get_i64(message, "joined", "rttNs", 0, load_cluster_patience.ns, &rtt.ns, err))
        return false;
    leader->slowest.ns = rtt.ns > leader->slowest.ns ? rtt.ns : leader->slowest.ns;
    leader->events.on_joined(leader->events.run.ctx, peer->name, index);
    return true;
}

static bool hear_ready(struct load_leader *leader, uint32_t index, const json_t *message,
                       struct base_error *err)
{
    (void)err;
    if (index == 0)
        leader->setup = json_deep_copy(json_object_get(message, "setup"));
    leader->peers.all[index].ready = true;
    return true;
}

static bool hear_alive(struct load_leader *leader, uint32_t index, const json_t *message,
                       struct base_error *err)
{
    (void)leader;
    (void)index;
    (void)message;
    (void)err;
    return true;
}

static bool take_interval(struct load_leader *leader, uint32_t index, uint64_t number,
                          const struct load_interval *interval, const char *log,
                          struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    if (number != peer->intervals)
        return base_fail(err, BASE_CORRUPT,
                         "interval %" PRIu64 " came where number %" PRIu64 " was due", number,
                         peer->intervals);
    if (interval->start.ns > time_max || interval->length.ns > time_max)
        return base_fail(err, BASE_CORRUPT, "an interval outside of all calendars");
    uint64_t slot = load_cluster_slot(interval, leader->start, leader->spec->interval);
    if (!load_slots_add(&leader->slots, &slot, interval, log, strlen(log), err))
        return false;
    if (!base_buf_str(&peer->log, log))
        return base_fail(err, BASE_LIMIT, "its histograms exceed %zu bytes", peer->log.max);
    load_counts_add(&peer->counts, &interval->counts);
    peer->intervals++;
    peer->slots = slot + 1;
    return true;
}

static bool hear_interval(struct load_leader *leader, uint32_t index, const json_t *message,
                          struct base_error *err)
{
    BASE_AUTO_FREE char *log = NULL;
    struct load_interval interval = {.phase = NULL};
    uint64_t number;
    const json_t *object = model_get_object(message, "interval", "interval", err);
    bool good = object != NULL &&
                model_get_u64(message, "interval", "number", UINT32_MAX, &number, err) &&
                model_get_text(message, "interval", "log", &log, err) &&
                load_interval_from_json(object, &interval, err) &&
                take_interval(leader, index, number, &interval, log, err);
    load_interval_fini(&interval);
    return good;
}

static bool hear_finished(struct load_leader *leader, uint32_t index, const json_t *message,
                          struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    const json_t *result = model_get_object(message, "finished", "result", err);
    if (result == NULL || !load_result_from_json(result, &peer->result, err))
        return false;
    peer->finished = true;
    if (!peer->result.complete && !leader->stopped) {
        load_peers_trouble(&leader->peers, "worker %u (%s) ended early", index,
                           load_peer_name(&leader->peers, index));
        return say_stop(leader, err);
    }
    return true;
}

static bool lose(struct load_leader *leader, uint32_t index, struct base_error *err)
{
    leader->peers.all[index].lost = true;
    if (index == 0 && leader->tears && leader->peers.all[0].ready)
        load_peers_trouble(&leader->peers, "what the setup of its flows made was not torn down");
    return say_stop(leader, err);
}

static bool hear_failed(struct load_leader *leader, uint32_t index, const json_t *message,
                        struct base_error *err)
{
    BASE_AUTO_FREE char *why = NULL;
    if (!model_get_text(message, "failed", "message", &why, err))
        return false;
    load_peers_trouble(&leader->peers, "worker %u (%s) failed: %s", index,
                       load_peer_name(&leader->peers, index), why);
    return lose(leader, index, err);
}

static const struct {
    const char *type;
    bool (*hear)(struct load_leader *leader, uint32_t index, const json_t *message,
                 struct base_error *err);
} ears[] = {
    {"joined", hear_joined},     {"ready", hear_ready},       {"alive", hear_alive},
    {"interval", hear_interval}, {"finished", hear_finished}, {"failed", hear_failed},
};

static bool hear(struct load_leader *leader, const json_t *message, struct base_error *err)
{
    BASE_AUTO_FREE char *type = NULL;
    uint64_t index;
    if (!model_get_text(message, "message", "type", &type, err) ||
        !model_get_u64(message, "message", "worker", leader->config.workers - 1, &index, err))
        return false;
    struct load_peer *peer = &leader->peers.all[index];
    if (peer->lost || peer->finished)
        return true; /* too late: it has been given up, and that is what the result says */
    peer->heard = base_mono_now();
    for (size_t i = 0; i < sizeof ears / sizeof *ears; i++)
        if (base_str_eq(ears[i].type, type))
            return ears[i].hear(leader, (uint32_t)index, message, err) ||
                   base_fail_context(err, "worker %" PRIu64 " (%s)", index,
                                     load_peer_name(&leader->peers, (uint32_t)index));
    return base_fail(err, BASE_CORRUPT, "worker %" PRIu64 " said \"%s\"", index, type);
}

static bool on_message(void *ctx, const char *text, size_t len, struct base_error *err)
{
    struct load_leader *leader = ctx;
    json_t *message = model_json_parse(text, len, "a worker's message", err);
    bool good = message != NULL && hear(leader, message, err);
    json_decref(message);
    leader->heard++;
    return good;
}

/* Everything that is there, so that who is silent is not taken for who was not listened to. */
static bool listen_all(struct load_leader *leader, struct base_error *err)
{
    size_t before;
    size_t all = leader->heard;
    do {
        before = leader->heard;
        if (!load_redis_receive(leader->redis, leader->keys[LOAD_CLUSTER_UP], &leader->last,
                                on_message, leader, err))
            return false;
    } while (leader->heard > before && leader->heard - all < MESSAGES_A_TURN);
    return leader->heard == all ||
           load_redis_trim(leader->redis, leader->keys[LOAD_CLUSTER_UP], leader->last, err);
}

/* --- intervals of the whole --- */

static bool all_sent(const struct load_leader *leader, uint64_t slot)
{
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        const struct load_peer *peer = &leader->peers.all[i];
        if (!peer->finished && !peer->lost && peer->slots <= slot)
            return false;
    }
    return true;
}

static void take_slot(struct load_leader *leader, struct load_interval interval)
{
    struct load_result *result = &leader->result;
    interval.start_mono =
        base_mono_add(leader->start_mono, (struct dur_ns){interval.start.ns - leader->start.ns});
    result->intervals =
        base_reallocarray(result->intervals, result->interval_count + 1, sizeof *result->intervals);
    result->intervals[result->interval_count++] = interval;
    leader->events.run.on_interval(leader->events.run.ctx, &interval);
}

static void close_intervals(struct load_leader *leader)
{
    struct load_interval interval;
    while (leader->slots.count > 0 && all_sent(leader, leader->slots.closed))
        if (load_slots_close(&leader->slots, &interval))
            take_slot(leader, interval);
}

/* --- the end --- */

static void finish(struct load_leader *leader)
{
    struct base_error err;
    close_intervals(leader);
    const struct load_peers_start start = {.wall = leader->start, .mono = leader->start_mono};
    if (!load_peers_conclude(&leader->peers, leader->spec, &start, leader->merge, &leader->result,
                             &err)) {
        fail(leader, &err);
        return;
    }
    leader->stage = OVER;
    io_timer_stop(&leader->poll);
    leader->events.run.on_finished(leader->events.run.ctx);
}

/* --- the course of a run --- */

static bool each_peer(const struct load_leader *leader, bool (*is)(const struct load_peer *peer))
{
    for (uint32_t i = 0; i < leader->config.workers; i++)
        if (!is(&leader->peers.all[i]))
            return false;
    return true;
}

static bool is_ready(const struct load_peer *peer)
{
    return peer->ready;
}

static bool is_done(const struct load_peer *peer)
{
    return peer->finished || peer->lost;
}

/* Without all of them nothing is sent. */
static bool give_up_gathering(struct load_leader *leader, struct base_error *err)
{
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        struct load_peer *peer = &leader->peers.all[i];
        if (peer->ready || peer->lost)
            continue;
        load_peers_trouble(&leader->peers, "worker %u (%s) was not ready in time", i,
                           load_peer_name(&leader->peers, i));
        peer->lost = true;
    }
    return say_stop(leader, err);
}

static bool watch(struct load_leader *leader, struct base_error *err)
{
    struct mono_ns now = base_mono_now();
    int64_t limit = silence_limit.ns + 2 * leader->spec->interval.ns;
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        struct load_peer *peer = &leader->peers.all[i];
        if (peer->name == NULL || is_done(peer) || base_mono_sub(now, peer->heard).ns <= limit)
            continue;
        load_peers_trouble(&leader->peers,
                           "worker %u (%s) fell silent %.1f s ago: dead, stopped or cut off", i,
                           peer->name, base_dur_to_s(base_mono_sub(now, peer->heard)));
        if (!lose(leader, i, err))
            return false;
    }
    return true;
}

/* Not started, and it will not be: nobody has anything to finish, but who has to tear down. */
static void dismiss(struct load_leader *leader)
{
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        struct load_peer *peer = &leader->peers.all[i];
        bool tears = i == 0 && leader->tears && peer->ready;
        peer->lost = peer->lost || (!peer->finished && !tears);
    }
}

/* What worker 0 set up is torn down when nobody needs it any more. */
static bool end_setup(struct load_leader *leader, struct base_error *err)
{
    if (!leader->tears || leader->torn)
        return true;
    for (uint32_t i = 1; i < leader->config.workers; i++)
        if (!is_done(&leader->peers.all[i]))
            return true;
    leader->torn = true;
    return say(leader, json_pack("{s:s}", "type", "teardown"), err);
}

static bool gather(struct load_leader *leader, struct base_error *err)
{
    struct dur_ns waited = base_mono_sub(base_mono_now(), leader->began);
    if (!leader->stopped && each_peer(leader, is_ready))
        return say_go(leader, err);
    int64_t patience = leader->config.patience.ns + load_spec_once_limit(leader->spec, true).ns;
    if (!leader->stopped && waited.ns > patience && !give_up_gathering(leader, err))
        return false;
    if (leader->stopped)
        dismiss(leader);
    return true;
}

static void on_poll(void *ctx)
{
    struct load_leader *leader = ctx;
    struct base_error err;
    if (!stay_alive(leader, &err) || !listen_all(leader, &err) || !watch(leader, &err) ||
        (leader->stage == GATHERING && !gather(leader, &err)) || !end_setup(leader, &err)) {
        fail(leader, &err);
        return;
    }
    close_intervals(leader);
    if (each_peer(leader, is_done))
        finish(leader);
    else
        io_timer_start(&leader->poll, poll_period);
}

/* --- beginning --- */

static bool publish(struct load_leader *leader, struct base_error *err)
{
    bool made = false;
    json_t *plan =
        json_pack("{s:s, s:I, s:o}", "id", leader->id, "workers",
                  (json_int_t)leader->config.workers, "spec", load_spec_to_json(leader->spec));
    BASE_AUTO_FREE char *text = model_json_dump_line(plan);
    json_decref(plan);
    /* Alive first: a worker that finds the plan looks for it. */
    if (!stay_alive(leader, err) ||
        !load_redis_set_new(leader->redis, leader->keys[LOAD_CLUSTER_PLAN], text, load_cluster_ttl,
                            &made, err))
        return false;
    return made || base_fail(err, BASE_INVALID, "there is a run \"%s\" already: use another name",
                             leader->config.run);
}

static bool learn_clock(struct load_leader *leader, struct base_error *err)
{
    for (int i = 0; i < CLOCK_SAMPLES; i++) {
        struct wall_ns redis;
        struct mono_ns sent = base_mono_now();
        if (!load_redis_time(leader->redis, &redis, err))
            return false;
        load_cluster_clock_add(&leader->clock, sent, base_mono_now(), redis);
    }
    return true;
}

static bool check_config(const struct load_spec *spec, const struct load_leader_config *config,
                         struct base_error *err)
{
    if (!load_cluster_run_valid(config->run))
        return base_fail(err, BASE_INVALID,
                         "run \"%s\": a name has 1 to 64 letters, digits, '-', '_' or '.'",
                         config->run);
    if (config->workers == 0 || spec->connections < config->workers)
        return base_fail(err, BASE_INVALID,
                         "%u connections cannot be shared out to %u workers: use -c %u or more",
                         spec->connections, config->workers, config->workers);
    if (spec->replay != NULL)
        return base_fail(err, BASE_INVALID,
                         "a replay cannot be had with several workers, which have not its file");
    if (spec->closed.iterations > 0 && spec->closed.iterations < config->workers)
        return base_fail(err, BASE_INVALID,
                         "%" PRIu64 " iterations cannot be shared out to %u workers",
                         spec->closed.iterations, config->workers);
    return true;
}

static bool has_teardown(const struct load_spec *spec)
{
    for (size_t i = 0; i < spec->flow_count; i++)
        if (spec->flows[i].teardown_count > 0)
            return true;
    return false;
}

struct load_leader *load_leader_start(struct io_loop *loop, const struct load_spec *spec,
                                      const struct load_leader_config *config,
                                      const struct load_leader_events *events,
                                      struct base_error *err)
{
    if (!check_config(spec, config, err))
        return NULL;
    struct load_leader *leader = base_calloc(1, sizeof *leader);
    leader->loop = loop;
    leader->spec = spec;
    leader->config = *config;
    leader->events = *events;
    leader->tears = has_teardown(spec);
    leader->began = base_mono_now();
    leader->merge = load_merge_new();
    load_peers_init(&leader->peers, config->workers);
    base_random_id(leader->id);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        leader->keys[i] = load_cluster_key(config->run, leader->id, (enum load_cluster_key)i);
    io_timer_init(&leader->poll, loop, on_poll, leader);
    leader->redis = load_redis_connect(config->host, config->port, load_cluster_patience, err);
    if (leader->redis == NULL || !learn_clock(leader, err) || !publish(leader, err)) {
        load_redis_free(leader->redis); /* what is there under that name is not ours to drop */
        leader->redis = NULL;
        load_leader_free(leader);
        return NULL;
    }
    io_timer_start(&leader->poll, poll_period);
    return leader;
}

void load_leader_stop(struct load_leader *leader)
{
    struct base_error err;
    if (leader->stage != OVER && !say_stop(leader, &err))
        fail(leader, &err);
}

const struct load_result *load_leader_result(const struct load_leader *leader)
{
    return &leader->result;
}

struct load_totals load_leader_totals(struct load_leader *leader)
{
    struct load_totals totals;
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        totals.kinds[kind] = load_merge_kind(leader->merge, (enum load_kind)kind);
    return totals;
}

bool load_leader_write_log(struct load_leader *leader, int fd, struct base_error *err)
{
    return load_merge_write(leader->merge, fd, err);
}

/* All but what tells late workers to stop. */
static void drop_keys(struct load_leader *leader)
{
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        if (i != LOAD_CLUSTER_DOWN && !load_redis_drop(leader->redis, leader->keys[i], NULL))
            return; /* they expire */
}

void load_leader_free(struct load_leader *leader)
{
    if (leader == NULL)
        return;
    io_timer_fini(&leader->poll);
    if (leader->redis != NULL)
        drop_keys(leader);
    load_redis_free(leader->redis);
    load_peers_fini(&leader->peers);
    load_slots_fini(&leader->slots);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        free(leader->keys[i]);
    free(leader->last);
    json_decref(leader->setup);
    load_result_fini(&leader->result);
    load_merge_free(leader->merge);
    free(leader);
}
