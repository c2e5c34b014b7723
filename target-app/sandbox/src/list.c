/* SPDX-License-Identifier: Apache-2.0 */
/* Which sandboxes have left a topology behind, whether or not their supervisor still lives. */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "place.h"
#include "sandbox/sandbox.h"

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        (void)closedir(*folder);
}

bool sandbox_each_topology(const char *state, const char *name,
                           void (*on_topology)(void *ctx, const char *path), void *ctx,
                           struct base_error *err)
{
    struct sandbox_place place;
    if (!sandbox_place_init(&place, name, state, err))
        return false;
    BASE_AUTO_FREE char *path = base_str_printf("%s/sandboxes", place.root);
    sandbox_place_fini(&place);
    __attribute__((cleanup(close_folder))) DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOENT)
        return true;
    if (folder == NULL)
        return base_fail_errno(err, "cannot list the sandboxes in %s", path);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (!sandbox_name_valid(entry->d_name) ||
            (name != NULL && !base_str_eq(name, entry->d_name)))
            continue;
        BASE_AUTO_FREE char *topology = base_str_printf("%s/%s/topology.json", path, entry->d_name);
        if (access(topology, F_OK) == 0)
            on_topology(ctx, topology);
    }
    return true;
}
