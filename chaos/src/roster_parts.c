/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "roster.h"

struct fault *roster_fault(const struct fault *whole, const struct roster_part *part)
{
    const struct fault_env *env = fault_env_of(whole);
    return env->find(env->ctx, part->id);
}

const struct topo *roster_topology(const struct fault *whole)
{
    const struct fault_env *env = fault_env_of(whole);
    return env->topology(env->ctx);
}

struct fault_spec roster_part_spec(const struct fault *whole, const char *target, const char *id)
{
    struct fault_spec spec;
    fault_spec_copy(&spec, fault_spec_of(whole));
    for (size_t i = 0; i < spec.target_count; i++)
        free(spec.targets[i]);
    spec.targets[0] = base_str_dup(target);
    spec.target_count = 1;
    free(spec.id);
    spec.id = base_str_dup(id);
    spec.track.on = false;
    spec.parent = base_str_dup(fault_spec_of(whole)->id);
    return spec;
}

/* One that was found is looked for by what it is: its kin would be found as well. */
static void pin(struct topo *topo, const struct fault_sight *sight)
{
    for (size_t s = 0; s < topo->service_count; s++) {
        for (size_t i = 0; i < topo->services[s].instance_count; i++) {
            struct topo_instance *instance = &topo->services[s].instances[i];
            if (!base_str_eq(instance->name, sight->name))
                continue;
            free(instance->find_by);
            free(instance->find_value);
            instance->find_by = base_str_dup("process");
            instance->find_value = base_str_printf("%d:%llu", (int)sight->process.pid,
                                                   (unsigned long long)sight->process.start_ticks);
        }
    }
}

static struct fault *spawn(struct fault *whole, const struct fault_sight *sight, const char *id,
                           struct dur_ns duration, struct base_error *err)
{
    const struct fault_env *env = fault_env_of(whole);
    struct fault_spec spec = roster_part_spec(whole, sight->name, id);
    struct fault *made = NULL;
    spec.duration = duration;
    if (sight->found && sight->process.pid > 0) {
        struct topo pinned = {0};
        json_t *json = topo_to_json(roster_topology(whole));
        if (topo_from_json(json, &pinned, err)) {
            pin(&pinned, sight);
            made = env->spawn(env->ctx, &spec, &pinned, err);
        }
        json_decref(json);
        topo_fini(&pinned);
    } else {
        made = env->spawn(env->ctx, &spec, roster_topology(whole), err);
    }
    fault_spec_fini(&spec);
    /* cppcheck-suppress returnDanglingLifetime ; it has copies */
    return made;
}

struct roster_part *roster_part_add(struct roster_state *state, const char *id,
                                    const struct fault_sight *sight)
{
    state->parts = base_reallocarray(state->parts, state->count + 1, sizeof *state->parts);
    struct roster_part *part = &state->parts[state->count++];
    *part = (struct roster_part){.id = base_str_dup(id)};
    fault_sight_copy(&part->sight, sight);
    return part;
}

struct fault *roster_part_make(struct fault *whole, const struct fault_sight *sight,
                               struct dur_ns duration, struct base_error *err)
{
    struct roster_state *state = fault_state_of(whole);
    BASE_AUTO_FREE char *id = base_str_printf("%s.%u", fault_spec_of(whole)->id, ++state->numbers);
    struct fault *made = spawn(whole, sight, id, duration, err);
    if (made != NULL)
        (void)roster_part_add(state, id, sight);
    return made;
}

void roster_take_evidence(struct fault *whole)
{
    struct roster_state *state = fault_state_of(whole);
    for (size_t i = 0; i < state->count; i++) {
        struct roster_part *part = &state->parts[i];
        const struct fault *fault = roster_fault(whole, part);
        const struct fault_record *record = fault != NULL ? fault_record_of(fault) : NULL;
        for (; record != NULL && part->evidence < record->evidence_count; part->evidence++)
            fault_take_evidence(whole, &record->evidence[part->evidence]);
    }
}

bool roster_is_over(const struct fault *part)
{
    return part == NULL || fault_is_final(part);
}

bool roster_is_active(const struct fault *part)
{
    return part != NULL && fault_record_of(part)->state == FAULT_ACTIVE;
}

void roster_end_parts(struct fault *whole, enum fault_end why)
{
    struct roster_state *state = fault_state_of(whole);
    for (size_t i = 0; i < state->count; i++) {
        struct fault *fault = roster_fault(whole, &state->parts[i]);
        /* A stuck one tries once more, when a person asks for it. */
        if (fault != NULL && fault_record_of(fault)->state != FAULT_GONE)
            fault_end(fault, fault_is_halted(whole) ? FAULT_END_HALT : why);
    }
}
