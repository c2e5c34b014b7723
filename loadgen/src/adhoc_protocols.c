/* SPDX-License-Identifier: Apache-2.0 */
#include "adhoc_protocols.h"

#include <stdlib.h>

#include "base/text.h"

/* false: it is empty. */
static bool replace(char **slot, const char *value)
{
    free(*slot);
    *slot = base_str_dup(value);
    return *value != '\0';
}

bool load_adhoc_set_query(struct load_adhoc *adhoc, const char *value)
{
    adhoc->query = true;
    return replace(&adhoc->spec.routes[0].body, value);
}

bool load_adhoc_set_publish(struct load_adhoc *adhoc, const char *value)
{
    (void)replace(&adhoc->spec.routes[0].key, value); /* an empty key is one */
    return true;
}

bool load_adhoc_set_exchange(struct load_adhoc *adhoc, const char *value)
{
    return replace(&adhoc->spec.routes[0].exchange, value);
}

bool load_adhoc_set_persistent(struct load_adhoc *adhoc, const char *value)
{
    (void)value;
    adhoc->spec.routes[0].persistent = true;
    return true;
}

bool load_adhoc_set_get(struct load_adhoc *adhoc, const char *value)
{
    return replace(&adhoc->spec.routes[0].queue, value);
}

bool load_adhoc_set_consume(struct load_adhoc *adhoc, const char *value)
{
    (void)value;
    adhoc->spec.routes[0].consume = true;
    return true;
}

bool load_adhoc_set_password_file(struct load_adhoc *adhoc, const char *value)
{
    return replace(&adhoc->spec.password_file, value);
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
    (void)replace(&spec->host, url->host);
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
    (void)replace(&route->path, url->path);
    adhoc->spec.user = base_str_dup(url->user);
    adhoc->spec.database = base_str_dup(url->database);
    return url->protocol != LOAD_SPEECH_POSTGRES || apply_postgres(adhoc, url, err);
}
