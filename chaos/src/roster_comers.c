/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fault_roster.h"
#include "roster.h"

enum { again_ms = 1000, tries_most = 5, least_left_ms = 1000 };

static void on_new(void *ctx, const struct fault_sight *sight, enum fault_news news)
{
    struct fault *fault = ctx;
    struct roster_state *state = fault_state_of(fault);
    bool ours = news == FAULT_NEWS_INSTANCE;
    for (size_t i = 0; i < state->count; i++)
        ours = ours || base_str_eq(state->parts[i].sight.name, sight->name);
    if (!ours || !fault_sight_matches(roster_topology(fault), fault_spec_of(fault), sight))
        return; /* one that was there, and was not selected, or that the fault is not for */
    state->comers = base_reallocarray(state->comers, state->comer_count + 1, sizeof *state->comers);
    struct roster_comer *comer = &state->comers[state->comer_count++];
    *comer = (struct roster_comer){.news = news, .seen = base_wall_now(), .part = SIZE_MAX};
    fault_sight_copy(&comer->sight, sight);
}

/* The effect of some is measured at the process itself: it must answer. */
static bool needs_answer(enum fault_kind kind)
{
    return kind == FAULT_TCP || kind == FAULT_HTTP || kind == FAULT_APP;
}

/* One that comes to life under the fault may never be ready, because of it. Where that can be
 * measured all the same, being alive will do. */
static void heed_held(const struct fault *fault, struct fault_sight *sight)
{
    const struct roster_state *state = fault_state_of(fault);
    enum fault_kind kind = fault_spec_of(fault)->kind;
    for (size_t k = 0; k < state->count && !needs_answer(kind); k++)
        if (base_str_eq(state->parts[k].sight.name, sight->name) &&
            fault_sight_is_held(&state->parts[k].sight, sight, fault_ops_of(kind)->place) &&
            fault_process_alive(&sight->process))
            sight->ready = true;
}

/* last: whoever is alive counts, for nobody else will be seen any more. */
static void look(struct fault *fault, bool last)
{
    struct roster_state *state = fault_state_of(fault);
    struct fault_sights now;
    if (!last && base_mono_before(base_mono_now(), state->look_at))
        return;
    state->look_at = base_mono_add(base_mono_now(), base_dur_ms(FAULT_ROSTER_LOOK_MS));
    fault_sights_take(roster_topology(fault), fault_spec_of(fault)->service, &now);
    for (size_t i = 0; i < now.count; i++) {
        heed_held(fault, &now.list[i]);
        now.list[i].ready =
            now.list[i].ready || (last && fault_process_alive(&now.list[i].process));
    }
    fault_sights_compare(&state->known, &now, on_new, fault);
    fault_sights_fini(&now);
}

static void decide(struct fault *fault, struct roster_comer *comer, bool joined, const char *how)
{
    comer->decided = true;
    fault_sight_tell(fault, &comer->sight, comer->news, comer->seen, joined, how);
}

/* That it was tried in vain counts against the fault: it had promised to follow. */
static void miss(struct fault *fault, struct roster_comer *comer)
{
    fault_evidence(fault, comer->sight.name, "during", fault_news_name(comer->news), comer->why,
                   "joined", false);
    decide(fault, comer, false, comer->why);
}

static void try_again(struct roster_comer *comer, const char *why)
{
    free(comer->why);
    comer->why = base_str_dup(why);
    comer->part = SIZE_MAX;
    comer->next = base_mono_add(base_mono_now(), base_dur_ms(again_ms << comer->tries));
    comer->tries += comer->tries < tries_most ? 1 : 0;
}

/* Names that are hit and are still there. */
static size_t names_hit(const struct fault *fault, const struct topo_service *service)
{
    const struct roster_state *state = fault_state_of(fault);
    size_t count = 0;
    for (size_t i = 0; service != NULL && i < service->instance_count; i++) {
        bool hit = false;
        for (size_t k = 0; k < state->count; k++)
            hit = hit || (!state->parts[k].vain &&
                          base_str_eq(state->parts[k].sight.name, service->instances[i].name));
        count += hit ? 1 : 0;
    }
    return count;
}

static bool is_selected(const struct fault *fault, char **why)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    const struct topo_service *service = topo_find_service(roster_topology(fault), spec->service);
    size_t matching = service != NULL ? topo_count_matching(service, &spec->where) : 0;
    size_t wanted = fault_track_wanted(spec, matching);
    size_t hit = names_hit(fault, service);
    if (hit < wanted)
        return true;
    *why = base_str_printf("not selected: %zu of %zu instances are hit already, as asked for", hit,
                           matching);
    return false;
}

/* The part that holds it by its place, or is to go for it; SIZE_MAX: none. */
static size_t part_for(const struct fault *fault, const struct roster_comer *comer, bool held)
{
    const struct roster_state *state = fault_state_of(fault);
    enum fault_place place = fault_ops_of(fault_spec_of(fault)->kind)->place;
    for (size_t i = 0; i < state->count; i++) {
        const struct roster_part *part = &state->parts[i];
        const struct fault *of = roster_fault(fault, part);
        bool named = base_str_eq(part->sight.name, comer->sight.name);
        if (!named || roster_is_over(of) || part->replaced)
            continue;
        if (held ? roster_is_active(of) && fault_sight_is_held(&part->sight, &comer->sight, place)
                 : !fault_process_alive(&part->sight.process))
            return i;
    }
    return SIZE_MAX;
}

static bool any_leaves(const struct fault *fault, const char *name)
{
    const struct roster_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        if (state->parts[i].replaced && base_str_eq(state->parts[i].sight.name, name) &&
            !roster_is_over(roster_fault(fault, &state->parts[i])))
            return true;
    return false;
}

static void hold_by_place(struct fault *fault, struct roster_comer *comer, size_t index)
{
    struct roster_state *state = fault_state_of(fault);
    struct roster_part *part = &state->parts[index];
    struct fault *of = roster_fault(fault, part);
    free(part->sight.name);
    fault_sight_copy(&part->sight, &comer->sight);
    comer->part = index;
    comer->by_place = true;
    comer->verified = fault_verified(of);
    fault_verify_again(of);
}

static void make_for(struct fault *fault, struct roster_comer *comer)
{
    struct roster_state *state = fault_state_of(fault);
    struct base_error err = {0};
    struct dur_ns left = fault_time_left(fault);
    if (left.ns < least_left_ms * BASE_NS_PER_MS) {
        decide(fault, comer, false, "it came when the fault was about to end");
        return;
    }
    struct fault *made = roster_part_make(fault, &comer->sight, left, &err);
    if (made == NULL && err.code == BASE_LIMIT) {
        decide(fault, comer, false, err.message); /* the cap, which is kept */
    } else if (made == NULL) {
        try_again(comer, err.message);
    } else {
        comer->part = state->count - 1;
        fault_promise(made, fault_effect_left(fault));
        fault_start(made);
    }
}

static void begin_for(struct fault *fault, struct roster_comer *comer)
{
    struct roster_state *state = fault_state_of(fault);
    BASE_AUTO_FREE char *why = NULL;
    bool alive = comer->sight.process.pid == 0 || fault_process_alive(&comer->sight.process);
    if (!alive) {
        decide(fault, comer, false, "it has ended again");
        return;
    }
    if (state->count >= ROSTER_PARTS_MAX) {
        decide(fault, comer, false, "too many have come already");
        return;
    }
    if (comer->news == FAULT_NEWS_INSTANCE && !is_selected(fault, &why)) {
        decide(fault, comer, false, why);
        return;
    }
    size_t holds = part_for(fault, comer, true);
    if (holds != SIZE_MAX) {
        hold_by_place(fault, comer, holds);
        return;
    }
    size_t leaves = part_for(fault, comer, false);
    if (leaves != SIZE_MAX) {
        state->parts[leaves].replaced = true;
        fault_end(roster_fault(fault, &state->parts[leaves]), FAULT_END_REQUEST);
    }
    if (!any_leaves(fault, comer->sight.name))
        make_for(fault, comer);
}

/* How it stands with one whose part is there. */
static void follow(struct fault *fault, struct roster_comer *comer)
{
    struct roster_state *state = fault_state_of(fault);
    struct roster_part *part = &state->parts[comer->part];
    const struct fault *of = roster_fault(fault, part);
    const struct fault_record *record = of != NULL ? fault_record_of(of) : NULL;
    if (roster_is_active(of) && (!comer->by_place || fault_verified(of) != comer->verified)) {
        BASE_AUTO_FREE char *how = base_str_printf(
            comer->by_place ? "held by its place, measured again as %s" : "as %s", part->id);
        decide(fault, comer, true, how);
        return;
    }
    if (!roster_is_over(of))
        return;
    const char *why = record != NULL && record->error != NULL ? record->error : "it has ended";
    if (comer->by_place) {
        decide(fault, comer, false, why);
        return;
    }
    part->over = part->vain = true;
    bool touched = record != NULL && record->applied_at.ns != 0;
    try_again(comer, why);
    if (touched)
        miss(fault, comer);
}

/* A part that ended: its instance is no more and whoever follows it is waited for, or the whole
 * ends as it did. */
static void heed_end(struct fault *fault, struct roster_part *part, const struct fault *of)
{
    part->over = true;
    bool lives = part->sight.process.pid == 0 || fault_process_alive(&part->sight.process);
    if (part->replaced || of == NULL)
        return;
    const struct fault_record *record = fault_record_of(of);
    if (record->end == FAULT_END_FAILED && !lives)
        return;
    if (record->end == FAULT_END_FAILED)
        fault_note_error(fault, record->error != NULL ? record->error : "a part of it has failed");
    fault_end(fault, record->end);
}

void roster_comers_turn(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    look(fault, false);
    for (size_t i = 0; i < state->comer_count; i++) {
        struct roster_comer *comer = &state->comers[i];
        if (comer->decided)
            continue;
        if (comer->part != SIZE_MAX)
            follow(fault, comer);
        else if (!base_mono_before(base_mono_now(), comer->next))
            begin_for(fault, comer);
    }
    for (size_t i = 0; i < state->count && fault_end_of(fault) == FAULT_END_NONE; i++) {
        const struct fault *of = roster_fault(fault, &state->parts[i]);
        if (!state->parts[i].over && roster_is_over(of))
            heed_end(fault, &state->parts[i], of);
    }
}

void roster_comers_end(struct fault *fault)
{
    struct roster_state *state = fault_state_of(fault);
    look(fault, true);
    for (size_t i = 0; i < state->comer_count; i++) {
        struct roster_comer *comer = &state->comers[i];
        if (!comer->decided)
            decide(fault, comer, false,
                   comer->why != NULL ? comer->why
                                      : "the fault ended before it could be measured there");
    }
}
