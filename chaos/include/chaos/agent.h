/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent of one host: takes faults over the control protocol (model/control.h), keeps each no
 * longer than its lease and its `for`, and reverts what an agent that died has left. Everything
 * runs on the loop of its owner; no function here blocks for longer than a few milliseconds.
 */
#ifndef CHAOS_AGENT_H
#define CHAOS_AGENT_H

#include <stdint.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/tls.h"

struct agent;

struct agent_config {
    const char *address;        /* literal to listen on; NULL: no server, only recovery (--sweep) */
    uint16_t port;              /* 0 picks a free one */
    const char *token_file;     /* NULL: no authentication, on loopback addresses only */
    struct io_tls_files tls;    /* cert NULL: plain HTTP, on loopback addresses only; with ca every
                                 * request needs a certificate that it vouches for, too */
    const char *topology;       /* path of topology.json, read anew when it has changed */
    const char *journal;        /* folder, made when missing */
    const char *audit;          /* file that audit lines are appended to; NULL: the log */
    int64_t audit_max;          /* bytes of it before it is rotated; 0: never */
    unsigned audit_keep;        /* rotated ones that are kept */
    const char *const *allowed; /* folders beside the platform's own that may be filled */
    size_t allowed_count;
    struct dur_ns max_duration; /* ceiling on a fault's `for` and lease */
    double max_affected;        /* cap on the share of a service's instances, 0..1 */
    const struct base_log *log; /* outlives the agent */
    /* What was found at the start and what became of it, a line each; may be NULL. */
    void (*on_recovery)(void *ctx, const char *line);
    void *ctx;
};

enum { /* defaults */
       AGENT_MAX_DURATION_S = 3600,
       AGENT_MAX_AFFECTED_PERCENT = 50,
       AGENT_AUDIT_MAX = 64 << 20,
       AGENT_AUDIT_KEEP = 4
};

/* Locks the journal, removes tables of ours that nobody owns, starts the replay of the journal, and
 * listens. Texts in config are copied. BASE_DENIED: a non-loopback address without a
 * token or without TLS. */
struct agent *agent_new(struct io_loop *loop, const struct agent_config *config,
                        struct base_error *err);
/* Gives up, for this process, every privilege but those of the kinds of fault that this host can
 * have: kill and pause CAP_KILL; partition, tcp, http and dns CAP_SYS_ADMIN and CAP_NET_ADMIN;
 * network these and CAP_NET_RAW; limits CAP_SYS_RESOURCE; app, cpu, memory and diskFill none; and
 * CAP_SYS_PTRACE when the topology has instances that must be found in /proc. Files that it reads
 * and writes must be its user's own from then on, also for root. Threads that run already keep
 * theirs.
 */
bool agent_confine(const struct agent *agent, struct base_error *err);
uint16_t agent_port(const struct agent *agent);
/* Reverts everything, refuses what is new, and calls on_done once when every fault has ended, from
 * the loop: clean false when one is stuck or something found at the start could not be shown to be
 * gone. An agent without a server reverts nothing but what it found. */
void agent_shutdown(struct agent *agent, void (*on_done)(void *ctx, bool clean), void *ctx);
void agent_free(struct agent *agent); /* reverts nothing; accepts NULL */

#endif
