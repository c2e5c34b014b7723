/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes. Whatever happens to a part wakes the whole, and on_turn looks at all parts anew:
 * what is to be done follows from how they are, never from the order in which news come. Parts
 * belong to the agent and are looked up by their ids, for it forgets those that ended long ago.
 */
#include "fault_roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "roster.h"

enum { id_most = 112 };
enum { prepare_s = 15, verify_s = 45, renew_s = 3, revert_s = 40 };

static void on_turn(void *ctx);

static struct roster_state *state_new(struct fault *fault)
{
    struct roster_state *state = base_calloc(1, sizeof *state);
    io_timer_init(&state->turn, fault_env_of(fault)->loop, on_turn, fault);
    fault_set_state(fault, state);
    return state;
}

/* --- opening --- */

/* The first that is ready of those of that name; otherwise by its name alone. */
static struct fault_sight sight_of(const struct fault_sights *sights, const char *name)
{
    struct fault_sight out = {0};
    for (size_t i = 0; i < sights->count && !out.ready; i++) {
        if (!base_str_eq(sights->list[i].name, name))
            continue;
        free(out.name);
        fault_sight_copy(&out, &sights->list[i]);
    }
    if (out.name == NULL)
        out.name = base_str_dup(name);
    return out;
}

/* What is done to one of two that share their place would undo the other. */
static bool are_apart(const struct fault *fault, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct roster_state *state = fault_state_of(fault);
    enum fault_place place = fault_ops_of(spec->kind)->place;
    bool ok = true;
    for (size_t i = 0; ok && i < spec->target_count; i++) {
        struct fault_sight one = sight_of(&state->known, spec->targets[i]);
        for (size_t k = 0; ok && k < i; k++) {
            struct fault_sight other = sight_of(&state->known, spec->targets[k]);
            if (fault_sight_is_held(&one, &other, place))
                ok = base_fail(err, BASE_INVALID,
                               "%s and %s share the place that the fault would hold: name one of "
                               "them",
                               other.name, one.name);
            free(other.name);
        }
        free(one.name);
    }
    return ok;
}

/* Each part is made once to no purpose: a refusal is to be known before anything is done. */
static bool roster_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct roster_state *state = state_new(fault);
    if (strlen(spec->id) > id_most)
        return base_fail(err, BASE_INVALID, "an id of a fault with `track` has at most %d letters",
                         id_most);
    for (size_t i = 0; i < spec->target_count; i++) {
        struct fault_spec part = roster_part_spec(fault, spec->targets[i], spec->id);
        struct fault *trial = fault_new(fault_env_of(fault), &part, topo, err);
        fault_spec_fini(&part);
        if (trial == NULL)
            return false;
        fault_free(trial);
    }
    fault_sights_take(topo, spec->service, &state->known);
    return are_apart(fault, err);
}

static json_t *roster_undo(const struct fault *fault)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fault_spec_of(fault)->target_count; i++)
        json_array_append_new(list, json_object()); /* the parts have entries of their own */
    return list;
}

static bool roster_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    (void)undo;
    (void)err;
    state_new(fault)->recovered = true;
    return true;
}

/* Of a fault that was found in the journal. */
static void adopt(void *ctx, struct fault *fault)
{
    struct fault *whole = ctx;
    struct fault_sight sight = {.name = fault_spec_of(fault)->targets[0]};
    struct roster_part *part =
        roster_part_add(fault_state_of(whole), fault_spec_of(fault)->id, &sight);
    part->evidence = fault_record_of(fault)->evidence_count;
}

/* --- the steps, which wait for the parts --- */

static void wait_for_parts(struct fault *fault, enum fault_step step)
{
    struct roster_state *state = fault_state_of(fault);
    state->step = step;
    io_timer_start(&state->turn, (struct dur_ns){0});
}

static void done(struct fault *fault, enum fault_outcome outcome, const struct base_error *err)
{
    struct roster_state *state = fault_state_of(fault);
    state->step = FAULT_STEP_NONE;
    fault_step_done(fault, outcome, err);
}

static void roster_prepare(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < spec->target_count; i++) {
        struct fault_sight sight = sight_of(&state->known, spec->targets[i]);
        struct fault *part = roster_part_make(fault, &sight, spec->duration, &err);
        free(sight.name);
        if (part == NULL) {
            roster_end_parts(fault, FAULT_END_REQUEST);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
        fault_hold(part);
        fault_start(part);
    }
    wait_for_parts(fault, FAULT_STEP_PREPARE);
}

static void roster_apply(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault *part = roster_fault(fault, &state->parts[i]);
        if (part == NULL)
            continue;
        fault_promise(part, fault_effect_left(fault));
        fault_go_on(part);
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void roster_verify(struct fault *fault)
{
    wait_for_parts(fault, FAULT_STEP_VERIFY);
}

static void roster_renew(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    struct dur_ns left = fault_effect_left(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault *part = roster_fault(fault, &state->parts[i]);
        if (roster_is_over(part))
            continue;
        fault_promise(part, left);
        (void)fault_renew(part, left, NULL); /* one that ends needs none */
    }
    wait_for_parts(fault, FAULT_STEP_RENEW);
}

static void roster_revert(struct fault *fault)
{
    const struct roster_state *state = fault_state_of(fault);
    if (!state->recovered) /* what the agent before had seen is in the record */
        roster_comers_end(fault);
    wait_for_parts(fault, FAULT_STEP_REVERT);
}

static void roster_gone(struct fault *fault)
{
    const struct roster_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        const struct fault *part = roster_fault(fault, &state->parts[i]);
        if (part == NULL || fault_record_of(part)->state == FAULT_GONE)
            continue;
        const char *error = fault_record_of(part)->error;
        ok = base_fail(&err, BASE_IO, "%s",
                       error != NULL ? error : "the absence of a part of it could not be shown");
    }
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

/* The error of a part that has ended, or is on its way out; false: there is none such. */
static bool find_failed(const struct fault *whole, struct base_error *err, bool *ineffective)
{
    const struct roster_state *state = fault_state_of(whole);
    for (size_t i = 0; i < state->count; i++) {
        const struct fault *part = roster_fault(whole, &state->parts[i]);
        const struct fault_record *record = part != NULL ? fault_record_of(part) : NULL;
        if (record != NULL && record->end == FAULT_END_NONE)
            continue;
        *ineffective = record != NULL && fault_record_ineffective(record);
        (void)base_fail(err, BASE_UNAVAILABLE, "%s",
                        record != NULL && record->error != NULL ? record->error
                                                                : "a part of it has ended");
        return true;
    }
    return false;
}

static bool all_are(const struct fault *whole, bool (*so)(const struct fault *part))
{
    const struct roster_state *state = fault_state_of(whole);
    for (size_t i = 0; i < state->count; i++)
        if (!so(roster_fault(whole, &state->parts[i])))
            return false;
    return true;
}

static bool is_renewed(const struct fault *part)
{
    return !roster_is_active(part) || !fault_is_renewing(part);
}

static void prepare_turn(struct fault *fault)
{
    struct base_error err = {0};
    bool ineffective = false;
    if (find_failed(fault, &err, &ineffective)) {
        roster_end_parts(fault, FAULT_END_REQUEST);
        done(fault, FAULT_OUTCOME_FAILED, &err);
    } else if (all_are(fault, fault_is_held)) {
        done(fault, FAULT_OUTCOME_OK, NULL);
    }
}

static void verify_turn(struct fault *fault)
{
    struct base_error err = {0};
    bool ineffective = false;
    if (find_failed(fault, &err, &ineffective))
        done(fault, ineffective ? FAULT_OUTCOME_NO_EFFECT : FAULT_OUTCOME_FAILED, &err);
    else if (all_are(fault, roster_is_active))
        done(fault, FAULT_OUTCOME_OK, NULL);
}

static void revert_turn(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    const struct fault_env *env = fault_env_of(fault);
    if (state->recovered)
        env->each_part(env->ctx, fault_spec_of(fault)->id, adopt, fault);
    state->recovered = false;
    roster_end_parts(fault, fault_end_of(fault));
    if (all_are(fault, roster_is_over))
        done(fault, FAULT_OUTCOME_OK, NULL);
}

static void on_turn(void *ctx)
{
    static void (*const turns[FAULT_STEP_COUNT])(struct fault * fault) = {
        [FAULT_STEP_PREPARE] = prepare_turn,
        [FAULT_STEP_VERIFY] = verify_turn,
        [FAULT_STEP_REVERT] = revert_turn,
    };
    struct fault *fault = ctx;
    struct roster_state *state = fault_state_of(fault);
    bool active = fault_record_of(fault)->state == FAULT_ACTIVE;
    roster_take_evidence(fault);
    if (state->step == FAULT_STEP_RENEW && all_are(fault, is_renewed))
        done(fault, FAULT_OUTCOME_OK, NULL);
    else if (turns[state->step] != NULL)
        turns[state->step](fault);
    if (active && fault_end_of(fault) == FAULT_END_NONE)
        roster_comers_turn(fault);
    if (!fault_is_final(fault) && !io_timer_active(&state->turn))
        io_timer_start(&state->turn, base_dur_ms(FAULT_ROSTER_LOOK_MS));
}

void fault_roster_wake(struct fault *whole)
{
    struct roster_state *state = fault_state_of(whole);
    if (fault_spec_of(whole)->track.on && state != NULL)
        io_timer_start(&state->turn, (struct dur_ns){0});
}

/* --- housekeeping --- */

static struct dur_ns roster_deadline(const struct fault *fault, enum fault_step step)
{
    static const int64_t seconds[FAULT_STEP_COUNT] = {[FAULT_STEP_PREPARE] = prepare_s,
                                                      [FAULT_STEP_VERIFY] = verify_s,
                                                      [FAULT_STEP_RENEW] = renew_s,
                                                      [FAULT_STEP_REVERT] = revert_s};
    (void)fault;
    return base_dur_s(seconds[step]);
}

static void roster_cancel(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    bool preparing = state->step == FAULT_STEP_PREPARE;
    state->step = FAULT_STEP_NONE;
    io_timer_stop(&state->turn);
    if (preparing) /* none of them was applied: they are gone at once */
        roster_end_parts(fault, FAULT_END_REQUEST);
    io_timer_stop(&state->turn);
}

static void roster_close(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        free(state->parts[i].id);
        free(state->parts[i].sight.name);
    }
    for (size_t i = 0; i < state->comer_count; i++) {
        free(state->comers[i].sight.name);
        free(state->comers[i].why);
    }
    io_timer_fini(&state->turn);
    fault_sights_fini(&state->known);
    free(state->parts);
    free(state->comers);
    free(state);
    fault_set_state(fault, NULL);
}

const struct fault_ops fault_roster_ops = {
    .open = roster_open,
    .undo = roster_undo,
    .reopen = roster_reopen,
    .step = {[FAULT_STEP_PREPARE] = roster_prepare,
             [FAULT_STEP_APPLY] = roster_apply,
             [FAULT_STEP_VERIFY] = roster_verify,
             [FAULT_STEP_RENEW] = roster_renew,
             [FAULT_STEP_REVERT] = roster_revert,
             [FAULT_STEP_VERIFY_GONE] = roster_gone},
    .deadline = roster_deadline,
    .cancel = roster_cancel,
    .close = roster_close,
};
