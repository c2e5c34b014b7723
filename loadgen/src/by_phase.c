/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/by_phase.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "summary.h"

static struct load_phase_times *find(const struct load_by_phase *phases, const char *name)
{
    for (size_t i = 0; i < phases->count; i++)
        if (base_str_eq(phases->items[i].name, name))
            return &phases->items[i];
    return NULL;
}

static bool add(struct load_by_phase *phases, const char *name, struct base_error *err)
{
    if (find(phases, name) != NULL)
        return true;
    struct load_phase_times made = {.name = name};
    if (!hdr_init_latency(&made.response, err))
        return false;
    phases->items = base_reallocarray(phases->items, phases->count + 1, sizeof *phases->items);
    phases->items[phases->count++] = made;
    return true;
}

bool load_by_phase_init(struct load_by_phase *phases, const struct load_spec *spec,
                        struct base_error *err)
{
    struct load_by_phase made = {.spec = spec};
    bool good = spec->phase_count == 0 || add(&made, spec->first_phase, err);
    for (size_t i = 0; i < spec->phase_count && good; i++)
        good = add(&made, spec->phases[i].name, err);
    if (!good) {
        load_by_phase_fini(&made);
        return false;
    }
    *phases = made;
    return true;
}

void load_by_phase_fini(struct load_by_phase *phases)
{
    for (size_t i = 0; i < phases->count; i++)
        hdr_fini(&phases->items[i].response);
    free(phases->items);
    *phases = (struct load_by_phase){.count = 0};
}

void load_by_phase_histogram(struct load_by_phase *phases, const char *phase, const char *kind,
                             const struct hdr *hdr)
{
    struct load_phase_times *times = find(phases, phase);
    if (times != NULL && base_str_eq(kind, LOAD_ENDED))
        (void)hdr_add(&times->response, hdr, NULL); /* same shapes: cannot fail */
}

static struct load_counts counts_of(const struct load_result *result, const char *phase)
{
    struct load_counts counts = {.intended = 0};
    for (size_t i = 0; i < result->part_count; i++)
        if (base_str_eq(result->parts[i].phase, phase))
            load_counts_add(&counts, &result->parts[i].counts);
    return counts;
}

static struct dur_ns length_of(const struct load_by_phase *phases, const struct load_result *result,
                               size_t i)
{
    return load_spec_phase_length(phases->spec, phases->items[i].name, result->scheduled);
}

/* For a line's width; the rest is in the JSON and in the log. */
static const struct {
    const char *label;
    double quantile;
} shown[] = {{"p50", 0.5}, {"p99", 0.99}, {"max", 1.0}};
enum { SHOWN = sizeof shown / sizeof *shown };

static void write_head(struct base_buf *out)
{
    base_buf_printf(out, "%-15s%9s%10s%10s%8s%8s", "by phase", "due for", "intended", "ok",
                    "failed", "missed");
    for (size_t i = 0; i < SHOWN; i++)
        base_buf_printf(out, "%10s", shown[i].label);
    base_buf_char(out, '\n');
}

static void write_figures(struct base_buf *out, const struct hdr *hdr)
{
    for (size_t i = 0; i < SHOWN; i++) {
        char text[LOAD_TIME_TEXT] = "-";
        if (hdr->total > 0)
            load_time_text(hdr_value_at_quantile(hdr, shown[i].quantile), text);
        base_buf_printf(out, "%10s", text);
    }
    base_buf_char(out, '\n');
}

bool load_by_phase_text(struct base_buf *out, const struct load_by_phase *phases,
                        const struct load_result *result)
{
    if (phases->count > 0)
        write_head(out);
    for (size_t i = 0; i < phases->count; i++) {
        const struct load_phase_times *times = &phases->items[i];
        struct load_counts counts = counts_of(result, times->name);
        char length[LOAD_TIME_TEXT];
        load_time_text(length_of(phases, result, i).ns, length);
        base_buf_printf(out, "%-15s %8s%10" PRIu64 "%10" PRIu64 "%8" PRIu64 "%8" PRIu64,
                        times->name, length, counts.intended, counts.ok,
                        load_counts_failed(&counts), counts.missed);
        write_figures(out, &times->response);
    }
    return !out->failed;
}

json_t *load_by_phase_json(const struct load_by_phase *phases, const struct load_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < phases->count; i++) {
        const struct load_phase_times *times = &phases->items[i];
        struct load_counts counts = counts_of(result, times->name);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o}", "phase", times->name, "scheduledNs",
                            (json_int_t)length_of(phases, result, i).ns, "counts",
                            load_counts_to_json(&counts), "response",
                            times->response.total > 0 ? load_figures_json(&times->response)
                                                      : json_null()));
    }
    return list;
}
