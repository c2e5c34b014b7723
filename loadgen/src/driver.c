/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include <errno.h>
#include <stdio.h>

#include "curl.h"
#include "http2.h"
#include "loadgen/routes.h"
#include "postgres.h"
#include "rabbit.h"
#include "stream.h"

const struct load_driver *load_driver_of(const struct load_spec *spec)
{
    if (spec->pipeline > 1 && spec->protocol == LOAD_SPEECH_HTTP)
        return &load_http1_fifo_driver;
    if (spec->pipeline > 1 && spec->protocol == LOAD_SPEECH_REDIS)
        return &load_redis_fifo_driver;
    if (spec->protocol == LOAD_SPEECH_REDIS)
        return &load_redis_driver;
    if (spec->protocol == LOAD_SPEECH_TCP)
        return &load_tcp_driver;
    if (spec->protocol == LOAD_SPEECH_POSTGRES)
        return &load_postgres_driver;
    if (spec->protocol == LOAD_SPEECH_AMQP)
        return &load_amqp_driver;
    if (load_spec_proxy(spec) == LOAD_PROXY_HTTPS)
        return &load_curl_driver;
    if (load_spec_needs_curl(spec))
        return spec->http2 ? &load_dialled_http2_driver : &load_dialled_http1_driver;
    return spec->http2 ? &load_http2_driver : &load_http1_driver;
}

bool load_route_check(const struct load_spec *spec, size_t route, struct base_error *err)
{
    struct load_spec one = *spec;
    void *prepared = NULL;
    one.routes = &spec->routes[route];
    one.route_count = 1;
    const struct load_driver *driver = load_driver_of(&one);
    bool good = driver->prepare(&one, &prepared, err);
    driver->discard(prepared);
    return good;
}

void load_conn_settle(struct load_conn *conn, bool reached)
{
    struct load_pool *pool = conn->pool;
    if (!conn->settled)
        pool->settled++;
    conn->settled = true;
    if (conn->unreachable && reached)
        pool->unreachable--;
    else if (!conn->unreachable && !reached)
        pool->unreachable++;
    conn->unreachable = !reached;
}

void load_pool_note_why(struct load_pool *pool, enum load_cause cause, const char *why)
{
    if (cause < LOAD_CAUSE_COUNT && pool->whys[cause][0] == '\0' && why != NULL)
        (void)snprintf(pool->whys[cause], sizeof pool->whys[cause], "%s", why);
}

void load_pool_note_malformed(struct load_pool *pool, const char *why)
{
    if (pool->malformed[0] == '\0')
        (void)snprintf(pool->malformed, sizeof pool->malformed, "%s", why);
}

void load_conn_note_refusal(struct load_conn *conn, enum load_cause cause, const char *why)
{
    struct load_pool *pool = conn->pool;
    struct load_refusals *refusals = &pool->refusals[cause];
    pool->refusal = cause;
    if (refusals->attempts++ == 0)
        refusals->address = conn->address;
    if (cause == LOAD_CAUSE_NO_PORT || cause == LOAD_CAUSE_NO_DESCRIPTOR)
        pool->out_of_ports++;
    if (cause == LOAD_CAUSE_TLS || cause == LOAD_CAUSE_SESSION)
        load_pool_note_why(pool, cause, why);
}

enum load_cause load_cause_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* unix(7): there is no such socket */
        return LOAD_CAUSE_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
        return LOAD_CAUSE_UNREACHABLE;
    case ETIMEDOUT:
        return LOAD_CAUSE_CONNECT_TIMEOUT;
    case ECONNRESET:
        return LOAD_CAUSE_CONNECT_RESET;
    case EADDRNOTAVAIL: /* connect(2): every local port towards this target is taken */
        return LOAD_CAUSE_NO_PORT;
    case EMFILE:
    case ENFILE:
        return LOAD_CAUSE_NO_DESCRIPTOR;
    default:
        return LOAD_CAUSE_OTHER;
    }
}
