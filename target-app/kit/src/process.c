/* SPDX-License-Identifier: Apache-2.0 */
/* What Prometheus' client libraries export about the process itself, from /proc (proc(5)). */
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "service_private.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static bool resident_pages(uint64_t *pages)
{
    BASE_AUTO_BUF struct base_buf statm;
    base_buf_init(&statm, 256);
    if (!base_file_read("/proc/self/statm", &statm, NULL))
        return false;
    char *second = strchr(statm.data, ' ');
    if (second == NULL)
        return false;
    second++;
    second[strcspn(second, " ")] = '\0';
    return base_parse_u64(second, pages);
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return -1;
    double count = -1; /* not the one that reads */
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void collect(void *ctx)
{
    const struct process_metrics *process = ctx;
    struct rusage usage;
    uint64_t pages;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        kit_series_set(process->cpu, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    if (resident_pages(&pages))
        kit_series_set(process->resident, (double)pages * (double)sysconf(_SC_PAGESIZE));
    kit_series_set(process->fds, open_fds());
}

static struct kit_series *plain(struct kit_service *service, enum kit_metric_type type,
                                const char *name, const char *help)
{
    return kit_series_plain(kit_metrics_add(
        service->metrics,
        &(struct kit_family_spec){.type = type, .name = name, .help = help, .max_series = 1}));
}

void process_metrics_add(struct kit_service *service)
{
    struct process_metrics *process = &service->process;
    process->cpu =
        plain(service, KIT_COUNTER, "process_cpu_seconds_total", "User and system CPU time spent.");
    process->resident =
        plain(service, KIT_GAUGE, "process_resident_memory_bytes", "Resident memory.");
    process->fds = plain(service, KIT_GAUGE, "process_open_fds", "Open file descriptors.");
    kit_series_set(plain(service, KIT_GAUGE, "process_start_time_seconds",
                         "Start of the process since the Unix epoch."),
                   (double)base_wall_now().ns / (double)BASE_NS_PER_S);
    kit_metrics_on_collect(service->metrics, collect, process);
}
