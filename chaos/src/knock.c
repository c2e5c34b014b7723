/* SPDX-License-Identifier: Apache-2.0 */
/* A series of TCP connects: each a round trip, and closed at once. Timed by the kernel: to make a
 * socket in a namespace takes a thread, and on a busy machine as long as a delay to be shown. */
#include <stdlib.h>

#include "base/text.h"
#include "connect.h"
#include "probe.h"

struct knock {
    struct fault_probe *probe;
    size_t index;
    struct io_connect *connect; /* NULL: not under way */
};

static bool knock_open(struct fault_probe *probe, struct base_error *err)
{
    (void)err;
    struct fault_probe_task *task = fault_probe_task_of(probe);
    struct knock *knocks = base_calloc(task->plan.count, sizeof *knocks);
    for (size_t i = 0; i < task->plan.count; i++)
        knocks[i] = (struct knock){.probe = probe, .index = i};
    task->state = knocks;
    return true;
}

static void on_connect(void *ctx, const struct io_connect_result *result)
{
    struct knock *knock = ctx;
    knock->connect = NULL;
    if (result->connected)
        fault_probe_answered(knock->probe, knock->index, result->handshake);
}

static bool knock_send(struct fault_probe *probe, size_t index, struct base_error *err)
{
    struct fault_probe_task *task = fault_probe_task_of(probe);
    struct knock *knock = &((struct knock *)task->state)[index];
    knock->connect = fault_connect_start(task->loop, task->netns, task->peer, task->plan.patience,
                                         on_connect, knock, err);
    return knock->connect != NULL;
}

static void knock_close(struct fault_probe *probe)
{
    struct fault_probe_task *task = fault_probe_task_of(probe);
    struct knock *knocks = task->state;
    for (size_t i = 0; knocks != NULL && i < task->plan.count; i++)
        io_connect_cancel(knocks[i].connect);
    free(knocks);
    task->state = NULL;
}

const struct fault_probe_ops fault_probe_connect = {
    .open = knock_open, .send = knock_send, .close = knock_close};
