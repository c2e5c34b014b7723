/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_flow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "proxy_fd.h"

enum { pipe_bytes = 256 * 1024, moves_a_turn = 16 };

void proxy_flow_init(struct proxy_flow *flow, uint64_t budget)
{
    *flow = (struct proxy_flow){.budget = budget};
}

void proxy_flow_fini(struct proxy_flow *flow)
{
    if (flow->pipe[0] == flow->pipe[1])
        return;
    base_fd_close(&flow->pipe[0]);
    base_fd_close(&flow->pipe[1]);
    *flow = (struct proxy_flow){0};
}

static bool make_pipe(struct proxy_flow *flow)
{
    if (flow->pipe[0] != flow->pipe[1])
        return true;
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return false;
    ends[0] = proxy_fd_keep(ends[0]);
    ends[1] = proxy_fd_keep(ends[1]);
    if (ends[0] < 0 || ends[1] < 0) {
        base_fd_close(&ends[0]);
        base_fd_close(&ends[1]);
        return false;
    }
    memcpy(flow->pipe, ends, sizeof ends);
    (void)fcntl(flow->pipe[1], F_SETPIPE_SZ, pipe_bytes); /* smaller is only slower */
    return true;
}

/* false: nothing was taken in, see *result */
static bool take_in(struct proxy_flow *flow, int from, enum proxy_moved *result)
{
    size_t want = flow->budget < pipe_bytes ? (size_t)flow->budget : pipe_bytes;
    ssize_t n = splice(from, NULL, flow->pipe[1], NULL, want, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
        flow->held = (size_t)n;
        flow->budget -= (uint64_t)n;
        flow->ended = flow->budget == 0;
        return true;
    }
    if (n == 0) {
        flow->ended = true;
        *result = PROXY_ENDED;
    } else {
        *result = errno == EAGAIN || errno == EINTR ? PROXY_WANTS_READ : PROXY_SOURCE_GONE;
    }
    return false;
}

enum proxy_moved proxy_flow_move(struct proxy_flow *flow, int from, int to)
{
    enum proxy_moved result = PROXY_WANTS_READ;
    if (!make_pipe(flow))
        return PROXY_NO_PIPE;
    for (int i = 0; i < moves_a_turn; i++) {
        if (flow->held == 0) {
            if (flow->ended || flow->budget == 0)
                return PROXY_ENDED;
            if (!take_in(flow, from, &result))
                return result;
        }
        ssize_t n =
            splice(flow->pipe[0], NULL, to, NULL, flow->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR) ? PROXY_WANTS_WRITE
                                                                : PROXY_SINK_GONE;
        flow->held -= (size_t)n;
        flow->moved += (uint64_t)n;
    }
    return flow->held > 0 ? PROXY_WANTS_WRITE : PROXY_WANTS_READ;
}
