/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* "10s" or "10s abort", behind "over". */
static bool parse_window(char *text, struct load_threshold *out)
{
    char *save = text;
    const char *length = strsep(&save, " ");
    out->abort = base_str_eq(save, "abort");
    return (save == NULL || out->abort) && base_parse_duration(length, &out->over) &&
           out->over.ns > 0;
}

bool load_thresholds_add(struct load_thresholds *thresholds, const char *text,
                         struct base_error *err)
{
    static const char word[] = " over ";
    struct load_threshold made = {.abort = false};
    BASE_AUTO_FREE char *copy = base_str_dup(text);
    char *over = strstr(copy, word);
    if (over != NULL)
        *over = '\0';
    if (!expectation_parse(copy, &made.expect, err))
        return base_fail_context(err, "\"%.60s\"", text);
    if (over != NULL && !parse_window(over + strlen(word), &made))
        return base_fail(err, BASE_INVALID,
                         "\"%.60s\": at character %zu: expected the length of a window such as "
                         "10s, or 10s abort",
                         text, (size_t)(over - copy) + strlen(word) + 1);
    made.text = base_str_dup(text);
    thresholds->items =
        base_reallocarray(thresholds->items, thresholds->count + 1, sizeof *thresholds->items);
    thresholds->items[thresholds->count++] = made;
    return true;
}

void load_thresholds_fini(struct load_thresholds *thresholds)
{
    for (size_t i = 0; i < thresholds->count; i++) {
        free(thresholds->items[i].text);
        load_window_free(thresholds->items[i].window);
    }
    free(thresholds->items);
    *thresholds = (struct load_thresholds){.count = 0};
}

bool load_thresholds_start(struct load_thresholds *thresholds, const struct load_spec *spec,
                           struct base_error *err)
{
    for (size_t i = 0; i < thresholds->count; i++) {
        struct load_threshold *t = &thresholds->items[i];
        if (t->over.ns > spec->duration.ns)
            return base_fail(err, BASE_INVALID,
                             "threshold \"%.60s\": its window is longer than the load", t->text);
        if (t->over.ns > 0)
            t->window = load_window_new(&t->expect, NULL, NULL, t->over, spec->interval);
    }
    return true;
}

void load_thresholds_histogram(struct load_thresholds *thresholds, const char *phase,
                               const char *route, const char *kind, const struct hdr *hdr)
{
    for (size_t i = 0; i < thresholds->count; i++)
        if (thresholds->items[i].window != NULL)
            load_window_histogram(thresholds->items[i].window, phase, route, kind, hdr);
}

bool load_thresholds_interval(struct load_thresholds *thresholds,
                              const struct load_interval *interval)
{
    bool go_on = true;
    for (size_t i = 0; i < thresholds->count; i++) {
        struct load_threshold *t = &thresholds->items[i];
        if (t->window != NULL && load_window_interval(t->window, interval) == LOAD_WINDOW_FAILS)
            go_on = go_on && !t->abort;
    }
    return go_on;
}

static struct load_judged insufficient(double value, const char *why)
{
    return (struct load_judged){VERDICT_INSUFFICIENT, value, why};
}

static struct load_judged judge_windows(const struct load_threshold *t)
{
    const struct load_window_sum *sum = load_window_total(t->window);
    if (sum->failed > 0)
        return (struct load_judged){VERDICT_FAIL, sum->worst, NULL};
    if (sum->full == 0)
        return insufficient((double)NAN, "no window was ever full");
    if (sum->starved > 0)
        return insufficient(sum->worst, "too few events in some windows");
    return (struct load_judged){VERDICT_PASS, sum->worst, NULL};
}

static struct load_judged judge_whole(const struct load_threshold *t, const struct load_run *run)
{
    const struct load_result *result = load_run_result(run);
    struct load_measure m =
        load_measure(&t->expect, &result->total, load_run_total(run, LOAD_KIND_RESPONSE),
                     base_dur_to_s(result->scheduled));
    if (!result->complete)
        return insufficient(m.value, "the load was stopped before its end");
    if (isnan(m.value))
        return insufficient(m.value, "nothing was measured");
    if (m.events < m.need)
        return insufficient(m.value, "fewer than 10/(1 - q) responses: no estimate");
    bool holds = expectation_holds(&t->expect, m.value);
    return (struct load_judged){holds ? VERDICT_PASS : VERDICT_FAIL, m.value, NULL};
}

struct load_judged load_threshold_judge(const struct load_threshold *t, const struct load_run *run)
{
    struct load_judged judged = t->window != NULL ? judge_windows(t) : judge_whole(t, run);
    if (load_run_result(run)->client_limited)
        return insufficient(judged.value, "the generator itself was the limit");
    return judged;
}

enum verdict_status load_thresholds_judge(const struct load_thresholds *thresholds,
                                          const struct load_run *run)
{
    enum verdict_status worst = VERDICT_PASS;
    for (size_t i = 0; i < thresholds->count; i++) {
        enum verdict_status status = load_threshold_judge(&thresholds->items[i], run).status;
        if (status == VERDICT_FAIL)
            return VERDICT_FAIL;
        worst = status == VERDICT_PASS ? worst : status;
    }
    return worst;
}

bool load_thresholds_text(struct base_buf *out, const struct load_thresholds *thresholds,
                          const struct load_run *run)
{
    for (size_t i = 0; i < thresholds->count; i++) {
        const struct load_threshold *t = &thresholds->items[i];
        struct load_judged judged = load_threshold_judge(t, run);
        char value[EXPECT_TEXT] = "none";
        if (!isnan(judged.value))
            expectation_format_value(&t->expect, judged.value, value);
        base_buf_printf(out, "threshold  %-12s %s: %s%s%s%s\n", verdict_status_name(judged.status),
                        t->text, t->window != NULL ? "worst " : "", value,
                        judged.why != NULL ? "; " : "", judged.why != NULL ? judged.why : "");
    }
    return !out->failed;
}

json_t *load_thresholds_json(const struct load_thresholds *thresholds, const struct load_run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < thresholds->count; i++) {
        const struct load_threshold *t = &thresholds->items[i];
        struct load_judged judged = load_threshold_judge(t, run);
        json_t *value = isnan(judged.value) ? json_null() : json_real(judged.value);
        (void)json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o}", "expect",
                                                    model_json_text(t->text), "status",
                                                    verdict_status_name(judged.status), "value",
                                                    value, "why", model_json_text(judged.why)));
    }
    return list;
}
