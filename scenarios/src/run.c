/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a run; see scenarios/run.h for the picture. */
#include "scenarios/run.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

static const struct dur_ns CHECK_PAUSE = {250 * BASE_NS_PER_MS};
static const struct dur_ns LOAD_START_LIMIT = {10 * BASE_NS_PER_S};
static const struct dur_ns LOAD_SILENCE = {5 * BASE_NS_PER_S}; /* three intervals, if longer */
static const struct dur_ns LOAD_END_SLACK = {5 * BASE_NS_PER_S};
static const struct dur_ns QUERY_LIMIT = {15 * BASE_NS_PER_S};

enum { STAGES = RUN_DONE + 1 };
static const bool allowed[STAGES][STAGES] = {
    [RUN_IDLE] = {[RUN_STEADY] = true},
    [RUN_STEADY] = {[RUN_STARTING] = true, [RUN_REVERTING] = true},
    [RUN_STARTING] = {[RUN_LOADING] = true, [RUN_REVERTING] = true},
    [RUN_LOADING] = {[RUN_SETTLING] = true, [RUN_REVERTING] = true},
    [RUN_REVERTING] = {[RUN_QUERYING] = true, [RUN_DONE] = true},
    [RUN_SETTLING] = {[RUN_QUERYING] = true, [RUN_REVERTING] = true},
    [RUN_QUERYING] = {[RUN_DONE] = true},
};

static bool enter(struct run *run, enum run_stage stage, struct dur_ns limit)
{
    if (!allowed[run->stage][stage])
        return false;
    run->stage = stage;
    run->deadline = base_mono_add(run_now(run), limit);
    return true;
}

struct mono_ns run_now(const struct run *run)
{
    return run->fx->mono(run->fx->ctx);
}

const char *run_abort_name(enum run_abort abort)
{
    static const char *const names[] = {"none",  "guard", "signal",  "halt",
                                        "fault", "tool",  "operator"};
    return (size_t)abort < sizeof names / sizeof names[0] ? names[abort] : "unknown";
}

struct run *run_new(const struct plan *plan, const struct run_effects *effects)
{
    struct run *run = base_calloc(1, sizeof *run);
    run->plan = plan;
    run->fx = effects;
    run->faults = base_calloc(plan->fault_count, sizeof *run->faults);
    run->probes = json_array();
    run->query_results = json_array();
    run_guard_init(run);
    run_queries_init(run);
    run_probes_init(run);
    return run;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    run_guard_fini(run);
    run_queries_fini(run);
    run_probes_fini(run);
    for (size_t i = 0; i < run->plan->fault_count; i++)
        json_decref(run->faults[i].record);
    free(run->faults);
    json_decref(run->probes);
    json_decref(run->query_results);
    free(run->check_detail);
    free(run->phase);
    free(run->outcome.why);
    free(run);
}

bool run_finished(const struct run *run)
{
    return run->stage == RUN_DONE;
}

const struct run_outcome *run_get_outcome(const struct run *run)
{
    return &run->outcome;
}

/* --- ending early --- */

static void stop_load(struct run *run)
{
    if (!run->load_running || run->stop_sent.ns != 0)
        return;
    run->stop_sent = run_now(run);
    run->fx->load_stop(run->fx->ctx);
}

void run_abort(struct run *run, enum run_abort by, const char *why)
{
    if (run->outcome.aborted != RUN_NOT_ABORTED)
        return;
    if (!enter(run, RUN_REVERTING, (struct dur_ns){0}) && run->stage != RUN_QUERYING)
        return;
    run->outcome.aborted = by;
    run->outcome.why = base_str_dup(why);
    run_event_take(run, "abort",
                   json_pack("{s:s,s:o}", "by", run_abort_name(by), "why", model_json_text(why)));
    if (run->pause_began.ns != 0)
        run->fx->suspended(run->fx->ctx, false); /* nobody needs to continue it any more */
    /* Faults before load: what breaks the platform goes first. */
    while (run_faults_advance(run, run_now(run)))
        continue;
    stop_load(run);
}

/* --- the stages --- */

static size_t platform_checks(const struct run *run)
{
    return run->plan->check_count + run->plan->slo_count + (run->plan->fault_count > 0 ? 1 : 0);
}

static char *check_name(const struct run *run, size_t check)
{
    const struct plan *plan = run->plan;
    if (check < plan->check_count)
        return base_str_dup(plan->checks[check].name);
    if (check < plan->check_count + plan->slo_count)
        return base_str_printf("scrapes for SLO %s", plan->slos[check - plan->check_count].name);
    return base_str_dup("chaos agent");
}

static void begin_checks(struct run *run)
{
    size_t checks = platform_checks(run);
    run->checks_ok = true;
    run->checks_open = checks + run_probes_before(run);
    for (size_t i = 0; i < checks; i++)
        run->fx->check(run->fx->ctx, i);
    run_probes_ask_before(run);
}

static void begin_load(struct run *run)
{
    /* A setup that fails is torn down first. */
    int64_t once = load_spec_once_limit(&run->plan->load, true).ns +
                   load_spec_once_limit(&run->plan->load, false).ns;
    if (!enter(run, RUN_STARTING, (struct dur_ns){LOAD_START_LIMIT.ns + once}))
        return;
    run->load_running = true;
    run->fx->load_start(run->fx->ctx);
}

static bool advance_steady(struct run *run, struct mono_ns now)
{
    if (platform_checks(run) + run_probes_before(run) == 0) {
        begin_load(run);
        return true;
    }
    if (!base_mono_before(now, run->deadline)) {
        char *why = base_str_printf("steady state was not reached: %s",
                                    run->check_detail != NULL ? run->check_detail
                                                              : "no check has answered");
        run_abort(run, RUN_ABORT_GUARD, why);
        free(why);
        return true;
    }
    if (run->checks_open > 0 || base_mono_before(now, run->checks_next))
        return false;
    begin_checks(run);
    return true;
}

/* All checks of a round have answered. */
static void end_checks(struct run *run, struct mono_ns now)
{
    if (!run->checks_ok)
        run->steady_since = (struct mono_ns){0};
    else if (run->steady_since.ns == 0)
        run->steady_since = now;
    run->checks_next = base_mono_add(now, CHECK_PAUSE);
    run_event_take(run, "steady.checked",
                   json_pack("{s:b,s:o}", "ok", run->checks_ok, "detail",
                             model_json_text(run->checks_ok ? NULL : run->check_detail)));
    if (run->stage == RUN_STEADY && run->checks_ok &&
        now.ns - run->steady_since.ns >= run->plan->steady_for.ns)
        begin_load(run);
}

static bool advance_starting(struct run *run, struct mono_ns now)
{
    if (base_mono_before(now, run->deadline))
        return false;
    run_abort(run, RUN_ABORT_TOOL, "the load generator did not start sending in time");
    return true;
}

/* Without questions to Prometheus there are no scrapes to wait for. */
static struct dur_ns settle_time(const struct run *run)
{
    if (run->query_count == 0)
        return (struct dur_ns){0};
    return (struct dur_ns){2 * run->plan->scrape_interval.ns + 500 * BASE_NS_PER_MS};
}

/* Without its intervals no guard sees anything: a generator that hangs is as bad as none. */
static struct mono_ns silence_limit(const struct run *run)
{
    int64_t three = 3 * run->plan->load.interval.ns;
    int64_t patience = three > LOAD_SILENCE.ns ? three : LOAD_SILENCE.ns;
    return base_mono_add(run->load_heard, (struct dur_ns){patience});
}

static bool advance_loading(struct run *run, struct mono_ns now)
{
    bool changed = run_phases_advance(run, now);
    run_probes_advance(run, now);
    if (run->stage == RUN_LOADING)
        changed |= run_faults_advance(run, now);
    if (run->stage != RUN_LOADING)
        return true;
    bool late = !base_mono_before(now, run->deadline);
    if (run->load_running && (late || !base_mono_before(now, silence_limit(run)))) {
        run_abort(run, RUN_ABORT_TOOL,
                  late ? "the load generator did not end in time"
                       : "the load generator has fallen silent: nobody watches the load");
        return true;
    }
    if (run->load_running || !run_faults_over(run))
        return changed;
    run->settling_since = now;
    return enter(run, RUN_SETTLING, settle_time(run));
}

static void begin_queries(struct run *run)
{
    if (!enter(run, RUN_QUERYING, QUERY_LIMIT))
        return;
    run->queried_at = run->fx->wall(run->fx->ctx);
    run_queries_ask(run);
}

static void finish(struct run *run)
{
    if (!enter(run, RUN_DONE, (struct dur_ns){0}))
        return;
    run_store_documents(run);
    run_event_take(run, "run.finished",
                   json_pack("{s:s,s:o,s:b}", "aborted", run_abort_name(run->outcome.aborted),
                             "why", model_json_text(run->outcome.why), "unclean",
                             run->outcome.unclean));
    run->fx->finished(run->fx->ctx);
}

/* From when nothing becomes due any more until the generator ends. */
static struct dur_ns end_limit(const struct run *run)
{
    const struct load_spec *load = &run->plan->load;
    return (struct dur_ns){load->timeout.ns + LOAD_END_SLACK.ns +
                           load_spec_once_limit(load, false).ns};
}

static bool advance_reverting(struct run *run, struct mono_ns now)
{
    bool changed = run_faults_advance(run, now);
    stop_load(run);
    if (run->load_running && !run->load_killed && now.ns - run->stop_sent.ns >= end_limit(run).ns) {
        run->load_killed = true;
        run->fx->load_kill(run->fx->ctx);
        return true;
    }
    if (run->load_running || !run_faults_over(run))
        return changed;
    /* What Prometheus saw is asked only when there was load and somebody may wait for it. */
    bool ask = run->load_start.ns != 0 && !run->hurried && !run->outcome.evidence_lost;
    if (ask)
        begin_queries(run);
    else
        finish(run);
    return true;
}

static bool advance_settling(struct run *run, struct mono_ns now)
{
    run_probes_advance(run, now);
    if (base_mono_before(now, run->deadline) || !run_probes_settled(run, now))
        return false;
    begin_queries(run);
    return true;
}

static bool advance_querying(struct run *run, struct mono_ns now)
{
    if (run->queries_open > 0 && base_mono_before(now, run->deadline) && !run->hurried)
        return false;
    finish(run);
    return true;
}

static bool advance_nothing(struct run *run, struct mono_ns now)
{
    (void)run;
    (void)now;
    return false;
}

static bool (*const advance[STAGES])(struct run *run, struct mono_ns now) = {
    [RUN_IDLE] = advance_nothing,        [RUN_STEADY] = advance_steady,
    [RUN_STARTING] = advance_starting,   [RUN_LOADING] = advance_loading,
    [RUN_REVERTING] = advance_reverting, [RUN_SETTLING] = advance_settling,
    [RUN_QUERYING] = advance_querying,   [RUN_DONE] = advance_nothing,
};

static struct mono_ns earlier(struct mono_ns a, struct mono_ns b)
{
    return base_mono_before(a, b) ? a : b;
}

static struct mono_ns next_wake(const struct run *run)
{
    struct mono_ns next = earlier(run_faults_next(run), run_probes_next(run));
    if (run->stage == RUN_REVERTING) {
        int64_t kill_at = run->stop_sent.ns + end_limit(run).ns;
        return run->load_running && !run->load_killed ? earlier(next, (struct mono_ns){kill_at})
                                                      : next;
    }
    bool waits = run->stage == RUN_SETTLING && !base_mono_before(run_now(run), run->deadline);
    if (run->stage != RUN_LOADING && !waits)
        next = earlier(next, run->deadline);
    if (run->stage == RUN_STEADY && run->checks_open == 0)
        next = earlier(next, run->checks_next);
    if (run->stage == RUN_LOADING && run->load_running)
        next = earlier(next, earlier(run->deadline, silence_limit(run)));
    if (run->stage == RUN_LOADING)
        next = earlier(next, run_phases_next(run));
    return next;
}

void run_on_wake(struct run *run)
{
    if (run->advancing || run->stage == RUN_IDLE)
        return;
    run->advancing = true;
    while (advance[run->stage](run, run_now(run)))
        continue;
    run->advancing = false;
    if (run->stage != RUN_DONE)
        run->fx->wake_at(run->fx->ctx, next_wake(run));
}

/* --- what happened --- */

void run_begin(struct run *run)
{
    if (!enter(run, RUN_STEADY, run->plan->steady_deadline))
        return;
    run_event_take(run, "run.started",
                   json_pack("{s:o,s:o}", "run", model_json_text(run->plan->run), "scenario",
                             model_json_text(run->plan->scenario)));
    run_on_wake(run);
}

void run_on_signal(struct run *run, const char *name)
{
    if (run->outcome.aborted != RUN_NOT_ABORTED || run->stage == RUN_QUERYING)
        run->hurried = true;
    run_abort(run, RUN_ABORT_SIGNAL, name);
    run_on_wake(run);
}

/* All that fail in one round are told, so that a person mends them at once. */
static void note_failure(struct run *run, const char *name, const char *detail)
{
    char *earlier = run->checks_ok ? NULL : run->check_detail;
    char *all = base_str_printf("%s%s%s: %s", earlier != NULL ? earlier : "",
                                earlier != NULL ? "; " : "", name, detail);
    free(run->check_detail);
    run->check_detail = all;
}

void run_check_answered(struct run *run, const char *name, bool ok, const char *detail)
{
    if (run->stage != RUN_STEADY || run->checks_open == 0)
        return;
    run_note_probe(run, name, ok, detail);
    if (!ok)
        note_failure(run, name, detail != NULL ? detail : "");
    run->checks_ok = run->checks_ok && ok;
    if (--run->checks_open == 0)
        end_checks(run, run_now(run));
    run_on_wake(run);
}

void run_on_check(struct run *run, size_t check, bool ok, const char *detail)
{
    char *name = check_name(run, check);
    run_check_answered(run, name, ok, detail);
    free(name);
}

void run_on_load_started(struct run *run, struct mono_ns start)
{
    if (run->stage != RUN_STARTING)
        return;
    const struct load_spec *load = &run->plan->load;
    struct dur_ns limit = {load->duration.ns + end_limit(run).ns};
    run->load_start = start;
    run->load_heard = run_now(run);
    (void)enter(run, RUN_LOADING, limit);
    run_event(run, "load.started", NULL);
    run_on_wake(run);
}

void run_on_load_histogram(struct run *run, const char *phase, const char *route, const char *kind,
                           const struct hdr *hdr)
{
    run_guard_histogram(run, phase, route, kind, hdr);
}

void run_on_load_interval(struct run *run, const struct load_interval *interval)
{
    json_t *fields = load_interval_to_json(interval);
    run_event_take(run, "load.interval", fields);
    run->load_heard = run_now(run);
    char *why = run->stage == RUN_LOADING ? run_guard_push(run, interval) : NULL;
    if (why != NULL)
        run_abort(run, RUN_ABORT_GUARD, why);
    free(why);
    run_on_wake(run);
}

void run_on_load_ended(struct run *run, bool complete, const char *error)
{
    if (!run->load_running)
        return;
    run->load_running = false;
    run_event_take(run, "load.finished",
                   json_pack("{s:b,s:o}", "complete", complete, "error", model_json_text(error)));
    if (!complete) {
        char *why = base_str_printf("the load generator failed: %s",
                                    error != NULL ? error : "no reason given");
        run_abort(run, RUN_ABORT_TOOL, why);
        free(why);
    }
    run_on_wake(run);
}

void run_on_query(struct run *run, size_t query, const struct run_query_result *result)
{
    if (run->stage != RUN_QUERYING || run->queries_open == 0)
        return;
    run_note_query(run, query, result);
    run->queries_open--;
    run_on_wake(run);
}
