/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "store.h"

static const struct {
    const char *name;
    mode_t mode;
} folders[] = {
    {"logs", 0755},     {"instances", 0755},  {"secrets", 0700}, {"postgres", 0700},
    {"services", 0755}, {"prometheus", 0755}, {"agent", 0700},   {"agent/journal", 0700},
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

bool sandbox_find_accounts(struct sandbox_setup *setup, struct base_error *err)
{
    BASE_AUTO_FREE char *folder = sandbox_path(setup->place, "postgres");
    struct sandbox_programs *programs = &setup->programs;
    return sandbox_accounts_find(&setup->accounts, setup->place, err) &&
           sandbox_accounts_own(&setup->accounts, SANDBOX_AS_POSTGRES, folder, err) &&
           sandbox_accounts_reach(&setup->accounts, SANDBOX_AS_SERVICE, setup->place,
                                  &programs->users, err) &&
           sandbox_accounts_reach(&setup->accounts, SANDBOX_AS_SERVICE, setup->place,
                                  &programs->gateway, err);
}

/* A file for PostgreSQL's eyes: its user's, mode 0600. */
static bool postgres_file(const struct sandbox_setup *setup, const char *name, const char *text,
                          struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(setup->place, "postgres/%s", name);
    return sandbox_store_text(path, text, 0600, err) &&
           sandbox_accounts_own(&setup->accounts, SANDBOX_AS_POSTGRES, path, err);
}

/* By these squall-agent speaks to the database (model/topology.h, credentialsFile). */
static bool write_agent_credentials(const struct sandbox_setup *setup, const char *password,
                                    struct base_error *err)
{
    BASE_AUTO_FREE char *path = sandbox_path(setup->place, "agent/postgres.json");
    BASE_AUTO_FREE char *text = base_str_printf(
        "{\"user\":\"postgres\",\"password\":\"%s\",\"database\":\"users\"}\n", password);
    return sandbox_store_text(path, text, 0600, err);
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
    BASE_AUTO_FREE char *services_path = sandbox_path(setup->place, "services/pgpass");
    BASE_AUTO_FREE char *sql_path = sandbox_path(setup->place, "secrets/bootstrap.sql");
    if (!sandbox_secret(admin_path, &admin, err) || !sandbox_secret(users_path, &users, err))
        return false;
    char subnet[SANDBOX_SUBNET_TEXT];
    sandbox_subnet_format(setup->roster.subnet, subnet);
    /* In loopback mode clients call from 127.0.0.1, whatever 127.x.y.z they call. */
    BASE_AUTO_FREE char *hba = base_str_printf("host all all %s scram-sha-256\n",
                                               setup->roster.loopback ? "127.0.0.0/8" : subnet);
    /* libpq, "The Password File": ours and the services'. */
    BASE_AUTO_FREE char *pass = base_str_printf("*:*:*:postgres:%s\n", admin.data);
    BASE_AUTO_FREE char *services_pass = base_str_printf("*:*:*:squall:%s\n", users.data);
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
           write_agent_credentials(setup, admin.data, err) &&
           sandbox_store_text(pass_path, pass, 0600, err) &&
           sandbox_store_text(services_path, services_pass, 0600, err) &&
           sandbox_accounts_own(&setup->accounts, SANDBOX_AS_SERVICE, services_path, err) &&
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
    BASE_AUTO_FREE char *series = sandbox_path(place, "prometheus/data");
    BASE_AUTO_BUF struct base_buf secret;
    base_buf_init(&secret, 1024);
    setup->has_data = access(data, F_OK) == 0;
    setup->has_roles = setup->has_data && access(roles, F_OK) == 0;
    return empty_folder(place, "prometheus/data", 0755, err) &&
           sandbox_accounts_own(&setup->accounts, SANDBOX_AS_PROMETHEUS, series, err) &&
           empty_folder(place, "agent/journal", 0700, err) && base_dir_remove(half_made, err) &&
           sandbox_secret(admin, &secret, err) && sandbox_secret(agent, &secret, err) &&
           sandbox_accounts_share(&setup->accounts, SANDBOX_AS_SERVICE, admin, err) &&
           write_database_files(setup, err) && write_platform_files(setup, err);
}
