/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that are gone, for as long as they are shown: as compressed text, many in one piece. What
 * they were while they stood (timers, buffers, hundreds of small strings) would keep a page of
 * memory each, all over the heap. Nothing here is called while a fault takes its course.
 */
#ifndef CHAOS_PAST_H
#define CHAOS_PAST_H

#include "model/fault.h"

struct agent_past;

struct agent_past_fault {
    struct fault_spec spec;
    struct fault_record record;
};

struct agent_past *agent_past_new(void);
void agent_past_free(struct agent_past *past); /* accepts NULL */

/* Takes a copy of a fault that is gone. false: it cannot be written as JSON, nothing was taken.
 * agent_past_close follows the last one of many. */
bool agent_past_add(struct agent_past *past, const struct fault_spec *spec,
                    const struct fault_record *record);
void agent_past_close(struct agent_past *past);

/* The fault of this id, agent_past_fault_fini it; false: there is none. */
bool agent_past_find(struct agent_past *past, const char *id, struct agent_past_fault *out);
void agent_past_fault_fini(struct agent_past_fault *fault);
/* The same, and it is here no more. */
bool agent_past_take(struct agent_past *past, const char *id, struct agent_past_fault *out);
/* All that went before then, and of the others the oldest until no more than `most` are left. */
void agent_past_prune(struct agent_past *past, struct wall_ns before, size_t most);

/* The record of each, as JSON that is the callee's. */
void agent_past_each(struct agent_past *past,
                     void (*on_record)(void *ctx, struct wall_ns requested_at, json_t *record),
                     void *ctx);
/* The run of each. */
void agent_past_runs(struct agent_past *past, void (*on_run)(void *ctx, const char *run),
                     void *ctx);

size_t agent_past_count(const struct agent_past *past);
size_t agent_past_bytes(const struct agent_past *past); /* of memory, for all of them */

#endif
