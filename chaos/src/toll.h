/* SPDX-License-Identifier: Apache-2.0 */
/* What faults have in common that end other people's sessions at a store, once or again and again:
 * they count, and a session that is opened afterwards must live. */
#ifndef CHAOS_TOLL_H
#define CHAOS_TOLL_H

#include "store.h"

struct fault_toll {
    int64_t strikes; /* that the store has carried out */
    int64_t ended;   /* sessions, by all of them */
};

/* How long a new session is watched: longer than from one strike to the next, as far as anybody may
 * be kept waiting. */
struct dur_ns fault_toll_rest(const struct fault_store_subject *subject, struct dur_ns every);
/* Evidence that it has lived since then, and of the toll unless nobody has counted, as after a
 * recovery. what: "sessions that were ended". */
void fault_toll_over(struct fault_store_subject *subject, const struct fault_toll *toll,
                     struct mono_ns since, const char *what);

#endif
