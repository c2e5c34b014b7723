/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum statement { LIST, FETCH, INSERT, UPDATE, REMOVE };
enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100 };

/* created_at and updated_at carry no zone; the pool's sessions run in UTC. */
#define COLUMNS                                                                                    \
    "id, name, email, to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS created_at,"     \
    " to_char(updated_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS updated_at"

const struct kit_pg_statement users_statements[] = {
    /* One row at least, so that the total is known for a page behind the end. */
    [LIST] = {"SELECT page.*, (SELECT count(*) FROM users) AS total FROM (SELECT 1) AS one"
              " LEFT JOIN (SELECT " COLUMNS " FROM users ORDER BY users.id"
              " LIMIT $1::int OFFSET $2::int) AS page ON true ORDER BY page.id",
              2},
    [FETCH] = {"SELECT " COLUMNS " FROM users WHERE id = $1::int", 1},
    [INSERT] = {"INSERT INTO users (name, email) VALUES ($1, $2) RETURNING " COLUMNS, 2},
    [UPDATE] = {"UPDATE users SET name = $2, email = $3, updated_at = CURRENT_TIMESTAMP"
                " WHERE id = $1::int RETURNING " COLUMNS,
                3},
    [REMOVE] = {"DELETE FROM users WHERE id = $1::int RETURNING id", 1},
};
const size_t users_statement_count = COUNT(users_statements);

static const struct kit_field user_fields[] = {
    {"name", KIT_FIELD_LINE, true, 1, 255},
    {"email", KIT_FIELD_EMAIL, true, 3, 254},
};

/* One request on its way through the database. */
struct work {
    struct users_app *app;
    struct kit_request *request;
    struct kit_pg_call *call;
    enum statement statement;
    int64_t limit;
    int64_t offset;
};

/* --- answers --- */

static json_t *user_json(const struct kit_pg_reply *reply, size_t row)
{
    int64_t id = 0;
    (void)base_parse_i64(kit_pg_cell(reply, row, 0), &id);
    json_t *user = json_object();
    json_object_set_new(user, "id", json_integer(id));
    static const char *const keys[] = {"name", "email", "createdAt", "updatedAt"};
    for (unsigned i = 0; i < COUNT(keys); i++) {
        const char *cell = kit_pg_cell(reply, row, i + 1);
        json_object_set_new(user, keys[i], cell != NULL ? kit_json_text(cell) : json_null());
    }
    return user;
}

static void reply_failure(const struct users_app *app, struct kit_request *request,
                          const struct base_error *error)
{
    switch (error->code) {
    case BASE_TIMEOUT:
        kit_reply_error(request, 504, "DATABASE_TIMEOUT", NULL,
                        "the database did not answer in time");
        return;
    case BASE_LIMIT:
        kit_reply_error(request, 503, "OVERLOADED", NULL,
                        "too many requests wait for the database; try again");
        return;
    case BASE_UNAVAILABLE:
        kit_reply_error(request, 503, "DATABASE_UNAVAILABLE", NULL,
                        "the database cannot be reached; try again");
        return;
    default:
        base_log_line(kit_service_log(app->service), BASE_ERROR, "statement failed",
                      BASE_TEXT("traceId", kit_request_trace(request)->id),
                      BASE_TEXT("error", error->message));
        kit_reply_error(request, 500, "INTERNAL", NULL, "the request failed; it has been logged");
    }
}

static void reply_list(const struct work *work, const struct kit_pg_reply *reply)
{
    json_t *users = json_array();
    for (size_t row = 0; row < reply->rows; row++) {
        if (kit_pg_cell(reply, row, 0) != NULL)
            json_array_append_new(users, user_json(reply, row));
    }
    int64_t total = 0;
    (void)base_parse_i64(kit_pg_cell(reply, 0, 5), &total);
    json_t *meta = json_pack("{s:I,s:I,s:I}", "total", (json_int_t)total, "limit",
                             (json_int_t)work->limit, "offset", (json_int_t)work->offset);
    kit_reply_json(work->request, 200, users, meta);
}

static void reply_one(const struct work *work, const struct kit_pg_reply *reply)
{
    static const char *const operations[] = {
        [INSERT] = "create", [UPDATE] = "update", [REMOVE] = "delete"};
    if (reply->rows == 0) {
        kit_reply_error(work->request, 404, "NOT_FOUND", NULL, "there is no user with this id");
        return;
    }
    if (work->statement != FETCH)
        kit_series_add(kit_series_of(work->app->changes, operations[work->statement]), 1);
    if (work->statement == REMOVE) {
        int64_t id = 0;
        (void)base_parse_i64(kit_pg_cell(reply, 0, 0), &id);
        kit_reply_json(work->request, 200,
                       json_pack("{s:I,s:b}", "id", (json_int_t)id, "deleted", 1), NULL);
        return;
    }
    if (work->statement == INSERT) {
        char location[64];
        snprintf(location, sizeof location, "/api/users/%s", kit_pg_cell(reply, 0, 0));
        kit_reply_header(work->request, "Location", location);
    }
    kit_reply_json(work->request, work->statement == INSERT ? 201 : 200, user_json(reply, 0), NULL);
}

static void on_done(void *ctx, const struct kit_pg_reply *reply)
{
    struct work *work = ctx;
    if (reply->ok && work->statement == LIST)
        reply_list(work, reply);
    else if (reply->ok)
        reply_one(work, reply);
    else if (strcmp(reply->sqlstate, "23505") == 0)
        kit_reply_error(work->request, 409, "CONFLICT", "email",
                        "another user has this email address");
    else
        reply_failure(work->app, work->request, &reply->error);
    free(work);
}

static void on_abandon(void *ctx)
{
    struct work *work = ctx;
    kit_pg_cancel(work->call);
    free(work);
}

static void start(struct users_app *app, struct kit_request *request, const struct work *model,
                  const char *const *params)
{
    struct base_error error = {.code = BASE_UNAVAILABLE};
    if (kit_request_lacks(request, USERS_DATABASE)) {
        reply_failure(app, request, &error);
        return;
    }
    struct work *work = base_calloc(1, sizeof *work);
    *work = *model;
    work->app = app;
    work->request = request;
    work->call = kit_pg_start(app->pg, work->statement, params, on_done, work, &error);
    if (work->call == NULL) {
        free(work);
        reply_failure(app, request, &error);
        return;
    }
    kit_request_on_abandon(request, on_abandon, work);
}

/* --- requests --- */

/* false when the request has been answered. */
static bool read_id(struct kit_request *request, const char **out)
{
    const char *text = kit_request_param(request, "id");
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\0') {
        kit_reply_error(request, 400, "INVALID_ID", "id", "an id is a positive whole number");
        return false;
    }
    uint64_t id;
    if (!base_parse_u64(text, &id) || id == 0 || id > INT32_MAX) {
        kit_reply_error(request, 404, "NOT_FOUND", NULL, "there is no user with this id");
        return false;
    }
    *out = text;
    return true;
}

static bool read_number(const struct kit_request *request, const char *name, int64_t min,
                        int64_t max, int64_t *out, struct kit_errors *errors)
{
    const char *text = kit_request_query(request, name);
    int64_t value = *out;
    if (text != NULL && (!base_parse_i64(text, &value) || value < min || value > max)) {
        kit_errors_add(errors, "OUT_OF_RANGE", name,
                       "%s must be a whole number from %" PRId64 " to %" PRId64, name, min, max);
        return false;
    }
    *out = value;
    return true;
}

static void on_list(void *ctx, struct kit_request *request)
{
    struct work work = {.statement = LIST, .limit = LIMIT_DEFAULT};
    struct kit_errors errors = {.count = 0};
    bool ok = read_number(request, "limit", 1, LIMIT_MAX, &work.limit, &errors);
    ok = read_number(request, "offset", 0, INT32_MAX, &work.offset, &errors) && ok;
    if (!ok) {
        kit_reply_errors(request, 400, NULL, &errors);
        return;
    }
    char limit[24];
    char offset[24];
    snprintf(limit, sizeof limit, "%" PRId64, work.limit);
    snprintf(offset, sizeof offset, "%" PRId64, work.offset);
    start(ctx, request, &work, (const char *const[]){limit, offset});
}

static void on_fetch(void *ctx, struct kit_request *request)
{
    const char *id;
    if (read_id(request, &id))
        start(ctx, request, &(struct work){.statement = FETCH}, &id);
}

static void on_remove(void *ctx, struct kit_request *request)
{
    const char *id;
    if (read_id(request, &id))
        start(ctx, request, &(struct work){.statement = REMOVE}, &id);
}

static const char *text_field(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

static void on_insert(void *ctx, struct kit_request *request)
{
    json_t *body = kit_request_json(request, user_fields, COUNT(user_fields));
    if (body == NULL)
        return;
    start(ctx, request, &(struct work){.statement = INSERT},
          (const char *const[]){text_field(body, "name"), text_field(body, "email")});
    json_decref(body);
}

static void on_update(void *ctx, struct kit_request *request)
{
    const char *id;
    if (!read_id(request, &id))
        return;
    json_t *body = kit_request_json(request, user_fields, COUNT(user_fields));
    if (body == NULL)
        return;
    start(ctx, request, &(struct work){.statement = UPDATE},
          (const char *const[]){id, text_field(body, "name"), text_field(body, "email")});
    json_decref(body);
}

bool users_routes(struct users_app *app, struct base_error *err)
{
    static const struct kit_route routes[] = {
        {"GET", "/api/users", on_list},          {"POST", "/api/users", on_insert},
        {"GET", "/api/users/:id", on_fetch},     {"PUT", "/api/users/:id", on_update},
        {"DELETE", "/api/users/:id", on_remove},
    };
    app->changes =
        kit_metrics_add(kit_service_metrics(app->service),
                        &(struct kit_family_spec){.type = KIT_COUNTER,
                                                  .name = "users_changes_total",
                                                  .help = "Users created, updated, deleted.",
                                                  .labels = {"operation"}});
    return kit_service_routes(app->service, routes, COUNT(routes), app, err);
}
