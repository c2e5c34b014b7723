/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of faults that this agent has taken, on disk, so that a request that somebody captured is not
 * carried out a second time: not when the fault has been forgotten, nor by the next agent. One
 * empty file for each beside the journal; they are removed when no request that old would be taken
 * anyway (CONTROL_MAX_AGE_S).
 */
#ifndef CHAOS_USED_H
#define CHAOS_USED_H

#include "base/clock.h"
#include "base/error.h"

enum { AGENT_USED_MAX = 100000 }; /* files; more are refused until old ones go */

struct agent_used;

/* The folder "used" in dir, made when missing; what is older than keep is removed. */
struct agent_used *agent_used_open(const char *dir, struct dur_ns keep, struct base_error *err);
void agent_used_close(struct agent_used *used); /* accepts NULL */
/* BASE_DENIED when the id was used before; anything else: it cannot be told or remembered. */
bool agent_used_check(const struct agent_used *used, const char *id, struct base_error *err);
/* As above, and on return the id is used; on disk after agent_used_sync. id: as agent_id_valid. */
bool agent_used_take(struct agent_used *used, const char *id, struct base_error *err);
/* From any thread: every id that was taken before the call. */
bool agent_used_sync(const struct agent_used *used, struct base_error *err);
/* Its request was refused after all, and nothing was done. */
void agent_used_give_back(struct agent_used *used, const char *id);
void agent_used_prune(struct agent_used *used);

#endif
