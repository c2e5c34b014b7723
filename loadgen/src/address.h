/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of targets, and of this machine to connect from. */
#ifndef LOAD_ADDRESS_H
#define LOAD_ADDRESS_H

#include <sys/socket.h>

#include "model/load.h"

struct load_address {
    struct sockaddr_storage storage;
    socklen_t len;
    size_t number; /* among the target's */
};

bool load_address_parse(const struct load_target *target, size_t number, struct load_address *out,
                        struct base_error *err);
/* The port is left open until connect(2), so that one port serves many targets. errno on failure.
 */
bool load_address_bind(int fd, const struct load_address *source);
/* Whether connections from it can be made; each target is tried for its family. */
bool load_source_check(const struct load_address *source, const char *text,
                       const struct load_address *targets, size_t target_count,
                       struct base_error *err);

static inline const struct sockaddr *load_address_any(const struct load_address *address)
{
    return (const struct sockaddr *)(const void *)&address->storage;
}

#endif
