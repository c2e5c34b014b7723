/* SPDX-License-Identifier: Apache-2.0 */
/* All targets of one fault that puts a table of ours into the namespace of each (zone.h), and the
 * steps that go from one to the next: of the kinds partition and those of the proxy (redirect.h).
 */
#ifndef CHAOS_ZONES_H
#define CHAOS_ZONES_H

#include "engine.h"
#include "neighbours.h"

struct fault_zones {
    struct fault_zone *list;
    size_t count;
    char *table;                         /* its name, in each of them */
    struct fault_neighbours *neighbours; /* NULL: nobody looks */
};

void fault_zones_init(struct fault_zones *zones, const struct fault *fault, size_t count);
void fault_zones_fini(struct fault_zones *zones); /* accepts a zeroed value */
/* Those of the fault's targets, each a namespace of its own. */
bool fault_zones_open(struct fault_zones *zones, const struct fault *fault, const struct topo *topo,
                      char *const *peers, size_t peer_count, struct base_error *err);
/* From now on it is seen who comes there; revert ends that. */
void fault_zones_watch(struct fault *fault, struct fault_zones *zones);
/* Does `one` to each and ends the step; stops at the first that fails. */
void fault_zones_step(struct fault *fault, const struct fault_zones *zones,
                      bool (*one)(struct fault *fault, size_t index, struct base_error *err));
/* The same, but does all of them whatever fails. */
void fault_zones_revert(struct fault *fault, struct fault_zones *zones,
                        bool (*one)(struct fault *fault, size_t index, struct base_error *err));
/* Whether the table is in none of them any more; false with err. */
bool fault_zones_absent(struct fault *fault, struct fault_zones *zones, struct base_error *err);

#endif
