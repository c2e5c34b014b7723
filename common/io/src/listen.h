/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets. */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include <stdint.h>

#include "base/error.h"

/* A non-blocking listening socket on an IPv4 or IPv6 literal, and the port it got. -1 with err:
 * BASE_UNAVAILABLE when the address is in use. */
int io_listen(const char *address, uint16_t port, uint16_t *out_port, struct base_error *err);

#endif
