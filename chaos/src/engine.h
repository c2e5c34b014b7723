/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives one fault through its life. A kind of fault is a table of steps; each step starts work on
 * the loop and reports its outcome once, with fault_step_done; the engine holds the deadline, the
 * lease, the journal and the order:
 *
 *   [request] -> prepare -> [journal] -> apply -> verify -> [journal] -> (renew)* -> revert ->
 *   verify gone -> [journal removed]
 *
 * In brackets: on disk before it goes on, by commit.h.
 *
 * Everything that goes wrong after the journal was written leads through revert and verify gone.
 */
#ifndef CHAOS_ENGINE_H
#define CHAOS_ENGINE_H

#include "base/log.h"
#include "commit.h"
#include "io/http_client.h"
#include "journal.h"
#include "lease.h"
#include "model/fault.h"
#include "model/topology.h"

struct fault;

enum fault_step {
    FAULT_STEP_NONE,
    FAULT_STEP_PREPARE, /* resolves, measures "before"; changes nothing */
    FAULT_STEP_APPLY,
    FAULT_STEP_VERIFY, /* measures "during" */
    FAULT_STEP_RENEW,
    FAULT_STEP_REVERT,     /* must be harmless when little or nothing was applied */
    FAULT_STEP_VERIFY_GONE /* measures "after" */
};
enum { FAULT_STEP_COUNT = FAULT_STEP_VERIFY_GONE + 1 };

enum fault_outcome {
    FAULT_OUTCOME_OK,
    FAULT_OUTCOME_NO_EFFECT, /* of verify: applied and measured, but not there */
    FAULT_OUTCOME_FAILED
};

enum fault_place {
    FAULT_PLACE_NONE,    /* a target is not held, but struck; or it is no process */
    FAULT_PLACE_NETNS,   /* its network namespace */
    FAULT_PLACE_GROUP,   /* its control group; where it has none, its process */
    FAULT_PLACE_PROCESS, /* nothing but its process */
    FAULT_PLACE_ADDRESS  /* whoever answers there is told with each renewal */
};

struct fault_ops {
    /* chaos/capability.h; NULL: any can. */
    bool (*host)(struct base_error *err);
    const char *(*means)(
        void); /* where hosts differ: by what this one does it. NULL: they do not */
    bool (*platform)(const struct topo *topo, struct base_error *err);
    uint64_t capabilities; /* capabilities(7) that its steps need, as bits */
    /* Names to things, into fault_set_state; a refusal costs nothing yet. */
    bool (*open)(struct fault *fault, const struct topo *topo, struct base_error *err);
    /* What a later agent needs to revert; and its reading. */
    json_t *(*undo)(const struct fault *fault);
    bool (*reopen)(struct fault *fault, const json_t *undo, struct base_error *err);
    /* What holds a target, so that a new process of it is held, too. */
    enum fault_place place;
    void (*step[FAULT_STEP_COUNT])(struct fault *fault);
    /* How long a step may take; NULL or 0: the engine's default. */
    struct dur_ns (*deadline)(const struct fault *fault, enum fault_step step);
    /* The deadline has passed: write down as evidence what was seen until then. May be NULL. */
    void (*late)(struct fault *fault, enum fault_step step);
    void (*cancel)(struct fault *fault); /* whatever the running step waits for */
    void (*close)(struct fault *fault);  /* frees the state; it may be NULL */
    /* Nothing stays in place that a lease could end before it was verified. NULL: never so. */
    bool (*instant)(const struct fault_spec *spec);
};

const struct fault_ops *fault_ops_of(enum fault_kind kind); /* one table, in fault.c */
/* With what a spec says beside its kind: a kill of a pod, a slow disk, or a failover; and `track`.
 */
const struct fault_ops *fault_ops_alone(const struct fault_spec *spec);
const struct fault_ops *fault_ops_for(const struct fault_spec *spec);
extern const struct fault_ops fault_kill_ops;
extern const struct fault_ops fault_pod_ops; /* a kill by Kubernetes' API */
extern const struct fault_ops fault_partition_ops;
extern const struct fault_ops fault_app_ops;
extern const struct fault_ops fault_pause_ops;
extern const struct fault_ops fault_cpu_ops;
extern const struct fault_ops fault_memory_ops;
extern const struct fault_ops fault_network_ops;
extern const struct fault_ops fault_disk_ops;
extern const struct fault_ops fault_limits_ops;
extern const struct fault_ops fault_tcp_ops;
extern const struct fault_ops fault_http_ops;
extern const struct fault_ops fault_dns_ops;
extern const struct fault_ops fault_postgres_ops;
extern const struct fault_ops fault_redis_ops;
extern const struct fault_ops fault_io_ops;
extern const struct fault_ops fault_throttle_ops;
extern const struct fault_ops fault_rabbitmq_ops;
extern const struct fault_ops fault_node_ops;
extern const struct fault_ops fault_failover_ops; /* a store's node that is cut off */
extern const struct fault_ops fault_roster_ops;   /* of a fault of any kind with `track` */

struct fault_netback_ops; /* netback.h */

struct fault_env { /* outlives every fault */
    struct io_loop *loop;
    struct io_http *http;
    struct agent_journal *journal;
    struct agent_commit *commit;
    const struct base_log *log;
    struct fault_neighbourhood *neighbourhood; /* neighbours.h */
    const struct fault_netback_ops
        *netback; /* by what the network is impaired; NULL: nothing can */
    /* Folders that may be written to, beside the platform's own; without symbolic links. */
    char *const *allowed;
    size_t allowed_count;
    /* For faults that are made of others (fault_roster.c). spawn: refused or in the agent's hands,
     * but not started. */
    struct fault *(*spawn)(void *ctx, const struct fault_spec *spec, const struct topo *topo,
                           struct base_error *err);
    struct fault *(*find)(void *ctx, const char *id); /* NULL: it is not known (any more) */
    void (*each_part)(void *ctx, const char *parent,
                      void (*on_part)(void *part_ctx, struct fault *part), void *part_ctx);
    const struct topo *(*topology)(void *ctx); /* as its file is now, if that can be read */
    /* The fault is held, has become active, was renewed or measured again, or has ended. It may be
     * freed inside only when it has ended. */
    void (*on_settled)(void *ctx, struct fault *fault);
    void *ctx;
};

/* Resolves the spec; NULL with err when it is refused. Nothing happens before fault_start. */
struct fault *fault_new(struct fault_env *env, const struct fault_spec *spec,
                        const struct topo *topo, struct base_error *err);
/* Once the audit line and the id, which are written already, are on disk. When they cannot be, it
 * ends at once, and fault_refusal says why. */
void fault_start(struct fault *fault);
const struct base_error *fault_refusal(const struct fault *fault); /* NULL: it was not refused */
/* A fault found in the journal (the entry is consumed), which is reverted at once. */
struct fault *fault_recover(struct fault_env *env, struct agent_journal_entry *entry);
/* One that is gone, as it was; spec and record are consumed. It can be looked at and ended again,
 * which does nothing. */
struct fault *fault_of_past(struct fault_env *env, struct fault_spec *spec,
                            struct fault_record *record);
/* As if the process had died: nothing is reverted here. Accepts NULL. */
void fault_free(struct fault *fault);

/* BASE_NOT_FOUND when it is not (or no longer) active or its lease has lapsed. on_settled follows
 * once the effect was renewed. */
bool fault_renew(struct fault *fault, struct dur_ns lease, struct base_error *err);
/* Reverts for this reason; the first reason stays. A stuck fault tries once more. */
void fault_end(struct fault *fault, enum fault_end why);

const struct fault_spec *fault_spec_of(const struct fault *fault);
const struct fault_record *fault_record_of(const struct fault *fault);
bool fault_is_final(const struct fault *fault);
bool fault_is_renewing(const struct fault *fault);
/* on_settled follows: it is being renewed, or what has become of it is being written down. */
bool fault_is_settling(const struct fault *fault);

/* --- for a fault that is made of others --- */
/* Before it is started: it waits before its apply until it is let go on. */
void fault_hold(struct fault *fault);
bool fault_is_held(const struct fault *fault);
void fault_go_on(struct fault *fault);
/* Its first lease ends by then at the latest: the whole was promised to be gone. */
void fault_promise(struct fault *fault, struct dur_ns left);
/* An active one measures its effect again, after its next renewal; on_settled follows. */
void fault_verify_again(struct fault *fault);
unsigned fault_verified(const struct fault *fault);       /* how often that was done with success */
struct dur_ns fault_time_left(const struct fault *fault); /* of its `for` */
void fault_take_evidence(struct fault *fault, const struct fault_evidence *evidence);
void fault_add_arrival(struct fault *fault, const struct fault_arrival *arrival);

/* --- for the kinds --- */
void fault_step_done(struct fault *fault, enum fault_outcome outcome, const struct base_error *err);
void fault_set_state(struct fault *fault, void *state);
void *fault_state_of(const struct fault *fault);
struct fault_env *fault_env_of(const struct fault *fault);
/* Time the effect may still last: what goes into the kernel's timeouts and the targets' TTLs. */
struct dur_ns fault_effect_left(const struct fault *fault);
enum fault_end fault_end_of(const struct fault *fault);
/* Also when another reason came first: whoever halts must not wait for what only confirms. */
bool fault_is_halted(const struct fault *fault);
void fault_evidence(struct fault *fault, const char *target, const char *when, const char *metric,
                    const char *value, const char *expected, bool ok);
/* Keeps the first error and appends later ones. */
void fault_note_error(struct fault *fault, const char *message);

#endif
