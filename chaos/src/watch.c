/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "fault_roster.h"

struct watched {
    char *id;
    int64_t since; /* nanoseconds since the boot */
};

/* A service, looked at once for all of its faults: there may be hundreds. */
struct view {
    char *service;
    struct fault_sights known;
    struct watched *faults;
    size_t count;
};

struct agent_watch {
    struct fault_env *env;
    struct view *views;
    size_t count;
    struct io_timer timer;
};

static void on_timer(void *ctx);

struct agent_watch *agent_watch_new(struct fault_env *env)
{
    struct agent_watch *watch = base_calloc(1, sizeof *watch);
    watch->env = env;
    io_timer_init(&watch->timer, env->loop, on_timer, watch);
    return watch;
}

static void drop_view(struct agent_watch *watch, size_t index)
{
    struct view *view = &watch->views[index];
    for (size_t i = 0; i < view->count; i++)
        free(view->faults[i].id);
    free(view->faults);
    free(view->service);
    fault_sights_fini(&view->known);
    *view = watch->views[--watch->count];
}

void agent_watch_free(struct agent_watch *watch)
{
    if (watch == NULL)
        return;
    while (watch->count > 0)
        drop_view(watch, watch->count - 1);
    io_timer_fini(&watch->timer);
    free(watch->views);
    free(watch);
}

/* --- what is seen --- */

struct looking {
    const struct agent_watch *watch;
    const struct view *view;
};

static bool is_target(const struct fault_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->target_count; i++)
        if (base_str_eq(spec->targets[i], name))
            return true;
    return false;
}

/* A new process of a target is hit where the fault holds the place that the target lives in. */
static bool is_held(const struct fault_sights *before, const struct fault_sight *sight,
                    enum fault_place place)
{
    for (size_t i = 0; i < before->count; i++)
        if (base_str_eq(before->list[i].name, sight->name) &&
            fault_sight_is_held(&before->list[i], sight, place))
            return true;
    return false;
}

static void tell_fault(const struct looking *looking, struct fault *fault,
                       const struct fault_sight *sight, enum fault_news news)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    enum fault_place place = fault_ops_alone(spec)->place;
    if (news != FAULT_NEWS_INSTANCE &&
        (place == FAULT_PLACE_NONE || !is_target(spec, sight->name) ||
         is_held(&looking->view->known, sight, place)))
        return;
    fault_sight_tell(fault, sight, news, base_wall_now(), false,
                     fault_track_refused(spec->kind) == NULL
                         ? "the fault does not follow (track: true would)"
                         : "faults of this kind do not follow");
}

/* Who came before is no news to it. */
static bool is_in_force(const struct fault *fault)
{
    enum fault_state state = fault_record_of(fault)->state;
    return state == FAULT_APPLYING || state == FAULT_ACTIVE;
}

/* A target that restarted between the last look and the fault is what the fault hits. proc(5):
 * starttime is in clock ticks since the boot, rounded down: who started in the tick of the fault
 * counts as later, for nobody must be missed in silence. */
static bool came_after(const struct watched *watched, const struct fault_sight *sight,
                       enum fault_news news)
{
    int64_t tick = BASE_NS_PER_S / sysconf(_SC_CLK_TCK);
    return news == FAULT_NEWS_INSTANCE ||
           (int64_t)(sight->process.start_ticks + 1) * tick > watched->since;
}

static int64_t since_boot(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * BASE_NS_PER_S + now.tv_nsec;
}

static void on_new(void *ctx, const struct fault_sight *sight, enum fault_news news)
{
    const struct looking *looking = ctx;
    const struct fault_env *env = looking->watch->env;
    for (size_t i = 0; i < looking->view->count; i++) {
        const struct watched *watched = &looking->view->faults[i];
        struct fault *fault = env->find(env->ctx, watched->id);
        if (fault != NULL && is_in_force(fault) && came_after(watched, sight, news) &&
            fault_sight_matches(env->topology(env->ctx), fault_spec_of(fault), sight))
            tell_fault(looking, fault, sight, news);
    }
}

static void look(struct agent_watch *watch, struct view *view)
{
    struct fault_sights now;
    struct looking looking = {watch, view};
    fault_sights_take(watch->env->topology(watch->env->ctx), view->service, &now);
    fault_sights_compare(&view->known, &now, on_new, &looking);
    fault_sights_fini(&now);
}

/* --- whose faults --- */

static struct view *view_of(struct agent_watch *watch, const char *service)
{
    for (size_t i = 0; i < watch->count; i++)
        if (base_str_eq(watch->views[i].service, service))
            return &watch->views[i];
    watch->views = base_reallocarray(watch->views, watch->count + 1, sizeof *watch->views);
    struct view *view = &watch->views[watch->count++];
    *view = (struct view){.service = base_str_dup(service)};
    fault_sights_take(watch->env->topology(watch->env->ctx), service, &view->known);
    return view;
}

void agent_watch_add(struct agent_watch *watch, const struct fault *fault)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct view *view = view_of(watch, spec->service);
    view->faults = base_reallocarray(view->faults, view->count + 1, sizeof *view->faults);
    view->faults[view->count++] =
        (struct watched){.id = base_str_dup(spec->id), .since = since_boot()};
    if (!io_timer_active(&watch->timer))
        io_timer_start(&watch->timer, base_dur_ms(FAULT_ROSTER_LOOK_MS));
}

static void forget_ended(const struct agent_watch *watch, struct view *view)
{
    const struct fault_env *env = watch->env;
    for (size_t i = view->count; i-- > 0;) {
        const struct fault *fault = env->find(env->ctx, view->faults[i].id);
        if (fault != NULL && !fault_is_final(fault))
            continue;
        free(view->faults[i].id);
        view->faults[i] = view->faults[--view->count];
    }
}

static void on_timer(void *ctx)
{
    struct agent_watch *watch = ctx;
    for (size_t i = watch->count; i-- > 0;) {
        forget_ended(watch, &watch->views[i]);
        if (watch->views[i].count > 0)
            look(watch, &watch->views[i]);
        else
            drop_view(watch, i);
    }
    if (watch->count > 0)
        io_timer_start(&watch->timer, base_dur_ms(FAULT_ROSTER_LOOK_MS));
}
