/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "store.h"

/* What stops first: the agent, which puts faults right while their targets live; the services;
 * the database last. */
enum { STOP_AGENT, STOP_SERVICES, STOP_DATABASE };

static char **copy_list(const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    char **list = base_calloc(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = base_str_dup(words[i]);
    return list;
}

/* A list of copies, ended by NULL. */
#define LIST_OF(...) copy_list((const char *const[]){__VA_ARGS__, NULL})

static struct sandbox_unit *add(struct sandbox_setup *setup, const char *name)
{
    struct sandbox_unit *unit = &setup->units[setup->unit_count++];
    *unit = (struct sandbox_unit){
        .name = base_str_dup(name),
        .log_file = sandbox_log_path(setup->place, name),
        .hosts_file = setup->hosts_file,
        .stop_signal = SIGTERM,
        .stop_order = STOP_SERVICES,
    };
    return unit;
}

static unsigned bit_of(const struct sandbox_setup *setup, const struct sandbox_unit *unit)
{
    return 1U << (unit - setup->units);
}

/* A job that acts for an instance, in its namespace and group. */
static struct sandbox_unit *add_job(struct sandbox_setup *setup, const char *name,
                                    const struct sandbox_member *near, unsigned after)
{
    struct sandbox_unit *unit = add(setup, name);
    unit->job = true;
    unit->netns = near->netns;
    unit->cgroup = near->cgroup;
    unit->after = after;
    return unit;
}

static struct sandbox_unit *add_member(struct sandbox_setup *setup,
                                       const struct sandbox_member *member, unsigned after)
{
    const struct sandbox_service *service = sandbox_service(member->service);
    struct sandbox_unit *unit = add(setup, member->name);
    unit->status_file = sandbox_status_path(setup->place, member->name);
    unit->netns = member->netns;
    unit->cgroup = member->cgroup;
    unit->after = after;
    unit->probe.kind = service->ready_path == NULL ? SANDBOX_PROBE_POSTGRES : SANDBOX_PROBE_HTTP;
    unit->probe.address = member->address;
    unit->probe.port = member->port;
    unit->probe.path = service->ready_path;
    return unit;
}

static bool keep_data(const struct sandbox_place *place, struct base_error *err)
{
    BASE_AUTO_FREE char *made = sandbox_path(place, "postgres/data.new");
    BASE_AUTO_FREE char *data = sandbox_path(place, "postgres/data");
    if (!base_dir_remove(data, err))
        return false;
    return rename(made, data) == 0 || base_fail_errno(err, "cannot put %s in place", data);
}

static bool keep_roles(const struct sandbox_place *place, struct base_error *err)
{
    BASE_AUTO_FREE char *mark = sandbox_path(place, "postgres/roles-made");
    return base_file_write(mark, "", 0, 0644, err);
}

static void run_as(const struct sandbox_setup *setup, struct sandbox_unit *unit,
                   enum sandbox_role role)
{
    unit->set_user = setup->accounts.switched;
    unit->uid = setup->accounts.of[role].uid;
    unit->gid = setup->accounts.of[role].gid;
    if (unit->set_user && unit->env == NULL)
        unit->env = LIST_OF("HOME=/nonexistent"); /* root's own is closed to it */
}

/* initdb works on data.new, which becomes data only when it has ended well: a start that is cut
 * short leaves no half-made database. Its own fsync is left out, PostgreSQL's are not. */
static unsigned add_initdb(struct sandbox_setup *setup, const struct sandbox_member *member)
{
    BASE_AUTO_FREE char *data = sandbox_path(setup->place, "postgres/data.new");
    BASE_AUTO_FREE char *password = sandbox_path(setup->place, "postgres/initial-password");
    if (setup->has_data)
        return 0;
    struct sandbox_unit *unit = add_job(setup, "initdb", member, 0);
    BASE_AUTO_FREE char *pwfile = base_str_printf("--pwfile=%s", password);
    unit->argv = LIST_OF(setup->programs.initdb, "-D", data, "--no-sync", "--encoding=UTF8",
                         "--locale=C.UTF-8", "--username=postgres", "--auth=scram-sha-256", pwfile);
    unit->on_done = keep_data;
    run_as(setup, unit, SANDBOX_AS_POSTGRES);
    return bit_of(setup, unit);
}

static unsigned add_postgres(struct sandbox_setup *setup, const struct sandbox_member *member)
{
    BASE_AUTO_FREE char *data = sandbox_path(setup->place, "postgres/data");
    BASE_AUTO_FREE char *hba = sandbox_path(setup->place, "postgres/pg_hba.conf");
    BASE_AUTO_FREE char *hba_file = base_str_printf("hba_file=%s", hba);
    BASE_AUTO_FREE char *listen = base_str_printf("listen_addresses=%s", member->address);
    BASE_AUTO_FREE char *port = base_str_printf("port=%u", (unsigned)member->port);
    BASE_AUTO_FREE char *cluster = base_str_printf("cluster_name=squall/%s", setup->place->tag);
    struct sandbox_unit *unit = add_member(setup, member, add_initdb(setup, member));
    unit->argv =
        LIST_OF(setup->programs.postgres, "-D", data, "-c", hba_file, "-c", listen, "-c", port,
                "-c", cluster, "-c", "unix_socket_directories=", "-c", "shared_buffers=64MB", "-c",
                "max_connections=100", "-c", "max_wal_size=256MB", "-c", "logging_collector=off");
    unit->stop_signal = SIGINT; /* "fast": sessions are ended, then a checkpoint */
    unit->stop_order = STOP_DATABASE;
    unit->clear_group = true;
    run_as(setup, unit, SANDBOX_AS_POSTGRES);
    return bit_of(setup, unit);
}

static unsigned add_roles(struct sandbox_setup *setup, const struct sandbox_member *member,
                          unsigned postgres)
{
    BASE_AUTO_FREE char *sql = sandbox_path(setup->place, "secrets/bootstrap.sql");
    BASE_AUTO_FREE char *pass = sandbox_path(setup->place, "secrets/pgpass");
    BASE_AUTO_FREE char *passfile = base_str_printf("PGPASSFILE=%s", pass);
    if (setup->has_roles)
        return postgres;
    struct sandbox_unit *unit = add_job(setup, "roles", member, postgres);
    BASE_AUTO_FREE char *port = base_str_printf("%u", (unsigned)member->port);
    unit->argv =
        LIST_OF(setup->programs.psql, "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-h",
                member->address, "-p", port, "-U", "postgres", "-d", "postgres", "-f", sql);
    unit->env = LIST_OF(passfile, "PGCONNECT_TIMEOUT=5");
    unit->on_done = keep_roles;
    return bit_of(setup, unit);
}

/* libpq, "Connection Strings": values in quotes, ' and \ escaped. */
static char *conninfo(const struct sandbox_setup *setup)
{
    const struct sandbox_member *postgres = &setup->roster.members[0];
    BASE_AUTO_FREE char *pass = sandbox_path(setup->place, "services/pgpass");
    struct base_buf text;
    base_buf_init(&text, 64 << 10);
    (void)base_buf_printf(&text,
                          "host=%s port=%u dbname=users user=squall connect_timeout=3 "
                          "passfile='",
                          postgres->address, (unsigned)postgres->port);
    for (const char *p = pass; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\')
            (void)base_buf_char(&text, '\\');
        (void)base_buf_char(&text, *p);
    }
    (void)base_buf_char(&text, '\'');
    return base_buf_steal(&text);
}

static unsigned add_migration(struct sandbox_setup *setup, const struct sandbox_member *member,
                              unsigned after)
{
    BASE_AUTO_FREE char *database = conninfo(setup);
    struct sandbox_unit *unit = add_job(setup, "migrate", member, after);
    unit->argv =
        LIST_OF(setup->programs.users, "--migrate", "--seed-rows", "1000", "--postgres", database);
    run_as(setup, unit, SANDBOX_AS_SERVICE);
    return bit_of(setup, unit);
}

static unsigned add_users(struct sandbox_setup *setup, const struct sandbox_member *member,
                          unsigned after)
{
    BASE_AUTO_FREE char *database = conninfo(setup);
    BASE_AUTO_FREE char *token = sandbox_path(setup->place, "admin-token");
    BASE_AUTO_FREE char *listen = base_str_printf("%s:%u", member->address, (unsigned)member->port);
    struct sandbox_unit *unit = add_member(setup, member, after);
    unit->argv = LIST_OF(setup->programs.users, "--instance", member->name, "--listen", listen,
                         "--postgres", database, "--admin-token-file", token);
    run_as(setup, unit, SANDBOX_AS_SERVICE);
    return bit_of(setup, unit);
}

static void add_gateway(struct sandbox_setup *setup, const struct sandbox_member *member,
                        unsigned after)
{
    BASE_AUTO_FREE char *token = sandbox_path(setup->place, "admin-token");
    BASE_AUTO_FREE char *listen = base_str_printf("%s:%u", member->address, (unsigned)member->port);
    BASE_AUTO_BUF struct base_buf upstream;
    base_buf_init(&upstream, 4096);
    (void)base_buf_str(&upstream, "users=");
    sandbox_endpoints(&setup->roster, SANDBOX_USERS, &upstream);
    struct sandbox_unit *unit = add_member(setup, member, after);
    unit->argv = LIST_OF(setup->programs.gateway, "--instance", member->name, "--listen", listen,
                         "--upstream", upstream.data, "--admin-token-file", token);
    run_as(setup, unit, SANDBOX_AS_SERVICE);
}

static void add_prometheus(struct sandbox_setup *setup, const struct sandbox_member *member)
{
    BASE_AUTO_FREE char *config = sandbox_path(setup->place, "prometheus/prometheus.yml");
    BASE_AUTO_FREE char *data = sandbox_path(setup->place, "prometheus/data");
    BASE_AUTO_FREE char *config_flag = base_str_printf("--config.file=%s", config);
    BASE_AUTO_FREE char *data_flag = base_str_printf("--storage.tsdb.path=%s", data);
    BASE_AUTO_FREE char *listen =
        base_str_printf("--web.listen-address=%s:%u", member->address, (unsigned)member->port);
    struct sandbox_unit *unit = add_member(setup, member, 0);
    unit->argv = LIST_OF(setup->programs.prometheus, config_flag, data_flag, listen,
                         "--storage.tsdb.retention.time=2d", "--storage.tsdb.retention.size=256MB",
                         "--log.level=info");
    run_as(setup, unit, SANDBOX_AS_PROMETHEUS);
}

static void add_agent(struct sandbox_setup *setup)
{
    const struct sandbox_place *place = setup->place;
    BASE_AUTO_FREE char *token = sandbox_path(place, "agent/token");
    BASE_AUTO_FREE char *topology = sandbox_path(place, "topology.json");
    BASE_AUTO_FREE char *journal = sandbox_path(place, "agent/journal");
    BASE_AUTO_FREE char *listen =
        base_str_printf("127.0.0.1:%u", (unsigned)setup->roster.agent_port);
    struct sandbox_unit *unit = add(setup, "agent");
    /* The platform is there to be broken, and has services of one instance: how much of it one run
     * may hit is for its scenario to say (maxAffected, 50 % unless raised). */
    unit->argv = LIST_OF(setup->programs.agent, "--listen", listen, "--token-file", token,
                         "--topology", topology, "--journal", journal, "--max-affected", "100%");
    unit->status_file = sandbox_status_path(place, "agent");
    unit->cgroup = setup->agent_cgroup;
    unit->stop_order = STOP_AGENT;
    unit->probe.kind = SANDBOX_PROBE_HTTP;
    unit->probe.address = "127.0.0.1";
    unit->probe.port = setup->roster.agent_port;
    unit->probe.path = "/v1/health"; /* the agent's control protocol */
}

void sandbox_list_units(struct sandbox_setup *setup)
{
    const struct sandbox_roster *roster = &setup->roster;
    unsigned database = 0;
    unsigned schema = 0;
    unsigned users = 0;
    /* The roster lists services in the order of their dependencies. */
    for (size_t i = 0; i < roster->count; i++) {
        const struct sandbox_member *member = &roster->members[i];
        switch (member->service) {
        case SANDBOX_POSTGRES:
            database = add_roles(setup, member, add_postgres(setup, member));
            break;
        case SANDBOX_USERS:
            if (schema == 0)
                schema = add_migration(setup, member, database);
            users |= add_users(setup, member, schema);
            break;
        case SANDBOX_GATEWAY:
            add_gateway(setup, member, users);
            break;
        case SANDBOX_PROMETHEUS:
            add_prometheus(setup, member);
            break;
        }
    }
    add_agent(setup);
}

void sandbox_setup_fini(struct sandbox_setup *setup)
{
    for (size_t i = 0; i < setup->unit_count; i++)
        sandbox_unit_fini(&setup->units[i]);
    sandbox_programs_fini(&setup->programs);
    sandbox_roster_fini(&setup->roster);
    free(setup->hosts_file);
    free(setup->agent_cgroup);
    *setup = (struct sandbox_setup){0};
}
