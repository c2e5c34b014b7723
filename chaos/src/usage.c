/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/meminfo.h"
#include "base/text.h"
#include "group.h"
#include "resolve.h"
#include "strain.h"

static bool is_worker(pid_t pid)
{
    BASE_AUTO_FREE char *file = base_str_printf("/proc/%d/comm", (int)pid);
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 64);
    return base_file_read(file, &buf, NULL) && base_str_eq(buf.data, FAULT_WORKER "\n");
}

/* /proc/PID/schedstat (Documentation/scheduler/sched-stats.rst): time on a processor, time waiting
 * for one on its queue, and how often. */
static void add_times(const char *folder, int64_t *time_ns, int64_t *delay_ns)
{
    BASE_AUTO_BUF struct base_buf buf;
    int64_t time = 0;
    int64_t delay = 0;
    base_buf_init(&buf, 256);
    if (!fault_group_read(folder, "schedstat", &buf, NULL))
        return;
    char *rest = buf.data;
    const char *first = strsep(&rest, " ");
    const char *second = rest != NULL ? strsep(&rest, " ") : "";
    if (!base_parse_i64(first, &time) || !base_parse_i64(second, &delay))
        return;
    *time_ns += time;
    *delay_ns += delay;
}

void fault_usage_threads(pid_t pid, int64_t *time_ns, int64_t *delay_ns)
{
    BASE_AUTO_FREE char *tasks = base_str_printf("/proc/%d/task", (int)pid);
    DIR *dir = opendir(tasks);
    if (dir == NULL)
        return;
    for (const struct dirent *one = readdir(dir); one != NULL; one = readdir(dir)) {
        if (one->d_name[0] == '.')
            continue;
        BASE_AUTO_FREE char *folder = base_str_printf("%s/%s", tasks, one->d_name);
        add_times(folder, time_ns, delay_ns);
    }
    (void)closedir(dir);
}

static uint64_t number_in(const char *group, const char *file, const char *key)
{
    BASE_AUTO_BUF struct base_buf buf;
    uint64_t value = 0;
    base_buf_init(&buf, 65536);
    if (group == NULL || !fault_group_read(group, file, &buf, NULL))
        return 0;
    char *at = key == NULL ? buf.data : strstr(buf.data, key);
    if (at == NULL)
        return 0;
    at += key == NULL ? 0 : strlen(key);
    at[strcspn(at, "\n")] = '\0';
    return base_parse_u64(at, &value) ? value : 0;
}

void fault_usage_io(pid_t pid, uint64_t *read, uint64_t *written)
{
    BASE_AUTO_FREE char *folder = base_str_printf("/proc/%d", (int)pid);
    *read = number_in(folder, "io", "\nread_bytes: ");
    *written = number_in(folder, "io", "\nwrite_bytes: ");
}

static void add_io(pid_t pid, struct fault_usage *usage)
{
    uint64_t read = 0;
    uint64_t written = 0;
    fault_usage_io(pid, &read, &written);
    usage->io_read += read;
    usage->io_written += written;
    usage->io_busy += read + written > 0 ? 1 : 0;
}

uint64_t fault_usage_bytes(pid_t pid)
{
    BASE_AUTO_FREE char *folder = base_str_printf("/proc/%d", (int)pid);
    BASE_AUTO_BUF struct base_buf buf;
    uint64_t kib = 0;
    base_buf_init(&buf, 16384);
    if (!fault_group_read(folder, "status", &buf, NULL))
        return 0;
    char *at = strstr(buf.data, "RssAnon:");
    for (at = at != NULL ? at + strlen("RssAnon:") : buf.data; *at == ' ' || *at == '\t'; at++)
        continue;
    at[strcspn(at, " \n")] = '\0';
    return base_parse_u64(at, &kib) ? kib * 1024 : 0;
}

static void count_one(void *ctx, pid_t pid)
{
    struct fault_usage *usage = ctx;
    uint64_t bytes = fault_usage_bytes(pid);
    uint64_t ticks = 0;
    usage->all_bytes += bytes;
    if (!is_worker(pid)) {
        usage->others++;
        return;
    }
    if (!fault_process_ticks(pid, &ticks))
        return; /* a zombie stays listed until init has reaped it */
    usage->workers++;
    BASE_AUTO_FREE char *folder = base_str_printf("/proc/%d", (int)pid);
    add_times(folder, &usage->time_ns, &usage->delay_ns);
    add_io(pid, usage);
    usage->bytes += bytes;
}

struct fault_usage fault_usage_of(const char *group)
{
    struct fault_usage usage = {0};
    fault_group_each(group, count_one, &usage);
    return usage;
}

/* A pid whose name is still that of a worker after its pidfd was made is a worker's. */
static void strike_one(void *ctx, pid_t pid)
{
    (void)ctx;
    BASE_AUTO_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (fd >= 0 && is_worker(pid))
        (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0U);
}

void fault_usage_strike(const char *group)
{
    fault_group_each(group, strike_one, NULL);
}

/* --- limits and their ends --- */

uint64_t fault_usage_oom_kills(const char *group, pid_t process)
{
    BASE_AUTO_FREE char *v1 = fault_group_v1(process, "memory");
    return number_in(group, "memory.events", "oom_kill ") +
           number_in(v1, "memory.oom_control", "oom_kill ");
}

uint64_t fault_usage_limit(const char *group, pid_t process)
{
    BASE_AUTO_FREE char *v1 = fault_group_v1(process, "memory");
    uint64_t total = base_meminfo("MemTotal");
    uint64_t v2_limit = number_in(group, "memory.max", NULL);
    uint64_t v1_limit = number_in(v1, "memory.limit_in_bytes", NULL);
    uint64_t limit = v2_limit > 0 && v2_limit < total ? v2_limit : total;
    return v1_limit > 0 && v1_limit < limit ? v1_limit : limit;
}
