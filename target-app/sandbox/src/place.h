/* SPDX-License-Identifier: Apache-2.0 */
/* Where a sandbox lives and what its things are called: names are a function of state root and
 * sandbox name alone, so that whoever comes after a crash finds them again. */
#ifndef SANDBOX_PLACE_H
#define SANDBOX_PLACE_H

#include <stdint.h>

#include "base/error.h"

enum { SANDBOX_HASH_TEXT = 9, SANDBOX_LINK_TEXT = 16 };

struct sandbox_place {
    char *name;
    char *root; /* the state root, absolute */
    char *dir;  /* <root>/sandboxes/<name> */
    char *tag;  /* name, or name.<6 hex> when the root is not the system's: two roots may hold
                 * sandboxes of one name */
    uint64_t seed;
    char hash[SANDBOX_HASH_TEXT];
};

/* name and state NULL: the defaults. BASE_INVALID for a name that could not be a file name. */
bool sandbox_place_init(struct sandbox_place *place, const char *name, const char *state,
                        struct base_error *err);
void sandbox_place_fini(struct sandbox_place *place); /* accepts a zeroed value */

bool sandbox_name_valid(const char *name);
/* sq-<hash>: the bridge. IFNAMSIZ leaves 15 letters. */
void sandbox_bridge_name(const struct sandbox_place *place, char out[static SANDBOX_LINK_TEXT]);
/* sq<hash>-<n>: the host's end of the n-th instance's veth pair. */
void sandbox_veth_name(const struct sandbox_place *place, unsigned n,
                       char out[static SANDBOX_LINK_TEXT]);
/* These give strings to free(). */
char *sandbox_netns_name(const struct sandbox_place *place, const char *instance);
char *sandbox_path(const struct sandbox_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* below dir */
char *sandbox_status_path(const struct sandbox_place *place, const char *instance);
char *sandbox_log_path(const struct sandbox_place *place, const char *what);

#endif
