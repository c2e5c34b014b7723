/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "group.h"

bool fault_limit_soft(pid_t pid, uint64_t *out)
{
    struct rlimit now;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &now) < 0)
        return false;
    *out = now.rlim_cur;
    return true;
}

/* Only the soft limit: raising the hard one again would need more privileges than lowering it. */
static bool set_soft(pid_t pid, uint64_t soft)
{
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) < 0)
        return errno == ESRCH;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == 0 || errno == ESRCH;
}

bool fault_limit_part(const char *now, double share, int64_t *out, struct base_error *err)
{
    uint64_t limit = 0;
    if (!base_parse_u64(now, &limit) || limit > INT32_MAX)
        return base_fail(err, BASE_UNAVAILABLE,
                         "it has no limit (\"%s\") of which %.4g %% could be taken: give a number",
                         now, share * 100);
    double part = (double)limit * share + 1e-6; /* 0.29 of 100 is 28.999... as floating point */
    *out = part < 1.0 ? 1 : (int64_t)part;
    return true;
}

/* --- noting --- */

struct noting {
    struct fault_limit *limit;
    bool full;
    int sys; /* errno of one whose limit cannot be read, and so not be put back; 0: none */
};

static void note_one(void *ctx, pid_t pid)
{
    struct noting *noting = ctx;
    struct fault_limit *limit = noting->limit;
    struct fault_limit_process one = {.process.pid = pid};
    if (limit->count > 0 && limit->processes[0].process.pid == pid)
        return;
    if (!fault_process_ticks(pid, &one.process.start_ticks))
        return; /* it has exited */
    if (!fault_limit_soft(pid, &one.soft)) {
        noting->sys = errno == ESRCH ? noting->sys : errno;
        return;
    }
    noting->full = noting->full || limit->count == FAULT_LIMIT_PROCESSES;
    if (!noting->full)
        limit->processes[limit->count++] = one;
}

bool fault_limit_note(struct fault_limit *limit, const struct fault_process *main,
                      const char *group, struct base_error *err)
{
    struct noting noting = {.limit = limit};
    limit->count = 0;
    note_one(&noting, main->pid);
    if (group != NULL)
        fault_group_each(group, note_one, &noting);
    if (noting.sys != 0) {
        errno = noting.sys;
        return base_fail_errno(err, "cannot read the limits of its processes (of another user's "
                                    "they need CAP_SYS_RESOURCE)");
    }
    if (limit->count == 0 || limit->processes[0].process.start_ticks != main->start_ticks)
        return base_fail(err, BASE_UNAVAILABLE, "process %d has exited", (int)main->pid);
    if (noting.full)
        return base_fail(err, BASE_LIMIT, "more than %d processes: too many to be put back",
                         FAULT_LIMIT_PROCESSES);
    if (limit->files >= 0 && (uint64_t)limit->files >= limit->processes[0].soft)
        return base_fail(err, BASE_INVALID, "its limit on files is %llu already, no more than %lld",
                         (unsigned long long)limit->processes[0].soft, (long long)limit->files);
    return true;
}

char *fault_limit_pids_group(const char *group, pid_t process)
{
    if (group != NULL && fault_group_has(group, "pids.max"))
        return base_str_dup(group);
    return fault_group_v1(process, "pids");
}

bool fault_limit_open(struct fault_limit *limit, const char *group, const char *pids_group,
                      struct base_error *err)
{
    if (group != NULL) {
        BASE_AUTO_FREE char *path = base_str_printf("%s/cgroup.procs", group);
        limit->members = open(path, O_RDONLY | O_CLOEXEC);
        if (limit->members < 0)
            return base_fail_errno(err, "cannot open %s", path);
    }
    if (limit->pids < 0)
        return true;
    limit->pids_fd = fault_group_open(pids_group, "pids.max", err);
    return limit->pids_fd >= 0;
}

void fault_limit_close(struct fault_limit *limit)
{
    base_fd_close(&limit->members);
    base_fd_close(&limit->pids_fd);
}

/* --- lowering --- */

bool fault_limit_lower(const struct fault_limit *limit, struct base_error *err)
{
    char text[FAULT_LIMIT_TEXT];
    int len = snprintf(text, sizeof text, "%lld", (long long)limit->pids);
    if (limit->pids >= 0 && pwrite(limit->pids_fd, text, (size_t)len, 0) != len)
        return base_fail_errno(err, "cannot set pids.max to %s", text);
    for (size_t i = 0; limit->files >= 0 && i < limit->count; i++) {
        const struct fault_limit_process *one = &limit->processes[i];
        if (one->soft <= (uint64_t)limit->files || !fault_process_alive(&one->process))
            continue;
        if (!set_soft(one->process.pid, (uint64_t)limit->files))
            return base_fail_errno(err, "cannot set the limit on files of process %d",
                                   (int)one->process.pid);
    }
    return true;
}

/* --- putting back: async-signal-safe --- */

static uint64_t soft_before(const struct fault_limit *limit, pid_t pid)
{
    for (size_t i = 0; i < limit->count; i++)
        if (limit->processes[i].process.pid == pid)
            return limit->processes[i].soft;
    return limit->processes[0].soft; /* forked since: as its parent was */
}

/* One with another limit is not ours to change: it is back already, or somebody else's process. */
static bool restore_one(const struct fault_limit *limit, pid_t pid)
{
    uint64_t now = 0;
    if (!fault_limit_soft(pid, &now) || now != (uint64_t)limit->files)
        return true;
    return set_soft(pid, soft_before(limit, pid));
}

/* Pids of the group, one a line, calling each; reads it in parts that may cut a number in two. */
static bool each_member(const struct fault_limit *limit,
                        bool (*on_pid)(const struct fault_limit *limit, pid_t pid))
{
    char part[512];
    pid_t pid = 0;
    bool ok = true;
    off_t at = 0;
    for (ssize_t got; (got = pread(limit->members, part, sizeof part, at)) > 0; at += got) {
        for (ssize_t i = 0; i < got; i++) {
            if (part[i] >= '0' && part[i] <= '9') {
                pid = pid * 10 + (part[i] - '0');
                continue;
            }
            ok = (pid <= 1 || on_pid(limit, pid)) && ok;
            pid = 0;
        }
    }
    return ok;
}

bool fault_limit_restore(const struct fault_limit *limit)
{
    bool ok = true;
    if (limit->pids_fd >= 0) {
        size_t len = strlen(limit->pids_old);
        ok = pwrite(limit->pids_fd, limit->pids_old, len, 0) == (ssize_t)len || errno == ENODEV;
    }
    if (limit->files < 0)
        return ok;
    for (size_t i = 0; i < limit->count; i++)
        ok = restore_one(limit, limit->processes[i].process.pid) && ok;
    return limit->members < 0 ? ok : each_member(limit, restore_one) && ok;
}

/* --- looking --- */

struct counting {
    const struct fault_limit *limit;
    size_t count;
};

static void count_one(void *ctx, pid_t pid)
{
    struct counting *counting = ctx;
    const struct fault_limit *limit = counting->limit;
    uint64_t files = (uint64_t)limit->files;
    uint64_t now = 0;
    if (fault_limit_soft(pid, &now) && now == files && soft_before(limit, pid) != files)
        counting->count++;
}

size_t fault_limit_lowered(const struct fault_limit *limit, const char *group)
{
    struct counting counting = {.limit = limit};
    if (limit->files >= 0 && group != NULL)
        fault_group_each(group, count_one, &counting);
    else if (limit->files >= 0 && fault_process_alive(&limit->processes[0].process))
        count_one(&counting, limit->processes[0].process.pid);
    return counting.count;
}

size_t fault_limit_threads(const struct fault_limit *limit)
{
    size_t count = 0;
    for (size_t i = 0; i < limit->count; i++) {
        const struct fault_process *process = &limit->processes[i].process;
        BASE_AUTO_FREE char *tasks = base_str_printf("/proc/%d/task", (int)process->pid);
        struct stat st;
        /* A folder for each, beside "." and "..". */
        if (fault_process_alive(process) && stat(tasks, &st) == 0 && st.st_nlink > 2)
            count += (size_t)st.st_nlink - 2;
    }
    return count;
}
