/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { depth_max = 8, file_max = 1 << 20 };

static char *path_of(const char *group, const char *file)
{
    return base_str_printf("%s/%s", group, file);
}

bool fault_group_read(const char *group, const char *file, struct base_buf *out,
                      struct base_error *err)
{
    BASE_AUTO_FREE char *path = path_of(group, file);
    struct base_error why = {0};
    if (!base_file_read(path, out, &why)) {
        if (err != NULL)
            *err = why;
        if (err != NULL && why.sys == ENODEV)
            err->code = BASE_NOT_FOUND;
        return false;
    }
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    return true;
}

bool fault_group_has(const char *group, const char *file)
{
    BASE_AUTO_FREE char *path = path_of(group, file);
    return access(path, F_OK) == 0;
}

int fault_group_open(const char *group, const char *file, struct base_error *err)
{
    BASE_AUTO_FREE char *path = path_of(group, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        (void)base_fail_errno(err, "cannot open %s", path);
    return fd;
}

/* A group that was removed meanwhile holds nobody. */
static bool vanished(const struct base_error *why)
{
    return why->code == BASE_NOT_FOUND || why->sys == ENOENT || why->sys == ENODEV;
}

static bool take_own(const char *group, void (*on_process)(void *ctx, pid_t pid), void *ctx,
                     struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    struct base_error why = {0};
    base_buf_init(&buf, file_max);
    if (!fault_group_read(group, "cgroup.procs", &buf, &why))
        return vanished(&why) || base_fail(err, why.code, "%s", why.message);
    char *rest = buf.len > 0 ? buf.data : NULL;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        uint64_t pid = 0;
        if (base_parse_u64(line, &pid) && pid <= INT32_MAX)
            on_process(ctx, (pid_t)pid);
    }
    return true;
}

/* All of those that can be read; false: that was not all. */
static bool take(const char *group, unsigned depth, void (*on_process)(void *ctx, pid_t pid),
                 void *ctx, struct base_error *err)
{
    bool all = take_own(group, on_process, ctx, err);
    DIR *dir = depth == 0 ? NULL : opendir(group);
    if (dir == NULL)
        return all && (depth == 0 || errno == ENOENT ||
                       base_fail_errno(err, "cannot look into the group %s", group));
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        BASE_AUTO_FREE char *below = path_of(group, entry->d_name);
        all = take(below, depth - 1, on_process, ctx, all ? err : NULL) && all;
    }
    (void)closedir(dir);
    return all;
}

void fault_group_each(const char *group, void (*on_process)(void *ctx, pid_t pid), void *ctx)
{
    (void)take(group, depth_max, on_process, ctx, NULL);
}

struct census {
    pid_t wanted;
    bool has_wanted;
    bool has_us;
    size_t count;
};

static void count_one(void *ctx, pid_t pid)
{
    struct census *census = ctx;
    census->count++;
    census->has_wanted = census->has_wanted || pid == census->wanted;
    census->has_us = census->has_us || pid == getpid();
}

size_t fault_group_count(const char *group)
{
    struct census census = {0};
    (void)take(group, depth_max, count_one, &census, NULL);
    return census.count;
}

/* --- by another number --- */

struct inner {
    pid_t wanted;
    pid_t found;
};

static void match_inner(void *ctx, pid_t pid)
{
    struct inner *inner = ctx;
    BASE_AUTO_FREE char *path = base_str_printf("/proc/%d/status", (int)pid);
    BASE_AUTO_BUF struct base_buf buf;
    uint64_t number = 0;
    base_buf_init(&buf, file_max);
    if (!base_file_read(path, &buf, NULL))
        return;
    char *line = strstr(buf.data, "\nNSpid:");
    if (line == NULL)
        return;
    line[1 + strcspn(line + 1, "\n")] = '\0';
    const char *last = strrchr(line, '\t'); /* the innermost namespace's */
    if (last != NULL && base_parse_u64(last + 1, &number) && number == (uint64_t)inner->wanted)
        inner->found = pid;
}

pid_t fault_group_inner(const char *group, pid_t inner)
{
    struct inner search = {.wanted = inner};
    (void)take(group, depth_max, match_inner, &search, NULL);
    return search.found;
}

/* --- cgroup v1: a hierarchy for each controller --- */

static bool parts(char letter)
{
    return letter == ',' || letter == ' ';
}

bool fault_group_lists(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || parts(at[-1])) && (parts(at[len]) || at[len] == '\0'))
            return true;
    return false;
}

/* proc_pid_cgroup(5): "hierarchy:controllers:/path" */
static char *v1_path_of(pid_t process, const char *controller)
{
    BASE_AUTO_FREE char *file = base_str_printf("/proc/%d/cgroup", (int)process);
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, file_max);
    if (!base_file_read(file, &buf, NULL))
        return NULL;
    char *rest = buf.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        (void)strsep(&line, ":");
        const char *controllers = line != NULL ? strsep(&line, ":") : NULL;
        if (line != NULL && fault_group_lists(controllers, controller))
            return base_str_dup(line);
    }
    return NULL;
}

/* proc_pid_mountinfo(5); only a mount of the whole hierarchy: the paths count from its root. */
char *fault_group_mount(const char *controller)
{
    enum { ROOT = 3, POINT = 4 };
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, file_max);
    if (!base_file_read("/proc/self/mountinfo", &buf, NULL))
        return NULL;
    char *rest = buf.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        const char *type = strstr(line, controller != NULL ? " - cgroup " : " - cgroup2 ");
        const char *options = type != NULL ? strrchr(type, ' ') : NULL;
        if (options == NULL || (controller != NULL && !fault_group_lists(options + 1, controller)))
            continue;
        const char *fields[POINT + 1] = {NULL};
        for (int i = 0; i <= POINT && line != NULL; i++)
            fields[i] = strsep(&line, " ");
        if (base_str_eq(fields[ROOT], "/"))
            return base_str_dup(fields[POINT]);
    }
    return NULL;
}

char *fault_group_v1(pid_t process, const char *controller)
{
    BASE_AUTO_FREE char *path = v1_path_of(process, controller);
    BASE_AUTO_FREE char *own = v1_path_of(getpid(), controller);
    if (path == NULL || base_str_eq(path, own) || base_str_eq(path, "/"))
        return NULL;
    BASE_AUTO_FREE char *mount = fault_group_mount(controller);
    return mount != NULL ? base_str_printf("%s%s", mount, path) : NULL;
}

bool fault_group_check(const char *group, const char *name, pid_t process, struct base_error *err)
{
    struct census census = {.wanted = process};
    if (!take(group, depth_max, count_one, &census, err))
        return base_fail_context(err, "%s: whether its control group holds this agent", name);
    if (census.has_us)
        return base_fail(err, BASE_DENIED,
                         "%s: its control group %s holds this agent too; start the agent outside "
                         "of it",
                         name, group);
    if (process > 0 && !census.has_wanted)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s: its process %d is not in the control group %s that the topology "
                         "names",
                         name, (int)process, group);
    if (census.count == 0)
        return base_fail(err, BASE_UNAVAILABLE, "%s: there is no process in its control group %s",
                         name, group);
    return true;
}
