/* SPDX-License-Identifier: Apache-2.0 */
#include "neighbours.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "find.h"
#include "group.h"

enum {
    look_ms = 1000,
    share = 100, /* of the time, at most one part of so many is spent looking */
    parents_most = 64,
    told_most = 8
};

struct crowd {
    struct fault_process *list;
    size_t count;
};

struct home { /* of one zone */
    struct crowd known;
    struct crowd doubted; /* by the last look: what is just starting may be known by the next */
    struct crowd now;
    size_t told;
};

struct fault_neighbours {
    struct fault *fault;
    const struct fault_zone *zones;
    struct home *homes;
    size_t count;
    struct io_timer again;
};

static void crowd_add(struct crowd *crowd, struct fault_process process)
{
    crowd->list = base_reallocarray(crowd->list, crowd->count + 1, sizeof *crowd->list);
    crowd->list[crowd->count++] = process;
}

static void crowd_free(struct crowd *crowd)
{
    free(crowd->list);
    *crowd = (struct crowd){0};
}

static bool has(const struct crowd *crowd, pid_t pid, uint64_t start_ticks)
{
    for (size_t i = 0; i < crowd->count; i++)
        if (crowd->list[i].pid == pid && crowd->list[i].start_ticks == start_ticks)
            return true;
    return false;
}

/* One of them, or a child of one. */
static bool descends(pid_t pid, const struct crowd *from)
{
    struct base_process seen;
    for (int i = 0; i < parents_most && pid > 0 && base_process_find(pid, &seen); i++) {
        if (has(from, pid, seen.start_ticks))
            return true;
        pid = seen.parent;
    }
    return false;
}

/* --- who is there --- */

static void take_pid(struct fault_neighbours *neighbours, pid_t pid)
{
    struct fault_process process = {.pid = pid};
    struct stat seen;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat(path, &seen) < 0)
        return;
    for (size_t i = 0; i < neighbours->count; i++) {
        const struct fault_netns *netns = &neighbours->zones[i].netns;
        if (netns->fd >= 0 && netns->dev == seen.st_dev && netns->ino == seen.st_ino &&
            base_process_ticks(pid, &process.start_ticks))
            crowd_add(&neighbours->homes[i].now, process);
    }
}

static void take_all(struct fault_neighbours *neighbours)
{
    for (size_t i = 0; i < neighbours->count; i++)
        neighbours->homes[i].now.count = 0;
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t pid = 0;
        if (base_parse_u64(entry->d_name, &pid) && pid <= INT_MAX)
            take_pid(neighbours, (pid_t)pid);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

/* --- who belongs there --- */

static void on_member(void *ctx, pid_t pid)
{
    struct fault_process process = {.pid = pid};
    if (base_process_ticks(pid, &process.start_ticks))
        crowd_add(ctx, process);
}

/* As it is now: after a restart it has others. */
static struct crowd own_of(const struct fault_target *target)
{
    struct crowd own = {0};
    if (!fault_target_processes(target, &own.list, &own.count, NULL))
        own = (struct crowd){0};
    if (target->cgroup != NULL)
        fault_group_each(target->cgroup, on_member, &own);
    return own;
}

static bool is_strict(const struct fault_zone *zone)
{
    return zone->target.netns_found;
}

/* true: that was the end of the fault. */
static bool tell(struct fault_neighbours *neighbours, size_t index, pid_t pid)
{
    const struct fault_target *target = &neighbours->zones[index].target;
    bool strict = is_strict(&neighbours->zones[index]);
    BASE_AUTO_FREE char *who = fault_find_name(pid);
    if (neighbours->homes[index].told++ < told_most)
        fault_evidence(neighbours->fault, target->name, "during", "others in the namespace", who,
                       strict ? "none" : NULL, !strict);
    if (!strict)
        return false;
    BASE_AUTO_FREE char *why = base_str_printf(
        "%s: %s has come into its network namespace, is not found by %s \"%s\" and was hit: "
        "describe all who live there, or name the namespace in the topology (netns) if all of "
        "them are meant",
        target->name, who, target->find_by, target->find_value);
    fault_note_error(neighbours->fault, why);
    fault_end(neighbours->fault, FAULT_END_FAILED);
    return true;
}

/* Sorts those who are there into those that are known and those that are not. */
static void sort_out(struct home *home, const struct fault_target *target, struct crowd *doubted)
{
    struct crowd known = {0};
    struct crowd own = {0};
    bool asked = false;
    for (size_t i = 0; i < home->now.count; i++) {
        const struct fault_process *one = &home->now.list[i];
        bool ours = descends(one->pid, &home->known);
        if (!ours && !asked) { /* reads all of /proc: only when somebody is new */
            own = own_of(target);
            asked = true;
        }
        ours = ours || descends(one->pid, &own);
        crowd_add(ours ? &known : doubted, *one);
    }
    crowd_free(&own);
    crowd_free(&home->known);
    home->known = known;
}

/* true: that was the end of the fault. */
static bool judge(struct fault_neighbours *neighbours, size_t index)
{
    struct home *home = &neighbours->homes[index];
    struct crowd doubted = {0};
    sort_out(home, &neighbours->zones[index].target, &doubted);
    struct crowd before = home->doubted;
    home->doubted = doubted;
    bool over = false;
    for (size_t i = 0; i < doubted.count && !over; i++) {
        const struct fault_process *one = &doubted.list[i];
        if (!has(&before, one->pid, one->start_ticks))
            continue;
        crowd_add(&home->known, *one); /* told once */
        over = tell(neighbours, index, one->pid);
    }
    crowd_free(&before);
    return over;
}

static void on_look(void *ctx)
{
    struct fault_neighbours *neighbours = ctx;
    struct mono_ns began = base_mono_now();
    take_all(neighbours);
    for (size_t i = 0; i < neighbours->count; i++)
        if (judge(neighbours, i))
            return;
    struct dur_ns rest = {base_mono_sub(base_mono_now(), began).ns * share};
    struct dur_ns least = base_dur_ms(look_ms);
    io_timer_start(&neighbours->again, rest.ns > least.ns ? rest : least);
}

struct fault_neighbours *fault_neighbours_new(struct fault *fault, const struct fault_zone *zones,
                                              size_t count)
{
    struct fault_neighbours *neighbours = base_calloc(1, sizeof *neighbours);
    *neighbours = (struct fault_neighbours){.fault = fault,
                                            .zones = zones,
                                            .count = count,
                                            .homes = base_calloc(count, sizeof *neighbours->homes)};
    io_timer_init(&neighbours->again, fault_env_of(fault)->loop, on_look, neighbours);
    take_all(neighbours);
    for (size_t i = 0; i < count; i++) {
        struct home *home = &neighbours->homes[i];
        for (size_t k = 0; k < home->now.count && !is_strict(&zones[i]); k++)
            crowd_add(&home->known, home->now.list[k]); /* they were there before */
    }
    io_timer_start(&neighbours->again, base_dur_ms(look_ms));
    return neighbours;
}

void fault_neighbours_stop(struct fault_neighbours *neighbours)
{
    if (neighbours != NULL)
        io_timer_stop(&neighbours->again);
}

void fault_neighbours_free(struct fault_neighbours *neighbours)
{
    if (neighbours == NULL)
        return;
    for (size_t i = 0; i < neighbours->count; i++) {
        crowd_free(&neighbours->homes[i].known);
        crowd_free(&neighbours->homes[i].doubted);
        crowd_free(&neighbours->homes[i].now);
    }
    io_timer_fini(&neighbours->again);
    free(neighbours->homes);
    free(neighbours);
}
