/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_half.h"

#include <errno.h>
#include <sys/socket.h>

void proxy_half_init(struct proxy_half *half, size_t room)
{
    *half = (struct proxy_half){.room = room};
    base_buf_init(&half->in, room + PROXY_HALF_CHUNK);
    base_buf_init(&half->out, 2 * (room + PROXY_HALF_CHUNK));
}

void proxy_half_fini(struct proxy_half *half)
{
    base_buf_fini(&half->in);
    base_buf_fini(&half->out);
}

void proxy_half_move(struct proxy_half *half, size_t n)
{
    (void)base_buf_append(&half->out, half->in.data, n);
    base_buf_consume(&half->in, n);
}

bool proxy_half_wants(const struct proxy_half *half)
{
    return !half->ended && half->in.len < half->room;
}

static bool is_for_now(int sys)
{
    return sys == EAGAIN || sys == EINTR;
}

static ssize_t read_more(struct proxy_half *half, int fd)
{
    char *at = base_buf_reserve(&half->in, PROXY_HALF_CHUNK);
    if (at == NULL) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t n = recv(fd, at, PROXY_HALF_CHUNK, MSG_DONTWAIT);
    if (n > 0) {
        half->in.len += (size_t)n;
        half->in.data[half->in.len] = '\0';
    }
    return n;
}

bool proxy_half_fill(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end from)
{
    struct proxy_half *half = &halves[from];
    if (!proxy_half_wants(half))
        return false;
    ssize_t n = read_more(half, proxy_conn_fd(conn, from));
    if (n < 0 && is_for_now(errno))
        return false;
    if (half->unwanted)
        base_buf_clear(&half->in);
    half->ended = n <= 0;
    half->reset = n < 0;
    if (half->reset && from == PROXY_CLIENT)
        proxy_conn_close(conn, PROXY_RESET);
    return true;
}

bool proxy_half_drain(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end to)
{
    struct proxy_half *half = &halves[proxy_other(to)];
    if (half->out.len == 0)
        return false;
    ssize_t n =
        send(proxy_conn_fd(conn, to), half->out.data, half->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && is_for_now(errno))
        return false;
    if (n >= 0) {
        base_buf_consume(&half->out, (size_t)n);
        return n > 0;
    }
    half->unwanted = true;
    base_buf_clear(&half->in);
    base_buf_clear(&half->out);
    if (to == PROXY_CLIENT)
        proxy_conn_close(conn, PROXY_RESET);
    return true;
}

void proxy_half_pass_end(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end from)
{
    halves[from].shut = true;
    (void)shutdown(proxy_conn_fd(conn, proxy_other(from)), SHUT_WR);
}

bool proxy_half_server_reset(const struct proxy_half halves[2])
{
    const struct proxy_half *answers = &halves[PROXY_SERVER];
    return answers->ended && answers->in.len == 0 && answers->out.len == 0 &&
           (answers->reset || halves[PROXY_CLIENT].unwanted);
}
