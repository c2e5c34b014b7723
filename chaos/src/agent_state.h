/* SPDX-License-Identifier: Apache-2.0 */
/* What agent*.c (the faults of this host) and api.c (requests about them) share. */
#ifndef CHAOS_AGENT_STATE_H
#define CHAOS_AGENT_STATE_H

#include <sys/stat.h>

#include "admission.h"
#include "audit.h"
#include "chaos/agent.h"
#include "chaos/capability.h"
#include "commit.h"
#include "engine.h"
#include "io/digest.h"
#include "io/http_server.h"
#include "past.h"
#include "used.h"
#include "watch.h"

enum {
    AGENT_MAX_STANDING = 256, /* faults that have not ended */
    AGENT_KEEP_S = 3600,      /* how long ended ones are shown */
    AGENT_KEEP_COUNT = 1024,
    AGENT_MAX_HALTED = 1024 /* halted runs remembered by name; the oldest is forgotten first */
};

struct agent_waiter; /* of api.c: a request that is answered later */

struct agent {
    struct io_loop *loop;
    const struct base_log *log;
    char *topology_path;
    struct topo topo;      /* as read last */
    struct stat topo_file; /* when it was */
    struct agent_limits limits;
    char **allowed; /* folders that may be filled, without symbolic links */
    size_t allowed_count;
    struct base_error host[FAULT_KIND_COUNT]; /* why this host has no such fault; BASE_OK: it can */
    struct io_http *http;
    struct agent_journal *journal;
    struct agent_audit *audit;
    struct agent_used *used;
    struct agent_commit *commit;
    struct mono_ns used_pruned;
    struct io_server *server; /* NULL: --sweep */
    bool wants_cert;
    bool has_token;
    char *token_name; /* "token <name of its file>", for audit lines */
    char token_digest[IO_SHA256_TEXT];
    struct wall_ns started;
    struct fault_env env;
    struct agent_watch *watch;
    struct fault **faults; /* in the order of their arrival: all that stand, and some that ended */
    size_t fault_count;
    struct agent_past *past; /* the others that ended */
    /* Runs that had injected here, each with its NUL: known whatever their controller's clock says.
     * One piece of memory: they outlive everything that was allocated beside them. */
    struct base_buf halted;
    size_t halted_count;
    struct base_error halt_error; /* why the last halt is not on disk; code BASE_OK: it is */
    struct agent_waiter *waiters;
    struct io_timer tidy_timer;
    void (*on_recovery)(void *ctx, const char *line);
    void *recovery_ctx;
    bool unclean; /* something found at the start was not shown to be gone */
    bool closing;
    void (*on_closed)(void *ctx, bool clean);
    void *closed_ctx;
    unsigned closed_turns;
    struct io_timer closed_timer; /* the answer to agent_shutdown comes from the loop */
};

/* --- agent_roll.c --- */
void agent_roll_init(struct agent *agent);
void agent_roll_begin(struct agent *agent); /* it tidies up from now on */
void agent_roll_fini(struct agent *agent);
void agent_roll_add(struct agent *agent, struct fault *fault);
void agent_roll_drop(struct agent *agent, const struct fault *fault); /* and frees it */
void agent_roll_settled(
    struct agent *agent); /* a fault has settled: perhaps there is much to tidy */
/* One that stands, or has ended a moment ago; NULL: none. */
struct fault *agent_live(const struct agent *agent, const char *id);
/* That, or one that has ended within AGENT_KEEP_S and is unpacked for that: for a request that may
 * have to wait. It stays until the next time that the agent tidies up with nobody waiting for it.
 */
struct fault *agent_find(struct agent *agent, const char *id);
/* What is shown of all of them, in the order of their arrival. */
json_t *agent_roll_records(struct agent *agent);

/* --- agent.c --- */
/* Reads the topology anew, admits and resolves; NULL with err. Nothing happens before agent_start;
 * fault_free gives it up. */
struct fault *agent_take(struct agent *agent, const struct fault_spec *spec,
                         struct base_error *err);
/* BASE_DENIED, or the disk's reason: its id was used before or cannot be remembered. When that
 * turns out later, when all is synced, the fault is refused (fault_refusal) and forgotten. */
bool agent_start(struct agent *agent, struct fault *fault, struct base_error *err);
/* On this host and the platform as read last. */
bool agent_can(const struct agent *agent, enum fault_kind kind, struct base_error *why);
bool agent_has_standing(const struct agent *agent); /* one that is neither gone nor stuck */
bool agent_has_ending(const struct agent *agent);   /* of those, one that is on its way out */
bool agent_has_stuck(const struct agent *agent);

/* --- agent_halt.c --- */
/* Reverts everything, and remembers on disk that every run that has started by now is halted. */
void agent_halt(struct agent *agent);
bool agent_is_halted(const struct agent *agent, const struct fault_spec *spec);
/* Fills in why its run may not inject any more. */
void agent_refuse_halted(const struct agent *agent, const struct fault_spec *spec,
                         struct base_error *err);

/* --- agent_access.c --- */
/* Beyond loopback addresses there is no listening without a token and TLS. Reads the token. */
bool agent_check_access(struct agent *agent, const struct agent_config *config,
                        struct base_error *err);
bool agent_listen(struct agent *agent, const struct agent_config *config, struct base_error *err);

/* --- api.c --- */
void agent_api_request(void *agent, struct io_exchange *exchange);
void agent_api_abandon(void *agent, struct io_exchange *exchange);
void agent_api_refused(void *agent, struct io_exchange *exchange, unsigned status);
void agent_api_settled(struct agent *agent,
                       const struct fault *fault); /* answers who waited for it */
/* A request waits for it. */
bool agent_api_awaits(const struct agent *agent, const struct fault *fault);
void agent_api_fini(struct agent *agent);

#endif
