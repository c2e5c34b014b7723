/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_peers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cluster_sum.h"
#include "lateness.h"

static const size_t log_max = (size_t)1024 * 1024 * 1024;
static const size_t troubles_max = (size_t)1024 * 1024;

void load_peers_init(struct load_peers *peers, uint32_t count)
{
    *peers = (struct load_peers){.count = count};
    peers->all = base_calloc(count, sizeof *peers->all);
    base_buf_init(&peers->troubles, troubles_max);
    for (uint32_t i = 0; i < count; i++)
        base_buf_init(&peers->all[i].log, log_max);
}

void load_peers_fini(struct load_peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        free(peers->all[i].name);
        base_buf_fini(&peers->all[i].log);
        load_result_fini(&peers->all[i].result);
    }
    free(peers->all);
    base_buf_fini(&peers->troubles);
    *peers = (struct load_peers){.count = 0};
}

const char *load_peer_name(const struct load_peers *peers, uint32_t index)
{
    const char *name = peers->all[index].name;
    return name != NULL ? name : "never joined";
}

void load_peers_trouble(struct load_peers *peers, const char *format, ...)
{
    va_list args;
    if (peers->troubles.len > 0)
        base_buf_str(&peers->troubles, "; ");
    va_start(args, format);
    base_buf_vprintf(&peers->troubles, format, args);
    va_end(args);
}

static void check_peer(struct load_peers *peers, uint32_t index)
{
    const struct load_peer *peer = &peers->all[index];
    if (!peer->finished)
        return;
    if (memcmp(&peer->result.total, &peer->counts, sizeof peer->counts) != 0)
        load_peers_trouble(
            peers, "worker %u (%s) counted %" PRIu64 " requests, but its intervals hold %" PRIu64,
            index, load_peer_name(peers, index), peer->result.total.sent, peer->counts.sent);
    if (peer->result.client_limited)
        load_peers_trouble(peers, "worker %u (%s): %s", index, load_peer_name(peers, index),
                           peer->result.client_limited_why);
}

static bool says(const struct load_result *result, const char *note)
{
    for (size_t i = 0; i < result->note_count; i++)
        if (base_str_eq(result->notes[i], note))
            return true;
    return false;
}

static bool all_say(const struct load_peers *peers, const char *note)
{
    for (uint32_t i = 0; i < peers->count; i++)
        if (peers->all[i].finished && !says(&peers->all[i].result, note))
            return false;
    return true;
}

/* What all of them say is said once; anything else by whom it came from. */
static void add_notes(struct load_result *result, const struct load_peers *peers, uint32_t index)
{
    const struct load_result *one = &peers->all[index].result;
    for (size_t i = 0; i < one->note_count; i++) {
        bool common = all_say(peers, one->notes[i]);
        if (common && says(result, one->notes[i]))
            continue;
        result->notes =
            base_reallocarray(result->notes, result->note_count + 1, sizeof *result->notes);
        result->notes[result->note_count++] =
            common ? base_str_dup(one->notes[i])
                   : base_str_printf("worker %u (%s): %s", index, load_peer_name(peers, index),
                                     one->notes[i]);
    }
}

static void add_threads(struct load_result *result, const struct load_result *one)
{
    result->threads = base_reallocarray(result->threads, result->thread_count + one->thread_count,
                                        sizeof *result->threads);
    for (size_t i = 0; i < one->thread_count; i++)
        result->threads[result->thread_count++] = one->threads[i];
}

static void add_peer(struct load_result *result, const struct load_peers *peers, uint32_t index)
{
    const struct load_peer *peer = &peers->all[index];
    const struct load_result *one = &peer->result;
    load_counts_add(&result->total, &peer->counts);
    if (!peer->finished) {
        result->complete = false;
        return;
    }
    load_cluster_add_parts(result, one);
    load_cluster_add_tls(&result->tls, &one->tls);
    load_cluster_add_once(result, one);
    add_threads(result, one);
    add_notes(result, peers, index);
    if (result->client_limited_by == LOAD_LIMIT_NONE)
        result->client_limited_by = one->client_limited_by;
    result->complete = result->complete && one->complete;
    result->cpu.ns += one->cpu.ns;
    if (one->scheduled.ns > result->scheduled.ns)
        result->scheduled = one->scheduled;
    if (one->end.ns > result->end.ns)
        result->end = one->end;
}

static bool add_lateness(struct load_result *result, const struct load_peers *peers,
                         struct base_error *err)
{
    struct hdr late[LOAD_DELAY_COUNT] = {{.counts = NULL}};
    bool good = true;
    for (uint32_t i = 0; i < peers->count && good; i++)
        good = load_lateness_add(late, &peers->all[i].result, err) ||
               base_fail_context(err, "worker %u (%s)", i, load_peer_name(peers, i));
    if (good)
        load_lateness_list(result, late);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        hdr_fini(&late[cause]);
    return good;
}

static bool merge_logs(struct load_peers *peers, struct load_merge *merge, uint64_t ok,
                       struct base_error *err)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        const struct base_buf *log = &peers->all[i].log;
        if (!load_merge_text(merge, load_peer_name(peers, i), log->data, log->len, err))
            return false;
    }
    const struct hdr *response = load_merge_ended(merge);
    uint64_t recorded = response == NULL ? 0 : (uint64_t)response->total;
    if (recorded != ok)
        load_peers_trouble(peers, "%" PRIu64 " requests succeeded, but %" PRIu64 " were recorded",
                           ok, recorded);
    return true;
}

bool load_peers_conclude(struct load_peers *peers, const struct load_spec *spec,
                         const struct load_peers_start *start, struct load_merge *merge,
                         struct load_result *result, struct base_error *err)
{
    result->complete = true;
    result->start = start->wall;
    result->start_mono = start->mono;
    result->end = start->wall;
    for (uint32_t i = 0; i < peers->count; i++) {
        add_peer(result, peers, i);
        check_peer(peers, i);
    }
    result->end_mono = base_mono_add(start->mono, (struct dur_ns){result->end.ns - start->wall.ns});
    if (!add_lateness(result, peers, err) || !merge_logs(peers, merge, result->total.ok, err))
        return false;
    uint64_t due = 0;
    uint64_t known = load_cluster_begun(spec, result);
    if (result->complete && load_cluster_scheduled(spec, &due) && known != due)
        load_peers_trouble(
            peers, "%" PRIu64 " requests were due, but the workers together knew of %" PRIu64, due,
            known);
    result->client_limited = peers->troubles.len > 0;
    if (result->client_limited && result->client_limited_by == LOAD_LIMIT_NONE)
        result->client_limited_by = LOAD_LIMIT_WORKER;
    result->client_limited_why = result->client_limited ? base_str_dup(peers->troubles.data) : NULL;
    return true;
}
