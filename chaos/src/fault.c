/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault tells, and what is told to it, between its steps; its kinds. */
#include <stdlib.h>

#include "base/text.h"
#include "fault_inside.h"

const struct fault_ops *fault_ops_of(enum fault_kind kind)
{
    static const struct fault_ops *const all[] = {
        [FAULT_KILL] = &fault_kill_ops,
        [FAULT_PARTITION] = &fault_partition_ops,
        [FAULT_APP] = &fault_app_ops,
        [FAULT_PAUSE] = &fault_pause_ops,
        [FAULT_CPU] = &fault_cpu_ops,
        [FAULT_MEMORY] = &fault_memory_ops,
        [FAULT_NETWORK] = &fault_network_ops,
        [FAULT_DISK_FILL] = &fault_disk_ops,
        [FAULT_LIMITS] = &fault_limits_ops,
        [FAULT_TCP] = &fault_tcp_ops,
        [FAULT_HTTP] = &fault_http_ops,
        [FAULT_DNS] = &fault_dns_ops,
        [FAULT_POSTGRES] = &fault_postgres_ops,
        [FAULT_REDIS] = &fault_redis_ops,
        [FAULT_IO] = &fault_io_ops,
        [FAULT_IO_THROTTLE] = &fault_throttle_ops,
        [FAULT_RABBITMQ] = &fault_rabbitmq_ops,
        [FAULT_NODE] = &fault_node_ops,
    };
    return all[kind];
}

const struct fault_ops *fault_ops_alone(const struct fault_spec *spec)
{
    if (fault_is_slow_disk(spec))
        return &fault_throttle_ops;
    if (fault_failover_of(spec) != NULL)
        return &fault_failover_ops;
    return fault_is_of_pod(spec) ? &fault_pod_ops : fault_ops_of(spec->kind);
}

const struct fault_ops *fault_ops_for(const struct fault_spec *spec)
{
    if (spec->track.on)
        return &fault_roster_ops;
    return fault_ops_alone(spec);
}

const struct fault_spec *fault_spec_of(const struct fault *fault)
{
    return &fault->spec;
}

const struct fault_record *fault_record_of(const struct fault *fault)
{
    return &fault->record;
}

bool fault_is_final(const struct fault *fault)
{
    return fault_state_final(fault->record.state);
}

bool fault_is_renewing(const struct fault *fault)
{
    return fault->step == FAULT_STEP_RENEW;
}

bool fault_is_settling(const struct fault *fault)
{
    return fault_is_renewing(fault) || fault->awaits == AWAITS_UPDATE;
}

const struct base_error *fault_refusal(const struct fault *fault)
{
    return fault->refused ? &fault->step_error : NULL;
}

void fault_set_state(struct fault *fault, void *state)
{
    fault->state = state;
}

void *fault_state_of(const struct fault *fault)
{
    return fault->state;
}

struct fault_env *fault_env_of(const struct fault *fault)
{
    return fault->env;
}

struct dur_ns fault_effect_left(const struct fault *fault)
{
    return fault_lease_left(&fault->lease, base_mono_now());
}

struct dur_ns fault_time_left(const struct fault *fault)
{
    return base_mono_sub(fault->lease.expires, base_mono_now());
}

void fault_hold(struct fault *fault)
{
    fault->hold = true;
}

bool fault_is_held(const struct fault *fault)
{
    return fault->held;
}

void fault_promise(struct fault *fault, struct dur_ns left)
{
    fault->promised = base_mono_add(base_mono_now(), left);
}

void fault_verify_again(struct fault *fault)
{
    fault->verify_due = true;
}

unsigned fault_verified(const struct fault *fault)
{
    return fault->verified;
}

void fault_take_evidence(struct fault *fault, const struct fault_evidence *evidence)
{
    fault_record_add_evidence(&fault->record, evidence->target, evidence->when, evidence->metric,
                              evidence->value, evidence->expected, evidence->ok, evidence->at);
}

enum fault_end fault_end_of(const struct fault *fault)
{
    return fault->record.end;
}

bool fault_is_halted(const struct fault *fault)
{
    return fault->halted;
}

void fault_evidence(struct fault *fault, const char *target, const char *when, const char *metric,
                    const char *value, const char *expected, bool ok)
{
    fault_record_add_evidence(&fault->record, target, when, metric, value, expected, ok,
                              base_wall_now());
}

void fault_note_error(struct fault *fault, const char *message)
{
    char *old = fault->record.error;
    fault->record.error =
        old == NULL ? base_str_dup(message) : base_str_printf("%s; then: %s", old, message);
    free(old);
}
