/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lock.h"
#include "sandbox/sandbox.h"
#include "status_file.h"
#include "sweep.h"

enum { STOP_S = 45, LOCK_S = 15, POLL_MS = 10 };

static bool wait_unlocked(const struct sandbox_place *place, struct mono_ns end)
{
    while (sandbox_locked(place)) {
        if (!base_mono_before(base_mono_now(), end))
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * BASE_NS_PER_MS}, NULL);
    }
    return true;
}

/* Asks the supervisor to end, which it does after everything it owns has ended; one that hangs is
 * killed, and what it leaves is swept. */
static void end_supervisor(const struct sandbox_place *place)
{
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_s(STOP_S));
    struct sandbox_supervisor who = {0};
    bool asked = false;
    while (sandbox_locked(place) && !asked) {
        /* It may hold the lock and not have written its pid yet. */
        asked = sandbox_supervisor_read(place, &who) &&
                sandbox_process_signal(who.pid, who.start_ticks, SIGTERM);
        if (!asked && !base_mono_before(base_mono_now(), end))
            return;
        if (!asked)
            (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * BASE_NS_PER_MS}, NULL);
    }
    if (!wait_unlocked(place, end))
        (void)sandbox_process_signal(who.pid, who.start_ticks, SIGKILL);
}

static bool anything(const struct sandbox_place *place)
{
    struct sandbox_leftovers left;
    BASE_AUTO_FREE char *topology = sandbox_path(place, "topology.json");
    sandbox_leftovers(place, &left);
    return left.processes || left.network || left.groups || access(topology, F_OK) == 0;
}

static bool purge_state(const struct sandbox_place *place, const struct sandbox_sink *sink,
                        struct base_error *err)
{
    BASE_AUTO_FREE char *parent = base_str_printf("%s/sandboxes", place->root);
    if (!base_dir_remove(place->dir, err))
        return false;
    (void)rmdir(parent); /* when it was the last one */
    BASE_AUTO_FREE char *line = base_str_printf("removed %s", place->dir);
    sink->line(sink->ctx, line);
    return true;
}

static void say_down(const struct sandbox_place *place, bool was_up, bool purge,
                     const struct sandbox_sink *sink)
{
    BASE_AUTO_FREE char *line = base_str_printf(
        was_up ? "sandbox '%s' is down" : "sandbox '%s' was not up: nothing to stop", place->name);
    BASE_AUTO_FREE char *kept =
        base_str_printf("kept for the next start: %s/postgres (the database) and %s/logs; "
                        "`squall down --purge` removes them",
                        place->dir, place->dir);
    sink->line(sink->ctx, line);
    if (was_up && !purge)
        sink->line(sink->ctx, kept);
}

static bool take_down(const struct sandbox_place *place, bool purge,
                      const struct sandbox_sink *sink, struct base_error *err)
{
    bool was_up = sandbox_locked(place) || anything(place);
    if (!was_up && access(place->dir, F_OK) < 0) {
        say_down(place, false, purge, sink);
        return true;
    }
    end_supervisor(place);
    if (!base_dir_make(place->dir, 0755, err))
        return false;
    BASE_AUTO_FD int lock = sandbox_lock(place, base_dur_s(LOCK_S), err);
    if (lock < 0 || !sandbox_sweep(place, err))
        return false;
    say_down(place, was_up, purge, sink);
    return !purge || purge_state(place, sink, err);
}

bool sandbox_down(const struct sandbox_options *options, bool purge,
                  const struct sandbox_sink *sink, struct base_error *err)
{
    struct sandbox_place place;
    if (!sandbox_place_init(&place, options->name, options->state, err))
        return false;
    bool ok = take_down(&place, purge, sink, err);
    sandbox_place_fini(&place);
    return ok;
}
