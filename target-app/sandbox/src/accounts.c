/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    ENTRY_MAX = 16 << 10,
    PROGRAM_MAX = 256 << 20,
    /* What systemd gives to services without a user of their own (DynamicUser=): no distribution
     * hands these out, and its nss module tells which are in use. */
    ID_FIRST = 61184,
    ID_LAST = 65519,
    ID_PAIRS = (ID_LAST - ID_FIRST + 1) / 2
};

static bool id_taken(unsigned id)
{
    BASE_AUTO_FREE char *text = base_calloc(1, ENTRY_MAX);
    struct passwd user;
    struct passwd *user_found = NULL;
    struct group group;
    struct group *group_found = NULL;
    (void)getpwuid_r(id, &user, text, ENTRY_MAX, &user_found);
    (void)getgrgid_r(id, &group, text, ENTRY_MAX, &group_found);
    return user_found != NULL || group_found != NULL;
}

static bool choose_ids(struct sandbox_accounts *accounts, const struct sandbox_place *place,
                       struct base_error *err)
{
    for (unsigned i = 0; i < ID_PAIRS; i++) {
        unsigned id = ID_FIRST + 2 * (unsigned)((place->seed + i) % ID_PAIRS);
        if (id_taken(id) || id_taken(id + 1))
            continue;
        accounts->of[SANDBOX_AS_SERVICE] = (struct sandbox_account){id, id};
        accounts->of[SANDBOX_AS_PROMETHEUS] = (struct sandbox_account){id + 1, id + 1};
        return true;
    }
    return base_fail(err, BASE_LIMIT, "no free user ids from %d to %d to run the services under",
                     ID_FIRST, ID_LAST);
}

static bool find_postgres(struct sandbox_account *out, struct base_error *err)
{
    BASE_AUTO_FREE char *text = base_calloc(1, ENTRY_MAX);
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r("postgres", &entry, text, ENTRY_MAX, &found) != 0 || found == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "there is no user 'postgres', as whom PostgreSQL has to run: "
                         "apt-get install postgresql-15");
    *out = (struct sandbox_account){entry.pw_uid, entry.pw_gid};
    return true;
}

/* path_resolution(7): each folder on the way must be searchable by that user. *at becomes the first
 * that is not, or cannot be looked at; free() it. */
static bool may_enter(const char *folder, struct sandbox_account who, char **at)
{
    BASE_AUTO_FREE char *path = base_str_dup(folder);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        struct stat st = {0};
        *p = '\0';
        bool seen = stat(path, &st) == 0;
        mode_t bit = st.st_uid == who.uid ? S_IXUSR : st.st_gid == who.gid ? S_IXGRP : S_IXOTH;
        if (!seen || (st.st_mode & bit) == 0) {
            *at = base_str_dup(path);
            return false;
        }
        *p = kept;
        if (kept == '\0')
            return true;
    }
}

static bool check_entry(const struct sandbox_accounts *accounts, const struct sandbox_place *place,
                        struct base_error *err)
{
    static const char *const names[SANDBOX_ROLES] = {
        [SANDBOX_AS_POSTGRES] = "PostgreSQL runs as user postgres",
        [SANDBOX_AS_SERVICE] = "the services run under an id of their own",
        [SANDBOX_AS_PROMETHEUS] = "Prometheus runs under an id of its own",
    };
    for (unsigned role = 0; role < SANDBOX_ROLES; role++) {
        BASE_AUTO_FREE char *at = NULL;
        if (!may_enter(place->dir, accounts->of[role], &at))
            return base_fail(err, BASE_DENIED,
                             "%s, who may not enter %s: `chmod a+x %s`, or choose another place "
                             "with --state DIR",
                             names[role], at, at);
    }
    return true;
}

bool sandbox_accounts_find(struct sandbox_accounts *out, const struct sandbox_place *place,
                           struct base_error *err)
{
    struct sandbox_accounts accounts = {.switched = geteuid() == 0};
    if (accounts.switched &&
        (!find_postgres(&accounts.of[SANDBOX_AS_POSTGRES], err) ||
         !choose_ids(&accounts, place, err) || !check_entry(&accounts, place, err)))
        return false;
    *out = accounts;
    return true;
}

bool sandbox_accounts_own(const struct sandbox_accounts *accounts, enum sandbox_role role,
                          const char *path, struct base_error *err)
{
    const struct sandbox_account *who = &accounts->of[role];
    return !accounts->switched || chown(path, who->uid, who->gid) == 0 ||
           base_fail_errno(err, "cannot give %s to user id %u", path, (unsigned)who->uid);
}

bool sandbox_accounts_share(const struct sandbox_accounts *accounts, enum sandbox_role role,
                            const char *path, struct base_error *err)
{
    return !accounts->switched ||
           (chown(path, 0, accounts->of[role].gid) == 0 && chmod(path, 0640) == 0) ||
           base_fail_errno(err, "cannot let group id %u read %s", (unsigned)accounts->of[role].gid,
                           path);
}

/* Where it really lies, when the role may execute it there. */
static char *reachable(const char *program, struct sandbox_account who)
{
    char *real = realpath(program, NULL);
    BASE_AUTO_FREE char *at = NULL;
    struct stat st;
    if (real == NULL)
        return NULL;
    BASE_AUTO_FREE char *folder = base_str_ndup(real, (size_t)(strrchr(real, '/') - real));
    bool root = folder[0] == '\0';
    if ((root || may_enter(folder, who, &at)) && stat(real, &st) == 0 &&
        (st.st_mode & (S_IXOTH | S_IROTH)) == (S_IXOTH | S_IROTH))
        return real;
    free(real);
    return NULL;
}

bool sandbox_accounts_reach(const struct sandbox_accounts *accounts, enum sandbox_role role,
                            const struct sandbox_place *place, char **program,
                            struct base_error *err)
{
    if (!accounts->switched)
        return true;
    BASE_AUTO_FREE char *found = reachable(*program, accounts->of[role]);
    if (found != NULL)
        return true;
    BASE_AUTO_FREE char *folder = base_str_printf("%s/programs", place->dir);
    char *copy = base_str_printf("%s%s", folder, strrchr(*program, '/'));
    BASE_AUTO_BUF struct base_buf bytes;
    base_buf_init(&bytes, PROGRAM_MAX);
    if (!base_dir_make(folder, 0755, err) || !base_file_read(*program, &bytes, err) ||
        !base_file_write(copy, bytes.data, bytes.len, 0755, err)) {
        free(copy);
        return base_fail_context(err, "copying %s to where its user can execute it", *program);
    }
    free(*program);
    *program = copy;
    return true;
}
