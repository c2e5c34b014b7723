/* SPDX-License-Identifier: Apache-2.0 */
#include "model/verdict.h"

#include "codec.h"

static const char *const status_names[] = {
    [VERDICT_PASS] = "pass",
    [VERDICT_FAIL] = "fail",
    [VERDICT_INSUFFICIENT] = "insufficient",
    [VERDICT_ERROR] = "error",
};
static const struct codec_words statuses = CODEC_WORDS(status_names);

static const char *const source_names[] = {
    [VERDICT_THRESHOLD] = "threshold", [VERDICT_SLO] = "slo",
    [VERDICT_FAULT] = "fault",         [VERDICT_LOAD] = "load",
    [VERDICT_RECONCILE] = "reconcile", [VERDICT_RUN] = "run",
    [VERDICT_PROBE] = "probe",
};
static const struct codec_words sources = CODEC_WORDS(source_names);

static const char *const reason_names[] = {
    [REASON_MET] = "met",
    [REASON_NOT_MET] = "not_met",
    [REASON_NO_DATA] = "no_data",
    [REASON_TOO_FEW_EVENTS] = "too_few_events",
    [REASON_LOW_COVERAGE] = "low_coverage",
    [REASON_QUERY_FAILED] = "query_failed",
    [REASON_CLIENT_LIMITED] = "client_limited",
    [REASON_FAULT_INEFFECTIVE] = "fault_ineffective",
    [REASON_FAULT_FAILED] = "fault_failed",
    [REASON_FAULT_INTERRUPTED] = "fault_interrupted",
    [REASON_FAULT_STUCK] = "fault_stuck",
    [REASON_ABORTED] = "aborted",
    [REASON_TOOL_ERROR] = "tool_error",
    [REASON_COUNTS_DIFFER] = "counts_differ",
    [REASON_FAULT_NOT_RECOVERED] = "fault_not_recovered",
    [REASON_CONDITION_NOT_MET] = "condition_not_met",
    [REASON_SKIPPED] = "skipped",
};
static const struct codec_words reasons = CODEC_WORDS(reason_names);

#define AT(member) .offset = offsetof(struct verdict_objective, member)
static const struct codec_field objective_fields[] = {
    {.key = "source", .type = CODEC_WORD, .words = &sources, AT(source)},
    {.key = "name", .type = CODEC_TEXT, .form = FORM_NAME, AT(name)},
    {.key = "status", .type = CODEC_WORD, .words = &statuses, AT(status)},
    {.key = "reason", .type = CODEC_WORD, .words = &reasons, AT(reason)},
    {.key = "advisory", .type = CODEC_BOOL, AT(advisory)},
    {.key = "expected", .type = CODEC_TEXT, AT(expected)},
    {.key = "measured", .type = CODEC_TEXT, AT(measured)},
    {.key = "value", .type = CODEC_REAL_OR_NULL, AT(value)},
};
#undef AT
static const struct codec_shape objective_shape = {
    .name = "objective", .size = sizeof(struct verdict_objective), CODEC_FIELDS(objective_fields)};

#define AT(member) .offset = offsetof(struct verdict, member)
static const struct codec_field verdict_fields[] = {
    {.key = "run", .type = CODEC_TEXT, .form = FORM_NAME, AT(run)},
    {.key = "scenario", .type = CODEC_TEXT, .form = FORM_NAME, AT(scenario)},
    {.key = "status", .type = CODEC_WORD, .words = &statuses, AT(status)},
    {.key = "exitCode", .type = CODEC_INT, .max = EXIT_CODE_UNCLEAN, AT(exit_code)},
    {.key = "aborted", .type = CODEC_BOOL, AT(aborted)},
    {.key = "abortedBy", .type = CODEC_TEXT_OR_NULL, AT(aborted_by)},
    {.key = "unclean", .type = CODEC_BOOL, AT(unclean)},
    {.key = "objectives",
     .type = CODEC_OBJECTS,
     .shape = &objective_shape,
     AT(objectives),
     .count_offset = offsetof(struct verdict, objective_count)},
};
#undef AT
static const struct codec_shape verdict_shape = {
    .name = "verdict", .size = sizeof(struct verdict), .version = 1, CODEC_FIELDS(verdict_fields)};

json_t *verdict_to_json(const struct verdict *verdict)
{
    return codec_encode(&verdict_shape, verdict);
}

bool verdict_from_json(const json_t *json, struct verdict *out, struct base_error *err)
{
    return codec_decode(&verdict_shape, json, "verdict", out, err);
}

void verdict_fini(struct verdict *verdict)
{
    codec_fini(&verdict_shape, verdict);
}

const char *verdict_status_name(enum verdict_status status)
{
    return codec_word(&statuses, status);
}

const char *verdict_source_name(enum verdict_source source)
{
    return codec_word(&sources, source);
}

const char *verdict_reason_name(enum verdict_reason reason)
{
    return codec_word(&reasons, reason);
}
