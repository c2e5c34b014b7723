/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "status_file.h"

enum { PROCS_MAX = 1 << 20 };

/* proc_pid_mountinfo(5): "36 35 98:0 /root /mount/point options [fields] - fstype source super" */
static bool cgroup2_mount_of(char *line, char **out)
{
    enum { MOUNT_POINT = 4 };
    const char *dash = strstr(line, " - ");
    if (dash == NULL || !base_str_starts(dash + 3, "cgroup2 "))
        return false;
    char *rest = line;
    char *field = NULL;
    for (int i = 0; i <= MOUNT_POINT; i++)
        if ((field = strsep(&rest, " ")) == NULL)
            return false;
    *out = base_str_dup(field);
    return true;
}

char *sandbox_cgroup_base(const struct sandbox_place *place, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, PROCS_MAX);
    if (!base_file_read("/proc/self/mountinfo", &buf, err))
        return NULL;
    BASE_AUTO_FREE char *mount = NULL;
    char *rest = buf.data;
    for (char *line; mount == NULL && (line = strsep(&rest, "\n")) != NULL;)
        (void)cgroup2_mount_of(line, &mount);
    if (mount == NULL) {
        base_fail(err, BASE_UNAVAILABLE, "no cgroup v2 hierarchy is mounted");
        return NULL;
    }
    if (access(mount, W_OK) < 0) {
        base_fail_errno(err, "cannot make groups in %s", mount);
        return NULL;
    }
    return base_str_printf("%s/squall/%s", mount, place->tag);
}

bool sandbox_cgroup_make(const char *path, struct base_error *err)
{
    /* Another sandbox's end may remove the shared parent between two steps of mkdir -p. */
    enum { TRIES = 5 };
    for (int i = 0; i < TRIES; i++) {
        struct base_error why;
        if (base_dir_make(path, 0755, &why))
            return true;
        if (why.sys != ENOENT || i == TRIES - 1)
            return base_fail(err, why.code, "%s", why.message);
    }
    return false;
}

static char *inside(const char *path, const char *file)
{
    return base_str_printf("%s/%s", path, file);
}

int sandbox_cgroup_procs(const char *path, struct base_error *err)
{
    BASE_AUTO_FREE char *file = inside(path, "cgroup.procs");
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        base_fail_errno(err, "cannot open %s", file);
    return fd;
}

bool sandbox_cgroup_populated(const char *path)
{
    BASE_AUTO_FREE char *file = inside(path, "cgroup.events");
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 4096);
    return base_file_read(file, &buf, NULL) && strstr(buf.data, "populated 1") != NULL;
}

bool sandbox_cgroup_frozen(const char *path)
{
    BASE_AUTO_FREE char *file = inside(path, "cgroup.freeze"); /* since Linux 5.2 */
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, 64);
    return base_file_read(file, &buf, NULL) && buf.data[0] == '1';
}

struct pid_list {
    pid_t *pids;
    size_t count;
};

static struct pid_list members_of(const char *path)
{
    struct pid_list list = {0};
    BASE_AUTO_FREE char *file = inside(path, "cgroup.procs");
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, PROCS_MAX);
    if (!base_file_read(file, &buf, NULL))
        return list;
    char *rest = buf.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        uint64_t pid;
        if (!base_parse_u64(line, &pid) || pid <= 1 || pid > INT32_MAX)
            continue;
        list.pids = base_reallocarray(list.pids, list.count + 1, sizeof *list.pids);
        list.pids[list.count++] = (pid_t)pid;
    }
    return list;
}

static bool listed(const struct pid_list *list, pid_t pid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->pids[i] == pid)
            return true;
    return false;
}

void sandbox_cgroup_signal(const char *path, int number)
{
    struct pid_list list = members_of(path);
    for (size_t i = 0; i < list.count; i++) {
        struct base_process found;
        if (base_process_find(list.pids[i], &found) && !listed(&list, found.parent))
            (void)sandbox_process_signal(list.pids[i], found.start_ticks, number);
    }
    free(list.pids);
}

void sandbox_cgroup_kill(const char *path)
{
    BASE_AUTO_FREE char *file = inside(path, "cgroup.kill"); /* since Linux 5.14 */
    BASE_AUTO_FD int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) == 1)
        return;
    struct pid_list list = members_of(path);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t ticks;
        if (base_process_ticks(list.pids[i], &ticks))
            (void)sandbox_process_signal(list.pids[i], ticks, SIGKILL);
    }
    free(list.pids);
}

/* The kernel's own files in a group cannot be unlinked, and need not: rmdir takes them along. */
static bool remove_groups(const char *path, unsigned depth, struct base_error *err)
{
    DIR *dir = depth == 0 ? NULL : opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        BASE_AUTO_FREE char *below = inside(path, entry->d_name);
        if (!remove_groups(below, depth - 1, err)) {
            (void)closedir(dir);
            return false;
        }
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (rmdir(path) < 0 && errno != ENOENT)
        return base_fail_errno(err, "cannot remove the control group %s", path);
    return true;
}

bool sandbox_cgroup_remove(const char *path, struct base_error *err)
{
    enum { DEPTH = 4 };
    return remove_groups(path, DEPTH, err);
}
