/* SPDX-License-Identifier: Apache-2.0 */
#include "adhoc_protocols.h"

#include <stdlib.h>

#include "base/text.h"

bool load_adhoc_set_query(struct load_adhoc *adhoc, const char *value)
{
    struct load_route *route = &adhoc->spec.routes[0];
    free(route->body);
    route->body = base_str_dup(value);
    adhoc->query = true;
    return *value != '\0';
}

bool load_adhoc_add_param(struct load_adhoc *adhoc, const char *value)
{
    struct load_route *route = &adhoc->spec.routes[0];
    route->params = base_reallocarray(route->params, route->param_count + 1, sizeof *route->params);
    route->params[route->param_count++] = base_str_dup(value);
    return true;
}

bool load_adhoc_set_pipeline(struct load_adhoc *adhoc, const char *value)
{
    uint64_t number;
    if (!base_parse_u64(value, &number) || number < 1 || number > LOAD_STREAMS_MAX)
        return false;
    adhoc->spec.pipeline = number > 1 ? (uint32_t)number : 0;
    return true;
}

/* Whom libpq connects to by which name, and as whom. TLS is spoken when somebody says how it is to
 * be verified. */
static bool apply_postgres(struct load_adhoc *adhoc, const struct load_url *url,
                           struct base_error *err)
{
    struct load_spec *spec = &adhoc->spec;
    if (spec->routes[0].body == NULL)
        return base_fail(err, BASE_INVALID, "a statement is needed: --query \"SELECT ...\"");
    free(spec->host);
    spec->host = base_str_dup(url->host);
    spec->user = base_str_dup(url->user);
    spec->database = base_str_dup(url->database);
    if (spec->tls.ca_file != NULL || spec->tls.insecure)
        spec->tls.server_name = base_str_dup(url->host);
    return true;
}

bool load_adhoc_apply_protocol(struct load_adhoc *adhoc, const struct load_url *url,
                               struct base_error *err)
{
    struct load_route *route = &adhoc->spec.routes[0];
    bool plain = route->body == NULL && route->body_file == NULL;
    if (url->protocol != LOAD_SPEECH_HTTP && route->method != NULL)
        return base_fail(err, BASE_INVALID, "--method is for HTTP: --body has what is sent");
    if (adhoc->query && url->protocol != LOAD_SPEECH_POSTGRES)
        return base_fail(err, BASE_INVALID, "--query needs a postgres:// URL");
    if (url->protocol == LOAD_SPEECH_REDIS && plain)
        route->body = base_str_dup("PING");
    if (route->method == NULL)
        route->method = base_str_dup(plain ? "GET" : "POST");
    free(route->path);
    route->path = base_str_dup(url->path);
    return url->protocol != LOAD_SPEECH_POSTGRES || apply_postgres(adhoc, url, err);
}
