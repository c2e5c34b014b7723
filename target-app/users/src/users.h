/* SPDX-License-Identifier: Apache-2.0 */
/* /api/users on PostgreSQL. */
#ifndef USERS_USERS_H
#define USERS_USERS_H

#include "kit/pg.h"
#include "kit/service.h"

#define USERS_DATABASE "postgres" /* its one dependency */

struct users_app {
    struct kit_service *service;
    struct kit_pg *pg;
    struct kit_family *changes; /* users_changes_total{operation} */
};

extern const struct kit_pg_statement users_statements[];
extern const size_t users_statement_count;

/* app must outlive the service. */
bool users_routes(struct users_app *app, struct base_error *err);

#endif
