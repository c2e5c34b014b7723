/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/text.h"
#include "pg_slots.h"

static void collect(void *ctx)
{
    const struct kit_pg *pool = ctx;
    kit_series_set(pool->metrics.connecting, (double)pg_slots_in(pool, SLOT_CONNECTING));
    kit_series_set(pool->metrics.idle, (double)pg_slots_in(pool, SLOT_IDLE));
    kit_series_set(pool->metrics.busy, (double)pg_slots_in(pool, SLOT_BUSY));
    kit_series_set(pool->metrics.waiting, (double)pool->waiting);
}

static void set_defaults(struct kit_pg_config *config)
{
    if (config->max_connections == 0)
        config->max_connections = 20;
    if (config->max_connections > POOL_MAX)
        config->max_connections = POOL_MAX;
    if (config->max_waiting == 0)
        config->max_waiting = 200;
    if (config->deadline.ns == 0)
        config->deadline = base_dur_ms(800);
    if (config->connect_timeout.ns == 0)
        config->connect_timeout = base_dur_ms(700);
    if (config->ping_every.ns == 0)
        config->ping_every = base_dur_ms(500);
}

struct kit_pg *kit_pg_new(struct io_loop *loop, const struct kit_pg_config *config,
                          struct base_error *err)
{
    if (config->statement_count > KIT_PG_STATEMENTS_MAX) {
        (void)base_fail(err, BASE_LIMIT, "more than %d statements", KIT_PG_STATEMENTS_MAX);
        return NULL;
    }
    struct kit_pg_config full = *config;
    set_defaults(&full);
    struct dur_ns cancel_after = {full.deadline.ns * 3 / 4};
    char *conninfo = pg_conninfo_extend(full.conninfo, cancel_after, full.deadline, err);
    if (conninfo == NULL)
        return NULL;
    struct kit_pg *pool = base_calloc(1, sizeof *pool);
    pool->loop = loop;
    pool->config = full;
    pool->conninfo = conninfo;
    pool->tail = &pool->first;
    pool->statements = base_calloc(full.statement_count + 1, sizeof *pool->statements);
    for (size_t i = 0; i < full.statement_count; i++)
        pool->statements[i] = full.statements[i];
    pool->statements[full.statement_count] = (struct kit_pg_statement){"SELECT 1", 0};
    (void)base_fail(&pool->last_error, BASE_UNAVAILABLE, "PostgreSQL: not connected yet");
    for (size_t i = 0; i < full.max_connections; i++) {
        pool->slots[i].pool = pool;
        io_timer_init(&pool->slots[i].timer, loop, pg_on_connect_timeout, &pool->slots[i]);
    }
    pg_metrics_add(&pool->metrics, full.metrics);
    kit_metrics_on_collect(full.metrics, collect, pool);
    io_timer_init(&pool->backoff, loop, pg_on_backoff, pool);
    io_timer_init(&pool->pulse, loop, pg_on_pulse, pool);
    io_timer_start(&pool->pulse, (struct dur_ns){0});
    return pool;
}

void kit_pg_free(struct kit_pg *pool)
{
    if (pool == NULL)
        return;
    while (pool->first != NULL)
        pg_call_free(pool->first);
    for (size_t i = 0; i < pool->config.max_connections; i++) {
        struct slot *slot = &pool->slots[i];
        struct kit_pg_call *call = slot->call;
        pg_slot_discard(slot);
        if (call != NULL)
            pg_call_free(call);
        io_timer_fini(&slot->timer);
    }
    io_timer_fini(&pool->backoff);
    io_timer_fini(&pool->pulse);
    free(pool->statements);
    free(pool->conninfo);
    free(pool);
}

struct kit_pg_call *kit_pg_start(struct kit_pg *pool, size_t statement, const char *const *params,
                                 void (*on_done)(void *ctx, const struct kit_pg_reply *reply),
                                 void *ctx, struct base_error *err)
{
    const char *refused = NULL;
    if (!pool->healthy && pool->failures > 0) {
        (void)base_fail(err, BASE_UNAVAILABLE, "%s", pool->last_error.message);
        refused = "unavailable";
    } else if (pool->waiting >= pool->config.max_waiting) {
        (void)base_fail(err, BASE_LIMIT, "all %u connections to PostgreSQL are busy and %zu wait",
                        pool->config.max_connections, pool->waiting);
        refused = "refused";
    }
    if (refused != NULL) {
        kit_series_add(kit_series_of(pool->metrics.queries, refused), 1);
        return NULL;
    }
    struct kit_pg_call *call = pg_call_new(pool, statement, params, pool->config.deadline);
    call->on_done = on_done;
    call->ctx = ctx;
    pg_call_queue(call);
    pg_dispatch(pool);
    return call;
}

void kit_pg_cancel(struct kit_pg_call *call)
{
    if (call == NULL)
        return;
    call->on_done = NULL;
    if (call->slot == NULL)
        pg_call_free(call); /* under way it stays until the reply: the connection needs its end */
}

bool kit_pg_ready(void *ctx, const char **detail)
{
    const struct kit_pg *pool = ctx;
    if (pool->healthy)
        return true;
    *detail = pool->last_error.message;
    return false;
}
