/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const size_t values_max = (size_t)64 * 1024 * 1024;

/* Braces are common in SQL ('{1,2}' is an array), our fields are not. */
static bool has_field(const char *text)
{
    return strstr(text, "{{seq}}") != NULL || strstr(text, "{{rand}}") != NULL;
}

static bool check(const struct load_route *route, struct base_error *err)
{
    if (route->body == NULL || *route->body == '\0')
        return base_fail(err, BASE_INVALID, "route \"%s\": there is no statement", route->name);
    if (route->body_file != NULL || route->header_count > 0)
        return base_fail(err, BASE_INVALID, "route \"%s\": headers and a body's file are for HTTP",
                         route->name);
    if (has_field(route->body))
        return base_fail(
            err, BASE_INVALID,
            "route \"%s\": the statement is prepared once, so that {{fields}} cannot "
            "stand in it: write $1 there, and the field as its parameter (--param; in a "
            "scenario params)",
            route->name);
    if (route->param_count > LOAD_PG_PARAMS_MAX)
        return base_fail(err, BASE_INVALID, "route \"%s\": more than %d parameters", route->name,
                         LOAD_PG_PARAMS_MAX);
    for (size_t i = 0; i < route->param_count; i++)
        if (!load_request_check_fields(route, route->params[i], err))
            return false;
    return true;
}

bool load_pg_query_build(struct load_pg_query *out, const struct load_route *route, size_t number,
                         struct base_error *err)
{
    if (!check(route, err))
        return false;
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, values_max);
    struct load_pg_query made = {.values = {.file = -1}, .count = route->param_count};
    made.at = base_calloc(route->param_count + 1, sizeof *made.at);
    for (size_t i = 0; i < route->param_count; i++) {
        made.at[i] = buf.len;
        load_request_fill(&made.values, &buf, route->params[i]);
        base_buf_char(&buf, '\0');
    }
    made.values.len = made.values.total = buf.len;
    made.values.bytes = base_buf_steal(&buf);
    if (made.values.bytes == NULL) {
        load_pg_query_fini(&made);
        return base_fail(err, BASE_LIMIT, "route \"%s\": its parameters exceed %zu bytes",
                         route->name, values_max);
    }
    made.text = base_str_dup(route->body);
    (void)snprintf(made.name, sizeof made.name, "squall_%zu", number);
    *out = made;
    return true;
}

void load_pg_query_fini(struct load_pg_query *query)
{
    free(query->text);
    free(query->at);
    load_request_fini(&query->values);
    *query = (struct load_pg_query){0};
}
