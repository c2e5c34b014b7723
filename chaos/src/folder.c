/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { reserve_mib = 256 };
static const double reserve_share = 0.05;

bool fault_folder_lies_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return base_str_eq(folder, "/") ||
           (strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static bool is_allowed(const struct fault_env *env, const char *folder)
{
    for (size_t i = 0; i < env->allowed_count; i++)
        if (fault_folder_lies_in(folder, env->allowed[i]))
            return true;
    return false;
}

bool fault_folder_open(const struct fault *fault, const struct topo *topo, const char *path,
                       char **out, struct base_error *err)
{
    if (path[0] != '/')
        return base_fail(err, BASE_INVALID, "path %s: expected one that starts with /", path);
    BASE_AUTO_FREE char *own = topo->state_dir != NULL ? realpath(topo->state_dir, NULL) : NULL;
    BASE_AUTO_FREE char *folder = realpath(path, NULL);
    if (folder == NULL)
        return base_fail_errno(err, "path %s", path);
    if ((own == NULL || !fault_folder_lies_in(folder, own)) &&
        !is_allowed(fault_env_of(fault), folder))
        return base_fail(err, BASE_DENIED,
                         "path %s does not lie in %s, the state folder of the platform \"%s\", nor "
                         "in a folder that this agent's --allow-path names: others would be hit. "
                         "Whoever runs the agent can start it with --allow-path %s",
                         path, topo->state_dir != NULL ? topo->state_dir : "(none)", topo->name,
                         folder);
    *out = base_str_dup(folder);
    return true;
}

bool fault_folder_space(const char *folder, struct fault_space *out, struct base_error *err)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) < 0)
        return base_fail_errno(err, "file system of %s", folder);
    *out = (struct fault_space){.total = (int64_t)(fs.f_blocks * fs.f_frsize),
                                .available = (int64_t)(fs.f_bavail * fs.f_frsize)};
    return true;
}

/* Without room for its journal the agent could take no fault, and note no halt. */
static bool holds_journal(const struct fault *fault, const char *folder)
{
    struct stat here;
    struct stat journal;
    return stat(folder, &here) < 0 ||
           stat(agent_journal_dir(fault_env_of(fault)->journal), &journal) < 0 ||
           here.st_dev == journal.st_dev;
}

bool fault_folder_has_room(const struct fault *fault, const char *folder, int64_t bytes,
                           struct base_error *err)
{
    struct fault_space space = {0};
    if (!fault_folder_space(folder, &space, err))
        return false;
    int64_t reserve = 0;
    if (holds_journal(fault, folder)) {
        reserve = (int64_t)((double)space.total * reserve_share);
        if (reserve < INT64_C(1048576) * reserve_mib)
            reserve = INT64_C(1048576) * reserve_mib;
    }
    if (space.available - bytes >= reserve)
        return true;
    return base_fail(err, BASE_LIMIT,
                     "%lld MiB of the %lld MiB available at %s would leave less than the reserve "
                     "of %lld MiB%s; ask for less",
                     (long long)(bytes >> 20), (long long)(space.available >> 20), folder,
                     (long long)(reserve >> 20),
                     reserve > 0 ? ", for the agent's journal lies there too" : "");
}

int fault_folder_file(const char *folder, bool *direct, struct base_error *err)
{
    const int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
    bool past = direct != NULL && *direct;
    int fd = open(folder, past ? flags | O_DIRECT : flags, 0600);
    if (fd < 0 && past && errno == EINVAL) { /* no direct I/O there (open(2)) */
        *direct = false;
        fd = open(folder, flags, 0600);
    }
    if (fd < 0)
        (void)base_fail_errno(err, "cannot make a file without a name in %s", folder);
    return fd;
}
