/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/pg_late.h"
#include "password.h"
#include "postgres_session.h"

static void pg_init(struct load_conn *head)
{
    struct load_pg_thread *own = head->pool->engine;
    struct load_pg *pg = &own->list[own->attached++ / own->places];
    if (pg->own == NULL)
        load_pg_init(pg, own, head->pool->loop);
    load_wire_attach(&pg->wire, head);
}

static void pg_open(struct load_conn *head)
{
    struct load_place *place = load_place_of(head);
    if (load_place_is_first(place))
        load_pg_open(load_pg_of(place));
}

static void pg_send(struct load_conn *head)
{
    load_pg_execute(load_place_of(head));
}

static void pg_abort(struct load_conn *head, int64_t now)
{
    (void)now;
    load_pg_give_up(load_place_of(head));
}

static void pg_fini(struct load_conn *head)
{
    load_pg_close(load_pg_of(load_place_of(head)));
}

static void discard(void *prepared)
{
    struct load_pg_queries *queries = prepared;
    if (queries == NULL)
        return;
    for (size_t i = 0; i < queries->count; i++)
        load_pg_query_fini(&queries->list[i]);
    load_password_wipe(&queries->password);
    free(queries->list);
    free(queries);
}

static bool fill(struct load_pg_queries *queries, const struct load_spec *spec,
                 struct base_error *err)
{
    for (size_t i = 0; i < spec->route_count; i++)
        if (!load_pg_query_build(&queries->list[i], &spec->routes[i], i, err))
            return false;
    return !load_password_given(spec) || load_password_read(spec, &queries->password, err) ||
           base_fail_context(err, "PostgreSQL's password");
}

static bool prepare(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    if (!io_pg_load(err))
        return false;
    struct load_pg_queries *queries = base_calloc(1, sizeof *queries);
    queries->count = spec->route_count;
    queries->list = base_calloc(spec->route_count, sizeof *queries->list);
    base_buf_init(&queries->password, LOAD_PASSWORD_MOST);
    if (!fill(queries, spec, err)) {
        discard(queries);
        return false;
    }
    *prepared = queries;
    return true;
}

/* Where each value lies does not change, though what is written there does. */
static void point_at_values(struct load_pg_thread *own, size_t route)
{
    const struct load_pg_query *query = &own->queries->list[route];
    const char *bytes = query->values.bytes;
    if (query->values.patch_count > 0) {
        own->patched[route] = base_calloc(query->values.len, 1);
        memcpy(own->patched[route], bytes, query->values.len);
        bytes = own->patched[route];
    }
    own->values[route] = base_calloc(query->count + 1, sizeof *own->values[route]);
    for (size_t i = 0; i < query->count; i++)
        own->values[route][i] = bytes + query->at[i];
}

static bool pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    (void)err;
    struct load_pg_thread *own = base_calloc(1, sizeof *own);
    own->queries = prepared;
    own->places = load_wire_places(pool->spec);
    own->count = pool->connections;
    own->list = base_calloc(own->count, sizeof *own->list);
    own->patched = base_calloc(own->queries->count, sizeof *own->patched);
    own->values = base_calloc(own->queries->count, sizeof *own->values);
    for (size_t i = 0; i < own->queries->count; i++)
        point_at_values(own, i);
    pool->engine = own;
    return true;
}

static void pool_fini(struct load_pool *pool)
{
    struct load_pg_thread *own = pool->engine;
    if (own == NULL)
        return;
    for (size_t i = 0; i < own->queries->count; i++) {
        free(own->patched[i]);
        free(own->values[i]);
    }
    free(own->patched);
    free(own->values);
    free(own->list);
    free(own->tls.protocol);
    free(own);
    pool->engine = NULL;
}

static void count_tls(const struct load_pool *pool, struct load_tls_result *out)
{
    const struct load_pg_thread *own = pool->engine;
    out->handshakes += own->tls.handshakes;
    out->resumed += own->tls.resumed;
    if (out->protocol == NULL)
        out->protocol = base_str_dup(own->tls.protocol);
}

const struct load_driver load_postgres_driver = {
    .name = "postgres",
    .conn_size = sizeof(struct load_place),
    .prepare = prepare,
    .discard = discard,
    .pool_init = pool_init,
    .pool_fini = pool_fini,
    .count_tls = count_tls,
    .init = pg_init,
    .open = pg_open,
    .send = pg_send,
    .abort = pg_abort,
    .fini = pg_fini,
};
