/* SPDX-License-Identifier: Apache-2.0 */
/* Halt: every agent is told to revert everything, all at once, without any controller's help. */
#ifndef SCENARIOS_HALT_H
#define SCENARIOS_HALT_H

#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/tls.h"

enum halt_result {
    HALT_UNREACHABLE, /* error says why: a fault may still be in place */
    HALT_CLEAN,       /* nothing is in place any more, as measured by the agent */
    HALT_STUCK        /* error names what could not be shown to be gone */
};

struct halt_agent {
    const char *url;         /* borrowed */
    const char *token_file;  /* borrowed */
    struct io_tls_files tls; /* of an https:// url */
    enum halt_result result;
    size_t faults; /* of the last hour, those halted now among them */
    char *error;   /* NULL, or free() it */
};

/* Asks all at once and fills in their results. false: nobody could be asked. */
bool halt_agents(struct halt_agent *agents, size_t count, struct dur_ns patience,
                 struct base_error *err);

#endif
