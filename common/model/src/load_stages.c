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
