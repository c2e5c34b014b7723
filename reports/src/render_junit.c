/* SPDX-License-Identifier: Apache-2.0 */
/* JUnit XML as CI servers read it (the Ant schema with properties in test cases, as pytest writes):
 * fail -> failure, insufficient and error -> error, advisory -> skipped. */
#include <math.h>

#include "escape.h"
#include "render.h"

enum outcome { OUTCOME_PASS, OUTCOME_FAILURE, OUTCOME_ERROR, OUTCOME_SKIPPED, OUTCOME_COUNT };

static enum outcome outcome_of(const struct verdict_objective *o)
{
    if (o->advisory)
        return OUTCOME_SKIPPED;
    if (o->status == VERDICT_PASS)
        return OUTCOME_PASS;
    return o->status == VERDICT_FAIL ? OUTCOME_FAILURE : OUTCOME_ERROR;
}

static void property(struct base_buf *out, const char *name, const char *value)
{
    (void)base_buf_printf(out, "        <property name=\"%s\" value=\"", name);
    escape_xml(out, value);
    (void)base_buf_str(out, "\"/>\n");
}

static void number_property(struct base_buf *out, const char *name, double value)
{
    if (isfinite(value))
        (void)base_buf_printf(out, "        <property name=\"%s\" value=\"%.17g\"/>\n", name,
                              value);
}

/* What fails is said in the order in which a person asks: what was expected, what was found. */
static void not_passed(struct base_buf *out, const struct verdict_objective *o, const char *tag)
{
    (void)base_buf_printf(out, "      <%s type=\"%s\" message=\"", tag,
                          verdict_reason_name(o->reason));
    escape_xml(out, o->measured);
    (void)base_buf_printf(out, "\">%s: expected ", view_status_word(o->status));
    escape_xml(out, o->expected);
    (void)base_buf_str(out, "; measured ");
    escape_xml(out, o->measured);
    (void)base_buf_printf(out, "</%s>\n", tag);
}

static void testcase(const struct verdict_objective *o, struct base_buf *out)
{
    static const char *const tags[OUTCOME_COUNT] = {NULL, "failure", "error", "skipped"};
    (void)base_buf_printf(out, "    <testcase classname=\"squall.%s\" name=\"",
                          verdict_source_name(o->source));
    escape_xml(out, o->name);
    (void)base_buf_str(out, "\" time=\"0\">\n      <properties>\n");
    property(out, "expected", o->expected);
    property(out, "measured", o->measured);
    property(out, "reason", verdict_reason_name(o->reason));
    number_property(out, "value", o->value);
    (void)base_buf_str(out, "      </properties>\n");
    enum outcome outcome = outcome_of(o);
    if (tags[outcome] != NULL)
        not_passed(out, o, tags[outcome]);
    (void)base_buf_str(out, "    </testcase>\n");
}

static void suite_properties(const struct report *report, const struct verdict *verdict,
                             struct base_buf *out)
{
    const struct load_counts *total = &report->load.total;
    (void)base_buf_str(out, "      <properties>\n");
    property(out, "run", verdict->run);
    property(out, "status", verdict_status_name(verdict->status));
    number_property(out, "exitCode", (double)verdict->exit_code);
    number_property(out, "requestsSent", (double)total->sent);
    number_property(out, "requestsSucceeded", (double)total->ok);
    number_property(out, "requestsFailed", (double)load_counts_failed(total));
    number_property(out, "requestsMissed", (double)total->missed);
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        struct slo_result r = report_slo(report, i);
        number_property(out, "slo.events", r.total);
        number_property(out, "slo.bad", r.bad);
        number_property(out, "slo.budgetSpent", r.budget_spent);
        number_property(out, "slo.coverage", r.coverage.share);
    }
    (void)base_buf_str(out, "      </properties>\n");
}

void render_junit(const struct report *report, const struct verdict *verdict, struct base_buf *out)
{
    size_t counts[OUTCOME_COUNT] = {0};
    for (size_t i = 0; i < verdict->objective_count; i++)
        counts[outcome_of(&verdict->objectives[i])]++;
    double seconds = base_dur_to_s(report->load.scheduled);
    (void)base_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                            "  <testsuite name=\"");
    escape_xml(out, verdict->scenario);
    (void)base_buf_printf(out,
                          "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
                          "time=\"%.3f\">\n",
                          verdict->objective_count, counts[OUTCOME_FAILURE], counts[OUTCOME_ERROR],
                          counts[OUTCOME_SKIPPED], seconds);
    suite_properties(report, verdict, out);
    for (size_t i = 0; i < verdict->objective_count; i++)
        testcase(&verdict->objectives[i], out);
    (void)base_buf_str(out, "  </testsuite>\n</testsuites>\n");
}
