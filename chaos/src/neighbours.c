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
    parents_most = 64
};

struct crowd {
    struct fault_process *list;
    size_t count;
};

struct home { /* of one zone */
    const struct fault_zone *zone;
    struct crowd known;
    struct crowd doubted; /* by the last look: what is just starting may be known by the next */
    struct crowd now;
};

struct fault_neighbours {
    struct fault_neighbourhood *hood;
    struct fault *fault;
    struct home *homes; /* of those zones whose namespace was found */
    size_t count;
    uint64_t judged; /* the last look that was */
    struct fault_neighbours *next;
};

struct fault_neighbourhood {
    struct io_timer again;
    uint64_t looks;
    struct fault_neighbours *first;
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

static void take_pid(struct fault_neighbourhood *hood, pid_t pid)
{
    struct fault_process process = {.pid = pid};
    struct stat seen;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat(path, &seen) < 0)
        return;
    for (struct fault_neighbours *one = hood->first; one != NULL; one = one->next)
        for (size_t i = 0; i < one->count; i++) {
            const struct fault_netns *netns = &one->homes[i].zone->netns;
            if (netns->fd >= 0 && netns->dev == seen.st_dev && netns->ino == seen.st_ino &&
                base_process_ticks(pid, &process.start_ticks))
                crowd_add(&one->homes[i].now, process);
        }
}

static void take_all(struct fault_neighbourhood *hood)
{
    for (struct fault_neighbours *one = hood->first; one != NULL; one = one->next)
        for (size_t i = 0; i < one->count; i++)
            one->homes[i].now.count = 0;
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t pid = 0;
        if (base_parse_u64(entry->d_name, &pid) && pid <= INT_MAX)
            take_pid(hood, (pid_t)pid);
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

static void end_for(struct fault *fault, const struct fault_target *target, pid_t pid)
{
    BASE_AUTO_FREE char *who = fault_find_name(pid);
    fault_evidence(fault, target->name, "during", "others in the namespace", who, "none", false);
    BASE_AUTO_FREE char *why = base_str_printf(
        "%s: %s has come into its network namespace, is not found by %s \"%s\" and was hit: "
        "describe all who live there, or name the namespace in the topology (netns) if all of "
        "them are meant",
        target->name, who, target->find_by, target->find_value);
    fault_note_error(fault, why);
    fault_end(fault, FAULT_END_FAILED);
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

/* Somebody that is no longer just starting; 0: nobody. */
static pid_t stranger_in(struct home *home)
{
    struct crowd doubted = {0};
    sort_out(home, &home->zone->target, &doubted);
    pid_t stranger = 0;
    for (size_t i = 0; i < doubted.count && stranger == 0; i++)
        if (has(&home->doubted, doubted.list[i].pid, doubted.list[i].start_ticks))
            stranger = doubted.list[i].pid;
    crowd_free(&home->doubted);
    home->doubted = doubted;
    return stranger;
}

static void judge(struct fault_neighbours *neighbours)
{
    for (size_t i = 0; i < neighbours->count; i++) {
        pid_t stranger = stranger_in(&neighbours->homes[i]);
        if (stranger != 0) {
            end_for(neighbours->fault, &neighbours->homes[i].zone->target, stranger);
            return; /* it is stopped, and may be freed */
        }
    }
}

static struct fault_neighbours *next_to_judge(const struct fault_neighbourhood *hood)
{
    struct fault_neighbours *one = hood->first;
    while (one != NULL && one->judged == hood->looks)
        one = one->next;
    return one;
}

static void on_look(void *ctx)
{
    struct fault_neighbourhood *hood = ctx;
    struct mono_ns began = base_mono_now();
    take_all(hood);
    hood->looks++;
    struct fault_neighbours *one;
    while ((one = next_to_judge(hood)) != NULL) { /* an end of one may be that of others */
        one->judged = hood->looks;
        judge(one);
    }
    struct dur_ns rest = {base_mono_sub(base_mono_now(), began).ns * share};
    struct dur_ns least = base_dur_ms(look_ms);
    if (hood->first != NULL)
        io_timer_start(&hood->again, rest.ns > least.ns ? rest : least);
}

struct fault_neighbourhood *fault_neighbourhood_new(struct io_loop *loop)
{
    struct fault_neighbourhood *hood = base_calloc(1, sizeof *hood);
    io_timer_init(&hood->again, loop, on_look, hood);
    return hood;
}

void fault_neighbourhood_free(struct fault_neighbourhood *hood)
{
    if (hood == NULL)
        return;
    io_timer_fini(&hood->again);
    free(hood);
}

/* --- of one fault --- */

struct fault_neighbours *fault_neighbours_new(struct fault *fault, const struct fault_zone *zones,
                                              size_t count)
{
    struct fault_neighbourhood *hood = fault_env_of(fault)->neighbourhood;
    struct home *homes = base_calloc(count, sizeof *homes);
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (zones[i].target.netns_found)
            homes[found++].zone = &zones[i];
    if (found == 0) {
        free(homes);
        return NULL;
    }
    struct fault_neighbours *neighbours = base_calloc(1, sizeof *neighbours);
    *neighbours = (struct fault_neighbours){.hood = hood,
                                            .fault = fault,
                                            .homes = homes,
                                            .count = found,
                                            .judged = hood->looks,
                                            .next = hood->first};
    if (hood->first == NULL)
        io_timer_start(&hood->again, base_dur_ms(look_ms));
    hood->first = neighbours;
    return neighbours;
}

void fault_neighbours_stop(struct fault_neighbours *neighbours)
{
    if (neighbours == NULL)
        return;
    struct fault_neighbourhood *hood = neighbours->hood;
    struct fault_neighbours **at = &hood->first;
    while (*at != NULL && *at != neighbours)
        at = &(*at)->next;
    if (*at != NULL)
        *at = neighbours->next;
    if (hood->first == NULL)
        io_timer_stop(&hood->again);
}

void fault_neighbours_free(struct fault_neighbours *neighbours)
{
    if (neighbours == NULL)
        return;
    fault_neighbours_stop(neighbours);
    for (size_t i = 0; i < neighbours->count; i++) {
        crowd_free(&neighbours->homes[i].known);
        crowd_free(&neighbours->homes[i].doubted);
        crowd_free(&neighbours->homes[i].now);
    }
    free(neighbours->homes);
    free(neighbours);
}
