/* SPDX-License-Identifier: Apache-2.0 */
/* The roll of an agent's faults: those that stand as they are, those that are gone as their past.
 */
#include <malloc.h>
#include <stdlib.h>

#include "agent_state.h"
#include "base/text.h"

enum {
    TIDY_S = 30,
    TIDY_ENDED = 64 /* so many that ended are tidied away at once */
};

struct fault *agent_live(const struct agent *agent, const char *id)
{
    for (size_t i = 0; i < agent->fault_count; i++)
        if (base_str_eq(fault_spec_of(agent->faults[i])->id, id))
            return agent->faults[i];
    return NULL;
}

void agent_roll_add(struct agent *agent, struct fault *fault)
{
    agent->faults =
        base_reallocarray(agent->faults, agent->fault_count + 1, sizeof(struct fault *));
    agent->faults[agent->fault_count++] = fault;
}

static void drop_at(struct agent *agent, size_t index)
{
    fault_free(agent->faults[index]);
    agent->fault_count--;
    for (size_t i = index; i < agent->fault_count; i++)
        agent->faults[i] = agent->faults[i + 1];
}

void agent_roll_drop(struct agent *agent, const struct fault *fault)
{
    for (size_t i = agent->fault_count; i-- > 0;)
        if (agent->faults[i] == fault)
            drop_at(agent, i);
}

struct fault *agent_find(struct agent *agent, const char *id)
{
    struct agent_past_fault past;
    struct fault *fault = agent_live(agent, id);
    if (fault != NULL || !agent_past_take(agent->past, id, &past))
        return fault;
    fault = fault_of_past(&agent->env, &past.spec, &past.record);
    agent_roll_add(agent, fault);
    return fault;
}

/* --- tidying up --- */

/* A part is asked for by the whole as long as that stands. */
static bool may_go(const struct agent *agent, const struct fault *fault)
{
    const char *parent = fault_spec_of(fault)->parent;
    const struct fault *whole = parent != NULL ? agent_live(agent, parent) : NULL;
    return fault_record_of(fault)->state == FAULT_GONE &&
           (whole == NULL || fault_is_final(whole)) && !agent_api_awaits(agent, fault);
}

static void pack(struct agent *agent)
{
    bool *goes = base_calloc(agent->fault_count + 1, sizeof *goes);
    size_t kept = 0;
    for (size_t i = 0; i < agent->fault_count; i++) /* all of them are there still */
        goes[i] = may_go(agent, agent->faults[i]);
    for (size_t i = 0; i < agent->fault_count; i++) {
        struct fault *fault = agent->faults[i];
        if (goes[i] && agent_past_add(agent->past, fault_spec_of(fault), fault_record_of(fault)))
            fault_free(fault);
        else
            agent->faults[kept++] = fault;
    }
    agent->fault_count = kept;
    free(goes);
    agent_past_close(agent->past);
}

static void on_tidy(void *ctx)
{
    struct agent *agent = ctx;
    struct wall_ns now = base_wall_now();
    pack(agent);
    agent_past_prune(agent->past, (struct wall_ns){now.ns - AGENT_KEEP_S * BASE_NS_PER_S},
                     AGENT_KEEP_COUNT);
    if (base_mono_sub(base_mono_now(), agent->used_pruned).ns > 3600 * BASE_NS_PER_S) {
        agent_used_prune(agent->used);
        agent->used_pruned = base_mono_now();
    }
    if (!agent_has_standing(agent))
        (void)malloc_trim(0); /* what many faults took goes back when all have ended */
    io_timer_start(&agent->tidy_timer, base_dur_s(TIDY_S));
}

/* From the loop: whoever has settled is in the middle of something. */
void agent_roll_settled(struct agent *agent)
{
    size_t ended = 0;
    for (size_t i = 0; i < agent->fault_count; i++)
        ended += fault_record_of(agent->faults[i])->state == FAULT_GONE ? 1 : 0;
    if (ended >= TIDY_ENDED && ended % TIDY_ENDED == 0)
        io_timer_start(&agent->tidy_timer, (struct dur_ns){0});
}

/* --- the list --- */

struct line {
    struct wall_ns requested_at;
    size_t order; /* of those of one moment */
    json_t *record;
};

struct list {
    struct line *lines;
    size_t count;
};

static void on_record(void *ctx, struct wall_ns requested_at, json_t *record)
{
    struct list *list = ctx;
    list->lines[list->count] = (struct line){requested_at, list->count, record};
    list->count++;
}

static int by_arrival(const void *a, const void *b)
{
    const struct line *x = a;
    const struct line *y = b;
    if (x->requested_at.ns != y->requested_at.ns)
        return x->requested_at.ns < y->requested_at.ns ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

json_t *agent_roll_records(struct agent *agent)
{
    size_t most = agent_past_count(agent->past) + agent->fault_count;
    struct list list = {.lines = base_calloc(most + 1, sizeof *list.lines)};
    agent_past_each(agent->past, on_record, &list);
    for (size_t i = 0; i < agent->fault_count; i++) {
        const struct fault_record *record = fault_record_of(agent->faults[i]);
        on_record(&list, record->requested_at, fault_record_to_json(record));
    }
    qsort(list.lines, list.count, sizeof *list.lines, by_arrival);
    json_t *records = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(records, list.lines[i].record);
    free(list.lines);
    return records;
}

/* --- birth and death --- */

void agent_roll_init(struct agent *agent)
{
    agent->past = agent_past_new();
    io_timer_init(&agent->tidy_timer, agent->loop, on_tidy, agent);
}

void agent_roll_begin(struct agent *agent)
{
    io_timer_start(&agent->tidy_timer, base_dur_s(TIDY_S));
}

void agent_roll_fini(struct agent *agent)
{
    for (size_t i = 0; i < agent->fault_count; i++)
        fault_free(agent->faults[i]);
    free(agent->faults);
    agent_past_free(agent->past);
    io_timer_fini(&agent->tidy_timer);
}
