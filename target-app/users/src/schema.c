/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kit/pg.h"

/* CREATE TABLE IF NOT EXISTS is not safe against itself: two runs at once can both find nothing and
 * one then fails on a catalog's unique index. The advisory lock, held to the end of the
 * transaction, puts runs one after the other. Its number is "users" in ASCII. */
static const char script[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(504940360307);"
    "CREATE TABLE IF NOT EXISTS users ("
    " id SERIAL PRIMARY KEY,"
    " name VARCHAR(255) NOT NULL,"
    " email VARCHAR(255) UNIQUE NOT NULL,"
    " created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,"
    " updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);"
    "CREATE INDEX IF NOT EXISTS idx_users_email ON users(email);"
    "CREATE INDEX IF NOT EXISTS idx_users_created_at ON users(created_at);"
    /* NOT EXISTS rather than ON CONFLICT, which would burn a sequence number for each row that is
     * there already. */
    "INSERT INTO users (name, email)"
    " SELECT 'Example User ' || n, 'user' || n || '@example.com'"
    " FROM generate_series(1, %" PRIu64 ") AS n"
    " WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.email = 'user' || n || '@example.com')"
    " ORDER BY n;"
    "COMMIT;";

bool users_migrate(const char *conninfo, uint64_t rows, struct dur_ns deadline,
                   struct base_error *err)
{
    if (rows > USERS_SEED_ROWS_MAX)
        return base_fail(err, BASE_LIMIT, "--seed-rows is at most %d", USERS_SEED_ROWS_MAX);
    BASE_AUTO_FREE char *text = base_str_printf(script, rows);
    if (!kit_pg_script(conninfo, text, deadline, err))
        return base_fail_context(err, "--migrate");
    return true;
}
