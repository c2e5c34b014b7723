/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "procfs.h"

enum { FILE_MAX = 1 << 20, SOCKETS_MAX = 256, PARENTS_MAX = 64, CONTAINER_LEAST = 12 };

/* What is looked for, prepared once. */
struct quarry {
    const char *value;
    struct procfs_pod pod;         /* by pod; container may be a prefix */
    uint64_t sockets[SOCKETS_MAX]; /* by port: inodes that listen there */
    size_t socket_count;
    struct fault_process process; /* by process */
};

static bool proc_read(pid_t pid, const char *name, struct base_buf *out)
{
    char path[64];
    base_buf_clear(out);
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return base_file_read(path, out, NULL);
}

/* --- each way to find --- */

typedef bool line_fits(const struct quarry *quarry, const char *controllers, const char *path);

static bool any_cgroup(pid_t pid, const struct quarry *quarry, line_fits *fits)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, FILE_MAX);
    if (!proc_read(pid, "cgroup", &text))
        return false;
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *controllers = NULL;
        const char *path = procfs_cgroup_line(line, &controllers);
        if (path != NULL && fits(quarry, controllers, path))
            return true;
    }
    return false;
}

static bool unit_fits(const struct quarry *quarry, const char *controllers, const char *path)
{
    char unit[PROCFS_UNIT_TEXT];
    bool systemd = controllers[0] == '\0' || base_str_eq(controllers, "name=systemd");
    return systemd && procfs_cgroup_unit(path, unit) && base_str_eq(unit, quarry->value);
}

static bool cgroup_fits(const struct quarry *quarry, const char *controllers, const char *path)
{
    (void)controllers;
    return procfs_cgroup_below(path, quarry->value);
}

static bool pod_fits(const struct quarry *quarry, const char *controllers, const char *path)
{
    struct procfs_pod pod;
    (void)controllers;
    return procfs_cgroup_pod(path, &pod) &&
           (quarry->pod.uid[0] == '\0' || base_str_eq(pod.uid, quarry->pod.uid)) &&
           base_str_starts(pod.container, quarry->pod.container);
}

static bool has_unit(pid_t pid, const struct quarry *quarry)
{
    return any_cgroup(pid, quarry, unit_fits);
}

static bool has_cgroup(pid_t pid, const struct quarry *quarry)
{
    return any_cgroup(pid, quarry, cgroup_fits);
}

static bool has_pod(pid_t pid, const struct quarry *quarry)
{
    return any_cgroup(pid, quarry, pod_fits);
}

static bool has_command(pid_t pid, const struct quarry *quarry)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, FILE_MAX);
    if (!proc_read(pid, "cmdline", &text) || text.len == 0)
        return false;
    while (text.len > 0 && text.data[text.len - 1] == '\0')
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\0')
            text.data[i] = ' ';
    text.data[text.len] = '\0';
    return fnmatch(quarry->value, text.data, 0) == 0;
}

static bool has_socket(pid_t pid, const struct quarry *quarry)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        char link[64];
        uint64_t inode = 0;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        if (n <= 0 || !procfs_socket_link(link, &inode))
            continue;
        for (size_t i = 0; i < quarry->socket_count; i++)
            found = found || quarry->sockets[i] == inode;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* --- preparing --- */

static bool take_text(struct quarry *quarry, struct base_error *err)
{
    (void)quarry;
    (void)err;
    return true;
}

static bool take_cgroup(struct quarry *quarry, struct base_error *err)
{
    const char *value = quarry->value;
    return (value[0] == '/' && value[strspn(value, "/")] != '\0') ||
           base_fail(err, BASE_INVALID,
                     "find: cgroup \"%s\": expected a path below the root, as in /proc/PID/cgroup",
                     value);
}

/* "UID", "UID/CONTAINER" or "/CONTAINER" of a container without a pod. */
static bool take_pod(struct quarry *quarry, struct base_error *err)
{
    const char *slash = strchr(quarry->value, '/');
    size_t len = slash != NULL ? (size_t)(slash - quarry->value) : strlen(quarry->value);
    const char *container = slash != NULL ? slash + 1 : "";
    size_t container_len = strlen(container);
    BASE_AUTO_FREE char *path = base_str_printf("/pod%.*s", (int)len, quarry->value);
    bool has_uid = len > 0 && procfs_cgroup_pod(path, &quarry->pod);
    bool has_container = container_len >= CONTAINER_LEAST && container_len < PROCFS_ID_TEXT &&
                         strspn(container, "0123456789abcdef") == container_len;
    if ((len > 0 && !has_uid) || (slash != NULL && !has_container) || (len == 0 && !has_container))
        return base_fail(err, BASE_INVALID,
                         "find: pod \"%s\": expected a pod's UID, UID/CONTAINER or /CONTAINER with "
                         "at least %d digits of the container's id",
                         quarry->value, CONTAINER_LEAST);
    (void)snprintf(quarry->pod.container, sizeof quarry->pod.container, "%s", container);
    return true;
}

static void add_listeners(struct quarry *quarry, const char *path, uint16_t port)
{
    FILE *file = fopen(path, "re");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct procfs_socket one;
        if (procfs_tcp_listener(line, &one) && one.port == port &&
            quarry->socket_count < SOCKETS_MAX)
            quarry->sockets[quarry->socket_count++] = one.inode;
    }
    if (file != NULL)
        (void)fclose(file);
}

static bool take_port(struct quarry *quarry, struct base_error *err)
{
    uint64_t port = 0;
    if (!base_parse_u64(quarry->value, &port) || port == 0 || port > UINT16_MAX)
        return base_fail(err, BASE_INVALID, "find: port \"%s\": expected 1 to 65535",
                         quarry->value);
    add_listeners(quarry, "/proc/self/net/tcp", (uint16_t)port);
    add_listeners(quarry, "/proc/self/net/tcp6", (uint16_t)port);
    return true;
}

static bool take_process(struct quarry *quarry, struct base_error *err)
{
    const char *colon = strchr(quarry->value, ':');
    size_t len = colon != NULL ? (size_t)(colon - quarry->value) : 0;
    BASE_AUTO_FREE char *pid = base_str_ndup(quarry->value, len);
    uint64_t number = 0;
    if (colon == NULL || !base_parse_u64(pid, &number) || number == 0 || number > INT_MAX ||
        !base_parse_u64(colon + 1, &quarry->process.start_ticks))
        return base_fail(err, BASE_INVALID, "find: process \"%s\": expected PID:START",
                         quarry->value);
    quarry->process.pid = (pid_t)number;
    return true;
}

static bool has_process(pid_t pid, const struct quarry *quarry)
{
    return pid == quarry->process.pid && fault_process_alive(&quarry->process);
}

static const struct way {
    const char *by;
    bool (*take)(struct quarry *quarry, struct base_error *err);
    bool (*has)(pid_t pid, const struct quarry *quarry);
} ways[] = {
    {"unit", take_text, has_unit},   {"command", take_text, has_command},
    {"port", take_port, has_socket}, {"cgroup", take_cgroup, has_cgroup},
    {"pod", take_pod, has_pod},      {"process", take_process, has_process},
};

/* --- whom never to hit --- */

static pid_t parent_of(pid_t pid)
{
    struct base_process process;
    return base_process_find(pid, &process) ? process.parent : 0;
}

static bool is_ours(pid_t pid)
{
    pid_t at = getpid();
    for (int i = 0; i < PARENTS_MAX && at > 0; i++) {
        if (at == pid)
            return true;
        at = parent_of(at);
    }
    return pid == 1;
}

/* --- what is known of them --- */

static void add_process(struct fault_found *found, struct fault_process process)
{
    size_t at = found->count++;
    found->processes = base_reallocarray(found->processes, found->count, sizeof *found->processes);
    for (; at > 0 && found->processes[at - 1].start_ticks > process.start_ticks; at--)
        found->processes[at] = found->processes[at - 1];
    found->processes[at] = process;
}

static void add_address(struct fault_found *found, const char *address)
{
    for (size_t i = 0; i < found->address_count; i++)
        if (base_str_eq(found->addresses[i], address))
            return;
    found->addresses =
        base_reallocarray(found->addresses, found->address_count + 1, sizeof *found->addresses);
    found->addresses[found->address_count++] = base_str_dup(address);
}

static void learn_addresses(struct fault_found *found, pid_t pid)
{
    BASE_AUTO_BUF struct base_buf text;
    char v4[INET_ADDRSTRLEN];
    char v6[INET6_ADDRSTRLEN];
    base_buf_init(&text, FILE_MAX);
    const char *at = text.data;
    if (proc_read(pid, "net/fib_trie", &text))
        for (at = text.data; procfs_fib_next(&at, v4);)
            add_address(found, v4);
    if (!proc_read(pid, "net/if_inet6", &text))
        return;
    for (at = text.data; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n' ? 1 : 0)
        if (procfs_inet6_line(at, v6))
            add_address(found, v6);
}

static bool netns_of(pid_t pid, char path[static 64], struct stat *out)
{
    (void)snprintf(path, 64, "/proc/%d/ns/net", (int)pid);
    return stat(path, out) == 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void learn_netns(struct fault_found *found)
{
    struct stat own;
    struct stat first;
    struct stat other;
    char path[64];
    char ignored[64];
    if (stat("/proc/self/ns/net", &own) < 0 || !netns_of(found->processes[0].pid, path, &first))
        return;
    if (!is_same(&own, &first))
        found->netns = base_str_dup(path);
    for (size_t i = 1; i < found->count && found->elsewhere == NULL; i++)
        if (netns_of(found->processes[i].pid, ignored, &other) && !is_same(&first, &other))
            found->elsewhere = base_str_printf("process %d", (int)found->processes[i].pid);
}

/* Where the hierarchy is mounted; free() it. type "cgroup2", or "cgroup" with this option. */
static char *mounted_at(const char *type, const char *option)
{
    FILE *file = fopen("/proc/self/mounts", "re");
    char line[4096];
    char *found = NULL;
    while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL) {
        char *rest = NULL;
        (void)strtok_r(line, " ", &rest);
        const char *place = strtok_r(NULL, " ", &rest);
        const char *kind = strtok_r(NULL, " ", &rest);
        const char *options = strtok_r(NULL, " ", &rest);
        if (options != NULL && base_str_eq(kind, type) &&
            (option == NULL || strstr(options, option) != NULL))
            found = base_str_dup(place);
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

/* Below where its hierarchy is mounted; free() both. NULL: it is in none, or in the root. */
static char *group_path(pid_t pid, char **root)
{
    BASE_AUTO_BUF struct base_buf text;
    BASE_AUTO_FREE char *unified = NULL;
    BASE_AUTO_FREE char *freezer = NULL;
    base_buf_init(&text, FILE_MAX);
    if (!proc_read(pid, "cgroup", &text))
        return NULL;
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *controllers = NULL;
        const char *path = procfs_cgroup_line(line, &controllers);
        if (path == NULL || path[1] == '\0')
            continue;
        if (controllers[0] == '\0' && unified == NULL)
            unified = base_str_dup(path);
        else if (base_str_eq(controllers, "freezer") && freezer == NULL)
            freezer = base_str_dup(path);
    }
    *root = unified != NULL ? mounted_at("cgroup2", NULL) : mounted_at("cgroup", "freezer");
    const char *path = unified != NULL ? unified : freezer;
    return *root != NULL ? base_str_dup(path) : NULL;
}

char *fault_find_group(pid_t pid)
{
    BASE_AUTO_FREE char *root = NULL;
    BASE_AUTO_FREE char *path = group_path(pid, &root);
    return path != NULL ? base_str_printf("%s%s", root, path) : NULL;
}

/* "/a/b" and "/a/c/d": "/a"; one cut to "" means the root. */
static void cut_to_common(char *path, const char *other)
{
    size_t end = 0; /* of the last part that both have */
    size_t i = 0;
    for (; path[i] != '\0' && path[i] == other[i]; i++)
        if (path[i] == '/')
            end = i;
    if ((path[i] == '\0' || path[i] == '/') && (other[i] == '\0' || other[i] == '/'))
        end = i;
    path[end] = '\0';
}

/* Of all of them: in one of its containers alone a pod would be hit in part. */
static void learn_cgroup(struct fault_found *found)
{
    BASE_AUTO_FREE char *root = NULL;
    BASE_AUTO_FREE char *path = group_path(found->processes[0].pid, &root);
    for (size_t i = 1; i < found->count && path != NULL; i++) {
        BASE_AUTO_FREE char *ignored = NULL;
        BASE_AUTO_FREE char *other = group_path(found->processes[i].pid, &ignored);
        cut_to_common(path, other != NULL ? other : "");
    }
    if (path != NULL && path[0] != '\0')
        found->cgroup = base_str_printf("%s%s", root, path);
}

/* A session's group, say, which its shell and others are in as well: a fault in it would hit them.
 */
static void leave_shared_cgroup(struct fault_found *found)
{
    BASE_AUTO_FREE char *stranger =
        found->cgroup != NULL ? fault_find_stranger(found, found->cgroup) : NULL;
    if (stranger == NULL)
        return;
    found->strangers = base_str_printf("%s holds %s, too", found->cgroup, stranger);
    free(found->cgroup);
    found->cgroup = NULL;
}

void fault_found_fini(struct fault_found *found)
{
    for (size_t i = 0; i < found->address_count; i++)
        free(found->addresses[i]);
    free(found->addresses);
    free(found->processes);
    free(found->netns);
    free(found->cgroup);
    free(found->strangers);
    free(found->elsewhere);
    *found = (struct fault_found){0};
}

/* --- the whole --- */

static const struct way *way_of(const char *by)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (base_str_eq(ways[i].by, by))
            return &ways[i];
    return NULL;
}

/* Kernel threads match nothing: they have no command line, socket or cgroup but the root. */
static bool scan(const struct way *way, const struct quarry *quarry, struct fault_found *found,
                 struct base_error *err)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    bool ok = true;
    if (dir == NULL)
        return base_fail_errno(err, "cannot read /proc");
    while (ok && (entry = readdir(dir)) != NULL) {
        uint64_t pid = 0;
        struct fault_process process = {0};
        if (!base_parse_u64(entry->d_name, &pid) || pid > INT_MAX || !way->has((pid_t)pid, quarry))
            continue;
        process.pid = (pid_t)pid;
        if (!fault_process_ticks(process.pid, &process.start_ticks))
            continue; /* it has just ended */
        if (is_ours(process.pid))
            ok = base_fail(err, BASE_DENIED,
                           "find: %s \"%s\" matches process %d, which is this agent, one that it "
                           "depends on, or init: say more precisely what is meant",
                           way->by, quarry->value, (int)process.pid);
        else
            add_process(found, process);
    }
    (void)closedir(dir);
    return ok;
}

bool fault_find(const char *by, const char *value, struct fault_found *out, struct base_error *err)
{
    struct quarry quarry = {.value = value};
    struct fault_found found = {0};
    const struct way *way = way_of(by);
    if (way == NULL)
        return base_fail(err, BASE_INVALID,
                         "find: \"%s\" is no way to find a process; expected unit, command, port, "
                         "cgroup or pod",
                         by);
    if (!way->take(&quarry, err))
        return false;
    if (!scan(way, &quarry, &found, err)) {
        fault_found_fini(&found);
        return false;
    }
    if (found.count == 0)
        return base_fail(err, BASE_NOT_FOUND,
                         "find: no process of this host has the %s \"%s\": nothing would be hit",
                         way->by, value);
    learn_netns(&found);
    learn_cgroup(&found);
    leave_shared_cgroup(&found);
    learn_addresses(&found, found.processes[0].pid);
    *out = found;
    return true;
}
