/* SPDX-License-Identifier: Apache-2.0 */
/* Removes what a sandbox put on this machine, whoever started it and however that ended. Only
 * what is provably its own: members of its cgroup, processes whose pid and start time its status
 * files name, links and namespaces with its names. */
#ifndef SANDBOX_SWEEP_H
#define SANDBOX_SWEEP_H

#include "base/error.h"
#include "place.h"

struct sandbox_leftovers {
    bool processes;
    bool network;
    bool groups;
};

void sandbox_leftovers(const struct sandbox_place *place, struct sandbox_leftovers *out);
/* Under sandbox_lock. Processes are asked to end first (PostgreSQL by SIGINT), then killed. Runs to
 * its end whatever fails; err holds the first failure. */
bool sandbox_sweep(const struct sandbox_place *place, struct base_error *err);

#endif
