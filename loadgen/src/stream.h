/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native engine: a protocol (protocol.h) over connections of our own (line.h), with or without
 * TLS, one request at a time on each. The hot path is one send and one recv; the epoll registration
 * is made when the connection is established and not touched again unless a send would block.
 *
 * Design notes. A connection is one state (table in stream.c) and carries one request at most.
 *
 * A connection that answered before it was lost is opened again at once; one that was lost before
 * its first answer, or could not be made, waits (backoff.h). So a target that accepts and resets
 * cannot spin.
 *
 * Over TLS the handshake is a state of its own, within the connect limit; after it the same code
 * runs, with the record layer in between. An alert before the first answer is a failed attempt to
 * connect: with TLS 1.3 a server refuses a client's certificate after the client's handshake ended.
 */
#ifndef LOAD_STREAM_H
#define LOAD_STREAM_H

#include "driver.h"

extern const struct load_driver load_http1_driver;
extern const struct load_driver load_dialled_http1_driver; /* over connections of dial.h */
extern const struct load_driver load_redis_driver;
extern const struct load_driver load_tcp_driver;

/*
 * The same pipelined, several requests under way on each connection (fifo.c): a protocol on pipes
 * (pipe.h), whose responses come in the order of the requests (RFC 9112 section 9.3.2; Redis). A
 * response that ends its connection leaves those behind it unanswered: LOAD_CAUSE_BEHIND.
 */
extern const struct load_driver load_http1_fifo_driver;
extern const struct load_driver load_redis_fifo_driver;

#endif
