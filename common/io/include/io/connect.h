/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connect with a limit on patience: whether somebody takes connections there. The
 * connection is closed as soon as that is known. */
#ifndef IO_CONNECT_H
#define IO_CONNECT_H

#include <sys/socket.h>

#include "io/loop.h"

struct io_connect;

struct io_connect_result {
    bool connected;
    int sys; /* errno when not; ETIMEDOUT also when our own patience ended */
    struct dur_ns elapsed;
    /* How long the peer took to answer, by the kernel's own clock (tcpi_rtt after a handshake):
     * what this process waits for a processor is not in it. 0: not known. */
    struct dur_ns handshake;
};

/* fd: a non-blocking socket, taken over. on_done fires once, on the loop and never from inside this
 * call, unless cancelled; the attempt is freed before it fires. Never NULL. */
struct io_connect *io_connect_start(struct io_loop *loop, int fd, const struct sockaddr *address,
                                    socklen_t len, struct dur_ns patience,
                                    void (*on_done)(void *ctx, const struct io_connect_result *),
                                    void *ctx);
void io_connect_cancel(struct io_connect *connect); /* accepts NULL */
/* "connected in 1.2ms", "Connection refused after 40us", "no answer in 500ms". */
void io_connect_describe(const struct io_connect_result *result, char *out, size_t size);

#endif
