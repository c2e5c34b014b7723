/* SPDX-License-Identifier: Apache-2.0 */
#include "chaos/agent.h"

#include <linux/capability.h>
#include <stdlib.h>

#include "agent_state.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "confine.h"
#include "fault_roster.h"
#include "model/control.h"
#include "neighbours.h"
#include "netback.h"
#include "sweep.h"

enum { farewell_ms = 5, farewell_turns = 40 };

uint16_t agent_port(const struct agent *agent)
{
    return agent->server != NULL ? io_server_port(agent->server) : 0;
}

bool agent_has_standing(const struct agent *agent)
{
    for (size_t i = 0; i < agent->fault_count; i++)
        if (!fault_is_final(agent->faults[i]))
            return true;
    return false;
}

bool agent_has_ending(const struct agent *agent)
{
    for (size_t i = 0; i < agent->fault_count; i++)
        if (!fault_is_final(agent->faults[i]) && fault_end_of(agent->faults[i]) != FAULT_END_NONE)
            return true;
    return false;
}

bool agent_has_stuck(const struct agent *agent)
{
    for (size_t i = 0; i < agent->fault_count; i++)
        if (fault_record_of(agent->faults[i])->state == FAULT_STUCK)
            return true;
    return false;
}

static void check_closed(struct agent *agent)
{
    if (agent->closing && !agent_has_standing(agent) && !io_timer_active(&agent->closed_timer))
        io_timer_start(&agent->closed_timer, (struct dur_ns){0});
}

static void on_closed_timer(void *ctx)
{
    struct agent *agent = ctx;
    void (*on_closed)(void *ctx, bool clean) = agent->on_closed;
    /* Whoever waited for a fault is to read its last record, but cannot hold the exit up for long.
     */
    bool unsent = agent->server != NULL && io_server_in_flight(agent->server) > 0;
    if (unsent && agent->closed_turns++ < farewell_turns) {
        io_timer_start(&agent->closed_timer, base_dur_ms(farewell_ms));
        return;
    }
    agent->on_closed = NULL;
    if (on_closed != NULL)
        on_closed(agent->closed_ctx, !agent->unclean && !agent_has_stuck(agent));
}

/* --- recovery --- */

static void recovery_say(void *ctx, bool ok, const char *line)
{
    struct agent *agent = ctx;
    base_log_text(agent->log, ok ? BASE_WARN : BASE_ERROR, line);
    if (agent->on_recovery != NULL)
        agent->on_recovery(agent->recovery_ctx, line);
    agent->unclean = agent->unclean || !ok;
}

static void recovery_report(struct agent *agent, const struct fault *fault)
{
    const struct fault_record *record = fault_record_of(fault);
    BASE_AUTO_FREE char *line = base_str_printf(
        "journal: %s fault %s on %s%s: %s (%s)", fault_kind_name(record->kind), record->id,
        record->targets[0], record->target_count > 1 ? " and others" : "",
        fault_state_name(record->state), record->error != NULL ? record->error : "no error");
    /* agent_has_stuck counts it from the records. */
    base_log_text(agent->log, BASE_WARN, line);
    if (agent->on_recovery != NULL)
        agent->on_recovery(agent->recovery_ctx, line);
}

static void on_entry(void *ctx, struct agent_journal_entry *entry)
{
    struct agent *agent = ctx;
    agent_roll_add(agent, fault_recover(&agent->env, entry));
}

static void on_corrupt(void *ctx, const char *file, const struct base_error *why)
{
    BASE_AUTO_FREE char *line = base_str_printf(
        "journal: %s: set aside as %s; nftables tables of ours were swept by name, a fault inside "
        "an application ends by its own TTL, one that a process beside the agent kept ended with "
        "that; look at the platform and remove the file",
        why->message, file);
    recovery_say(ctx, false, line);
}

static bool recover(struct agent *agent, struct base_error *err)
{
    struct agent_journal_reader reader = {
        .on_entry = on_entry, .on_corrupt = on_corrupt, .ctx = agent};
    (void)agent_sweep_tables(&agent->topo, recovery_say, agent);
    return agent_journal_load(agent->journal, &reader, err);
}

/* As if it had never been asked for: the same request may come again. */
static void forget(struct agent *agent, const struct fault *fault)
{
    agent_used_give_back(agent->used, fault_spec_of(fault)->id);
    agent_roll_drop(agent, fault);
}

static void on_settled(void *ctx, struct fault *fault)
{
    struct agent *agent = ctx;
    const struct fault_record *record = fault_record_of(fault);
    if (fault_is_final(fault) && record->end == FAULT_END_RECOVERY)
        recovery_report(agent, fault);
    const char *parent = fault_spec_of(fault)->parent;
    struct fault *whole = parent != NULL ? agent_live(agent, parent) : NULL;
    if (whole != NULL)
        fault_roster_wake(whole);
    agent_api_settled(agent, fault);
    if (fault_refusal(fault) != NULL)
        forget(agent, fault);
    agent_roll_settled(agent);
    check_closed(agent);
}

/* --- injecting --- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Looked at for each fault, read when it has changed: of a large platform that takes longer than
 * all the rest of a request. Looked at before it is read, so that no change is missed. */
static bool refresh_topology(struct agent *agent, struct base_error *err)
{
    struct topo fresh = {0};
    struct stat now = {0};
    bool known = stat(agent->topology_path, &now) == 0;
    if (known && same_file(&now, &agent->topo_file))
        return true;
    if (!topo_read(agent->topology_path, &fresh, err))
        return base_fail_context(err, "topology of the agent");
    topo_fini(&agent->topo);
    agent->topo = fresh;
    agent->topo_file = now;
    return true;
}

static bool admit(struct agent *agent, const struct fault_spec *spec, struct base_error *err)
{
    struct agent_standing standing[AGENT_MAX_STANDING];
    size_t count = 0;
    for (size_t i = 0; i < agent->fault_count; i++) {
        const struct fault *fault = agent->faults[i];
        const struct fault_record *record = fault_record_of(fault);
        if (record->state == FAULT_GONE)
            continue;
        if (count == AGENT_MAX_STANDING)
            return base_fail(err, BASE_LIMIT, "this agent has %zu faults standing already", count);
        standing[count++] =
            (struct agent_standing){fault_spec_of(fault), record->targets, record->target_count};
    }
    return agent_admit(spec, &agent->topo, &agent->limits, standing, count, err);
}

bool agent_can(const struct agent *agent, enum fault_kind kind, struct base_error *why)
{
    if (agent->host[kind].code == BASE_OK)
        return fault_platform_can(kind, &agent->topo, why);
    *why = agent->host[kind];
    return false;
}

/* A store's node is cut off by what a partition is made of. */
static bool can_cut_off(const struct agent *agent, const struct fault_spec *spec,
                        struct base_error *why)
{
    const struct base_error *host = &agent->host[FAULT_PARTITION];
    return fault_failover_of(spec) == NULL || host->code == BASE_OK ||
           base_fail(why, host->code, "fault %s cuts off: %s", spec->id, host->message);
}

/* A run that claims to start later than any halt could not be halted; one of long ago is somebody
 * repeating a request whose id is no longer remembered. */
static bool check_clock(const struct fault_spec *spec, struct base_error *err)
{
    char theirs[BASE_WALL_TEXT];
    char ours[BASE_WALL_TEXT];
    struct wall_ns now = base_wall_now();
    int64_t ahead = spec->started.ns - now.ns;
    base_wall_format(spec->started, theirs);
    base_wall_format(now, ours);
    if (ahead > CONTROL_MAX_SKEW_S * BASE_NS_PER_S)
        return base_fail(err, BASE_DENIED,
                         "fault %s: its run started at %s, but here it is %s: a halt compares the "
                         "two; set the clocks of controller and agent (NTP)",
                         spec->id, theirs, ours);
    if (-ahead > CONTROL_MAX_AGE_S * BASE_NS_PER_S)
        return base_fail(err, BASE_DENIED,
                         "fault %s: its run was planned at %s, more than %d h ago (here it is %s): "
                         "start a new run, or set the clocks of controller and agent (NTP)",
                         spec->id, theirs, CONTROL_MAX_AGE_S / 3600, ours);
    return true;
}

struct fault *agent_take(struct agent *agent, const struct fault_spec *spec, struct base_error *err)
{
    if (!refresh_topology(agent, err)) {
        if (err != NULL)
            err->code = BASE_UNAVAILABLE;
        return NULL;
    }
    if (spec->parent != NULL) {
        (void)base_fail(err, BASE_INVALID, "fault %s: parent is for the agent to give", spec->id);
        return NULL;
    }
    if (!admit(agent, spec, err) || !check_clock(spec, err) || !agent_can(agent, spec->kind, err) ||
        !can_cut_off(agent, spec, err) || !agent_used_check(agent->used, spec->id, err))
        return NULL;
    return fault_new(&agent->env, spec, &agent->topo, err);
}

/* --- for faults that are made of others --- */

static struct fault *on_spawn(void *ctx, const struct fault_spec *spec, const struct topo *topo,
                              struct base_error *err)
{
    struct agent *agent = ctx;
    if (agent->closing) {
        (void)base_fail(err, BASE_UNAVAILABLE, "this agent is shutting down");
        return NULL;
    }
    struct fault *fault = admit(agent, spec, err) ? fault_new(&agent->env, spec, topo, err) : NULL;
    if (fault != NULL)
        agent_roll_add(agent, fault);
    return fault;
}

static struct fault *on_find(void *ctx, const char *id)
{
    return agent_live(ctx, id);
}

static void on_each_part(void *ctx, const char *parent,
                         void (*on_part)(void *part_ctx, struct fault *part), void *part_ctx)
{
    struct agent *agent = ctx;
    for (size_t i = 0; i < agent->fault_count; i++)
        if (base_str_eq(fault_spec_of(agent->faults[i])->parent, parent))
            on_part(part_ctx, agent->faults[i]);
}

static const struct topo *on_topology(void *ctx)
{
    struct agent *agent = ctx;
    (void)refresh_topology(agent, NULL); /* one that cannot be read is as it was */
    return &agent->topo;
}

bool agent_start(struct agent *agent, struct fault *fault, struct base_error *err)
{
    if (!agent_used_take(agent->used, fault_spec_of(fault)->id, err))
        return false;
    agent_roll_add(agent, fault);
    if (!fault_spec_of(fault)->track.on)
        agent_watch_add(agent->watch, fault);
    fault_start(fault);
    return true;
}

/* --- birth and death --- */

/* Once: neither the kernel nor our privileges grow, and a request must not wait for it. */
static void look_at_host(struct agent *agent)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct base_error *why = &agent->host[kind];
        *why = (struct base_error){.code = BASE_OK};
        if (!fault_host_can((enum fault_kind)kind, why))
            base_log_line(agent->log, BASE_WARN, why->message,
                          BASE_TEXT("kind", fault_kind_name((enum fault_kind)kind)));
    }
}

bool agent_confine(const struct agent *agent, struct base_error *err)
{
    /* Sockets and namespaces of other users' processes are behind ptrace(2)'s check (proc(5)). */
    bool finds = topo_any(&agent->topo, topo_is_found);
    uint64_t keep = finds ? UINT64_C(1) << CAP_SYS_PTRACE : 0;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (agent->host[kind].code == BASE_OK)
            keep |= fault_ops_of((enum fault_kind)kind)->capabilities;
    return fault_confine(keep, err);
}

static void say_clamped(const struct agent *agent)
{
    char ahead[BASE_WALL_TEXT];
    char now[BASE_WALL_TEXT];
    struct wall_ns found = agent_journal_halted_ahead(agent->journal);
    if (found.ns == 0)
        return;
    base_wall_format(found, ahead);
    base_wall_format(agent_journal_halted(agent->journal), now);
    base_log_line(
        agent->log, BASE_WARN,
        "the journal's last halt lies ahead of the clock, which was wrong then or is now: "
        "it counts as of now",
        BASE_TEXT("halted", ahead), BASE_TEXT("now", now));
}

/* As they are at the start: a link that is changed later leads nowhere else. */
static bool take_allowed(struct agent *agent, const struct agent_config *config,
                         struct base_error *err)
{
    agent->allowed = base_calloc(config->allowed_count, sizeof *agent->allowed);
    for (size_t i = 0; i < config->allowed_count; i++) {
        const char *path = config->allowed[i];
        struct stat seen;
        char *real = path[0] == '/' ? realpath(path, NULL) : NULL;
        if (real == NULL || stat(real, &seen) < 0 || !S_ISDIR(seen.st_mode)) {
            free(real);
            return base_fail(err, BASE_INVALID,
                             "--allow-path %s: expected the absolute path of a folder that is "
                             "there",
                             path);
        }
        agent->allowed[agent->allowed_count++] = real;
    }
    return true;
}

/* What it keeps on disk, and what syncs that. */
static bool open_files(struct agent *agent, const struct agent_config *config,
                       struct base_error *err)
{
    agent->journal = agent_journal_open(config->journal, err);
    if (agent->journal == NULL)
        return false;
    say_clamped(agent);
    /* An id is remembered for longer than its request would be taken, by any clock we accept. */
    agent->used = agent_used_open(config->journal,
                                  base_dur_s(CONTROL_MAX_AGE_S + 2 * CONTROL_MAX_SKEW_S), err);
    if (agent->used == NULL)
        return false;
    agent->used_pruned = base_mono_now();
    agent->audit = agent_audit_open(config->audit, config->log->fd, err);
    if (agent->audit == NULL)
        return false;
    agent_audit_bound(agent->audit, config->audit_max, config->audit_keep);
    const struct agent_commit_config commit = {
        .loop = agent->loop,
        .journal = agent->journal,
        .used = agent->used,
        .audit = agent->audit,
    };
    agent->commit = agent_commit_new(&commit, err);
    return agent->commit != NULL;
}

static bool set_up(struct agent *agent, const struct agent_config *config, struct base_error *err)
{
    look_at_host(agent);
    if (config->address != NULL && !agent_check_access(agent, config, err))
        return false;
    if (!refresh_topology(agent, err) || !take_allowed(agent, config, err))
        return false;
    agent->http = io_http_new(agent->loop);
    if (!open_files(agent, config, err))
        return false;
    agent->env = (struct fault_env){
        .loop = agent->loop,
        .http = agent->http,
        .journal = agent->journal,
        .commit = agent->commit,
        .log = agent->log,
        .neighbourhood = fault_neighbourhood_new(agent->loop),
        .netback = fault_netback_pick(NULL),
        .allowed = agent->allowed,
        .allowed_count = agent->allowed_count,
        .spawn = on_spawn,
        .find = on_find,
        .each_part = on_each_part,
        .topology = on_topology,
        .on_settled = on_settled,
        .ctx = agent,
    };
    agent->watch = agent_watch_new(&agent->env);
    /* The address first: when it is in use, nothing of a running platform is touched. */
    if (config->address != NULL && !agent_listen(agent, config, err))
        return false;
    return recover(agent, err);
}

struct agent *agent_new(struct io_loop *loop, const struct agent_config *config,
                        struct base_error *err)
{
    struct agent *agent = base_calloc(1, sizeof *agent);
    agent->loop = loop;
    agent->log = config->log;
    agent->topology_path = base_str_dup(config->topology);
    agent->limits = (struct agent_limits){config->max_duration, config->max_affected};
    agent->started = base_wall_now();
    agent->on_recovery = config->on_recovery;
    agent->recovery_ctx = config->ctx;
    base_buf_init(&agent->halted, SIZE_MAX);
    agent_roll_init(agent);
    io_timer_init(&agent->closed_timer, loop, on_closed_timer, agent);
    if (!set_up(agent, config, err)) {
        agent_free(agent);
        return NULL;
    }
    agent_roll_begin(agent);
    return agent;
}

void agent_shutdown(struct agent *agent, void (*on_done)(void *ctx, bool clean), void *ctx)
{
    if (agent->closing)
        return;
    agent->closing = true;
    agent->on_closed = on_done;
    agent->closed_ctx = ctx;
    if (agent->server != NULL)
        io_server_stop_accepting(agent->server);
    for (size_t i = 0; agent->server != NULL && i < agent->fault_count; i++)
        fault_end(agent->faults[i], FAULT_END_HALT);
    check_closed(agent);
}

void agent_free(struct agent *agent)
{
    if (agent == NULL)
        return;
    io_server_free(agent->server);
    agent_api_fini(agent);
    agent_watch_free(agent->watch);
    agent_roll_fini(agent);
    fault_neighbourhood_free(agent->env.neighbourhood);
    base_buf_fini(&agent->halted);
    for (size_t i = 0; i < agent->allowed_count; i++)
        free(agent->allowed[i]);
    free(agent->allowed);
    io_timer_fini(&agent->closed_timer);
    io_http_free(agent->http);
    agent_commit_free(agent->commit);
    agent_journal_close(agent->journal);
    agent_audit_close(agent->audit);
    agent_used_close(agent->used);
    free(agent->token_name);
    topo_fini(&agent->topo);
    free(agent->topology_path);
    free(agent);
}
