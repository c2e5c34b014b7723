/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "hang_up.h"

static const bool allowed[PHASES][PHASES] = {
    [RECEIVING] = {[HANDLING] = true, [REPLIED] = true}, /* replied: refused by ourselves */
    [HANDLING] = {[WAITING] = true, [REPLIED] = true},
    [WAITING] = {[REPLIED] = true, [ABANDONED] = true},
};

bool io_exchange_move(struct io_exchange *exchange, enum phase to)
{
    if (!allowed[exchange->phase][to])
        return false;
    exchange->phase = to;
    return true;
}

const char *io_exchange_method(const struct io_exchange *exchange)
{
    return exchange->method;
}

const char *io_exchange_path(const struct io_exchange *exchange)
{
    return exchange->path;
}

const char *io_exchange_target(const struct io_exchange *exchange)
{
    return exchange->target;
}

const char *io_exchange_body(const struct io_exchange *exchange, size_t *len)
{
    if (len != NULL)
        *len = exchange->body.len;
    return exchange->body.data;
}

void io_exchange_peer(const struct io_exchange *exchange, char out[static IO_PEER_TEXT])
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[48];
    char port[8];
    out[0] = '\0';
    if (getpeername(exchange->peer->fd, (struct sockaddr *)&address, &len) < 0 ||
        getnameinfo((const struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    (void)snprintf(out, IO_PEER_TEXT, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

struct mono_ns io_exchange_received(const struct io_exchange *exchange)
{
    return exchange->received;
}

void io_exchange_set_ctx(struct io_exchange *exchange, void *ctx)
{
    exchange->ctx = ctx;
}

void *io_exchange_ctx(const struct io_exchange *exchange)
{
    return exchange->ctx;
}

void io_exchange_add_header(struct io_exchange *exchange, const char *name, const char *value)
{
    size_t before = exchange->headers.len;
    if (base_buf_append(&exchange->headers, name, strlen(name) + 1) &&
        base_buf_append(&exchange->headers, value, strlen(value) + 1))
        return;
    exchange->headers.failed = false; /* this one is left out, whole */
    exchange->headers.len = before;
}
