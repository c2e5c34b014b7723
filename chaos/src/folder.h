/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that faults of disks may write to, and how much: those of the platform's state or that
 * the agent allows, never so that its own journal lacks room. */
#ifndef CHAOS_FOLDER_H
#define CHAOS_FOLDER_H

#include "engine.h"

/* The folder without symbolic links; free() it. Refused when it is not the platform's state folder
 * or below it, nor one that the agent's --allow-path names. */
bool fault_folder_open(const struct fault *fault, const struct topo *topo, const char *path,
                       char **out, struct base_error *err);
bool fault_folder_lies_in(const char *path, const char *folder);

struct fault_space {
    int64_t total;
    int64_t available; /* to processes without privileges */
};
bool fault_folder_space(const char *folder, struct fault_space *out, struct base_error *err);
/* Refused when fewer bytes, or where the agent's journal lies, less than a reserve would be left.
 */
bool fault_folder_has_room(const struct fault *fault, const char *folder, int64_t bytes,
                           struct base_error *err);

/* A file without a name (O_TMPFILE, open(2)); -1 with err. direct: past the page cache (O_DIRECT),
 * unless the file system cannot: then *direct becomes false. NULL: through it. */
int fault_folder_file(const char *folder, bool *direct, struct base_error *err);

#endif
