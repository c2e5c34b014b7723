/* SPDX-License-Identifier: Apache-2.0 */
#include "run_flows.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "worker_flow.h"

static const size_t undone_max = 4096;

struct load_program *load_run_program(const struct load_spec *spec, struct load_share share,
                                      struct base_error *err)
{
    struct load_flow_first first = {.err = err};
    struct load_program *program = load_program_new(spec, load_flow_first, &first);
    if (program != NULL)
        program->share = share;
    return program;
}

/* "; " and what became of the teardown of what a failed setup had made. */
static void say_undone(const struct load_once *once, struct base_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < once->result_count; i++) {
        const struct load_once_result *one = &once->results[i];
        bool teardown = base_str_eq(one->part, "teardown");
        if (teardown && !any)
            base_buf_str(out, "; what it had set up has been torn down");
        any = any || teardown;
        if (teardown && !one->ok)
            base_buf_printf(out, ", but for %s.%s (%s)", one->flow, one->step, one->why);
    }
}

bool load_run_set_up(const struct load_worker *first, struct base_error *err)
{
    const struct load_once *once = &first->flows->once;
    const struct load_once_result *failed = once->results;
    if (!once->failed)
        return true;
    BASE_AUTO_BUF struct base_buf undone;
    base_buf_init(&undone, undone_max);
    while (failed->ok) /* one has: the last of setup, before those of teardown */
        failed++;
    say_undone(once, &undone);
    return base_fail(err, BASE_UNAVAILABLE,
                     "the setup of flow \"%s\" failed at its step \"%s\": %s%s", failed->flow,
                     failed->step, failed->why, undone.data);
}

uint64_t load_run_begun(const struct load_spec *spec, const struct load_shard *counts)
{
    uint64_t begun = 0;
    for (uint32_t phase = 0; phase < counts->phases; phase++) {
        uint32_t route = 0;
        for (; route < spec->route_count; route++) {
            const struct load_cell *cell = load_shard_peek(counts, phase, route);
            begun += cell == NULL ? 0 : cell->counts.intended;
        }
        for (size_t i = 0; i < spec->flow_count; i++) {
            const struct load_cell *cell = load_shard_peek(counts, phase, route);
            begun += cell == NULL ? 0 : cell->counts.intended;
            route += (uint32_t)spec->flows[i].step_count;
        }
    }
    return begun;
}

static void add_note(struct load_result *result, char *note)
{
    result->notes = base_reallocarray(result->notes, result->note_count + 1, sizeof *result->notes);
    result->notes[result->note_count++] = note;
}

static uint64_t failed_so(const struct load_shard *counts, uint32_t route,
                          enum load_failure failure)
{
    uint64_t sum = 0;
    for (uint32_t phase = 0; phase < counts->phases; phase++) {
        const struct load_cell *cell = load_shard_peek(counts, phase, route);
        sum += cell == NULL ? 0 : cell->counts.failed[failure];
    }
    return sum;
}

/* The reason of any thread stands for all. */
static void note_failures(const struct load_worker *workers, uint32_t count,
                          struct load_collector *c, uint32_t route)
{
    for (int failure = 0; failure < LOAD_FAIL_COUNT; failure++) {
        const char *why = NULL;
        for (uint32_t i = 0; i < count && why == NULL; i++)
            why = workers[i].flows->whys[(size_t)route * LOAD_FAIL_COUNT + (size_t)failure];
        if (why != NULL)
            add_note(&c->result,
                     base_str_printf("step %s: %" PRIu64 " failed (%s), one of them because %s",
                                     c->routes[route],
                                     failed_so(&c->counts, route, (enum load_failure)failure),
                                     load_failure_name((enum load_failure)failure), why));
    }
}

static void note_once(const struct load_once *once, struct load_result *result)
{
    for (size_t i = 0; i < once->result_count; i++) {
        const struct load_once_result *from = &once->results[i];
        result->once =
            base_reallocarray(result->once, result->once_count + 1, sizeof *result->once);
        result->once[result->once_count++] =
            (struct load_once_result){.flow = base_str_dup(from->flow),
                                      .part = base_str_dup(from->part),
                                      .step = base_str_dup(from->step),
                                      .ok = from->ok,
                                      .took = from->took,
                                      .why = base_str_dup(from->why)};
        if (!from->ok)
            add_note(result, base_str_printf("the %s of flow %s failed at its step %s: %s",
                                             from->part, from->flow, from->step, from->why));
    }
}

void load_run_report_flows(const struct load_worker *workers, uint32_t count,
                           struct load_collector *collector)
{
    const struct load_spec *spec = collector->spec;
    uint64_t cut = 0;
    for (uint32_t route = (uint32_t)spec->route_count; route < load_spec_routes(spec); route++)
        note_failures(workers, count, collector, route);
    for (uint32_t i = 0; i < count; i++)
        cut += workers[i].flows->cut;
    if (cut > 0)
        add_note(&collector->result,
                 base_str_printf("%" PRIu64
                                 " flows were under way when the load was stopped or its "
                                 "time was up; their remaining steps count as skipped",
                                 cut));
    note_once(&workers[0].flows->once, &collector->result);
}
