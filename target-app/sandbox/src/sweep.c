/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"
#include "net.h"
#include "programs.h"
#include "roster.h"
#include "status_file.h"
#include "store.h"

enum { GRACE_S = 4, DATABASE_GRACE_S = 8, KILL_S = 5, POLL_MS = 5 };

struct leftover {
    pid_t pid;
    uint64_t ticks;
    bool database;
};

struct sweep {
    const struct sandbox_place *place;
    struct sandbox_roster names; /* for the names only */
    char *cgroup;                /* NULL: there are none on this machine */
    struct leftover *processes;
    size_t count;
};

static void add_process(struct sweep *sweep, const char *file)
{
    BASE_AUTO_FREE char *path = sandbox_path(sweep->place, "instances/%s", file);
    json_t *status = sandbox_load_json(path, NULL);
    struct leftover found = {.database = base_str_starts(file, "postgres-")};
    if (sandbox_process_of(status, &found.pid, &found.ticks) &&
        base_process_alive(found.pid, found.ticks)) {
        sweep->processes =
            base_reallocarray(sweep->processes, sweep->count + 1, sizeof *sweep->processes);
        sweep->processes[sweep->count++] = found;
    }
    json_decref(status);
}

static void sweep_init(struct sweep *sweep, const struct sandbox_place *place)
{
    *sweep = (struct sweep){.place = place};
    sandbox_roster_init(&sweep->names, place, false, (struct sandbox_subnet){0}, 0, NULL);
    sweep->cgroup = geteuid() == 0 ? sandbox_cgroup_base(place, NULL) : NULL;
    BASE_AUTO_FREE char *folder = sandbox_path(place, "instances");
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (base_str_ends(entry->d_name, ".json"))
            add_process(sweep, entry->d_name);
    if (dir != NULL)
        (void)closedir(dir);
}

static void sweep_fini(struct sweep *sweep)
{
    sandbox_roster_fini(&sweep->names);
    free(sweep->cgroup);
    free(sweep->processes);
}

static bool any_left(const struct sweep *sweep, bool database_too)
{
    for (size_t i = 0; i < sweep->count; i++)
        if ((database_too || !sweep->processes[i].database) &&
            base_process_alive(sweep->processes[i].pid, sweep->processes[i].ticks))
            return true;
    if (!database_too || sweep->cgroup == NULL)
        return false;
    return sandbox_cgroup_populated(sweep->cgroup);
}

static bool wait_gone(const struct sweep *sweep, bool database_too, int64_t seconds)
{
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_s(seconds));
    while (any_left(sweep, database_too)) {
        if (!base_mono_before(base_mono_now(), end))
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * BASE_NS_PER_MS}, NULL);
    }
    return true;
}

static void signal_processes(const struct sweep *sweep, bool database, int number)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->processes[i].database == database)
            (void)sandbox_process_signal(sweep->processes[i].pid, sweep->processes[i].ticks,
                                         number);
}

/* Processes no status file names: a job, or one started just before the supervisor died. */
static void signal_groups(const struct sweep *sweep, int number, int database_number)
{
    if (sweep->cgroup == NULL)
        return;
    for (size_t i = 0; i < sweep->names.count; i++) {
        const struct sandbox_member *member = &sweep->names.members[i];
        BASE_AUTO_FREE char *path = base_str_printf("%s/%s", sweep->cgroup, member->name);
        sandbox_cgroup_signal(path, member->service == SANDBOX_POSTGRES ? database_number : number);
    }
    BASE_AUTO_FREE char *agent = base_str_printf("%s/agent", sweep->cgroup);
    sandbox_cgroup_signal(agent, number);
}

static bool end_processes(const struct sweep *sweep, struct base_error *err)
{
    if (!any_left(sweep, true))
        return true;
    signal_processes(sweep, false, SIGTERM);
    if (!wait_gone(sweep, false, GRACE_S))
        signal_processes(sweep, false, SIGKILL);
    signal_processes(sweep, true, SIGINT);
    signal_groups(sweep, SIGTERM, SIGINT);
    if (wait_gone(sweep, true, DATABASE_GRACE_S))
        return true;
    signal_processes(sweep, true, SIGKILL);
    if (sweep->cgroup != NULL)
        sandbox_cgroup_kill(sweep->cgroup);
    return wait_gone(sweep, true, KILL_S) ||
           base_fail(err, BASE_TIMEOUT, "processes of sandbox '%s' do not end, even when killed",
                     sweep->place->name);
}

static bool remove_groups(const struct sweep *sweep, struct base_error *err)
{
    if (sweep->cgroup == NULL)
        return true;
    BASE_AUTO_FREE char *parent =
        base_str_ndup(sweep->cgroup, (size_t)(strrchr(sweep->cgroup, '/') - sweep->cgroup));
    bool ok = sandbox_cgroup_remove(sweep->cgroup, err);
    (void)rmdir(parent); /* the last sandbox takes it along; others keep it busy */
    return ok;
}

static bool remove_files(const struct sandbox_place *place, struct base_error *err)
{
    static const char *const files[] = {"topology.json", "addresses.json", "supervisor.json"};
    static const char *const folders[] = {"instances", "prometheus", "agent/journal", "programs"};
    bool ok = true;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        BASE_AUTO_FREE char *path = sandbox_path(place, "%s", files[i]);
        if (unlink(path) < 0 && errno != ENOENT && ok)
            ok = base_fail_errno(err, "cannot remove %s", path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        BASE_AUTO_FREE char *path = sandbox_path(place, "%s", folders[i]);
        ok = base_dir_remove(path, ok ? err : NULL) && ok;
    }
    return ok;
}

bool sandbox_sweep(const struct sandbox_place *place, struct base_error *err)
{
    struct sweep sweep;
    sweep_init(&sweep, place);
    BASE_AUTO_FREE char *ip = sandbox_program_ip();
    bool ok = end_processes(&sweep, err);
    if (geteuid() == 0) {
        ok = sandbox_net_remove(ip, place, &sweep.names, ok ? err : NULL) && ok;
        ok = remove_groups(&sweep, ok ? err : NULL) && ok;
    }
    /* The files name what is left; while something is, they stay. */
    if (ok)
        ok = remove_files(place, err);
    sweep_fini(&sweep);
    return ok;
}

void sandbox_leftovers(const struct sandbox_place *place, struct sandbox_leftovers *out)
{
    struct sweep sweep;
    sweep_init(&sweep, place);
    out->processes = any_left(&sweep, true);
    out->network = sandbox_net_exists(place, &sweep.names);
    out->groups = sweep.cgroup != NULL && access(sweep.cgroup, F_OK) == 0;
    sweep_fini(&sweep);
}
