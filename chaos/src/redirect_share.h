/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs by many conversations: that the share of them was hit that was asked for, and that what
 * was late was spread as asked. For the kinds of faults of a proxy. Pure. */
#ifndef CHAOS_REDIRECT_SHARE_H
#define CHAOS_REDIRECT_SHARE_H

#include "redirect.h"
#include "statistics.h"

/* How many: `whole` when every one is to be hit, else as many as show the share. With a jitter at
 * least as many as show that, too. 0 with err: more than there is time for. */
size_t redirect_samples(const char *kind, double share, size_t whole, struct dur_ns jitter,
                        struct base_error *err);
/* They go on REDIRECT_PARALLEL at a time: so many rounds of them. */
int64_t redirect_rounds(size_t samples);
/* How many of count may be hit: none unless the fault is in place, and then at least one. */
struct fault_interval redirect_hits(double share, size_t count, bool in_place);
/* Whether those that were late are spread as asked, next to what they were before. Sorts both. */
bool redirect_jitter_shown(struct dur_ns jitter, int64_t *before, size_t before_count,
                           int64_t *late, size_t count, struct redirect_finding *out);

#endif
