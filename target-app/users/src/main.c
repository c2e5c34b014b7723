/* SPDX-License-Identifier: Apache-2.0 */
/* squall-users: the data service of the target platform. */
#include <stdio.h>

#include "kit/program.h"
#include "schema.h"
#include "users.h"

struct options {
    struct kit_service_config service;
    const char *postgres;
    bool migrate;
    uint64_t seed_rows;
    uint64_t pool;
    struct dur_ns migrate_timeout;
    struct dur_ns query_timeout;
};

static bool serve(const struct options *options, struct base_error *err)
{
    struct users_app app = {.service = kit_service_new(&options->service, err)};
    if (app.service == NULL)
        return false;
    const struct kit_pg_config pg = {
        .conninfo = options->postgres,
        .statements = users_statements,
        .statement_count = users_statement_count,
        .max_connections = (unsigned)options->pool,
        .deadline = options->query_timeout,
        .metrics = kit_service_metrics(app.service),
        .log = kit_service_log(app.service),
    };
    app.pg = kit_pg_new(kit_service_loop(app.service), &pg, err);
    bool ok = app.pg != NULL && users_routes(&app, err);
    if (ok) {
        kit_service_check(app.service, USERS_DATABASE, kit_pg_ready, app.pg);
        ok = kit_service_run(app.service, err);
    }
    kit_pg_free(app.pg);
    kit_service_free(app.service);
    return ok;
}

static bool check(void *ctx, struct base_error *err)
{
    const struct options *options = ctx;
    if (options->postgres == NULL)
        return base_fail(err, BASE_INVALID,
                         "--postgres is missing: give a libpq connection string");
    if (options->pool < 1 || options->pool > 64)
        return base_fail(err, BASE_INVALID, "--pool must be from 1 to 64");
    if (options->query_timeout.ns < 10 * BASE_NS_PER_MS)
        return base_fail(err, BASE_INVALID, "--query-timeout must be 10ms or more");
    return true;
}

static bool run(void *ctx, struct base_error *err)
{
    const struct options *options = ctx;
    return options->migrate
               ? users_migrate(options->postgres, options->seed_rows, options->migrate_timeout, err)
               : serve(options, err);
}

int main(int argc, char **argv)
{
    struct options options = {
        .service = kit_service_defaults("users", 8082),
        .pool = 20,
        .migrate_timeout = base_dur_s(60),
        .query_timeout = base_dur_ms(800),
    };
    const struct kit_flag flags[] = {
        KIT_SERVICE_FLAGS(&options.service),
        {"postgres", KIT_FLAG_TEXT, &options.postgres, "libpq connection string (required)"},
        {"pool", KIT_FLAG_COUNT, &options.pool, "connections to PostgreSQL at most (20)"},
        {"query-timeout", KIT_FLAG_DURATION, &options.query_timeout,
         "deadline of a statement, waiting included (800ms)"},
        {"migrate", KIT_FLAG_SWITCH, &options.migrate, "create the schema, then exit"},
        {"seed-rows", KIT_FLAG_COUNT, &options.seed_rows, "with --migrate: example users to have"},
        {"migrate-timeout", KIT_FLAG_DURATION, &options.migrate_timeout,
         "with --migrate: how long it may take (60s)"},
    };
    const struct kit_program program = {
        .name = "squall-users",
        .flags = flags,
        .flag_count = sizeof flags / sizeof flags[0],
        .ctx = &options,
        .check = check,
        .run = run,
    };
    return kit_program_run(&program, argc, argv, stdout, stderr);
}
