/* SPDX-License-Identifier: Apache-2.0 */
/* A halt ends what stands, and keeps what was on its way from being applied later. */
#include <string.h>

#include "agent_state.h"
#include "base/text.h"

static bool is_marked(const struct agent *agent, const char *run)
{
    const char *end = agent->halted.data + agent->halted.len;
    for (const char *at = agent->halted.data; at < end; at += strlen(at) + 1)
        if (base_str_eq(at, run))
            return true;
    return false;
}

bool agent_is_halted(const struct agent *agent, const struct fault_spec *spec)
{
    struct wall_ns halted = agent_journal_halted(agent->journal);
    bool before = halted.ns > 0 && spec->started.ns <= halted.ns;
    return before || is_marked(agent, spec->run);
}

static void mark_halted(struct agent *agent, const char *run)
{
    if (is_marked(agent, run))
        return;
    if (agent->halted_count == AGENT_MAX_HALTED) {
        base_buf_consume(&agent->halted, strlen(agent->halted.data) + 1);
        agent->halted_count--;
    }
    if (base_buf_append(&agent->halted, run, strlen(run) + 1))
        agent->halted_count++;
}

static void on_past_run(void *ctx, const char *run)
{
    mark_halted(ctx, run);
}

void agent_halt(struct agent *agent)
{
    agent_past_runs(agent->past, on_past_run, agent);
    for (size_t i = 0; i < agent->fault_count; i++)
        mark_halted(agent, fault_spec_of(agent->faults[i])->run);
    for (size_t i = 0; i < agent->fault_count; i++)
        fault_end(agent->faults[i], FAULT_END_HALT);
    agent->halt_error = (struct base_error){.code = BASE_OK};
    if (!agent_journal_halt(agent->journal, base_wall_now(), &agent->halt_error))
        base_log_text(agent->log, BASE_ERROR, agent->halt_error.message);
}

void agent_refuse_halted(const struct agent *agent, const struct fault_spec *spec,
                         struct base_error *err)
{
    char started[BASE_WALL_TEXT];
    char halted[BASE_WALL_TEXT];
    base_wall_format(spec->started, started);
    base_wall_format(agent_journal_halted(agent->journal), halted);
    (void)base_fail(err, BASE_DENIED,
                    "run %s started at %s and this agent was halted at %s: it may not inject any "
                    "more; start a new run",
                    spec->run, started, halted);
}
