/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"

#include <stdlib.h>

#include "base/hurry.h"
#include "base/text.h"

enum { later_ms = 100 };

struct member {
    struct fault_crew *crew;
    struct fault_satellite *satellite;
    bool held; /* the deadline told last */
    bool over;
};

struct fault_crew {
    struct fault_crew_spec spec;
    struct member members[FAULT_CREW_MAX];
    size_t count;
    bool waiting; /* for all to hold */
    bool stopping;
    bool lost;
};

static bool all_held(const struct fault_crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        if (!crew->members[i].held)
            return false;
    return true;
}

static bool all_over(const struct fault_crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        if (!crew->members[i].over)
            return false;
    return true;
}

static void on_held(void *ctx)
{
    struct member *member = ctx;
    struct fault_crew *crew = member->crew;
    member->held = true;
    if (!crew->waiting || !all_held(crew))
        return;
    crew->waiting = false;
    crew->spec.on_held(crew->spec.ctx);
}

static void on_end(void *ctx)
{
    struct member *member = ctx;
    struct fault_crew *crew = member->crew;
    member->over = true;
    if (crew->stopping) {
        if (all_over(crew))
            crew->spec.on_stopped(crew->spec.ctx);
    } else if (!crew->lost) {
        crew->lost = true;
        crew->spec.on_lost(crew->spec.ctx);
    }
}

/* In the satellite. The agent is let in early for its events; what works is not. */
static void work(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_crew_spec *spec = ctx;
    base_hurry_no_more();
    spec->run(spec->run_ctx, line, deadline);
}

static struct mono_ns deadline_of(struct dur_ns left)
{
    return base_mono_add(base_mono_now(), (struct dur_ns){left.ns + later_ms * BASE_NS_PER_MS});
}

struct fault_crew *fault_crew_start(struct io_loop *loop, const struct fault_crew_spec *spec,
                                    struct dur_ns left, struct base_error *err)
{
    struct fault_crew *crew = base_calloc(1, sizeof *crew);
    crew->spec = *spec;
    crew->waiting = true;
    for (; crew->count < spec->count && crew->count < FAULT_CREW_MAX; crew->count++) {
        struct member *member = &crew->members[crew->count];
        struct fault_satellite_spec satellite = {
            .name = spec->name,
            .run = work,
            .run_ctx = &crew->spec,
            .keep = spec->keep,
            .keep_count = spec->keep_count,
            .on_held = on_held,
            .on_end = on_end,
            .ctx = member,
        };
        member->crew = crew;
        member->satellite = fault_satellite_start(loop, &satellite, deadline_of(left), err);
        if (member->satellite == NULL) {
            fault_crew_free(crew);
            return NULL;
        }
    }
    return crew;
}

bool fault_crew_renew(struct fault_crew *crew, struct dur_ns left, struct base_error *err)
{
    crew->waiting = true;
    for (size_t i = 0; i < crew->count; i++) {
        crew->members[i].held = false;
        if (!fault_satellite_renew(crew->members[i].satellite, deadline_of(left), err))
            return base_fail_context(err, "a worker");
    }
    return true;
}

void fault_crew_stop(struct fault_crew *crew)
{
    crew->stopping = true;
    for (size_t i = 0; i < crew->count; i++)
        fault_satellite_kill(crew->members[i].satellite);
    if (all_over(crew))
        crew->spec.on_stopped(crew->spec.ctx);
}

bool fault_crew_holds(const struct fault_crew *crew)
{
    return !crew->waiting;
}

bool fault_crew_stopped(const struct fault_crew *crew)
{
    return crew->stopping && all_over(crew);
}

size_t fault_crew_count(const struct fault_crew *crew)
{
    return crew->count;
}

pid_t fault_crew_pid(const struct fault_crew *crew, size_t index)
{
    return fault_satellite_pid(crew->members[index].satellite);
}

struct base_error fault_crew_why(const struct fault_crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        if (fault_satellite_why(crew->members[i].satellite)->code != BASE_OK)
            return *fault_satellite_why(crew->members[i].satellite);
    return (struct base_error){.code = BASE_OK};
}

void fault_crew_free(struct fault_crew *crew)
{
    if (crew == NULL)
        return;
    for (size_t i = 0; i < crew->count; i++)
        fault_satellite_free(crew->members[i].satellite);
    free(crew);
}
