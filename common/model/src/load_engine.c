/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine can send what. */
#include "model/load.h"

#include <string.h>
#include <strings.h>

static bool wants_curl(const struct load_spec *spec)
{
    return spec->proxy != NULL || spec->unix_socket != NULL;
}

bool load_spec_needs_curl(const struct load_spec *spec)
{
    return spec->engine == LOAD_ENGINE_CURL || wants_curl(spec);
}

enum load_proxy load_spec_proxy(const struct load_spec *spec)
{
    if (spec->proxy == NULL)
        return LOAD_PROXY_NONE;
    if (strncasecmp(spec->proxy, "https://", strlen("https://")) == 0)
        return LOAD_PROXY_HTTPS;
    return strncasecmp(spec->proxy, "socks", strlen("socks")) == 0 &&
                   strstr(spec->proxy, "://") != NULL
               ? LOAD_PROXY_SOCKS
               : LOAD_PROXY_HTTP;
}

bool load_spec_asks_proxy(const struct load_spec *spec)
{
    return load_spec_proxy(spec) == LOAD_PROXY_HTTP && spec->tls.server_name == NULL &&
           !spec->http2;
}

/* Of several requests under way on each connection. */
static const char *pipeline_conflict(const struct load_spec *spec)
{
    if (spec->pipeline <= 1)
        return NULL;
    if (spec->pipeline > LOAD_STREAMS_MAX)
        return "pipeline: expected 1 to 1000 on each connection";
    if ((uint64_t)spec->pipeline * spec->connections > 1000000)
        return "pipeline: more than a million on all connections together";
    if (spec->protocol == LOAD_SPEECH_TCP)
        return "pipeline: over plain TCP nobody knows which response is whose: expected another "
               "protocol's URL beside it";
    if (spec->http2 || load_spec_needs_curl(spec))
        return "pipeline: expected without the engine \"curl\", http2, a proxy and a unix socket "
               "(HTTP/2 has streams)";
    if (spec->flow_count > 0)
        return "pipeline: the steps of a flow wait for each other, expected without flows";
    return NULL;
}

/* What only one protocol has a use for. */
static const char *foreign_conflict(const struct load_spec *spec)
{
    bool postgres = spec->protocol == LOAD_SPEECH_POSTGRES;
    bool amqp = spec->protocol == LOAD_SPEECH_AMQP;
    for (size_t i = 0; i < spec->route_count; i++) {
        const struct load_route *route = &spec->routes[i];
        if (route->param_count > 0 && !postgres)
            return "parameters are for statements: expected a postgres:// URL beside them";
        if ((route->key != NULL || route->exchange != NULL || route->queue != NULL ||
             route->persistent || route->consume) &&
            !amqp)
            return "keys, exchanges, queues, persistence and consumers are RabbitMQ's: expected an "
                   "amqp:// URL beside them";
    }
    if ((spec->user != NULL || spec->database != NULL) && !postgres && !amqp)
        return "a user and a database, or virtual host, are for PostgreSQL and RabbitMQ: expected "
               "a postgres:// or amqp:// URL";
    if ((spec->password_file != NULL || spec->password_env != NULL) && !postgres && !amqp)
        return "a password is for PostgreSQL and RabbitMQ: expected a postgres:// or amqp:// URL "
               "beside it";
    if (spec->password_file != NULL && spec->password_env != NULL)
        return "the password lies in a file or in the environment: name one of them";
    if (spec->flow_count > 0 && spec->protocol != LOAD_SPEECH_HTTP)
        return "flows are of HTTP requests: expected an http:// or https:// URL beside them";
    return NULL;
}

static const char *postgres_conflict(const struct load_spec *spec)
{
    if (spec->protocol != LOAD_SPEECH_POSTGRES)
        return NULL;
    if (spec->source_count > 0)
        return "sources: PostgreSQL is connected to by libpq, which takes the kernel's choice";
    if (spec->tls.server_name != NULL && !spec->tls.insecure && spec->tls.ca_file == NULL)
        return "PostgreSQL's certificate is verified by the authorities of a file: name it "
               "(--ca-file; in a scenario caFile)";
    return NULL;
}

/* How a response's end is told. */
static const char *end_conflict(const struct load_spec *spec, const struct load_route *route)
{
    if ((route->until != NULL || route->answer_bytes > 0) && spec->protocol != LOAD_SPEECH_TCP)
        return "where a response ends is told for plain TCP alone: expected a tcp:// URL beside it";
    if (route->until != NULL && route->answer_bytes > 0)
        return "a response ends with certain bytes or after so many: give one of them";
    if (route->until != NULL && (route->until[0] == '\0' || strlen(route->until) > LOAD_UNTIL_MAX))
        return "what a response ends with must have 1 to 256 bytes";
    return NULL;
}

const char *load_spec_engine_conflict(const struct load_spec *spec)
{
    const char *conflict = pipeline_conflict(spec);
    if (conflict == NULL)
        conflict = foreign_conflict(spec);
    if (conflict == NULL)
        conflict = postgres_conflict(spec);
    for (size_t i = 0; i < spec->route_count && conflict == NULL; i++)
        conflict = end_conflict(spec, &spec->routes[i]);
    if (conflict != NULL)
        return conflict;
    if (spec->protocol != LOAD_SPEECH_HTTP && (spec->http2 || load_spec_needs_curl(spec)))
        return "the engine \"curl\", http2, a proxy and a unix socket are for HTTP: expected an "
               "http:// or https:// URL beside them";
    if (spec->engine == LOAD_ENGINE_NATIVE && wants_curl(spec))
        return "the engine \"native\" connects to targets itself: for a proxy or a unix socket "
               "leave the engine out, or choose \"curl\"";
    enum load_proxy proxy = load_spec_proxy(spec);
    /* libcurl 7.88 cannot send a second request on such a connection (CURLE_HTTP2). */
    if (spec->http2 && spec->tls.server_name == NULL && proxy == LOAD_PROXY_HTTPS)
        return "http2 through a proxy that is spoken to over TLS is itself spoken over TLS only: "
               "expected an https:// URL beside it";
    if (spec->flow_count > 0 && proxy == LOAD_PROXY_HTTPS)
        return "flows go through no proxy that is spoken to over TLS: expected an http:// or "
               "socks5:// proxy beside them";
    if (spec->flow_count > 0 && load_spec_asks_proxy(spec))
        return "flows go through a proxy of HTTP over TLS or HTTP/2 only: expected an https:// URL "
               "beside them, or a socks5:// proxy";
    if (spec->streams > 1 && !spec->http2)
        return "streams: only HTTP/2 has several on one connection, expected http2 beside it";
    /* libcurl 7.88 leaves responses unread that wait in one layer of TLS for the other. */
    if (spec->streams > 1 && proxy == LOAD_PROXY_HTTPS)
        return "streams: through a proxy that is spoken to over TLS a connection has one request "
               "at a time: expected an http:// or socks5:// proxy beside them";
    if (spec->streams > LOAD_STREAMS_MAX)
        return "streams: expected 1 to 1000 on each connection";
    if ((uint64_t)spec->streams * spec->connections > 1000000)
        return "streams: more than a million on all connections together";
    if (spec->proxy != NULL && spec->unix_socket != NULL)
        return "a proxy and a unix socket exclude each other: give one";
    if (spec->unix_socket != NULL && spec->source_count > 0)
        return "sources: a unix socket is connected to from no address";
    return NULL;
}
