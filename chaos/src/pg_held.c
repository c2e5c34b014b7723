/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_held.h"

#include <stdlib.h>

#include "base/text.h"

static const char too_many[] = "53300"; /* too_many_connections */
enum { at_once = 16 }; /* sessions being opened: a server starts a process for each */

struct one {
    struct fault_pg_held *held;
    struct fault_pg *session;
    bool opening;
};

struct fault_pg_held {
    struct fault_pg_held_spec spec;
    char *first;
    struct one *list;
    size_t started;
    size_t due; /* answers that are waited for before on_done; 0: nobody waits */
};

static void on_answer(void *ctx, const struct fault_pg_answer *answer);

static void start_one(struct fault_pg_held *held)
{
    struct one *one = &held->list[held->started++];
    *one = (struct one){.held = held, .opening = true};
    one->session = fault_pg_open(held->spec.loop, &held->spec.place, on_answer, one);
}

static void finish(struct fault_pg_held *held, const struct fault_pg_answer *failure)
{
    held->due = 0;
    held->spec.on_done(held->spec.ctx, failure);
}

static void drop(struct one *one)
{
    fault_pg_free(one->session);
    one->session = NULL;
}

static void on_answer(void *ctx, const struct fault_pg_answer *answer)
{
    struct one *one = ctx;
    struct fault_pg_held *held = one->held;
    bool opened = one->opening;
    one->opening = false;
    if (held->due == 0)
        return;
    bool left_out = opened && held->spec.full_is_fine && base_str_eq(answer->state, too_many);
    if (!answer->ok && !left_out) {
        finish(held, answer);
        return;
    }
    if (opened && !left_out && held->first != NULL) {
        fault_pg_say(one->session, held->first);
        return;
    }
    if (left_out)
        drop(one);
    if (held->started < held->spec.count)
        start_one(held);
    if (--held->due == 0)
        finish(held, NULL);
}

struct fault_pg_held *fault_pg_held_open(const struct fault_pg_held_spec *spec)
{
    struct fault_pg_held *held = base_calloc(1, sizeof *held);
    *held = (struct fault_pg_held){.spec = *spec, .first = base_str_dup(spec->first)};
    held->list = base_calloc(spec->count, sizeof *held->list);
    held->due = spec->count;
    while (held->started < spec->count && held->started < at_once)
        start_one(held);
    return held;
}

/* Those that are open. */
static size_t open_sessions(const struct fault_pg_held *held)
{
    size_t count = 0;
    for (size_t i = 0; i < held->started; i++)
        count += held->list[i].session != NULL ? 1 : 0;
    return count;
}

void fault_pg_held_say(struct fault_pg_held *held, const char *sql)
{
    held->due = open_sessions(held);
    for (size_t i = 0; i < held->started; i++)
        if (held->list[i].session != NULL)
            fault_pg_say(held->list[i].session, sql);
}

void fault_pg_held_forget(struct fault_pg_held *held)
{
    held->due = 0;
}

void fault_pg_held_free(struct fault_pg_held *held)
{
    if (held == NULL)
        return;
    for (size_t i = 0; i < held->started; i++)
        fault_pg_free(held->list[i].session);
    free(held->list);
    free(held->first);
    free(held);
}
