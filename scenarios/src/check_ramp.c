/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for faults that grow. What would be too little in the first step the agent would refuse,
 * but only after the load has begun. */
#include "check_ramp.h"

#include <inttypes.h>

#include "intensity.h"

enum { least_rate = 64 << 10, message_bytes = 1 << 20 };

static void check_io(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    uint64_t steps = (uint64_t)fault->ramp.steps;
    bool bounded = fault->io.rate > 0;
    scn_at(reporter, "spec.faults[%zu].io.%s", i, bounded ? "rate" : "workers");
    if (bounded && fault->io.rate / steps < least_rate)
        scn_say(reporter, "the first step of the ramp would have less than 64KiB a second, "
                          "expected more of them, or fewer steps");
    if (!bounded && fault->io.workers < fault->ramp.steps)
        scn_say(reporter,
                "without a rate it is the number of workers that grows, expected at least as many "
                "as the ramp has steps (%" PRId64 "), or a rate",
                fault->ramp.steps);
}

static void check_rabbitmq(struct scn_reporter *reporter, const struct scn_fault *fault, size_t i)
{
    uint64_t steps = (uint64_t)fault->ramp.steps;
    if (fault->rabbitmq.action != FAULT_RABBITMQ_FILL) {
        scn_say(reporter, fault->rabbitmq.action == FAULT_RABBITMQ_CLOSE
                              ? "closeConnections does not grow: it closes all of them"
                              : "stopNode does not grow: a node is cut off or it is not");
        return;
    }
    scn_at(reporter, "spec.faults[%zu].rabbitmq.fillQueue.size", i);
    if (fault->rabbitmq.bytes / steps < message_bytes)
        scn_say(reporter, "the first step of the ramp would have less than a message of 1MiB, "
                          "expected more of them, or fewer steps");
}

void scn_check_ramp(struct scn_reporter *reporter, size_t i)
{
    const struct scn_fault *fault = &reporter->scenario->faults[i];
    if (fault->ramp.steps <= 0)
        return;
    const char *refused = scn_growth_refused(fault->kind);
    scn_at(reporter, "spec.faults[%zu].ramp", i);
    if (fault->repeat.times > 0)
        scn_say(reporter, "beside \"repeat\", expected one of them");
    else if (refused != NULL)
        scn_say(reporter, "%s does not grow: %s", fault_kind_name(fault->kind), refused);
    else if (fault->duration.ns < fault->ramp.steps * BASE_NS_PER_S)
        scn_say(reporter,
                "%" PRId64 " steps in less than as many seconds, expected at least 1s for "
                "each, which applying and measuring it takes",
                fault->ramp.steps);
    else if (fault->kind == FAULT_APP && (fault->app.unready || fault->app.dependency != NULL))
        scn_say(reporter, "%s does not grow: it is there or it is not",
                fault->app.unready ? "app.unready" : "app.dependency");
    else if (fault->kind == FAULT_IO)
        check_io(reporter, fault, i);
    else if (fault->kind == FAULT_RABBITMQ)
        check_rabbitmq(reporter, fault, i);
}
