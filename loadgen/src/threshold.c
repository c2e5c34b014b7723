/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* --- what they are written in --- */

static bool take_name(char **out, const char *value)
{
    free(*out);
    *out = base_str_dup(value);
    return value != NULL;
}

static bool take_phase(struct load_threshold *t, const char *value)
{
    return take_name(&t->phase, value);
}

static bool take_route(struct load_threshold *t, const char *value)
{
    return take_name(&t->route, value);
}

static bool take_over(struct load_threshold *t, const char *value)
{
    return value != NULL && base_parse_duration(value, &t->over) && t->over.ns > 0;
}

static bool take_abort(struct load_threshold *t, const char *value)
{
    (void)value;
    t->abort = true;
    return t->over.ns > 0;
}

/* The keys that a threshold has in a scenario; each is a word that may follow the expectation. */
static const struct clause {
    const char *word;
    bool alone; /* no value follows it */
    bool (*take)(struct load_threshold *t, const char *value);
    const char *expected;
} clauses[] = {
    {"phase", false, take_phase, "the name of a phase"},
    {"route", false, take_route, "the name of a route, or of a step: FLOW.STEP"},
    {"over", false, take_over, "the length of a window such as 10s"},
    {"abort", true, take_abort, "over and the length of a window before abort"},
};
enum { CLAUSES = sizeof clauses / sizeof *clauses };

/* CLAUSES: none is called so. */
static size_t clause_of(const char *word, size_t len)
{
    size_t i = 0;
    while (i < CLAUSES &&
           (strlen(clauses[i].word) != len || memcmp(clauses[i].word, word, len) != 0))
        i++;
    return i;
}

/* The next word from *at on, which is moved to its end; its length is 0 at the end of the text. */
static const char *next_word(const char **at, size_t *len)
{
    const char *word = *at + strspn(*at, " ");
    *len = strcspn(word, " ");
    *at = word + *len;
    return word;
}

static bool wrong_at(const char *text, const char *at, const char *expected, struct base_error *err)
{
    return base_fail(err, BASE_INVALID, "\"%.160s\": at character %zu: expected %s", text,
                     (size_t)(at - text) + 1, expected);
}

static bool parse_clauses(const char *text, const char *at, struct load_threshold *out,
                          struct base_error *err)
{
    bool seen[CLAUSES] = {false};
    size_t len;
    for (const char *word; word = next_word(&at, &len), len > 0;) {
        size_t i = clause_of(word, len);
        if (i == CLAUSES || seen[i])
            return wrong_at(text, word, "phase, route, over or abort, each of them once", err);
        seen[i] = true;
        const char *value = clauses[i].alone ? word : next_word(&at, &len);
        BASE_AUTO_FREE char *copy = len > 0 ? base_str_ndup(value, len) : NULL;
        if (!clauses[i].take(out, copy))
            return wrong_at(text, value, clauses[i].expected, err);
    }
    return true;
}

static bool parse(const char *text, struct load_threshold *out, struct base_error *err)
{
    const char *at = text;
    size_t len;
    const char *word = next_word(&at, &len);
    while (len > 0 && clause_of(word, len) == CLAUSES)
        word = next_word(&at, &len);
    BASE_AUTO_FREE char *expect = base_str_ndup(text, (size_t)(word - text));
    if (!expectation_parse(expect, &out->expect, err))
        return base_fail_context(err, "\"%.160s\"", text);
    return parse_clauses(text, word, out, err);
}

static void threshold_fini(struct load_threshold *t)
{
    free(t->text);
    free(t->phase);
    free(t->route);
    hdr_fini(&t->response);
    load_window_free(t->window);
}

bool load_thresholds_add(struct load_thresholds *thresholds, const char *text,
                         struct base_error *err)
{
    struct load_threshold made = {.abort = false};
    if (!parse(text, &made, err)) {
        threshold_fini(&made);
        return false;
    }
    made.text = base_str_dup(text);
    thresholds->items =
        base_reallocarray(thresholds->items, thresholds->count + 1, sizeof *thresholds->items);
    thresholds->items[thresholds->count++] = made;
    return true;
}

void load_thresholds_fini(struct load_thresholds *thresholds)
{
    for (size_t i = 0; i < thresholds->count; i++)
        threshold_fini(&thresholds->items[i]);
    free(thresholds->items);
    *thresholds = (struct load_thresholds){.count = 0};
}

/* --- while the load runs --- */

static bool check_window(const struct load_threshold *t, const struct load_spec *spec,
                         struct base_error *err)
{
    if (t->over.ns > spec->duration.ns)
        return base_fail(err, BASE_INVALID,
                         "threshold \"%.60s\": its window is longer than the load", t->text);
    if (t->over.ns > 0 && t->over.ns < spec->interval.ns)
        return base_fail(err, BASE_INVALID,
                         "threshold \"%.60s\": its window is shorter than an interval, of which "
                         "windows are made: make those shorter (--interval)",
                         t->text);
    return true;
}

static bool check_name(const struct load_threshold *t, const char *what, const char *name,
                       char *const *names, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (base_str_eq(names[i], name))
            return true;
    const char *near = base_str_nearest(name, (const char *const *)names, count);
    near = near != NULL || count == 0 ? near : names[0];
    return base_fail(err, BASE_INVALID, "threshold \"%.160s\": no %s \"%s\"%s%s%s", t->text, what,
                     name, near != NULL ? ", there is \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"" : "");
}

/* Without a scenario's faults it is the stages that make phases. */
static bool check_phase(const struct load_threshold *t, const struct load_spec *spec,
                        struct base_error *err)
{
    size_t count = spec->phase_count + 1;
    if (t->phase == NULL)
        return true;
    BASE_AUTO_FREE char **names = base_calloc(count, sizeof *names); /* borrowed */
    names[0] = spec->first_phase;
    for (size_t i = 1; i < count; i++)
        names[i] = spec->phases[i - 1].name;
    return check_name(t, "phase", t->phase, names, count, err);
}

static bool check_route(const struct load_threshold *t, const struct load_spec *spec,
                        struct base_error *err)
{
    if (t->route == NULL)
        return true;
    uint32_t count = load_spec_routes(spec);
    char **names = base_calloc(count, sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = load_spec_route_name(spec, i);
    bool known = check_name(t, "route", t->route, names, count, err);
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return known;
}

static bool is_of_a_part(const struct load_threshold *t)
{
    return t->phase != NULL || t->route != NULL;
}

static bool asks_for(const struct load_threshold *t, const char *phase, const char *route)
{
    return (t->phase == NULL || base_str_eq(t->phase, phase)) &&
           (t->route == NULL || base_str_eq(t->route, route));
}

bool load_thresholds_start(struct load_thresholds *thresholds, const struct load_spec *spec,
                           struct base_error *err)
{
    for (size_t i = 0; i < thresholds->count; i++)
        if (!check_window(&thresholds->items[i], spec, err) ||
            !check_phase(&thresholds->items[i], spec, err) ||
            !check_route(&thresholds->items[i], spec, err))
            return false;
    for (size_t i = 0; i < thresholds->count; i++) {
        struct load_threshold *t = &thresholds->items[i];
        t->spec = spec;
        if (t->over.ns > 0)
            t->window = load_window_new(&t->expect, t->phase, t->route, t->over, spec->interval);
        else if (is_of_a_part(t) && !hdr_init_latency(&t->response, err))
            return false;
    }
    return true;
}

void load_thresholds_histogram(struct load_thresholds *thresholds, const char *phase,
                               const char *route, const char *kind, const struct hdr *hdr)
{
    for (size_t i = 0; i < thresholds->count; i++) {
        struct load_threshold *t = &thresholds->items[i];
        if (t->window != NULL)
            load_window_histogram(t->window, phase, route, kind, hdr);
        else if (is_of_a_part(t) && asks_for(t, phase, route) && base_str_eq(kind, LOAD_ENDED))
            (void)hdr_add(&t->response, hdr, NULL); /* same shapes: cannot fail */
    }
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

/* --- how they came out --- */

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

/* Of its phase and route. */
static struct load_counts counts_of(const struct load_threshold *t,
                                    const struct load_result *result)
{
    struct load_counts counts = {.intended = 0};
    if (!is_of_a_part(t))
        return result->total;
    for (size_t i = 0; i < result->part_count; i++)
        if (asks_for(t, result->parts[i].phase, result->parts[i].route))
            load_counts_add(&counts, &result->parts[i].counts);
    return counts;
}

static struct load_judged judge_whole(const struct load_threshold *t,
                                      const struct load_whole *whole)
{
    const struct load_result *result = whole->result;
    struct load_counts counts = counts_of(t, result);
    struct dur_ns length = result->scheduled;
    if (t->phase != NULL)
        length = load_spec_phase_length(t->spec, t->phase, length);
    struct load_measure m =
        load_measure(&t->expect, &counts, is_of_a_part(t) ? &t->response : whole->response,
                     base_dur_to_s(length));
    if (!result->complete)
        return insufficient(m.value, "the load was stopped before its end");
    if (isnan(m.value))
        return insufficient(m.value, "nothing was measured");
    if (m.events < m.need)
        return insufficient(m.value, "fewer than 10/(1 - q) responses: no estimate");
    bool holds = expectation_holds(&t->expect, m.value);
    return (struct load_judged){holds ? VERDICT_PASS : VERDICT_FAIL, m.value, NULL};
}

struct load_judged load_threshold_judge(const struct load_threshold *t,
                                        const struct load_whole *whole)
{
    struct load_judged judged = t->window != NULL ? judge_windows(t) : judge_whole(t, whole);
    if (whole->result->client_limited)
        return insufficient(judged.value, "the generator itself was the limit");
    return judged;
}

enum verdict_status load_thresholds_judge(const struct load_thresholds *thresholds,
                                          const struct load_whole *whole)
{
    enum verdict_status worst = VERDICT_PASS;
    for (size_t i = 0; i < thresholds->count; i++) {
        enum verdict_status status = load_threshold_judge(&thresholds->items[i], whole).status;
        if (status == VERDICT_FAIL)
            return VERDICT_FAIL;
        worst = status == VERDICT_PASS ? worst : status;
    }
    return worst;
}

bool load_thresholds_text(struct base_buf *out, const struct load_thresholds *thresholds,
                          const struct load_whole *whole)
{
    for (size_t i = 0; i < thresholds->count; i++) {
        const struct load_threshold *t = &thresholds->items[i];
        struct load_judged judged = load_threshold_judge(t, whole);
        char value[EXPECT_TEXT] = "none";
        if (!isnan(judged.value))
            expectation_format_value(&t->expect, judged.value, value);
        base_buf_printf(out, "threshold  %-12s %s: %s%s%s%s\n", verdict_status_name(judged.status),
                        t->text, t->window != NULL ? "worst " : "", value,
                        judged.why != NULL ? "; " : "", judged.why != NULL ? judged.why : "");
    }
    return !out->failed;
}

json_t *load_thresholds_json(const struct load_thresholds *thresholds,
                             const struct load_whole *whole)
{
    json_t *list = json_array();
    for (size_t i = 0; i < thresholds->count; i++) {
        const struct load_threshold *t = &thresholds->items[i];
        struct load_judged judged = load_threshold_judge(t, whole);
        json_t *value = isfinite(judged.value) ? json_real(judged.value) : json_null();
        (void)json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o}", "expect",
                                                    model_json_text(t->text), "status",
                                                    verdict_status_name(judged.status), "value",
                                                    value, "why", model_json_text(judged.why)));
    }
    return list;
}
