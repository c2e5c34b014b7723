/* SPDX-License-Identifier: Apache-2.0 */
/* Setup and teardown: the steps of each flow in turn, on the first worker, before the load and
 * after it. They are no part of the load, so they are not in its records but in a list of their
 * own. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "worker_core.h"
#include "worker_flow.h"

static void next_flow(struct load_worker *w);

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
    end(w);
    if (once->part == LOAD_PART_SETUP)
        load_worker_report(w, &w->mail.ready);
    else
        load_worker_report(w, &w->mail.torn);
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

/* Without its setup a flow means nothing; a teardown that fails must not keep the others from
 * theirs. */
static void step_failed(struct load_worker *w, int64_t took, const char *why)
{
    struct load_once *once = &w->flows->once;
    once->wants = false;
    io_timer_stop(&once->timer);
    note(once, took, why);
    drop_passage(once);
    if (once->part == LOAD_PART_SETUP) {
        once->failed = true;
        finish(w);
        return;
    }
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

static void next_flow(struct load_worker *w)
{
    struct load_once *once = &w->flows->once;
    struct load_program *program = w->flows->program;
    char why[LOAD_WHY_MAX];
    while (once->flow < program->spec->flow_count &&
           program->flows[once->flow].parts[once->part].count == 0)
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
    if (flows == NULL || !flows->first || flows->once.failed ||
        !load_program_has(flows->program, part))
        return false;
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
    if (once->part == LOAD_PART_SETUP)
        load_passage_bequeath(p);
    drop_passage(once);
    once->flow++;
    next_flow(w);
}

void load_once_ended(struct load_worker *w, struct load_conn *conn,
                     const struct load_outcome *outcome)
{
    struct load_once *once = &w->flows->once;
    int64_t took = outcome->at - conn->due.intended;
    char why[LOAD_WHY_MAX] = "";
    enum load_failure failure = outcome->failure;
    once->sent = false;
    if (!once->active) { /* abandoned: the load has begun, and is over */
        drop_passage(once);
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
    end(w);
    once->failed = true;
    io_timer_stop(&once->timer);
    if (!once->sent)
        drop_passage(once);
}
