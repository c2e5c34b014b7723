/* SPDX-License-Identifier: Apache-2.0 */
/* What a result says to people besides its numbers: what weakens it, what failed, what to do. */
#ifndef LOAD_NOTES_H
#define LOAD_NOTES_H

#include "driver.h"

/* The worst that a run's pools met, added up. */
struct load_troubles {
    struct load_refusals refusals[LOAD_CAUSE_COUNT];
    char whys[LOAD_CAUSE_COUNT][LOAD_WHY];
    char malformed[LOAD_WHY];
    struct load_stream_troubles streams;
    struct load_delivery_troubles deliveries;
    uint64_t statuses[LOAD_STATUSES];
};

void load_troubles_add(struct load_troubles *troubles, const struct load_pool *pool);
/* Fills result->notes from the counts of result and from troubles. */
void load_notes_write(struct load_result *result, const struct load_spec *spec,
                      const struct load_troubles *troubles);
/* Users had not the time for as many as were asked for. */
void load_notes_short(struct load_result *result, uint64_t begun, uint64_t asked);
/* For load_tls_result.verified; free() it. */
char *load_notes_verified(const struct load_tls_spec *tls);

#endif
