/* SPDX-License-Identifier: Apache-2.0 */
/* A route as a prepared statement: its text, and the values of its parameters. */
#ifndef LOAD_POSTGRES_QUERY_H
#define LOAD_POSTGRES_QUERY_H

#include "http_request.h"

enum { LOAD_PG_NAME = 24, LOAD_PG_PARAMS_MAX = 1000 };

struct load_pg_query {
    char name[LOAD_PG_NAME]; /* of the prepared statement */
    char *text;
    struct load_request values; /* one behind the other, each with a NUL at its end */
    size_t *at;                 /* where each begins */
    size_t count;
};

/* number: the route's. BASE_INVALID for a route that cannot be sent. */
bool load_pg_query_build(struct load_pg_query *out, const struct load_route *route, size_t number,
                         struct base_error *err);
void load_pg_query_fini(struct load_pg_query *query); /* accepts a zeroed value */

#endif
