/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERS_SCHEMA_H
#define USERS_SCHEMA_H

#include "base/clock.h"
#include "base/error.h"

enum { USERS_SEED_ROWS_MAX = 10000000 };

/* Creates the table and its indexes where missing and example users 1..rows where missing. Any
 * number of runs may overlap; each either does the whole work or finds it done. Blocking. */
bool users_migrate(const char *conninfo, uint64_t rows, struct dur_ns deadline,
                   struct base_error *err);

#endif
