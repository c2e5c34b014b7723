/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One program the supervisor runs: an instance that is to stay (probed, restarted with back-off,
 * its statusFile kept), or a job that is to end with status 0 (initdb, migration).
 *
 * The description is filled in by setup.c; the callbacks fire on the loop. on_failed: it ended or
 * stayed silent before it was ever ready; the unit is not restarted then.
 */
#ifndef SANDBOX_UNIT_H
#define SANDBOX_UNIT_H

#include "backoff.h"
#include "base/log.h"
#include "io/child.h"
#include "place.h"
#include "probe.h"
#include "status_file.h"

struct sandbox_unit;

struct sandbox_unit_owner {
    void *ctx;
    void (*on_ready)(void *ctx, struct sandbox_unit *unit); /* the first time; a job: done */
    void (*on_failed)(void *ctx, struct sandbox_unit *unit, const char *why);
    void (*on_stopped)(void *ctx, struct sandbox_unit *unit);
    struct io_loop *loop;
    struct io_http *http;
    const struct base_log *log;
    const struct sandbox_place *place;
    struct dur_ns ready_timeout;
};

struct sandbox_unit {
    /* --- what to run (owned, but for netns, cgroup and hosts_file) --- */
    char *name;
    char **argv;
    char **env;        /* NULL: nothing added */
    const char *netns; /* paths; NULL: none */
    const char *cgroup;
    const char *hosts_file;
    char *log_file;
    char *status_file; /* NULL for jobs */
    /* What makes a job's success last; may be NULL. */
    bool (*on_done)(const struct sandbox_place *place, struct base_error *err);
    unsigned after; /* bits of the units that must be ready before this one starts */
    int stop_signal;
    unsigned stop_order; /* 0 first */
    uid_t uid;
    gid_t gid;
    bool set_user;
    bool job;
    bool clear_group; /* its children must be gone before it is started again */

    /* --- what it is doing --- */
    bool ready_once;
    bool started;
    bool stopping;
    enum sandbox_state state;
    struct sandbox_backoff backoff;
    const struct sandbox_unit_owner *owner;
    struct io_child *child; /* NULL: no process */
    uint64_t restarts;
    uint64_t start_ticks;
    char *last_exit;
    char *last_probe;           /* why it was not ready when last asked */
    off_t log_start;            /* where the log of the present process begins */
    struct mono_ns since;       /* of the start */
    struct sandbox_probe probe; /* its public part is a description too */
    struct io_timer tick;       /* next probe, or next start */
    struct io_timer deadline;   /* to be ready, or to have stopped */
};

void sandbox_unit_init(struct sandbox_unit *unit, const struct sandbox_unit_owner *owner);
void sandbox_unit_start(struct sandbox_unit *unit);
/* Signals it to end, and kills it when it takes too long; on_stopped follows, at once when there
 * is no process. Harmless when repeated. */
void sandbox_unit_stop(struct sandbox_unit *unit);
void sandbox_unit_fini(struct sandbox_unit *unit); /* a running process is left; frees all */

#endif
