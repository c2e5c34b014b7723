/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/text.h"
#include "model/load.h"

void load_spec_add_stage(struct load_spec *spec, const struct load_stage *stage)
{
    spec->stages = base_reallocarray(spec->stages, spec->stage_count + 1, sizeof *spec->stages);
    spec->stages[spec->stage_count++] = *stage;
}

void load_spec_add_steps(struct load_spec *spec, const struct load_stage *ramp, uint32_t steps)
{
    int64_t begin = 0;
    for (uint32_t i = 0; i < steps; i++) {
        /* The ends are multiples, not sums, so that together they are as long as the ramp. */
        int64_t end = (int64_t)((__int128_t)ramp->length.ns * (i + 1) / steps);
        double share = steps > 1 ? (double)i / (double)(steps - 1) : 1;
        double rate = ramp->from + (ramp->to - ramp->from) * share;
        load_spec_add_stage(
            spec, &(struct load_stage){.length = {end - begin}, .from = rate, .to = rate});
        begin = end;
    }
}

void load_spec_add_phase(struct load_spec *spec, struct dur_ns start, const char *name)
{
    if (start.ns <= 0 || spec->first_phase == NULL) {
        free(spec->first_phase);
        spec->first_phase = base_str_dup(name);
        return;
    }
    if (base_str_eq(load_spec_phase_at(spec, start), name))
        return;
    spec->phases = base_reallocarray(spec->phases, spec->phase_count + 1, sizeof *spec->phases);
    spec->phases[spec->phase_count++] =
        (struct load_phase){.name = base_str_dup(name), .start = start};
}

const char *load_spec_phase_at(const struct load_spec *spec, struct dur_ns at)
{
    const char *name = spec->first_phase;
    for (size_t i = 0; i < spec->phase_count && spec->phases[i].start.ns <= at.ns; i++)
        name = spec->phases[i].name;
    return name;
}

struct dur_ns load_spec_phase_length(const struct load_spec *spec, const char *name,
                                     struct dur_ns over)
{
    struct dur_ns length = {0};
    int64_t start = 0;
    const char *here = spec->first_phase;
    for (size_t i = 0; i <= spec->phase_count && start < over.ns; i++) {
        int64_t end = i < spec->phase_count ? spec->phases[i].start.ns : over.ns;
        end = end < over.ns ? end : over.ns;
        if (base_str_eq(here, name))
            length.ns += end - start;
        start = end;
        here = i < spec->phase_count ? spec->phases[i].name : NULL;
    }
    return length;
}
