/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL engine: libpq (io/pg_late.h) on the worker's loop, non-blocking, in pipeline mode.
 * Every connection prepares the statement of every route once; a request is to execute one with its
 * parameters, and a Sync behind it, so that each is a transaction of its own and an error is nobody
 * else's.
 *
 * Design notes. A password comes from the file or the variable that the spec names, or from where
 * libpq looks for one (PGPASSWORD, PGPASSFILE, ~/.pgpass), never from the spec itself, and so lies
 * in no plan and no report.
 *
 * A statement that cannot be prepared is no request that failed but a session that cannot be
 * opened: the connection is refused (LOAD_CAUSE_SESSION), as with a wrong password, and the
 * server's words say why.
 *
 * A request whose time is over has its connection ended: libpq has no other way to forget one
 * (PQcancel would need a second connection, and may hit the next request).
 */
#ifndef LOAD_POSTGRES_H
#define LOAD_POSTGRES_H

#include "driver.h"

extern const struct load_driver load_postgres_driver;

#endif
