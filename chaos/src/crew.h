/* SPDX-License-Identifier: Apache-2.0 */
/* Satellites that do the same work on one target: all hold, or none is left. */
#ifndef CHAOS_CREW_H
#define CHAOS_CREW_H

#include "satellite.h"

struct fault_crew;

enum { FAULT_CREW_MAX = 64 };

struct fault_crew_spec {
    const char *name; /* as ps shows each, at most 15 letters */
    void (*run)(void *ctx, int line, struct mono_ns deadline); /* as of a satellite */
    void *run_ctx;
    const int *keep;
    size_t keep_count;
    size_t count;
    void (*on_held)(void *ctx);    /* every one holds the deadline that was told last */
    void (*on_lost)(void *ctx);    /* one is no more, unasked; once */
    void (*on_stopped)(void *ctx); /* none is left, as asked */
    void *ctx;
};

/* left: until they end by themselves, a little later so that an agent that is well comes first. */
struct fault_crew *fault_crew_start(struct io_loop *loop, const struct fault_crew_spec *spec,
                                    struct dur_ns left, struct base_error *err);
bool fault_crew_renew(struct fault_crew *crew, struct dur_ns left, struct base_error *err);
/* on_stopped follows, perhaps from inside. */
void fault_crew_stop(struct fault_crew *crew);
bool fault_crew_holds(const struct fault_crew *crew);   /* as on_held says */
bool fault_crew_stopped(const struct fault_crew *crew); /* as on_stopped says */
size_t fault_crew_count(const struct fault_crew *crew);
pid_t fault_crew_pid(const struct fault_crew *crew, size_t index);
/* Why one could never be started, as of a satellite; code BASE_OK: all were. */
struct base_error fault_crew_why(const struct fault_crew *crew);
/* They end by themselves, as if the agent had died. Accepts NULL. */
void fault_crew_free(struct fault_crew *crew);

#endif
