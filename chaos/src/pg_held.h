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
/* One thing at a time: not while answers are waited for. */
bool fault_pg_held_busy(const struct fault_pg_held *held);
void fault_pg_held_say(struct fault_pg_held *held, const char *sql);
/* So many more, which may idle for that; on_done follows as after the first. count: not 0. */
void fault_pg_held_more(struct fault_pg_held *held, size_t count, struct dur_ns idle);
/* Those that are still being opened are given up, and with them that on_done; false: it is the
 * others' answers that are waited for. */
bool fault_pg_held_cut(struct fault_pg_held *held);
/* Lets go of those that were opened last. */
void fault_pg_held_fewer(struct fault_pg_held *held, size_t count);
size_t fault_pg_held_count(const struct fault_pg_held *held); /* without those left out */
/* Asks one of them, which there must be: its answer goes to next, in the place of on_done. */
void fault_pg_held_ask(struct fault_pg_held *held, const char *sql, const char *const *params,
                       size_t count, void (*next)(void *ctx, const struct fault_pg_answer *answer));
/* The next on_done is left out, as if nothing had been asked. */
void fault_pg_held_forget(struct fault_pg_held *held);
void fault_pg_held_free(struct fault_pg_held *held); /* accepts NULL */

#endif
