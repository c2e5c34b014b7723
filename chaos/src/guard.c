/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <stdlib.h>
#include <time.h>

#include "base/text.h"

enum { later_ms = 100, undo_tries = 40, undo_again_ms = 25 };

struct fault_guard {
    struct fault_satellite *satellite;
    struct fault_guard_spec spec;
    bool stopping;
    bool over;
};

static void guard_run(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_guard_spec *spec = ctx;
    const struct timespec again = {.tv_nsec = undo_again_ms * BASE_NS_PER_MS};
    while (fault_satellite_holds(line, &deadline))
        fault_satellite_wait(line, base_mono_sub(deadline, base_mono_now()));
    for (int i = 0; i < undo_tries && !spec->undo(spec->undo_ctx); i++)
        (void)nanosleep(&again, NULL);
}

static void on_held(void *ctx)
{
    struct fault_guard *guard = ctx;
    guard->spec.on_held(guard->spec.ctx);
}

static void on_end(void *ctx)
{
    struct fault_guard *guard = ctx;
    guard->over = true;
    if (guard->stopping)
        guard->spec.on_stopped(guard->spec.ctx);
    else
        guard->spec.on_lost(guard->spec.ctx);
}

static struct mono_ns deadline_of(struct dur_ns left)
{
    return base_mono_add(base_mono_now(), (struct dur_ns){left.ns + later_ms * BASE_NS_PER_MS});
}

struct fault_guard *fault_guard_start(struct io_loop *loop, const struct fault_guard_spec *spec,
                                      struct dur_ns left, struct base_error *err)
{
    struct fault_guard *guard = base_calloc(1, sizeof *guard);
    guard->spec = *spec;
    struct fault_satellite_spec satellite = {
        .name = "squall-guard",
        .run = guard_run,
        .run_ctx = &guard->spec,
        .keep = spec->keep,
        .keep_count = spec->keep_count,
        .on_held = on_held,
        .on_end = on_end,
        .ctx = guard,
    };
    guard->satellite = fault_satellite_start(loop, &satellite, deadline_of(left), err);
    if (guard->satellite == NULL) {
        free(guard);
        return NULL;
    }
    return guard;
}

bool fault_guard_renew(struct fault_guard *guard, struct dur_ns left, struct base_error *err)
{
    return fault_satellite_renew(guard->satellite, deadline_of(left), err) ||
           base_fail_context(err, "the watchdog");
}

void fault_guard_stop(struct fault_guard *guard)
{
    if (guard->over) {
        guard->spec.on_stopped(guard->spec.ctx);
        return;
    }
    guard->stopping = true;
    fault_satellite_kill(guard->satellite);
}

pid_t fault_guard_pid(const struct fault_guard *guard)
{
    return fault_satellite_pid(guard->satellite);
}

const struct base_error *fault_guard_why(const struct fault_guard *guard)
{
    return fault_satellite_why(guard->satellite);
}

void fault_guard_free(struct fault_guard *guard)
{
    if (guard == NULL)
        return;
    fault_satellite_free(guard->satellite);
    free(guard);
}
