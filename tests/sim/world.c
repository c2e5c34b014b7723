/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const int64_t START = 1000 * BASE_NS_PER_S;
static const int64_t HOUR = 3600 * BASE_NS_PER_S;
static const int64_t CLIENT_PATIENCE = 2 * BASE_NS_PER_S;

/* --- time --- */

static void later(struct world *world, int64_t delay, void (*deliver)(struct world_pending *),
                  size_t index, enum run_request request)
{
    if (world->pending_count == WORLD_PENDING)
        abort();
    world->pending[world->pending_count++] =
        (struct world_pending){world->now + delay, deliver, world, index, request};
}

static int64_t network_delay(struct world *world)
{
    return (int64_t)base_rng_below(&world->rng, 5 * (uint64_t)BASE_NS_PER_MS) + 1;
}

static struct mono_ns fx_mono(void *ctx)
{
    const struct world *world = ctx;
    return (struct mono_ns){world->now};
}

static struct wall_ns fx_wall(void *ctx)
{
    const struct world *world = ctx;
    return (struct wall_ns){world->now};
}

static void fx_wake_at(void *ctx, struct mono_ns when)
{
    struct world *world = ctx;
    world->wake_at = when.ns;
}

/* --- disk --- */

static bool fx_event(void *ctx, const char *type, const json_t *fields)
{
    struct world *world = ctx;
    (void)fields;
    if (world->disk_full_at >= 0 && world->event_count >= (size_t)world->disk_full_at)
        return false;
    if (world->event_count < WORLD_EVENTS)
        world->events[world->event_count++] = base_str_dup(type);
    return true;
}

static bool fx_store(void *ctx, const char *name, const json_t *document)
{
    const struct world *world = ctx;
    (void)name;
    (void)document;
    return world->disk_full_at < 0;
}

/* --- checks and queries --- */

static void deliver_check(struct world_pending *p)
{
    run_on_check(p->world->run, p->index, p->world->failing_check != (int)p->index, "answered 503");
}

static void fx_check(void *ctx, size_t check)
{
    struct world *world = ctx;
    later(world, network_delay(world), deliver_check, check, RUN_STATUS);
}

static void deliver_probe(struct world_pending *p)
{
    const struct world *world = p->world;
    bool bad = world->probe_fails_from >= 0 && world->now >= START + world->probe_fails_from &&
               world->now < START + world->probe_fails_until;
    run_on_probe(world->run, p->index, !bad, bad ? "refused" : NULL);
}

static void fx_probe(void *ctx, size_t probe)
{
    struct world *world = ctx;
    if (world->probed[probe]++ == 0)
        world->probed_first[probe] = world->now;
    world->probed_last[probe] = world->now;
    later(world, network_delay(world), deliver_probe, probe, RUN_STATUS);
}

static void deliver_query(struct world_pending *p)
{
    json_t *data = json_pack("{s:s,s:[]}", "resultType", "matrix", "result");
    const struct run_query_result good = {.ok = true, .url = "sim", .data = data};
    const struct run_query_result bad = {.error = "connection refused", .url = "sim"};
    run_on_query(p->world->run, p->index, p->world->queries_fail ? &bad : &good);
    json_decref(data);
}

static void fx_query(void *ctx, size_t query, const char *text, struct wall_ns at)
{
    struct world *world = ctx;
    double seconds = 0;
    (void)sscanf(strchr(text, '['), "[%lfs]", &seconds);
    world->queried_from = at.ns - (int64_t)(seconds * 1e9);
    if (!world->queries_hang)
        later(world, network_delay(world), deliver_query, query, RUN_STATUS);
}

/* --- load --- */

static void end_load(struct world *world, bool complete, const char *error)
{
    if (!world->load_running)
        return;
    world->load_running = false;
    world->load_ended_at = world->now;
    run_on_load_ended(world->run, complete, error);
}

static void deliver_interval(struct world_pending *p)
{
    struct world *world = p->world;
    const struct load_spec *spec = &world->plan.load;
    if (!world->load_running)
        return;
    if (world->load_dies_at >= 0 && world->now >= START + world->load_dies_at) {
        end_load(world, false, "killed by signal 9");
        return;
    }
    if (world->load_hangs_at >= 0 && world->now >= START + world->load_hangs_at)
        return;
    uint64_t sent = 100;
    uint64_t failed = (uint64_t)(world->error_share * 100);
    struct load_interval interval = {
        .start = {world->now - spec->interval.ns},
        .start_mono = {world->now - spec->interval.ns},
        .length = spec->interval,
        .counts = {.intended = sent, .sent = sent, .ok = sent - failed},
    };
    interval.counts.failed[LOAD_FAIL_HTTP_5XX] = failed;
    run_on_load_interval(world->run, &interval);
    bool over = world->now >= world->load_started_at + spec->duration.ns;
    if (over || (world->load_stopping && !world->load_ignores_stop))
        end_load(world, true, NULL);
    else
        later(world, spec->interval.ns, deliver_interval, 0, RUN_STATUS);
}

static void deliver_load_started(struct world_pending *p)
{
    p->world->load_started_at = p->world->now;
    run_on_load_started(p->world->run, (struct mono_ns){p->world->now});
    later(p->world, p->world->plan.load.interval.ns, deliver_interval, 0, RUN_STATUS);
}

static void fx_load_start(void *ctx)
{
    struct world *world = ctx;
    world->load_running = true;
    later(world, 20 * BASE_NS_PER_MS, deliver_load_started, 0, RUN_STATUS);
}

static void fx_load_phase(void *ctx, const char *phase)
{
    struct world *world = ctx;
    size_t len = strlen(world->told);
    (void)snprintf(world->told + len, sizeof world->told - len, "%s ", phase);
}

/* --- the operator --- */

static void deliver_operator(struct world_pending *p)
{
    if (run_on_continue(p->world->run, "sim") != NULL)
        p->world->continued_at = p->world->now;
}

static void fx_suspended(void *ctx, bool on)
{
    struct world *world = ctx;
    world->listening = on;
    if (!on)
        return;
    world->suspended_at = world->now;
    for (size_t i = 0; i < WORLD_FAULTS; i++)
        world->broken_while_suspended |= world_in_force(world, i, world->now);
    if (world->operator_after >= 0)
        later(world, world->operator_after, deliver_operator, 0, RUN_STATUS);
}

static void fx_load_stop(void *ctx)
{
    struct world *world = ctx;
    world->load_stopping = true;
}

static void deliver_load_killed(struct world_pending *p)
{
    end_load(p->world, false, "killed by signal 9");
}

static void fx_load_kill(void *ctx)
{
    struct world *world = ctx;
    later(world, BASE_NS_PER_MS, deliver_load_killed, 0, RUN_STATUS);
}

/* --- agent --- */

static const struct fault_spec *spec_of(const struct world *world, size_t fault)
{
    return &world->plan.faults[fault].spec;
}

static void agent_end(struct world *world, size_t index, enum fault_end end, int64_t at)
{
    struct world_fault *fault = &world->faults[index];
    if (!fault->applied || fault->reverted || fault->forgotten)
        return;
    fault->reverted = true;
    fault->reverted_at = at;
    fault->record.end = end;
    fault->record.state = FAULT_REVERTING;
}

/* Reverted faults whose absence has been looked for long enough. */
static void agent_measures(struct world *world)
{
    for (size_t i = 0; i < WORLD_FAULTS && !world->agent_dead; i++) {
        struct world_fault *fault = &world->faults[i];
        if (fault->reverted && fault->record.state == FAULT_REVERTING &&
            world->now >= fault->reverted_at + world->slow_gone)
            fault->record.state = world->stuck[i] ? FAULT_STUCK : FAULT_GONE;
    }
}

/* What the agent's own timers would have done by now; nothing while it is dead. */
static void agent_timers(struct world *world)
{
    for (size_t i = 0; i < WORLD_FAULTS && !world->agent_dead; i++) {
        const struct world_fault *fault = &world->faults[i];
        if (fault->applied && world->now >= fault->expires_at)
            agent_end(world, i, FAULT_END_EXPIRED, fault->expires_at);
        if (fault->applied && world->now >= fault->lease_until)
            agent_end(world, i, FAULT_END_LEASE, fault->lease_until);
        if (world->halt_at >= 0 && world->now >= START + world->halt_at)
            agent_end(world, i, FAULT_END_HALT, world->now);
    }
}

static void agent_revive(struct world *world)
{
    if (!world->agent_dead || world->agent_back_at < 0 || world->now < world->agent_back_at)
        return;
    world->agent_dead = false;
    for (size_t i = 0; world->death != DIE_STOPPED && i < WORLD_FAULTS; i++) {
        if (world->journal_lost)
            world->faults[i].forgotten = true;
        else
            agent_end(world, i, FAULT_END_RECOVERY, world->now);
    }
}

static void agent_apply(struct world *world, size_t index)
{
    struct world_fault *fault = &world->faults[index];
    const struct fault_spec *spec = spec_of(world, index);
    if (fault->applied)
        return;
    fault->applied = true;
    fault->applied_at = world->now;
    fault->lease_until = world->now + spec->lease.ns;
    fault->expires_at = world->now + spec->duration.ns;
    fault->record = (struct fault_record){.id = base_str_dup(spec->id),
                                          .run = base_str_dup(spec->run),
                                          .name = base_str_dup(spec->name),
                                          .kind = spec->kind,
                                          .state = FAULT_ACTIVE,
                                          .was_active = true};
    if (world->ineffective[index]) {
        fault->record.was_active = false;
        agent_end(world, index, FAULT_END_FAILED, world->now);
    }
}

static void agent_renew(struct world *world, size_t index)
{
    static char target[] = "users-9";
    static char what[] = "new instance";
    static char how[] = "as sim-a.2";
    struct world_fault *fault = &world->faults[index];
    fault->lease_until = world->now + spec_of(world, index)->lease.ns;
    if (!world->joins[index] || ++fault->renewals > 2)
        return;
    const struct fault_arrival arrival = {
        .target = target, .what = what, .how = how, .joined = fault->renewals == 1};
    fault_record_add_arrival(&fault->record, &arrival);
}

static void agent_work(struct world *world, size_t index, enum run_request request)
{
    struct world_fault *fault = &world->faults[index];
    if (request == RUN_APPLY && !world->refused[index])
        agent_apply(world, index);
    else if (request == RUN_RENEW && fault->applied && !fault->reverted)
        agent_renew(world, index);
    else if (request == RUN_REVERT)
        agent_end(world, index, FAULT_END_REQUEST, world->now);
}

/* The answer leaves when the work is done; here it is built when it arrives. */
static void deliver_answer(struct world_pending *p)
{
    struct world *world = p->world;
    const struct world_fault *fault = &world->faults[p->index];
    struct run_reply reply = {.kind = RUN_REPLY_RECORD, .record = &fault->record};
    if (p->request == RUN_APPLY && world->refused[p->index])
        reply = (struct run_reply){.kind = world->halted ? RUN_REPLY_HALTED : RUN_REPLY_REFUSED,
                                   .error = "over the cap"};
    else if (!fault->applied || fault->forgotten)
        reply = (struct run_reply){.kind = RUN_REPLY_UNKNOWN};
    else if (p->request == RUN_RENEW && fault->reverted)
        reply = (struct run_reply){.kind = RUN_REPLY_REFUSED, .error = "no longer active"};
    run_on_fault(world->run, p->index, p->request, &reply);
}

static void deliver_refusal(struct world_pending *p)
{
    const struct run_reply reply = {.kind = RUN_REPLY_UNSENT, .error = "connection refused"};
    run_on_fault(p->world->run, p->index, p->request, &reply);
}

static void deliver_silence(struct world_pending *p)
{
    const struct run_reply reply = {.kind = RUN_REPLY_UNREACHABLE, .error = "connection reset"};
    run_on_fault(p->world->run, p->index, p->request, &reply);
}

static void deliver_request(struct world_pending *p)
{
    struct world *world = p->world;
    agent_revive(world);
    agent_timers(world);
    bool was_dead = world->agent_dead;
    bool dies = !was_dead && world->death != DIE_NEVER && world->requests++ == world->death_step;
    bool works = !dies || world->death == DIE_AFTER_WORK;
    if (!world->agent_dead && works)
        agent_work(world, p->index, p->request);
    agent_measures(world);
    if (dies) {
        world->agent_dead = true;
        world->agent_back_at =
            world->agent_back_after < 0 ? -1 : world->now + world->agent_back_after;
    }
    bool stopped = world->agent_dead && world->death == DIE_STOPPED;
    later(world, stopped ? CLIENT_PATIENCE : network_delay(world),
          stopped             ? deliver_silence
          : was_dead          ? deliver_refusal
          : world->agent_dead ? deliver_silence
                              : deliver_answer,
          p->index, p->request);
}

static void fx_fault(void *ctx, size_t fault, enum run_request request)
{
    struct world *world = ctx;
    struct world_fault *of = &world->faults[fault];
    world->broken_while_suspended |= world->listening;
    of->revert_asked = of->revert_asked || request == RUN_REVERT;
    world->renewals_after_revert += of->revert_asked && request == RUN_RENEW ? 1 : 0;
    later(world, network_delay(world), deliver_request, fault, request);
}

static void fx_finished(void *ctx)
{
    struct world *world = ctx;
    world->finished_at = world->now;
}

/* --- the world --- */

static struct plan_fault make_fault(const char *name, int at_s, int for_s)
{
    struct plan_fault fault = {.at = base_dur_s(at_s)};
    fault.spec = (struct fault_spec){
        .id = base_str_printf("sim-%s", name),
        .run = base_str_dup("sim"),
        .name = base_str_dup(name),
        .kind = FAULT_APP,
        .duration = base_dur_s(for_s),
        .lease = base_dur_s(3),
        .max_affected = 0.5,
        .service = base_str_dup("users"),
    };
    return fault;
}

static struct plan_phase make_phase(const char *name, int at_s)
{
    return (struct plan_phase){.name = base_str_dup(name), .start = base_dur_s(at_s)};
}

static void make_plan(struct plan *plan)
{
    *plan = (struct plan){
        .run = base_str_dup("sim"),
        .scenario = base_str_dup("sim"),
        .duration = base_dur_s(40),
        .steady_for = base_dur_s(2),
        .steady_deadline = base_dur_s(20),
        .scrape_interval = base_dur_s(1),
        .load = {.duration = base_dur_s(40),
                 .timeout = base_dur_s(2),
                 .interval = base_dur_s(1),
                 .first_phase = base_str_dup("steady")},
    };
    plan->faults = base_calloc(WORLD_FAULTS, sizeof *plan->faults);
    plan->fault_count = WORLD_FAULTS;
    plan->faults[0] = make_fault("a", 5, 8);
    plan->faults[1] = make_fault("b", 15, 8);
    plan->faults[2] = make_fault("c", 18, 10); /* overlaps b, on another target */
    plan->phases = base_calloc(6, sizeof *plan->phases);
    plan->phase_count = 6;
    plan->phases[0] = make_phase("steady", 0);
    plan->phases[1] = make_phase("a", 5);
    plan->phases[2] = make_phase("after-a", 13);
    plan->phases[3] = make_phase("b", 15);
    plan->phases[4] = make_phase("c", 18);
    plan->phases[5] = make_phase("after-c", 28);
    plan->checks = base_calloc(1, sizeof *plan->checks);
    plan->check_count = 1;
    plan->checks[0].name = base_str_dup("ready");
    plan->slos = base_calloc(1, sizeof *plan->slos);
    plan->slo_count = 1;
    plan->slos[0] = (struct plan_slo){.name = base_str_dup("availability"),
                                      .total = base_str_dup("t"),
                                      .bad = base_str_dup("b"),
                                      .up = base_str_dup("up")};
    plan->aborts = base_calloc(1, sizeof *plan->aborts);
    plan->abort_count = 1;
    plan->aborts[0] =
        (struct plan_abort){.name = base_str_dup("too many errors"), .over = base_dur_s(3)};
    (void)expectation_parse("errors > 60%", &plan->aborts[0].when, NULL);
}

void world_init(struct world *world)
{
    *world = (struct world){
        .failing_check = -1,
        .disk_full_at = -1,
        .signal_at = -1,
        .second_signal_at = -1,
        .halt_at = -1,
        .load_dies_at = -1,
        .load_hangs_at = -1,
        .probe_fails_from = -1,
        .operator_after = -1,
        .operator_calls_at = -1,
        .agent_back_after = -1,
        .now = START,
        .wake_at = INT64_MAX,
    };
    base_rng_seed(&world->rng, 1);
    make_plan(&world->plan);
}

static void deliver_signal(struct world_pending *p)
{
    run_on_signal(p->world->run, "INT");
}

static bool step(struct world *world)
{
    size_t first = WORLD_PENDING;
    for (size_t i = 0; i < world->pending_count; i++) {
        if (first == WORLD_PENDING || world->pending[i].at < world->pending[first].at)
            first = i;
    }
    bool news = first != WORLD_PENDING && world->pending[first].at <= world->wake_at;
    int64_t at = news ? world->pending[first].at : world->wake_at;
    if (at == INT64_MAX || at > START + HOUR)
        return false;
    world->now = at > world->now ? at : world->now;
    if (!news) {
        world->wake_at = INT64_MAX;
        run_on_wake(world->run);
        return true;
    }
    struct world_pending p = world->pending[first];
    world->pending[first] = world->pending[--world->pending_count];
    p.deliver(&p);
    return true;
}

void world_run(struct world *world)
{
    const struct run_effects effects = {
        .ctx = world,
        .mono = fx_mono,
        .wall = fx_wall,
        .wake_at = fx_wake_at,
        .event = fx_event,
        .store = fx_store,
        .check = fx_check,
        .probe = fx_probe,
        .load_start = fx_load_start,
        .load_phase = fx_load_phase,
        .load_stop = fx_load_stop,
        .load_kill = fx_load_kill,
        .fault = fx_fault,
        .query = fx_query,
        .suspended = fx_suspended,
        .finished = fx_finished,
    };
    enum { STEPS = 1000000 };
    world->run = run_new(&world->plan, &effects);
    if (world->signal_at >= 0)
        later(world, world->signal_at, deliver_signal, 0, RUN_STATUS);
    if (world->second_signal_at >= 0)
        later(world, world->second_signal_at, deliver_signal, 0, RUN_STATUS);
    if (world->operator_calls_at >= 0)
        later(world, world->operator_calls_at, deliver_operator, 0, RUN_STATUS);
    run_begin(world->run);
    for (int i = 0; i < STEPS && !run_finished(world->run) && step(world); i++)
        continue;
    agent_timers(world);
    agent_measures(world);
}

void world_fini(struct world *world)
{
    run_free(world->run);
    plan_fini(&world->plan);
    for (size_t i = 0; i < world->event_count; i++)
        free(world->events[i]);
    for (size_t i = 0; i < WORLD_FAULTS; i++)
        fault_record_fini(&world->faults[i].record);
}

bool world_in_force(const struct world *world, size_t fault, int64_t at)
{
    const struct world_fault *f = &world->faults[fault];
    if (!f->applied || at < f->applied_at || at >= f->lease_until)
        return false;
    return !f->reverted || at < f->reverted_at;
}

bool world_any_in_force(const struct world *world, int64_t at)
{
    for (size_t i = 0; i < WORLD_FAULTS; i++) {
        if (world_in_force(world, i, at))
            return true;
    }
    return false;
}

size_t world_count(const struct world *world, const char *event)
{
    size_t n = 0;
    for (size_t i = 0; i < world->event_count; i++)
        n += base_str_eq(world->events[i], event) ? 1 : 0;
    return n;
}

size_t world_position(const struct world *world, const char *event)
{
    for (size_t i = 0; i < world->event_count; i++) {
        if (base_str_eq(world->events[i], event))
            return i;
    }
    return WORLD_EVENTS;
}
