/* SPDX-License-Identifier: Apache-2.0 */
/* Setup and teardown: the steps of each flow in turn, on the first worker, before the load and
 * after it; of several processes, each of them in one. They are no part of the load, so they are
 * not in its records but in a list of their own.
 *
 * Design notes. A setup that fails, or is given up for a stop, may have made something: the flows
 * before the one it was at, and what the steps of that one had done before. That is torn down, and
 * nothing else. Of a flow that is set up by half each step of teardown is tried, whatever became of
 * those before it: some have nothing to tear down. A step that failed is taken to have made
 * nothing; its answer never came, or was not what it should be. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "worker_core.h"
#include "worker_flow.h"

static void next_flow(struct load_worker *w);
static void begin_step(struct load_worker *w);

/* Until the load begins, or begins to be over, connections are for these steps. */
static void end(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    once->active = false;
    once->wants = false;
    w->pool.on_ready = once->on_ready;
}

static void finish(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    bool warm = once->part == LOAD_PART_SETUP || once->undoing;
    end(w);
    once->undoing = false;
    load_worker_report(w, warm ? &w->mail.ready : &w->mail.torn);
}

static void drop_passage(struct load_once *once)
{
    load_passage_free(once->passage);
    once->passage = NULL;
}

static void note(struct load_once *once, int64_t took, const char *why)
{
    const struct load_passage *p = once->passage;
    once->results = base_reallocarray(once->results, once->result_count + 1, sizeof *once->results);
    once->results[once->result_count++] = (struct load_once_result){
        .flow = base_str_dup(p->flow->spec->name),
        .part = base_str_dup(once->part == LOAD_PART_SETUP ? "setup" : "teardown"),
        .step = base_str_dup(load_passage_step(p)->spec->name),
        .ok = why == NULL,
        .took = {took},
        .why = base_str_dup(why)};
}

/* Of a setup that ends before its time: what so many steps of the flow under work have made. */
static void keep_made(struct load_once *once, size_t steps)
{
    once->failed = true;
    if (steps == 0)
        return;
    load_passage_bequeath(once->passage);
    once->made = once->flow + 1;
    once->half = true;
}

static void undo_setup(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    once->undoing = once->torn = true;
    once->part = LOAD_PART_TEARDOWN;
    once->flow = 0;
    next_flow(w);
}

static bool is_half(const struct load_once *once)
{
    return once->half && once->flow + 1 == once->made;
}

/* Without its setup a flow means nothing; a teardown that fails must not keep the others from
 * theirs. */
static void step_failed(struct load_worker *w, int64_t took, const char *why)
{
    struct load_once *once = &w->flows->once;
    once->wants = false;
    io_timer_stop(&once->timer);
    note(once, took, why);
    if (once->part == LOAD_PART_SETUP) {
        keep_made(once, once->passage->at);
        drop_passage(once);
        undo_setup(w);
        return;
    }
    if (is_half(once) && load_passage_advance(once->passage)) {
        begin_step(w);
        return;
    }
    drop_passage(once);
    once->flow++;
    next_flow(w);
}

/* If a connection is free. */
static void send_step(struct load_worker *w, int64_t now)
{
    struct load_once *once = &w->flows->once;
    struct load_conn *conn = TAILQ_FIRST(&w->free_conns);
    if (!once->wants || conn == NULL)
        return;
    once->wants = false;
    once->sent = true;
    io_timer_stop(&once->timer);
    TAILQ_REMOVE(&w->free_conns, conn, link);
    conn->due = (struct load_due){.intended = now, .errand = &once->passage->errand};
    load_worker_send(w, conn, now);
}

static void on_ready(void *ctx, struct load_conn *conn, int64_t now)
{
    struct load_worker *w = ctx;
    load_worker_free(w, conn);
    send_step(w, now);
}

static void begin_step(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    char why[LOAD_WHY_MAX];
    if (!load_passage_make(once->passage, &w->pool.rng, why)) {
        step_failed(w, 0, why);
        return;
    }
    once->wants = true;
    io_timer_start(&once->timer, w->spec->timeout);
    if (load_pool_is_down(&w->pool))
        load_once_refused(w);
    else
        send_step(w, base_mono_now().ns);
}

void load_once_timer(void *ctx)
{
    struct load_worker *w = ctx;
    if (w->flows->once.wants)
        step_failed(w, 0, "no connection became free within the timeout");
    else
        begin_step(w);
}

/* Whether the flow has no steps of this part, or has not been set up. */
static bool is_left_out(const struct load_once *once, const struct load_program *program)
{
    const struct load_flow_code *flow = &program->flows[once->flow];
    bool set_up = flow->parts[LOAD_PART_SETUP].count > 0 && once->flow < once->made;
    return flow->parts[once->part].count == 0 ||
           (once->part == LOAD_PART_TEARDOWN && once->failed && !set_up);
}

static void next_flow(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    struct load_program *program = w->flows->program;
    char why[LOAD_WHY_MAX];
    while (once->flow < program->spec->flow_count && is_left_out(once, program))
        once->flow++;
    if (once->flow == program->spec->flow_count) {
        finish(w);
        return;
    }
    /* Only rows of feeders can be missing, and these steps draw none. */
    once->passage = load_passage_new(program, once->flow, once->part, 0, NULL, why);
    begin_step(w);
}

bool load_once_begin(struct load_worker *w, enum load_part_of part)
{
    struct load_flows *flows = w->flows;
    if (flows == NULL || (part == LOAD_PART_SETUP && !flows->first) ||
        !load_program_has(flows->program, part))
        return false;
    if (flows->once.torn) /* a stop came while it was under way, or it is over */
        return flows->once.active;
    flows->once.torn = part == LOAD_PART_TEARDOWN;
    flows->once.active = true;
    flows->once.on_ready = w->pool.on_ready;
    w->pool.on_ready = on_ready;
    flows->once.part = part;
    flows->once.flow = 0;
    next_flow(w);
    return true;
}

void load_once_refused(struct load_worker *w)
{
    char why[LOAD_WHY_MAX];
    if (!w->flows->once.wants)
        return;
    (void)snprintf(why, sizeof why, "no connection could be made: %s",
                   load_cause_name(w->pool.refusal));
    step_failed(w, 0, why);
}

static void step_ended(struct load_worker *w, int64_t took)
{
    struct load_once *once = &w->flows->once;
    struct load_passage *p = once->passage;
    struct dur_ns think = load_passage_step(p)->spec->think;
    note(once, took, NULL);
    if (load_passage_advance(p)) {
        if (think.ns > 0)
            io_timer_start(&once->timer, think);
        else
            begin_step(w);
        return;
    }
    if (once->part == LOAD_PART_SETUP) {
        load_passage_bequeath(p);
        once->made = once->flow + 1;
    }
    drop_passage(once);
    once->flow++;
    next_flow(w);
}

/* The answer to a step of a setup that was given up: it may have made something after all. */
static void abandoned_ended(struct load_once *once, int64_t took,
                            const struct load_outcome *outcome)
{
    enum load_failure failure = outcome->failure;
    char why[LOAD_WHY_MAX] = "";
    if (once->part == LOAD_PART_SETUP && outcome->answered &&
        load_passage_judge(once->passage, &failure, why)) {
        note(once, took, NULL);
        keep_made(once, once->passage->at + 1);
    }
    drop_passage(once);
}

void load_once_ended(struct load_worker *w, struct load_conn *conn,
                     const struct load_outcome *outcome)
{
    struct load_once *once = &w->flows->once;
    int64_t took = outcome->at - conn->due.intended;
    char why[LOAD_WHY_MAX] = "";
    enum load_failure failure = outcome->failure;
    once->sent = false;
    if (!once->active) { /* the load has begun, and is over */
        abandoned_ended(once, took, outcome);
        return;
    }
    if (outcome->answered && load_passage_judge(once->passage, &failure, why)) {
        step_ended(w, took);
        return;
    }
    char *whole =
        base_str_printf("%s%s%s", load_failure_name(failure), *why == '\0' ? "" : ": ", why);
    step_failed(w, took, whole);
    free(whole);
}

void load_once_abandon(struct load_worker *w)
{
    struct load_once *once = w->flows == NULL ? NULL : &w->flows->once;
    if (once == NULL || !once->active)
        return;
    if (once->undoing && !w->over) { /* it goes on; the teardown that will be asked for is this */
        once->undoing = false;
        return;
    }
    end(w);
    io_timer_stop(&once->timer);
    if (once->part == LOAD_PART_SETUP && once->passage != NULL)
        keep_made(once, once->passage->at);
    if (!once->sent)
        drop_passage(once);
}
