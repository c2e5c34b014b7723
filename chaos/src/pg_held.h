/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that hold something at a PostgreSQL server, all of them the same: what they hold is gone
 * when they are. */
#ifndef CHAOS_PG_HELD_H
#define CHAOS_PG_HELD_H

#include "pg_session.h"

struct fault_pg_held;

struct fault_pg_held_spec {
    struct io_loop *loop;
    struct fault_pg_place place; /* what it points to outlives them */
    size_t count;
    bool full_is_fine; /* those that the server has no connection left for are left out */
    const char *first; /* what each says once it is open; NULL: nothing */
    /* All are open and have said that, or have answered what they were asked last: NULL. Or one
     * could not, and how. Once after each call, on the loop; they may be freed inside. */
    void (*on_done)(void *ctx, const struct fault_pg_answer *failure);
    void *ctx;
};

struct fault_pg_held *fault_pg_held_open(const struct fault_pg_held_spec *spec);
void fault_pg_held_say(struct fault_pg_held *held, const char *sql);
/* The next on_done is left out, as if nothing had been asked. */
void fault_pg_held_forget(struct fault_pg_held *held);
void fault_pg_held_free(struct fault_pg_held *held); /* accepts NULL */

#endif
