/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has done so far in Prometheus' text format 0.0.4. Pure. */
#ifndef LOAD_EXPOSITION_H
#define LOAD_EXPOSITION_H

#include "base/buf.h"
#include "recorder.h"

struct load_exposed_worker {
    bool up;              /* takes part: has joined, has neither finished nor been given up */
    struct dur_ns silent; /* since it said something; if up */
};

/* All borrowed. */
struct load_exposed {
    char *const *phases;            /* as many as cells has */
    char *const *routes;            /* likewise */
    const struct load_shard *cells; /* counts and histograms of the run so far */
    const struct load_counts *total;
    const struct load_exposed_worker *workers; /* of a distributed run, by index */
    uint32_t worker_count;
};

bool load_exposition_write(const struct load_exposed *exposed, struct base_buf *out);

#endif
