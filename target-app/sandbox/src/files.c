/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "store.h"

static const struct {
    const char *name;
    mode_t mode;
} folders[] = {
    {"logs", 0755},       {"instances", 0755}, {"secrets", 0700},       {"postgres", 0700},
    {"prometheus", 0755}, {"agent", 0700},     {"agent/journal", 0700},
};

bool sandbox_make_folders(const struct sandbox_place *place, struct base_error *err)
{
    if (!base_dir_make(place->dir, 0755, err))
        return base_fail_context(err, "state of sandbox '%s'", place->name);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        BASE_AUTO_FREE char *path = sandbox_path(place, "%s", folders[i].name);
        if (!base_dir_make(path, folders[i].mode, err))
            return base_fail_context(err, "state of sandbox '%s'", place->name);
    }
    return true;
}

/* path_resolution(7): each folder on the way must be searchable by that user. */
static bool searchable(const char *folder, uid_t uid, gid_t gid, struct base_error *err)
{
    BASE_AUTO_FREE char *path = base_str_dup(folder);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        struct stat st;
        *p = '\0';
        if (stat(path, &st) < 0)
            return base_fail_errno(err, "cannot look at %s", path);
        mode_t bit = st.st_uid == uid ? S_IXUSR : st.st_gid == gid ? S_IXGRP : S_IXOTH;
        if ((st.st_mode & bit) == 0)
            return base_fail(err, BASE_DENIED,
                             "PostgreSQL runs as user postgres, who may not enter %s: "
                             "`chmod a+x %s`, or choose another place with --state DIR",
                             path, path);
        *p = kept;
        if (kept == '\0')
            return true;
    }
}

bool sandbox_find_postgres_user(struct sandbox_setup *setup, struct base_error *err)
{
    enum { ENTRY_MAX = 16 << 10 };
    setup->switch_user = geteuid() == 0;
    if (!setup->switch_user)
        return true;
    BASE_AUTO_FREE char *text = base_calloc(1, ENTRY_MAX);
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwnam_r("postgres", &entry, text, ENTRY_MAX, &found) != 0 || found == NULL)
        return base_fail(err, BASE_NOT_FOUND,
                         "there is no user 'postgres', as whom PostgreSQL has to run: "
                         "apt-get install postgresql-15");
    setup->pg_uid = entry.pw_uid;
    setup->pg_gid = entry.pw_gid;
    BASE_AUTO_FREE char *folder = sandbox_path(setup->place, "postgres");
    if (chown(folder, setup->pg_uid, setup->pg_gid) < 0)
        return base_fail_errno(err, "cannot give %s to user postgres", folder);
    return searchable(folder, setup->pg_uid, setup->pg_gid, err);
}

/* A file for PostgreSQL's eyes: its user's, mode 0600. */
static bool postgres_file(const struct sandbox_setup *setup, const char *name, const char *text,
                          struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(setup->place, "postgres/%s", name);
    if (!sandbox_store_text(path, text, 0600, err))
        return false;
    if (setup->switch_user && chown(path, setup->pg_uid, setup->pg_gid) < 0)
        return base_fail_errno(err, "cannot give %s to user postgres", path);
    return true;
}

static bool write_database_files(struct sandbox_setup *setup, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf admin;
    BASE_AUTO_BUF struct base_buf users;
    base_buf_init(&admin, 256);
    base_buf_init(&users, 256);
    BASE_AUTO_FREE char *admin_path = sandbox_path(setup->place, "secrets/postgres-password");
    BASE_AUTO_FREE char *users_path = sandbox_path(setup->place, "secrets/users-password");
    BASE_AUTO_FREE char *pass_path = sandbox_path(setup->place, "secrets/pgpass");
    BASE_AUTO_FREE char *sql_path = sandbox_path(setup->place, "secrets/bootstrap.sql");
    if (!sandbox_secret(admin_path, &admin, err) || !sandbox_secret(users_path, &users, err))
        return false;
    char subnet[SANDBOX_SUBNET_TEXT];
    sandbox_subnet_format(setup->roster.subnet, subnet);
    /* In loopback mode clients call from 127.0.0.1, whatever 127.x.y.z they call. */
    BASE_AUTO_FREE char *hba = base_str_printf("host all all %s scram-sha-256\n",
                                               setup->roster.loopback ? "127.0.0.0/8" : subnet);
    /* libpq, "The Password File". */
    BASE_AUTO_FREE char *pass =
        base_str_printf("*:*:*:postgres:%s\n*:*:*:squall:%s\n", admin.data, users.data);
    /* Repeatable: psql's \gexec runs what the query before it gives, here one command or none. */
    BASE_AUTO_FREE char *sql =
        base_str_printf("SELECT 'CREATE ROLE squall LOGIN' WHERE NOT EXISTS "
                        "(SELECT FROM pg_roles WHERE rolname = 'squall') \\gexec\n"
                        "ALTER ROLE squall PASSWORD '%s';\n"
                        "SELECT 'CREATE DATABASE users OWNER squall' WHERE NOT EXISTS "
                        "(SELECT FROM pg_database WHERE datname = 'users') \\gexec\n",
                        users.data);
    return postgres_file(setup, "pg_hba.conf", hba, err) &&
           postgres_file(setup, "initial-password", admin.data, err) &&
           sandbox_store_text(pass_path, pass, 0600, err) &&
           sandbox_store_text(sql_path, sql, 0600, err);
}

/* Series of a platform that is gone, and recovery notes about namespaces that are gone, would only
 * mislead: they start empty. */
static bool empty_folder(const struct sandbox_place *place, const char *name, mode_t mode,
                         struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(place, "%s", name);
    return base_dir_remove(path, err) && base_dir_make(path, mode, err);
}

static bool write_platform_files(struct sandbox_setup *setup, struct base_error *err)
{
    const struct sandbox_place *place = setup->place;
    enum { TEXT_MAX = 64 << 10 };
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, TEXT_MAX);
    BASE_AUTO_FREE char *prometheus = sandbox_path(place, "prometheus/prometheus.yml");
    BASE_AUTO_FREE char *topology = sandbox_path(place, "topology.json");
    setup->hosts_file = sandbox_path(place, "instances/hosts");
    sandbox_hosts(&setup->roster, &text);
    if (!sandbox_store_text(setup->hosts_file, text.data, 0644, err))
        return false;
    base_buf_clear(&text);
    sandbox_prometheus_config(&setup->roster, &text);
    return sandbox_store_text(prometheus, text.data, 0644, err) &&
           sandbox_store_json(topology, sandbox_topology(&setup->roster, place), err);
}

bool sandbox_write_files(struct sandbox_setup *setup, struct base_error *err)
{
    const struct sandbox_place *place = setup->place;
    BASE_AUTO_FREE char *admin = sandbox_path(place, "admin-token");
    BASE_AUTO_FREE char *agent = sandbox_path(place, "agent/token");
    BASE_AUTO_FREE char *data = sandbox_path(place, "postgres/data/PG_VERSION");
    BASE_AUTO_FREE char *roles = sandbox_path(place, "postgres/roles-made");
    BASE_AUTO_FREE char *half_made = sandbox_path(place, "postgres/data.new");
    BASE_AUTO_BUF struct base_buf secret;
    base_buf_init(&secret, 1024);
    setup->has_data = access(data, F_OK) == 0;
    setup->has_roles = setup->has_data && access(roles, F_OK) == 0;
    return empty_folder(place, "prometheus/data", 0755, err) &&
           empty_folder(place, "agent/journal", 0700, err) && base_dir_remove(half_made, err) &&
           sandbox_secret(admin, &secret, err) && sandbox_secret(agent, &secret, err) &&
           write_database_files(setup, err) && write_platform_files(setup, err);
}
