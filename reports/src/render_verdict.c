/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/json.h"
#include "render.h"

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *slo_to_json(const struct report *report, size_t i)
{
    const struct plan_slo *slo = &report->plan.slos[i];
    const struct slo_evidence *evidence = &report->slos[i];
    struct slo_result r = report_slo(report, i);
    struct report_reconcile both = report_reconcile(report, i);
    json_t *warnings = json_array();
    for (size_t k = 0; k < evidence->warning_count; k++)
        json_array_append_new(warnings, model_json_text(evidence->warnings[k]));
    json_t *generator =
        json_pack("{s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:o}", "known", both.known, "direct", both.direct,
                  "sent", number(both.sent), "seen", number(both.seen), "failed5xx",
                  number(both.failed_5xx), "failedAll", number(both.failed_all), "seenBad",
                  both.errors_known ? number(both.seen_bad) : json_null(), "difference",
                  number(both.difference));
    return json_pack(
        "{s:o,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "name",
        model_json_text(slo->name), "status", verdict_status_name(r.status), "reason",
        verdict_reason_name(r.reason), "objective", number(slo->objective), "total",
        number(r.total), "bad", number(r.bad), "sli", number(r.sli), "budget", number(r.allowed),
        "budgetSpent", number(r.budget_spent), "coverage", number(r.coverage.share),
        "scrapesPresent", (json_int_t)r.coverage.present, "scrapesExpected",
        (json_int_t)r.coverage.expected, "counterResets",
        (json_int_t)r.total_increase.resets + (json_int_t)r.part_increase.resets, "seriesStarted",
        (json_int_t)r.total_increase.started + (json_int_t)r.part_increase.started, "seriesUnseen",
        (json_int_t)r.total_increase.unseen + (json_int_t)r.part_increase.unseen, "warnings",
        warnings, "generator", generator);
}

static json_t *window_to_json(const struct report *report)
{
    struct slo_window window;
    if (!report_window(report, &window))
        return json_null();
    return json_pack("{s:o,s:o,s:o}", "start", number(window.start), "end", number(window.end),
                     "scrape", number(window.scrape));
}

void render_verdict(const struct report *report, const struct verdict *verdict,
                    struct base_buf *out)
{
    json_t *root = verdict_to_json(verdict);
    json_t *slos = json_array();
    for (size_t i = 0; i < report->plan.slo_count; i++)
        json_array_append_new(slos, slo_to_json(report, i));
    json_t *evidence = json_object();
    for (int i = 0; i < REPORT_FILE_COUNT; i++)
        json_object_set_new(evidence, report_file_name((enum report_file)i),
                            json_string(report_state_name(report->sources[i].state)));
    json_object_set_new(root, "slos", slos);
    json_object_set_new(root, "window", window_to_json(report));
    json_object_set_new(root, "evidence", evidence);
    BASE_AUTO_FREE char *text = model_json_dump(root);
    json_decref(root);
    if (text == NULL)
        out->failed = true;
    else
        (void)base_buf_str(out, text);
}
