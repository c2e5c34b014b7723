/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fault without a run, kept for as long as somebody is there: applied, its lease renewed, and
 * reverted by SIGINT, SIGTERM or SIGHUP, by its own `for`, or by its lease when this process dies.
 * Blocks until the fault is measured gone or known not to be.
 */
#ifndef SCENARIOS_FAULT_SESSION_H
#define SCENARIOS_FAULT_SESSION_H

#include "model/fault.h"
#include "scenarios/control.h"

enum fault_session_end {
    FAULT_SESSION_ENDED,   /* it was in force, and is measured gone */
    FAULT_SESSION_REFUSED, /* nothing was done: error says why */
    FAULT_SESSION_FAILED,  /* it had no effect, or ended before its time; it is gone */
    FAULT_SESSION_HALTED,  /* somebody halted the agent */
    FAULT_SESSION_UNCLEAN  /* it may still be in place: error says why */
};

struct fault_session_config {
    struct control_agent agent;
    const struct fault_spec *spec;
    /* What has just become of it: "applying", "active", "reverting", "gone"...; record may be NULL.
     */
    void (*on_news)(void *ctx, const char *what, const struct fault_record *record);
    void *ctx;
};

/* false: it could not even begin. true: *out says how it ended, and *why (free() it; may be NULL)
 * the reason. */
bool fault_session_run(const struct fault_session_config *config, enum fault_session_end *out,
                       char **why, struct base_error *err);

#endif
