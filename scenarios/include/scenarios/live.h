/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner on the real world: squall-load as a child process, squall-agent and Prometheus over
 * HTTP, the run directory on disk, the clock of this machine. Blocks until the run is finished and
 * every fault is gone (or known not to be); SIGINT, SIGTERM and SIGHUP end the run early; a SIGHUP
 * that was ignored before (nohup) does not. A caller may hold them blocked: they are let in while
 * the run goes on, and blocked again at its end.
 */
#ifndef SCENARIOS_LIVE_H
#define SCENARIOS_LIVE_H

#include "scenarios/run.h"

struct live_config {
    const struct plan *plan;
    const char *run_dir;      /* exists and is writable */
    const char *load_program; /* path of squall-load */
    int terminal;             /* whose Enter key lets a suspended run go on; -1: none */
    /* Each event as it goes on the timeline, for progress on a terminal; may be NULL. */
    void (*on_event)(void *ctx, const char *type, const json_t *fields);
    void *ctx;
};

/* false: the run could not even begin (nothing was touched). true: *out says how it ended; free
 * out->why. */
bool live_run(const struct live_config *config, struct run_outcome *out, struct base_error *err);

#endif
