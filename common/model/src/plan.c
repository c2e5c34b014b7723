/* SPDX-License-Identifier: Apache-2.0 */
#include "model/plan.h"

#include "base/text.h"
#include "shapes.h"

static const char *const slo_names[] = {
    [PLAN_SLO_AVAILABILITY] = "availability", [PLAN_SLO_LATENCY] = "latency"};
static const struct codec_words slo_kinds = CODEC_WORDS(slo_names);

#define AT(member) .offset = offsetof(struct plan_fault, member)
static const struct codec_field fault_fields[] = {
    {.key = "atNs", .type = CODEC_NS, AT(at)},
    {.key = "after", .type = CODEC_TEXT_OR_NULL, AT(after)},
    {.key = "suspendNs", .type = CODEC_NS, .optional = true, AT(gate.suspend)},
    {.key = "message", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(gate.message)},
    {.key = "waitFor", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(gate.wait_for)},
    {.key = "waitNs", .type = CODEC_NS, .optional = true, AT(gate.within)},
    {.key = "onlyIf", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(gate.only_if)},
    {.key = "unless", .type = CODEC_TEXT_OR_NULL, .optional = true, AT(gate.unless)},
    {.key = "spec", .type = CODEC_OBJECT, .shape = &model_fault_spec_shape, AT(spec)},
};
#undef AT
static const struct codec_shape fault_shape = {
    .name = "fault", .size = sizeof(struct plan_fault), CODEC_FIELDS(fault_fields)};

#define AT(member) .offset = offsetof(struct plan_phase, member)
static const struct codec_field phase_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_TAG, AT(name)},
    {.key = "startNs", .type = CODEC_NS, AT(start)},
    {.key = "fault", .type = CODEC_TEXT_OR_NULL, AT(fault)},
};
#undef AT
static const struct codec_shape phase_shape = {
    .name = "phase", .size = sizeof(struct plan_phase), CODEC_FIELDS(phase_fields)};

#define AT(member) .offset = offsetof(struct plan_skip, member)
static const struct codec_field skip_fields[] = {
    {.key = "name", .type = CODEC_TEXT, AT(name)},
    {.key = "why", .type = CODEC_TEXT, AT(why)},
};
#undef AT
static const struct codec_shape skip_shape = {
    .name = "skipped fault", .size = sizeof(struct plan_skip), CODEC_FIELDS(skip_fields)};

#define AT(member) .offset = offsetof(struct plan_check, member)
static const struct codec_field check_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "urls",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(urls),
     .count_offset = offsetof(struct plan_check, url_count)},
    {.key = "status", .type = CODEC_INT, .min = 100, .max = 599, AT(status)},
    {.key = "timeoutNs", .type = CODEC_NS, .min = 1, AT(timeout)},
};
#undef AT
static const struct codec_shape check_shape = {
    .name = "check", .size = sizeof(struct plan_check), CODEC_FIELDS(check_fields)};

static const char *const probe_kind_names[] = {
    [PLAN_PROBE_HTTP] = "http", [PLAN_PROBE_TCP] = "tcp", [PLAN_PROBE_PROMQL] = "promql",
    [PLAN_PROBE_EXEC] = "exec", [PLAN_PROBE_SQL] = "sql", [PLAN_PROBE_REDIS] = "redis"};
static const struct codec_words probe_kinds = CODEC_WORDS(probe_kind_names);
static const char *const probe_mode_names[] = {[PLAN_PROBE_BEFORE] = "before",
                                               [PLAN_PROBE_DURING] = "during",
                                               [PLAN_PROBE_CONTINUOUS] = "continuous",
                                               [PLAN_PROBE_AFTER] = "after",
                                               [PLAN_PROBE_GATE] = "gate"};
static const struct codec_words probe_modes = CODEC_WORDS(probe_mode_names);

static const char *const compare_names[] = {
    [PLAN_EQUAL] = "==",   [PLAN_NOT_EQUAL] = "!=", [PLAN_LESS] = "<",
    [PLAN_AT_MOST] = "<=", [PLAN_MORE] = ">",       [PLAN_AT_LEAST] = ">="};
static const struct codec_words compares = CODEC_WORDS(compare_names);

const char *plan_compare_name(enum plan_compare compare)
{
    return codec_word(&compares, compare);
}

#define AT(member)    .offset = offsetof(struct plan_probe, member)
#define COUNT(member) .count_offset = offsetof(struct plan_probe, member)
static const struct codec_field probe_http_fields[] = {
    {.key = "urls",
     .type = CODEC_TEXTS,
     .form = FORM_NAME,
     .min = 1,
     AT(http.urls),
     COUNT(http.url_count)},
    {.key = "status", .type = CODEC_INT, .min = 100, .max = 599, AT(http.status)},
    {.key = "contains", .type = CODEC_TEXT_OR_NULL, AT(http.contains)},
};
static const struct codec_field probe_tcp_fields[] = {
    {.key = "targets",
     .type = CODEC_OBJECTS,
     .shape = &model_load_target_shape,
     .min = 1,
     AT(tcp.targets),
     COUNT(tcp.target_count)},
};
static const struct codec_field probe_promql_fields[] = {
    {.key = "query", .type = CODEC_TEXT, .form = FORM_NAME, AT(promql.query)},
};
static const struct codec_field probe_exec_fields[] = {
    {.key = "command", .type = CODEC_TEXT, .form = FORM_NAME, AT(exec.command)},
};
/* The argument names a member, which takes no parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define STORE_FIELDS(kind)                                                                         \
    {.key = "targets",                                                                             \
     .type = CODEC_OBJECTS,                                                                        \
     .shape = &model_load_target_shape,                                                            \
     .min = 1,                                                                                     \
     AT(kind.store.targets),                                                                       \
     COUNT(kind.store.target_count)},                                                              \
        {.key = "user", .type = CODEC_TEXT_OR_NULL, AT(kind.store.user)},                          \
    {                                                                                              \
        .key = "passwordFile", .type = CODEC_TEXT_OR_NULL, AT(kind.store.password_file)            \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
static const struct codec_field probe_sql_fields[] = {
    STORE_FIELDS(sql),
    {.key = "database", .type = CODEC_TEXT, .form = FORM_NAME, AT(sql.database)},
    {.key = "query", .type = CODEC_TEXT, .form = FORM_NAME, AT(sql.query)},
    {.key = "compare", .type = CODEC_WORD, .words = &compares, AT(sql.compare)},
    {.key = "value", .type = CODEC_TEXT_OR_NULL, AT(sql.value)},
    {.key = "rows", .type = CODEC_I64, .min = -1, .max = INT64_MAX, AT(sql.rows)},
};
static const struct codec_field probe_redis_fields[] = {
    STORE_FIELDS(redis),
    {.key = "database", .type = CODEC_INT, .min = 0, .max = INT32_MAX, AT(redis.database)},
    {.key = "command",
     .type = CODEC_TEXTS,
     .min = 1,
     AT(redis.command),
     COUNT(redis.command_count)},
    {.key = "compare", .type = CODEC_WORD, .words = &compares, AT(redis.compare)},
    {.key = "reply", .type = CODEC_TEXT_OR_NULL, AT(redis.reply)},
};
#undef STORE_FIELDS
#define VARIANT(word, table)                                                                       \
    {                                                                                              \
        .name = (word), .size = sizeof(struct plan_probe), CODEC_FIELDS(table)                     \
    }
static const struct codec_shape probe_http_shape = VARIANT("http", probe_http_fields);
static const struct codec_shape probe_tcp_shape = VARIANT("tcp", probe_tcp_fields);
static const struct codec_shape probe_promql_shape = VARIANT("promql", probe_promql_fields);
static const struct codec_shape probe_exec_shape = VARIANT("exec", probe_exec_fields);
static const struct codec_shape probe_sql_shape = VARIANT("sql", probe_sql_fields);
static const struct codec_shape probe_redis_shape = VARIANT("redis", probe_redis_fields);
static const struct codec_shape *const probe_variants[] = {
    [PLAN_PROBE_HTTP] = &probe_http_shape,     [PLAN_PROBE_TCP] = &probe_tcp_shape,
    [PLAN_PROBE_PROMQL] = &probe_promql_shape, [PLAN_PROBE_EXEC] = &probe_exec_shape,
    [PLAN_PROBE_SQL] = &probe_sql_shape,       [PLAN_PROBE_REDIS] = &probe_redis_shape};
static const struct codec_field probe_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "mode", .type = CODEC_WORD, .words = &probe_modes, AT(mode)},
    {.key = "kind", .type = CODEC_WORD, .words = &probe_kinds, AT(kind)},
    {.key = "faults", .type = CODEC_TEXTS, .form = FORM_TAG, AT(faults), COUNT(fault_count)},
    {.key = "everyNs", .type = CODEC_NS, .min = 1, AT(every)},
    {.key = "timeoutNs", .type = CODEC_NS, .min = 1, AT(timeout)},
    {.key = "withinNs", .type = CODEC_NS, AT(within)},
    {.key = "atLeast", .type = CODEC_REAL, .range = RANGE_SHARE, AT(at_least)},
    {.type = CODEC_VARIANT, .variants = probe_variants, COUNT(kind)},
};
#undef AT
#undef COUNT
static const struct codec_shape probe_shape = {
    .name = "probe", .size = sizeof(struct plan_probe), CODEC_FIELDS(probe_fields)};

const char *plan_probe_mode_name(enum plan_probe_mode mode)
{
    return codec_word(&probe_modes, mode);
}

#define AT(member) .offset = offsetof(struct plan_threshold, member)
static const struct codec_field threshold_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "expect", .type = CODEC_EXPECTATION, AT(expect)},
    {.key = "phase", .type = CODEC_TEXT_OR_NULL, AT(phase)},
    {.key = "route", .type = CODEC_TEXT_OR_NULL, AT(route)},
    {.key = "overNs", .type = CODEC_NS, .optional = true, AT(over)},
    {.key = "abort", .type = CODEC_BOOL, .optional = true, AT(abort)},
};
#undef AT

static bool check_threshold(const void *value, const char *where, struct base_error *err)
{
    const struct plan_threshold *threshold = value;
    if (threshold->abort && threshold->over.ns == 0)
        return base_fail(err, BASE_INVALID,
                         "%s.abort: needs overNs: what is not yet over cannot "
                         "have failed",
                         where);
    return true;
}

static const struct codec_shape threshold_shape = {.name = "threshold",
                                                   .size = sizeof(struct plan_threshold),
                                                   CODEC_FIELDS(threshold_fields),
                                                   .check = check_threshold};

#define AT(member) .offset = offsetof(struct plan_slo, member)
static const struct codec_field slo_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "kind", .type = CODEC_WORD, .words = &slo_kinds, AT(kind)},
    {.key = "objective", .type = CODEC_REAL, .range = RANGE_OPEN, AT(objective)},
    {.key = "service", .type = CODEC_TEXT, .form = FORM_NAME, AT(service)},
    {.key = "withinNs", .type = CODEC_NS, AT(within)},
    {.key = "minCoverage", .type = CODEC_REAL, .range = RANGE_SHARE, AT(min_coverage)},
    {.key = "total", .type = CODEC_TEXT, .form = FORM_NAME, AT(total)},
    {.key = "bad", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(bad)},
    {.key = "good", .type = CODEC_TEXT_OR_NULL, .form = FORM_NAME, AT(good)},
    {.key = "up", .type = CODEC_TEXT, .form = FORM_NAME, AT(up)},
    {.key = "instances", .type = CODEC_U64, AT(instances)},
    {.key = "predictedBad",
     .type = CODEC_REAL,
     .range = RANGE_SHARE,
     .optional = true,
     AT(predicted_bad)},
};
#undef AT
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "plan_slo.instances is coded as 64 bits");

static bool check_slo(const void *value, const char *where, struct base_error *err)
{
    const struct plan_slo *slo = value;
    if (slo->kind == PLAN_SLO_AVAILABILITY && slo->bad == NULL)
        return base_fail(err, BASE_INVALID, "%s.bad: an availability SLO needs its selector",
                         where);
    if (slo->kind == PLAN_SLO_LATENCY && slo->good == NULL)
        return base_fail(err, BASE_INVALID, "%s.good: a latency SLO needs its selector", where);
    return true;
}

static const struct codec_shape slo_shape = {
    .name = "slo", .size = sizeof(struct plan_slo), CODEC_FIELDS(slo_fields), .check = check_slo};

#define AT(member) .offset = offsetof(struct plan_abort, member)
static const struct codec_field abort_fields[] = {
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "when", .type = CODEC_EXPECTATION, AT(when)},
    {.key = "overNs", .type = CODEC_NS, .min = 1, AT(over)},
};
#undef AT
static const struct codec_shape abort_shape = {
    .name = "abort", .size = sizeof(struct plan_abort), CODEC_FIELDS(abort_fields)};

#define AT(member)    .offset = offsetof(struct plan, member)
#define COUNT(member) .count_offset = offsetof(struct plan, member)
static const struct codec_field plan_fields[] = {
    {.key = "run", .type = CODEC_TEXT, .form = FORM_TAG, AT(run)},
    {.key = "scenario", .type = CODEC_TEXT, .form = FORM_NAME, AT(scenario)},
    {.key = "description", .type = CODEC_TEXT, AT(description)},
    {.key = "seed", .type = CODEC_U64, AT(seed)},
    {.key = "targetName", .type = CODEC_TEXT, AT(target_name)},
    {.key = "targetMode", .type = CODEC_TEXT, AT(target_mode)},
    {.key = "durationNs", .type = CODEC_NS, .min = 1, AT(duration)},
    {.key = "load", .type = CODEC_OBJECT, .shape = &model_load_spec_shape, AT(load)},
    {.key = "maxMissed", .type = CODEC_REAL, .range = RANGE_SHARE, AT(max_missed)},
    {.key = "steadyForNs", .type = CODEC_NS, AT(steady_for)},
    {.key = "steadyDeadlineNs", .type = CODEC_NS, AT(steady_deadline)},
    {.key = "checks", .type = CODEC_OBJECTS, .shape = &check_shape, AT(checks), COUNT(check_count)},
    {.key = "probes", .type = CODEC_OBJECTS, .shape = &probe_shape, AT(probes), COUNT(probe_count)},
    {.key = "phases",
     .type = CODEC_OBJECTS,
     .shape = &phase_shape,
     .min = 1,
     AT(phases),
     COUNT(phase_count)},
    {.key = "faults", .type = CODEC_OBJECTS, .shape = &fault_shape, AT(faults), COUNT(fault_count)},
    {.key = "skipped",
     .type = CODEC_OBJECTS,
     .shape = &skip_shape,
     AT(skipped),
     COUNT(skipped_count)},
    {.key = "thresholds",
     .type = CODEC_OBJECTS,
     .shape = &threshold_shape,
     AT(thresholds),
     COUNT(threshold_count)},
    {.key = "slos", .type = CODEC_OBJECTS, .shape = &slo_shape, AT(slos), COUNT(slo_count)},
    {.key = "aborts", .type = CODEC_OBJECTS, .shape = &abort_shape, AT(aborts), COUNT(abort_count)},
    {.key = "maxSpend", .type = CODEC_REAL, .range = RANGE_SHARE, .optional = true, AT(max_spend)},
    {.key = "budgetOverNs", .type = CODEC_NS, .optional = true, AT(budget_over)},
    {.key = "agentUrl", .type = CODEC_TEXT_OR_NULL, AT(agent_url)},
    {.key = "agentTokenFile", .type = CODEC_TEXT_OR_NULL, AT(agent_token_file)},
    {.key = "agentCaFile", .type = CODEC_TEXT_OR_NULL, AT(agent_ca_file)},
    {.key = "agentCertFile", .type = CODEC_TEXT_OR_NULL, AT(agent_cert_file)},
    {.key = "agentKeyFile", .type = CODEC_TEXT_OR_NULL, AT(agent_key_file)},
    {.key = "prometheusUrl", .type = CODEC_TEXT_OR_NULL, AT(prometheus_url)},
    {.key = "scrapeIntervalNs", .type = CODEC_NS, AT(scrape_interval)},
};
#undef AT
#undef COUNT

/* What every reader relies on: phases partition the run in order. */
static bool check_plan(const void *value, const char *where, struct base_error *err)
{
    const struct plan *plan = value;
    if (plan->phases[0].start.ns != 0)
        return base_fail(err, BASE_INVALID, "%s.phases[0]: the first phase must start at 0", where);
    for (size_t i = 1; i < plan->phase_count; i++) {
        if (plan->phases[i].start.ns < plan->phases[i - 1].start.ns)
            return base_fail(err, BASE_INVALID,
                             "%s.phases[%zu]: starts before the phase in front of it", where, i);
    }
    return true;
}

static const struct codec_shape plan_shape = {.name = "plan",
                                              .size = sizeof(struct plan),
                                              .version = 1,
                                              CODEC_FIELDS(plan_fields),
                                              .check = check_plan};

bool plan_gate_is_open(const struct plan_gate *gate)
{
    return gate->suspend.ns == 0 && gate->wait_for == NULL && gate->only_if == NULL &&
           gate->unless == NULL;
}

bool plan_has_gates(const struct plan *plan)
{
    for (size_t i = 0; i < plan->fault_count; i++)
        if (!plan_gate_is_open(&plan->faults[i].gate))
            return true;
    return false;
}

bool plan_from_json(const json_t *json, struct plan *out, struct base_error *err)
{
    return codec_decode(&plan_shape, json, "plan", out, err);
}

json_t *plan_to_json(const struct plan *plan)
{
    return codec_encode(&plan_shape, plan);
}

void plan_fini(struct plan *plan)
{
    codec_fini(&plan_shape, plan);
}
