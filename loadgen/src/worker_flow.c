/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_flow.h"

#include <stdlib.h>

#include "base/text.h"
#include "worker_core.h"

/* Beyond it new passages are missed, as requests are beyond the waiting line's bound. */
enum { ALIVE_MAX = 1 << 20 };

struct load_flows *load_flows_new(struct load_program *program, bool first, uint32_t users)
{
    if (program == NULL)
        return NULL;
    const struct load_spec *spec = program->spec;
    struct load_flows *flows = base_calloc(1, sizeof *flows);
    flows->program = program;
    flows->first = first;
    LIST_INIT(&flows->passages);
    flows->jar_count = (size_t)users * spec->flow_count;
    flows->jars = base_calloc(flows->jar_count, sizeof(struct load_jar *));
    flows->whys = base_calloc((size_t)load_spec_routes(spec) * LOAD_FAIL_COUNT, sizeof(char *));
    return flows;
}

static void bury(struct load_flows *flows, struct load_passage *p)
{
    LIST_REMOVE(p, link);
    flows->alive--;
    load_passage_free(p);
}

void load_flows_free(struct load_flows *flows)
{
    if (flows == NULL)
        return;
    while (!LIST_EMPTY(&flows->passages))
        bury(flows, LIST_FIRST(&flows->passages));
    for (size_t i = 0; i < flows->jar_count; i++) {
        if (flows->jars[i] != NULL)
            load_jar_fini(flows->jars[i]);
        free(flows->jars[i]);
    }
    size_t whys = (size_t)load_spec_routes(flows->program->spec) * LOAD_FAIL_COUNT;
    for (size_t i = 0; i < whys; i++)
        free(flows->whys[i]);
    free(flows->whys);
    free(flows->jars);
    free(flows->heap);
    load_passage_free(flows->once.passage);
    for (size_t i = 0; i < flows->once.result_count; i++)
        load_once_result_fini(&flows->once.results[i]);
    free(flows->once.results);
    free(flows);
}

/* --- those who pause --- */

static bool earlier(const struct load_passage *a, const struct load_passage *b)
{
    return a->ready != b->ready ? a->ready < b->ready : a->number < b->number;
}

static void swap(struct load_passage **a, struct load_passage **b)
{
    struct load_passage *kept = *a;
    *a = *b;
    *b = kept;
}

static void push(struct load_flows *flows, struct load_passage *p)
{
    if (flows->pausing == flows->cap) {
        flows->cap = flows->cap == 0 ? 64 : flows->cap * 2;
        flows->heap = base_reallocarray(flows->heap, flows->cap, sizeof(struct load_passage *));
    }
    size_t at = flows->pausing++;
    flows->heap[at] = p;
    while (at > 0 && earlier(flows->heap[at], flows->heap[(at - 1) / 2])) {
        swap(&flows->heap[at], &flows->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct load_passage *pop(struct load_flows *flows)
{
    struct load_passage *top = flows->heap[0];
    flows->heap[0] = flows->heap[--flows->pausing];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < flows->pausing && earlier(flows->heap[child], flows->heap[least]))
                least = child;
        if (least == at)
            return top;
        swap(&flows->heap[at], &flows->heap[least]);
        at = least;
    }
}

/* --- a passage's course --- */

static void keep_why(struct load_flows *flows, uint32_t route, enum load_failure failure,
                     const char *why)
{
    char **kept = &flows->whys[(size_t)route * LOAD_FAIL_COUNT + failure];
    if (*kept == NULL)
        *kept = base_str_dup(why);
}

static void skip(struct load_worker *w, uint32_t phase, uint32_t route, size_t count)
{
    for (size_t i = 0; i < count; i++)
        load_shard_cell(load_worker_shard(w), phase, route + (uint32_t)i)->counts.skipped++;
}

static uint32_t route_of(const struct load_passage *p)
{
    return p->flow->route + (uint32_t)p->at;
}

/* A user keeps his cookies from one passage to the next; an arrival of the open model is somebody
 * new. */
static struct load_jar *jar_of(struct load_worker *w, uint32_t flow, uint32_t user)
{
    struct load_flows *flows = w->flows;
    if (!w->closed)
        return NULL;
    struct load_jar **jar = &flows->jars[(size_t)user * flows->program->spec->flow_count + flow];
    if (*jar == NULL) {
        *jar = base_calloc(1, sizeof **jar);
        load_jar_copy(*jar, &flows->program->flows[flow].jar);
    }
    return *jar;
}

static bool make(struct load_worker *w, struct load_passage *p, struct load_due *due)
{
    char why[LOAD_WHY_MAX];
    due->route = route_of(p);
    due->number = p->number;
    due->user = p->user;
    due->errand = &p->errand;
    if (load_passage_make(p, &w->pool.rng, why))
        return true;
    keep_why(w->flows, due->route, LOAD_FAIL_INPUT, why);
    return false;
}

bool load_flows_begin(struct load_worker *w, uint32_t flow, struct load_due *due)
{
    struct load_flows *flows = w->flows;
    const struct load_flow_code *code = &flows->program->flows[flow];
    char why[LOAD_WHY_MAX] = "too many passages are under way";
    struct load_passage *p = flows->alive >= ALIVE_MAX
                                 ? NULL
                                 : load_passage_new(flows->program, flow, LOAD_PART_STEPS,
                                                    due->number, jar_of(w, flow, due->user), why);
    due->route = code->route;
    if (p == NULL) {
        keep_why(flows, due->route, LOAD_FAIL_INPUT, why);
        skip(w, due->phase, due->route + 1, code->parts[LOAD_PART_STEPS].count - 1);
        return false;
    }
    p->due = p->ready = due->intended;
    p->user = due->user;
    LIST_INSERT_HEAD(&flows->passages, p, link);
    flows->alive++;
    return make(w, p, due);
}

bool load_flows_take(struct load_worker *w, struct load_due *due)
{
    struct load_passage *p = pop(w->flows);
    *due = (struct load_due){
        .intended = p->due, .answered = w->answered, .phase = load_worker_phase(w, p->due)};
    return make(w, p, due);
}

const struct load_outcome *load_flows_judge(struct load_worker *w, const struct load_due *due,
                                            const struct load_outcome *outcome)
{
    struct load_outcome *judged = &w->flows->judged;
    char why[LOAD_WHY_MAX] = "";
    *judged = *outcome;
    if (!outcome->answered)
        return judged;
    judged->ok = load_passage_judge(load_passage_of(due->errand), &judged->failure, why);
    if (!judged->ok)
        keep_why(w->flows, due->route, judged->failure, why);
    return judged;
}

bool load_flows_go_on(struct load_worker *w, const struct load_due *due, int64_t now, bool ok)
{
    struct load_flows *flows = w->flows;
    struct load_passage *p = load_passage_of(due->errand);
    const struct load_step *step = load_passage_step(p)->spec;
    size_t left = load_passage_left(p);
    load_passage_rest(p);
    if (ok && left > 0 && !flows->stopped) {
        (void)load_passage_advance(p);
        /* model/flow.h: what was observed must not move what is intended. */
        p->due =
            w->closed ? now + step->think.ns : due->intended + step->expected.ns + step->think.ns;
        p->ready = p->due > now ? p->due : now;
        push(flows, p);
        return true;
    }
    flows->cut += ok && left > 0;
    skip(w, due->phase, due->route + 1, left);
    bury(flows, p);
    return false;
}

void load_flows_stop(struct load_worker *w)
{
    struct load_flows *flows = w->flows;
    flows->stopped = true;
    while (flows->pausing > 0) {
        struct load_passage *p = pop(flows);
        skip(w, load_worker_phase(w, p->due), route_of(p), load_passage_left(p) + 1);
        flows->cut++;
        bury(flows, p);
    }
}
