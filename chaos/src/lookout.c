/* SPDX-License-Identifier: Apache-2.0 */
#include "lookout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "find.h"

void fault_sight_copy(struct fault_sight *out, const struct fault_sight *sight)
{
    *out = *sight;
    out->name = base_str_dup(sight->name);
}

void fault_sights_fini(struct fault_sights *sights)
{
    for (size_t i = 0; i < sights->count; i++)
        free(sights->list[i].name);
    free(sights->list);
    *sights = (struct fault_sights){0};
}

static void add(struct fault_sights *sights, const struct fault_sight *sight)
{
    sights->list = base_reallocarray(sights->list, sights->count + 1, sizeof *sights->list);
    fault_sight_copy(&sights->list[sights->count++], sight);
}

/* --- looking --- */

static struct fault_place_id place_of(const char *path)
{
    struct stat seen;
    if (path == NULL || stat(path, &seen) < 0)
        return (struct fault_place_id){0};
    return (struct fault_place_id){.dev = seen.st_dev, .ino = seen.st_ino};
}

static struct fault_place_id netns_of(const struct topo_instance *instance, pid_t pid)
{
    char path[64];
    if (instance->netns != NULL)
        return place_of(instance->netns);
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return pid > 0 ? place_of(path) : (struct fault_place_id){0};
}

static bool is_root(const struct fault_found *found, const struct fault_process *process)
{
    struct base_process seen;
    if (!base_process_find(process->pid, &seen) || seen.start_ticks != process->start_ticks)
        return false;
    for (size_t i = 0; i < found->count; i++)
        if (found->processes[i].pid == seen.parent)
            return false;
    return true;
}

static void look_for(const struct topo_instance *instance, struct fault_sights *out)
{
    struct fault_found found = {0};
    if (!fault_find(instance->find_by, instance->find_value, &found, NULL)) {
        /* Nobody is there, or nobody who may be hit. */
        add(out, &(struct fault_sight){.name = instance->name, .found = true});
        return;
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct fault_process *process = &found.processes[i];
        if (!is_root(&found, process))
            continue;
        BASE_AUTO_FREE char *group = instance->cgroup != NULL ? base_str_dup(instance->cgroup)
                                                              : fault_find_group(process->pid);
        const struct fault_sight sight = {.name = instance->name,
                                          .process = *process,
                                          .ready = true,
                                          .found = true,
                                          .netns = netns_of(instance, process->pid),
                                          .group = place_of(group)};
        add(out, &sight);
    }
    fault_found_fini(&found);
}

static void look_at(const struct topo_instance *instance, struct fault_sights *out)
{
    struct topo_status status = {0};
    struct fault_sight sight = {.name = instance->name, .ready = true};
    const char *file = instance->status_file;
    bool told = file != NULL && file[0] != '\0';
    if (told && !topo_status_read(file, &status, NULL)) {
        sight.ready = false; /* it is being made */
    } else if (told) {
        sight.process = (struct fault_process){(pid_t)status.pid, status.start_ticks};
        sight.ready = base_str_eq(status.state, "ready") && fault_process_alive(&sight.process);
    }
    sight.netns = netns_of(instance, sight.process.pid);
    sight.group = place_of(instance->cgroup);
    add(out, &sight);
    topo_status_fini(&status);
}

void fault_sights_take(const struct topo *topo, const char *service, struct fault_sights *out)
{
    const struct topo_service *of = topo_find_service(topo, service);
    *out = (struct fault_sights){0};
    for (size_t i = 0; of != NULL && i < of->instance_count; i++) {
        if (of->instances[i].find_by != NULL)
            look_for(&of->instances[i], out);
        else
            look_at(&of->instances[i], out);
    }
}

/* --- comparing --- */

const char *fault_news_name(enum fault_news news)
{
    static const char *const names[] = {[FAULT_NEWS_INSTANCE] = "new instance",
                                        [FAULT_NEWS_PROCESS] = "new process",
                                        [FAULT_NEWS_RESTARTED] = "restarted"};
    return names[news];
}

static bool same(const struct fault_sight *a, const struct fault_sight *b)
{
    return base_str_eq(a->name, b->name) && a->process.pid == b->process.pid &&
           a->process.start_ticks == b->process.start_ticks;
}

static bool have(const struct fault_sights *sights, const struct fault_sight *sight)
{
    for (size_t i = 0; i < sights->count; i++)
        if (same(&sights->list[i], sight))
            return true;
    return false;
}

bool fault_sights_have(const struct fault_sights *sights, const char *name)
{
    for (size_t i = 0; i < sights->count; i++)
        if (base_str_eq(sights->list[i].name, name))
            return true;
    return false;
}

bool fault_sight_matches(const struct topo *topo, const struct fault_spec *spec,
                         const struct fault_sight *sight)
{
    const struct topo_instance *instance = topo_find_instance(topo, sight->name, NULL);
    return instance != NULL && topo_matches(instance, &spec->where);
}

/* One that was known is there still, and beside it came another. */
static bool beside_another(const struct fault_sights *known, const struct fault_sights *now,
                           const char *name)
{
    for (size_t i = 0; i < now->count; i++)
        if (base_str_eq(now->list[i].name, name) && have(known, &now->list[i]))
            return true;
    return false;
}

void fault_sights_compare(struct fault_sights *known, const struct fault_sights *now,
                          void (*on_new)(void *ctx, const struct fault_sight *sight,
                                         enum fault_news news),
                          void *ctx)
{
    struct fault_sights fresh = {0};
    for (size_t i = 0; i < now->count; i++) {
        const struct fault_sight *sight = &now->list[i];
        if (!sight->ready || have(known, sight))
            continue;
        enum fault_news news = FAULT_NEWS_RESTARTED;
        if (!fault_sights_have(known, sight->name))
            news = FAULT_NEWS_INSTANCE;
        else if (beside_another(known, now, sight->name))
            news = FAULT_NEWS_PROCESS;
        add(&fresh, sight);
        on_new(ctx, sight, news);
    }
    for (size_t i = 0; i < fresh.count; i++)
        add(known, &fresh.list[i]);
    fault_sights_fini(&fresh);
}

static bool one_place(struct fault_place_id a, struct fault_place_id b)
{
    return a.ino != 0 && a.ino == b.ino && a.dev == b.dev;
}

bool fault_sight_is_held(const struct fault_sight *before, const struct fault_sight *now,
                         enum fault_place place)
{
    switch (place) {
    case FAULT_PLACE_NETNS:
        return one_place(before->netns, now->netns);
    case FAULT_PLACE_GROUP:
        return one_place(before->group, now->group);
    case FAULT_PLACE_ADDRESS:
        return base_str_eq(before->name, now->name);
    case FAULT_PLACE_PROCESS:
    case FAULT_PLACE_NONE:
        break;
    }
    return false;
}

size_t fault_track_wanted(const struct fault_spec *spec, size_t instances)
{
    if (spec->track.count > 0)
        return (size_t)spec->track.count;
    return (size_t)floor(spec->track.share * (double)instances + 1e-9);
}

void fault_sight_tell(struct fault *fault, const struct fault_sight *sight, enum fault_news news,
                      struct wall_ns seen, bool joined, const char *how)
{
    BASE_AUTO_FREE char *who =
        sight->process.pid > 0 ? base_str_printf("pid %d", (int)sight->process.pid) : NULL;
    BASE_AUTO_FREE char *what = base_str_dup(fault_news_name(news));
    BASE_AUTO_FREE char *text = base_str_dup(how);
    const struct fault_arrival arrival = {.target = sight->name,
                                          .what = what,
                                          .who = who,
                                          .joined = joined,
                                          .how = text,
                                          .seen_at = seen,
                                          .decided_at = base_wall_now()};
    fault_add_arrival(fault, &arrival);
}
