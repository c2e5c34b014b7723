/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform on one machine: PostgreSQL, Prometheus, two users, two gateways and squall-agent,
 * owned by one supervisor process. As root each instance has its own network namespace on one
 * bridge and its own cgroup ("netns"); otherwise its own loopback address ("loopback").
 *
 * Environment: SQUALL_STATE (state root), SQUALL_PROGRAMS (folder of squall-users, squall-gateway
 * and squall-agent when they are not beside squall), SQUALL_POSTGRES_BIN (folder of initdb and
 * postgres).
 *
 * All functions block. Those that take a sink say what they do through it, a line at a time.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

#define SANDBOX_DEFAULT_NAME "default"

struct sandbox_options {
    const char *name;   /* NULL: SANDBOX_DEFAULT_NAME; letters, digits and '-', at most 32 */
    const char *state;  /* the state root; NULL: as the environment says */
    const char *mode;   /* "netns", "loopback"; NULL or "auto": what this machine and user can */
    const char *subnet; /* "10.20.30.0/24", for loopback "127.20.30.0/24"; NULL: a free one */
    struct dur_ns ready_timeout; /* of each service, from its own start; 0: 30 s */
    bool
        only_new; /* one that runs already is an error (BASE_UNAVAILABLE): it is not ours to stop */
    bool detached; /* started by sandbox_up: says "@ready", "@busy" or "@error <code> <message>"
                    * as its last line, and gives up its standard output and error */
};

struct sandbox_sink {
    void *ctx;
    void (*line)(void *ctx, const char *text); /* without a newline */
};

enum sandbox_result {
    SANDBOX_DONE,
    SANDBOX_FAILED,  /* err says why; nothing was left running */
    SANDBOX_ABORTED, /* SIGINT or SIGTERM came first; nothing was left running */
    SANDBOX_BUSY     /* another supervisor owns this sandbox */
};

/* Starts the platform behind a supervisor that outlives the caller, or finds it running already,
 * unless only_new.
 * Runs /proc/self/exe with "up --foreground --detached" and the options. */
enum sandbox_result sandbox_up(const struct sandbox_options *options,
                               const struct sandbox_sink *sink, struct base_error *err);
/* The supervisor itself: starts the platform, keeps it running until SIGINT, SIGTERM or
 * sandbox_down, takes it down. DONE when it was ready and then asked to end. */
enum sandbox_result sandbox_supervise(const struct sandbox_options *options,
                                      const struct sandbox_sink *sink, struct base_error *err);
/* Stops everything and removes what the sandbox put on this machine; works without a supervisor
 * too. The database and the logs stay for the next start, unless purge. */
bool sandbox_down(const struct sandbox_options *options, bool purge,
                  const struct sandbox_sink *sink, struct base_error *err);

/* {"name","state":"down"|"starting"|"running"|"stopping"|"crashed","healthy":bool,"dir",
 *  "supervisor":{"pid"}|null,"topology":{...}|null,"statuses":[{as statusFile, "alive":bool}]}.
 * json_decref() it; NULL with err. */
json_t *sandbox_status(const struct sandbox_options *options, struct base_error *err);
void sandbox_status_text(const json_t *status, struct base_buf *out);

/* The topology.json of a running sandbox; state NULL as in the options. BASE_NOT_FOUND, with the
 * command that starts it, when it is not up. */
bool sandbox_topology_path(const char *name, const char *state, struct base_buf *out,
                           struct base_error *err);

/* Calls on_topology with the topology.json of every sandbox (or of the one named) that has one,
 * also when its supervisor died: its agent may be alive. */
bool sandbox_each_topology(const char *state, const char *name,
                           void (*on_topology)(void *ctx, const char *path), void *ctx,
                           struct base_error *err);

#endif
