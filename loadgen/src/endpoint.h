/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_ENDPOINT_H
#define LOAD_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* "10.0.0.1:9091", "[::1]:9091", "redis.example:6379": host (free() it) and port, 0 allowed. */
bool load_endpoint_parse(const char *text, char **host, uint16_t *port);

#endif
