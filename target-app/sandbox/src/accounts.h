/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the programs of a sandbox run as when root starts it: PostgreSQL as its Debian user; the
 * services and Prometheus each under an id that has no name and belongs to nobody else, so that
 * they can neither touch the host nor be touched by another daemon (as `nobody` could be). The
 * agent stays root. Started by an ordinary user, all run as that user.
 */
#ifndef SANDBOX_ACCOUNTS_H
#define SANDBOX_ACCOUNTS_H

#include <sys/types.h>

#include "place.h"

enum sandbox_role { SANDBOX_AS_POSTGRES, SANDBOX_AS_SERVICE, SANDBOX_AS_PROMETHEUS, SANDBOX_ROLES };

struct sandbox_account {
    uid_t uid;
    gid_t gid;
};

struct sandbox_accounts {
    bool switched; /* we are root; otherwise the rest says nothing */
    struct sandbox_account of[SANDBOX_ROLES];
};

/* Also checks that they can reach the sandbox's folder, and says what to do when not. The ids are a
 * function of the place, as long as nobody else has them. */
bool sandbox_accounts_find(struct sandbox_accounts *out, const struct sandbox_place *place,
                           struct base_error *err);
/* Gives the path to the role; all three do nothing unless switched. */
bool sandbox_accounts_own(const struct sandbox_accounts *accounts, enum sandbox_role role,
                          const char *path, struct base_error *err);
/* Lets the role read what stays root's. */
bool sandbox_accounts_share(const struct sandbox_accounts *accounts, enum sandbox_role role,
                            const char *path, struct base_error *err);
/* Makes sure that the role can execute *program: one that lies where it may not enter (a build in
 * /root) is copied into the sandbox's folder, and *program replaced by the copy's path. */
bool sandbox_accounts_reach(const struct sandbox_accounts *accounts, enum sandbox_role role,
                            const struct sandbox_place *place, char **program,
                            struct base_error *err);

#endif
