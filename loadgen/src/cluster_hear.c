/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_lead.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { MESSAGES_A_TURN = 4096 };
/* What may be added to another time without overflow. */
static const int64_t time_max = INT64_C(1) << 61;

static bool hear_joined(struct load_leader *leader, uint32_t index, const json_t *message,
                        struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    struct dur_ns rtt;
    if (peer->name != NULL)
        return base_fail(err, BASE_CORRUPT, "it joined twice");
    if (!model_get_i64(message, "joined", "rttNs", 0, load_cluster_patience.ns, &rtt.ns, err) ||
        !model_get_text(message, "joined", "name", &peer->name, err))
        return false;
    leader->slowest.ns = rtt.ns > leader->slowest.ns ? rtt.ns : leader->slowest.ns;
    leader->events.on_joined(leader->events.run.ctx, peer->name, index);
    return true;
}

static bool hear_ready(struct load_leader *leader, uint32_t index, const json_t *message,
                       struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    if (peer->ready)
        return base_fail(err, BASE_CORRUPT, "it was ready twice");
    if (index == 0)
        leader->setup = json_deep_copy(json_object_get(message, "setup"));
    peer->ready = true;
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

/* Where all that is left of a run is to tear down: it has no intervals. */
static bool is_unstarted(const struct load_leader *leader)
{
    return leader->stage == LOAD_GATHERING;
}

/* For the merged log. */
static bool keep_log(struct load_peer *peer, const char *log, struct base_error *err)
{
    return base_buf_str(&peer->log, log) ||
           base_fail(err, BASE_LIMIT, "its histograms exceed %zu bytes", peer->log.max);
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
    uint64_t slot = is_unstarted(leader)
                        ? 0
                        : load_cluster_slot(interval, leader->start, leader->spec->interval);
    size_t len = strlen(log);
    if (!is_unstarted(leader) && !load_slots_add(&leader->slots, &slot, interval, log, len, err))
        return false;
    if (!load_lead_tally(leader, interval, log, len, err) || !keep_log(peer, log, err))
        return false;
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

static bool ended_early(struct load_leader *leader, uint32_t index, struct base_error *err)
{
    if (leader->stopped)
        return true;
    load_peers_trouble(&leader->peers, "worker %u (%s) ended early", index,
                       load_peer_name(&leader->peers, index));
    return load_lead_stop(leader, err);
}

static bool hear_ended(struct load_leader *leader, uint32_t index, const json_t *message,
                       struct base_error *err)
{
    leader->peers.all[index].ended = true;
    return !json_is_true(json_object_get(message, "early")) || ended_early(leader, index, err);
}

static bool hear_finished(struct load_leader *leader, uint32_t index, const json_t *message,
                          struct base_error *err)
{
    struct load_peer *peer = &leader->peers.all[index];
    const json_t *result = model_get_object(message, "finished", "result", err);
    BASE_AUTO_FREE char *log = NULL;
    if (result == NULL || !model_get_text(message, "finished", "log", &log, err) ||
        !keep_log(peer, log, err) || !load_result_from_json(result, &peer->result, err))
        return false;
    peer->finished = true;
    return peer->result.complete || ended_early(leader, index, err);
}

static bool hear_failed(struct load_leader *leader, uint32_t index, const json_t *message,
                        struct base_error *err)
{
    BASE_AUTO_FREE char *why = NULL;
    if (!model_get_text(message, "failed", "message", &why, err))
        return false;
    load_peers_trouble(&leader->peers, "worker %u (%s) failed: %s", index,
                       load_peer_name(&leader->peers, index), why);
    leader->peers.all[index].failed = true;
    leader->peers.all[index].lost = true;
    return load_lead_stop(leader, err);
}

static const struct {
    const char *type;
    bool (*hear)(struct load_leader *leader, uint32_t index, const json_t *message,
                 struct base_error *err);
} ears[] = {
    {"joined", hear_joined},     {"ready", hear_ready}, {"alive", hear_alive},
    {"interval", hear_interval}, {"ended", hear_ended}, {"finished", hear_finished},
    {"failed", hear_failed},
};

static bool hear(struct load_leader *leader, const json_t *message, struct base_error *err)
{
    BASE_AUTO_FREE char *type = NULL;
    uint64_t index;
    if (!model_get_text(message, "message", "type", &type, err) ||
        !model_get_u64(message, "message", "worker", leader->config.workers - 1, &index, err))
        return false;
    struct load_peer *peer = &leader->peers.all[index];
    if (load_peer_is_done(peer))
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
    if (!load_lead_stay_alive(leader, err)) /* a busy leader hears many of them in one turn */
        return false;
    json_t *message = model_json_parse(text, len, "a worker's message", err);
    bool good = message != NULL && hear(leader, message, err);
    json_decref(message);
    leader->heard++;
    return good;
}

bool load_lead_listen(struct load_leader *leader, struct base_error *err)
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
