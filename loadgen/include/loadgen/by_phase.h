/* SPDX-License-Identifier: Apache-2.0 */
/* What each phase of a load was like, where its stages have names: a load of one phase is told by
 * the whole already. */
#ifndef LOADGEN_BY_PHASE_H
#define LOADGEN_BY_PHASE_H

#include "base/buf.h"
#include "model/hdr.h"
#include "model/load.h"

struct load_phase_times {
    const char *name; /* the spec's */
    struct hdr response;
};

struct load_by_phase {
    const struct load_spec *spec;
    struct load_phase_times *items; /* each name once, in the order in which they come */
    size_t count;                   /* 0: the load has one phase */
};

/* spec outlives it. On failure nothing is left. */
bool load_by_phase_init(struct load_by_phase *phases, const struct load_spec *spec,
                        struct base_error *err);
void load_by_phase_fini(struct load_by_phase *phases); /* accepts zeroed */
void load_by_phase_histogram(struct load_by_phase *phases, const char *phase, const char *kind,
                             const struct hdr *hdr);
/* A table with a line for each phase; nothing for a load of one. */
bool load_by_phase_text(struct base_buf *out, const struct load_by_phase *phases,
                        const struct load_result *result);
/* [{"phase", "scheduledNs", "counts", "response"}...] */
json_t *load_by_phase_json(const struct load_by_phase *phases, const struct load_result *result);

#endif
