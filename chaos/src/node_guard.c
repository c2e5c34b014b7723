/* SPDX-License-Identifier: Apache-2.0 */
#include "node_guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

enum { later_ms = 100 };

struct fault_node_guard {
    struct fault_satellite *satellite;
    struct fault_node_guard_spec spec;
    struct dur_ns left;
    char *words[FAULT_NODE_GUARD_WORDS + 1];
    bool executed; /* its first word is said before it is the watchdog */
    bool ended;
};

/* In the satellite, which has nothing open but its line. */
static void execute(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_node_guard *guard = ctx;
    (void)deadline; /* among the words */
    if (line == FAULT_NODE_GUARD_LINE)
        (void)fcntl(line, F_SETFD, 0);
    else
        (void)dup2(line, FAULT_NODE_GUARD_LINE);
    (void)execve("/proc/self/exe", guard->words, environ);
}

static void on_held(void *ctx)
{
    struct fault_node_guard *guard = ctx;
    struct base_error err = {0};
    if (guard->executed)
        guard->spec.on_held(guard->spec.ctx);
    else
        (void)fault_node_guard_renew(guard, guard->left, &err); /* else its end follows */
    guard->executed = true;
}

static void on_end(void *ctx)
{
    struct fault_node_guard *guard = ctx;
    guard->ended = true;
    guard->spec.on_end(guard->spec.ctx);
}

static struct mono_ns deadline_of(struct dur_ns left)
{
    return base_mono_add(base_mono_now(), (struct dur_ns){left.ns + later_ms * BASE_NS_PER_MS});
}

struct fault_node_guard *fault_node_guard_start(struct io_loop *loop,
                                                const struct fault_node_guard_spec *spec,
                                                struct dur_ns left, struct base_error *err)
{
    struct fault_node_guard *guard = base_calloc(1, sizeof *guard);
    struct mono_ns deadline = deadline_of(left);
    *guard = (struct fault_node_guard){.spec = *spec, .left = left};
    guard->spec.marks = NULL;
    guard->words[0] = base_str_dup(FAULT_NODE_GUARD_NAME);
    guard->words[1] = base_str_dup(FAULT_NODE_GUARD_WORD);
    guard->words[2] = base_str_printf("%lld", (long long)deadline.ns);
    guard->words[3] = model_json_dump_line(spec->marks);
    const struct fault_satellite_spec satellite = {
        .name = FAULT_NODE_GUARD_NAME,
        .run = execute,
        .run_ctx = guard,
        .on_held = on_held,
        .on_end = on_end,
        .ctx = guard,
    };
    guard->satellite = fault_satellite_start(loop, &satellite, deadline, err);
    if (guard->satellite != NULL)
        return guard;
    fault_node_guard_free(guard);
    return NULL;
}

bool fault_node_guard_renew(struct fault_node_guard *guard, struct dur_ns left,
                            struct base_error *err)
{
    return fault_satellite_renew(guard->satellite, deadline_of(left), err) ||
           base_fail_context(err, "the watchdog");
}

void fault_node_guard_kill(struct fault_node_guard *guard)
{
    fault_satellite_kill(guard->satellite);
}

bool fault_node_guard_ended(const struct fault_node_guard *guard)
{
    return guard->ended;
}

pid_t fault_node_guard_pid(const struct fault_node_guard *guard)
{
    return fault_satellite_pid(guard->satellite);
}

const struct base_error *fault_node_guard_why(const struct fault_node_guard *guard)
{
    return fault_satellite_why(guard->satellite);
}

void fault_node_guard_free(struct fault_node_guard *guard)
{
    if (guard == NULL)
        return;
    fault_satellite_free(guard->satellite);
    for (size_t i = 0; i < FAULT_NODE_GUARD_WORDS; i++)
        free(guard->words[i]);
    free(guard);
}
