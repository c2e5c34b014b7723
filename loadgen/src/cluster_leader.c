/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_lead.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "by_hand.h"

static const struct dur_ns poll_period = {50 * BASE_NS_PER_MS};
static const struct dur_ns alive_period = {BASE_NS_PER_S};
/* Between saying "go" and the start: workers look every 100 ms, and Redis may be slow. */
static const struct dur_ns start_lead = {BASE_NS_PER_S};
/* A worker says something twice a second, and at each interval. */
static const struct dur_ns silence_limit = {3 * BASE_NS_PER_S};

/* --- talking --- */

bool load_lead_say(struct load_leader *leader, json_t *message, struct base_error *err)
{
    BASE_AUTO_FREE char *text = model_json_dump_line(message);
    json_decref(message);
    return load_redis_send(leader->redis, leader->keys[LOAD_CLUSTER_DOWN], text, load_cluster_ttl,
                           err);
}

bool load_lead_stop(struct load_leader *leader, struct base_error *err)
{
    if (leader->stopped)
        return true;
    leader->stopped = true;
    return load_lead_say(leader, json_pack("{s:s}", "type", "stop"), err);
}

static bool say_go(struct load_leader *leader, struct base_error *err)
{
    struct wall_ns now;
    if (!load_redis_time(leader->redis, &now, err))
        return false;
    int64_t lead = start_lead.ns + 4 * leader->slowest.ns;
    leader->start = base_wall_add(now, (struct dur_ns){lead});
    leader->start_mono = load_cluster_clock_mono(&leader->clock, leader->start);
    leader->stage = LOAD_LEADING;
    json_t *go = json_pack("{s:s, s:I}", "type", "go", "startNs", (json_int_t)leader->start.ns);
    if (leader->setup != NULL)
        (void)json_object_set(go, "setup", leader->setup);
    if (!load_lead_say(leader, go, err))
        return false;
    leader->events.run.on_started(leader->events.run.ctx, leader->start_mono, leader->start);
    return true;
}

bool load_lead_stay_alive(struct load_leader *leader, struct base_error *err)
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
    leader->stage = LOAD_LED;
    io_timer_stop(&leader->poll);
    struct base_error whole = *err;
    load_lead_leave_setup(leader, &whole);
    leader->events.run.on_error(leader->events.run.ctx, &whole);
}

/* --- intervals of the whole --- */

static bool all_sent(const struct load_leader *leader, uint64_t slot)
{
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        const struct load_peer *peer = &leader->peers.all[i];
        if (!load_peer_is_done(peer) && peer->slots <= slot)
            return false;
    }
    return true;
}

static void take_slot(struct load_leader *leader, struct load_interval interval,
                      const struct base_buf *log)
{
    const struct load_events *events = &leader->events.run;
    struct load_result *result = &leader->result;
    interval.start_mono =
        base_mono_add(leader->start_mono, (struct dur_ns){interval.start.ns - leader->start.ns});
    result->intervals =
        base_reallocarray(result->intervals, result->interval_count + 1, sizeof *result->intervals);
    result->intervals[result->interval_count++] = interval;
    if (events->on_histogram != NULL)
        load_cluster_tell(log, events);
    events->on_interval(events->ctx, &interval);
}

static void close_intervals(struct load_leader *leader)
{
    struct load_interval interval;
    struct base_buf log;
    while (leader->slots.count > 0 && all_sent(leader, leader->slots.closed)) {
        if (!load_slots_close(&leader->slots, &interval, &log))
            continue;
        take_slot(leader, interval, &log);
        base_buf_fini(&log);
    }
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
    leader->stage = LOAD_LED;
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
    return load_lead_stop(leader, err);
}

static bool watch(struct load_leader *leader, struct base_error *err)
{
    struct mono_ns now = base_mono_now();
    int64_t limit = silence_limit.ns + 2 * leader->spec->interval.ns;
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        struct load_peer *peer = &leader->peers.all[i];
        if (peer->name == NULL || load_peer_is_done(peer) ||
            base_mono_sub(now, peer->heard).ns <= limit)
            continue;
        load_peers_trouble(&leader->peers,
                           "worker %u (%s) fell silent %.1f s ago: dead, stopped or cut off", i,
                           peer->name, base_dur_to_s(base_mono_sub(now, peer->heard)));
        peer->lost = true;
        if (!load_lead_stop(leader, err))
            return false;
    }
    return true;
}

/* Not started, and it will not be: nobody has anything to finish, but who may have to tear down. */
static void dismiss(struct load_leader *leader)
{
    bool made = leader->tears && leader->peers.all[0].ready;
    for (uint32_t i = 0; i < leader->config.workers; i++) {
        struct load_peer *peer = &leader->peers.all[i];
        peer->lost = peer->lost || (!peer->finished && !(made && peer->ready));
    }
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
    if (!load_lead_stay_alive(leader, &err) || !load_lead_listen(leader, &err) ||
        !watch(leader, &err) || (leader->stage == LOAD_GATHERING && !gather(leader, &err)) ||
        !load_lead_end_setup(leader, &err)) {
        fail(leader, &err);
        return;
    }
    close_intervals(leader);
    if (each_peer(leader, load_peer_is_done))
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
    if (!load_lead_stay_alive(leader, err) ||
        !load_redis_set_new(leader->redis, leader->keys[LOAD_CLUSTER_PLAN], text, load_cluster_ttl,
                            &made, err))
        return false;
    return made || base_fail(err, BASE_INVALID, "there is a run \"%s\" already: use another name",
                             leader->config.run);
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
    leader->tears = load_by_hand_has_teardown(spec);
    leader->began = base_mono_now();
    leader->merge = load_merge_new();
    load_peers_init(&leader->peers, config->workers);
    base_random_id(leader->id);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        leader->keys[i] = load_cluster_key(config->run, leader->id, (enum load_cluster_key)i);
    io_timer_init(&leader->poll, loop, on_poll, leader);
    leader->redis = load_redis_connect(config->host, config->port, load_cluster_patience, err);
    if (leader->redis == NULL || !load_cluster_clock_learn(&leader->clock, leader->redis, err) ||
        !publish(leader, err)) {
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
    if (leader->stage != LOAD_LED && !load_lead_stop(leader, &err))
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
    /* Of a worker that was lost there are more by when requests ended. */
    totals.kinds[LOAD_KIND_RESPONSE] = load_merge_ended(leader->merge);
    return totals;
}

bool load_leader_write_log(struct load_leader *leader, int fd, struct base_error *err)
{
    return load_merge_write(leader->merge, fd, err);
}

/* All but what tells late workers to stop, and that somebody has torn down. */
static void drop_keys(struct load_leader *leader)
{
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        if (i != LOAD_CLUSTER_DOWN && i != LOAD_CLUSTER_TORN &&
            !load_redis_drop(leader->redis, leader->keys[i], NULL))
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
    load_lead_unexpose(leader);
    for (int i = 0; i < LOAD_CLUSTER_KEYS; i++)
        free(leader->keys[i]);
    free(leader->last);
    json_decref(leader->setup);
    load_result_fini(&leader->result);
    load_merge_free(leader->merge);
    free(leader);
}
