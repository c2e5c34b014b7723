/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipelining: a protocol (protocol.h) on pipes (pipe.h), several requests under way on each
 * connection, whose responses come in the order of the requests (RFC 9112 section 9.3.2; Redis).
 *
 * A response that ends its connection leaves those behind it unanswered: LOAD_CAUSE_BEHIND.
 */
#ifndef LOAD_FIFO_H
#define LOAD_FIFO_H

#include "driver.h"

extern const struct load_driver load_http1_fifo_driver;
extern const struct load_driver load_redis_fifo_driver;

#endif
