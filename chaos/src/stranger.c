/* SPDX-License-Identifier: Apache-2.0 */
/* Who is hit by what is done to a control group or a network namespace, and was not found. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "find.h"
#include "group.h"

enum { PARENTS_MAX = 64, NAME_MAX_BYTES = 256 };

struct strangers {
    const struct fault_found *found;
    pid_t first; /* 0: there is none */
};

/* One of those that were found, or a child of one. */
static bool belongs(const struct fault_found *found, pid_t pid)
{
    struct base_process process;
    pid_t at = pid;
    for (int i = 0; i < PARENTS_MAX && at > 0; i++) {
        for (size_t p = 0; p < found->count; p++)
            if (found->processes[p].pid == at)
                return true;
        at = base_process_find(at, &process) ? process.parent : 0;
    }
    return false;
}

static void on_member(void *ctx, pid_t pid)
{
    struct strangers *strangers = ctx;
    struct base_process process;
    if (strangers->first == 0 && !belongs(strangers->found, pid) &&
        base_process_find(pid, &process))
        strangers->first = pid;
}

char *fault_find_name(pid_t pid)
{
    BASE_AUTO_BUF struct base_buf name;
    char path[64];
    base_buf_init(&name, NAME_MAX_BYTES);
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    bool named = base_file_read(path, &name, NULL) && name.len > 0;
    return base_str_printf("process %d (%.*s)", (int)pid, named ? (int)name.len - 1 : 1,
                           named ? name.data : "?");
}

char *fault_find_stranger(const struct fault_found *found, const char *group)
{
    struct strangers strangers = {.found = found};
    fault_group_each(group, on_member, &strangers);
    return strangers.first != 0 ? fault_find_name(strangers.first) : NULL;
}

char *fault_find_neighbour(const struct fault_found *found)
{
    struct strangers strangers = {.found = found};
    struct stat theirs;
    DIR *dir = found->netns != NULL && stat(found->netns, &theirs) == 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    while (dir != NULL && strangers.first == 0 && (entry = readdir(dir)) != NULL) {
        uint64_t pid = 0;
        struct stat seen;
        char path[64];
        if (!base_parse_u64(entry->d_name, &pid) || pid > INT_MAX)
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
        if (stat(path, &seen) == 0 && seen.st_dev == theirs.st_dev && seen.st_ino == theirs.st_ino)
            on_member(&strangers, (pid_t)pid);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return strangers.first != 0 ? fault_find_name(strangers.first) : NULL;
}
