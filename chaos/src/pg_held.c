/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_held.h"

#include <stdlib.h>
#include <string.h>

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
    struct one **list; /* in the order in which they were opened */
    size_t count;
    size_t to_start; /* more than those, as others answer */
    size_t due;      /* answers that are waited for before on_done; 0: nobody waits */
    void (*on_one)(void *ctx, const struct fault_pg_answer *answer); /* one was asked; or NULL */
};

static void on_answer(void *ctx, const struct fault_pg_answer *answer);

static void start_one(struct fault_pg_held *held)
{
    struct one *one = base_calloc(1, sizeof *one);
    held->list = base_reallocarray(held->list, held->count + 1, sizeof(struct one *));
    held->list[held->count++] = one;
    held->to_start--;
    *one = (struct one){.held = held, .opening = true};
    one->session = fault_pg_open(held->spec.loop, &held->spec.place, on_answer, one);
}

static void start_some(struct fault_pg_held *held, size_t count)
{
    held->due = held->to_start = count;
    for (size_t i = 0; i < count && i < at_once; i++)
        start_one(held);
}

static void finish(struct fault_pg_held *held, const struct fault_pg_answer *failure)
{
    held->due = 0;
    held->spec.on_done(held->spec.ctx, failure);
}

static void drop(struct fault_pg_held *held, size_t index)
{
    struct one *one = held->list[index];
    size_t behind = held->count - index - 1;
    memmove(&held->list[index], &held->list[index + 1], behind * sizeof(struct one *));
    held->count--;
    fault_pg_free(one->session);
    free(one);
}

static void leave_out(struct fault_pg_held *held, const struct one *one)
{
    size_t index = 0;
    while (held->list[index] != one)
        index++;
    drop(held, index);
}

static void on_answer(void *ctx, const struct fault_pg_answer *answer)
{
    struct one *one = ctx;
    struct fault_pg_held *held = one->held;
    bool opened = one->opening;
    one->opening = false;
    if (held->due == 0)
        return;
    if (held->on_one != NULL) {
        held->due = 0;
        held->on_one(held->spec.ctx, answer);
        return;
    }
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
        leave_out(held, one);
    if (held->to_start > 0)
        start_one(held);
    if (--held->due == 0)
        finish(held, NULL);
}

struct fault_pg_held *fault_pg_held_open(const struct fault_pg_held_spec *spec)
{
    struct fault_pg_held *held = base_calloc(1, sizeof *held);
    *held = (struct fault_pg_held){.spec = *spec, .first = base_str_dup(spec->first)};
    start_some(held, spec->count);
    return held;
}

void fault_pg_held_more(struct fault_pg_held *held, size_t count, struct dur_ns idle)
{
    held->on_one = NULL;
    held->spec.place.idle = idle;
    start_some(held, count);
}

bool fault_pg_held_cut(struct fault_pg_held *held)
{
    bool cut = false;
    for (size_t i = held->count; i-- > 0;)
        if (held->list[i]->opening) {
            drop(held, i);
            cut = true;
        }
    held->due = cut ? 0 : held->due;
    return cut;
}

void fault_pg_held_fewer(struct fault_pg_held *held, size_t count)
{
    for (; count > 0 && held->count > 0; count--)
        drop(held, held->count - 1);
}

size_t fault_pg_held_count(const struct fault_pg_held *held)
{
    return held->count;
}

bool fault_pg_held_busy(const struct fault_pg_held *held)
{
    return held->due > 0;
}

void fault_pg_held_say(struct fault_pg_held *held, const char *sql)
{
    held->on_one = NULL;
    held->due = held->count;
    for (size_t i = 0; i < held->count; i++)
        fault_pg_say(held->list[i]->session, sql);
}

void fault_pg_held_ask(struct fault_pg_held *held, const char *sql, const char *const *params,
                       size_t count, void (*next)(void *ctx, const struct fault_pg_answer *answer))
{
    held->on_one = next;
    held->due = 1;
    fault_pg_ask(held->list[0]->session, sql, params, count);
}

void fault_pg_held_forget(struct fault_pg_held *held)
{
    held->due = 0;
}

void fault_pg_held_free(struct fault_pg_held *held)
{
    if (held == NULL)
        return;
    for (size_t i = 0; i < held->count; i++) {
        fault_pg_free(held->list[i]->session);
        free(held->list[i]);
    }
    free(held->list);
    free(held->first);
    free(held);
}
