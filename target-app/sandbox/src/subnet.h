/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 networks as values, and the choice of a free /24 (pure). */
#ifndef SANDBOX_SUBNET_H
#define SANDBOX_SUBNET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sandbox_subnet {
    uint32_t base; /* host byte order, host bits zero */
    unsigned bits; /* prefix length, 0..32 */
};

enum { SANDBOX_ADDRESS_TEXT = 16, SANDBOX_SUBNET_TEXT = 20 };

/* "10.1.2.0/24"; a bare address is a /32. Host bits are cleared. */
bool sandbox_subnet_parse(const char *text, struct sandbox_subnet *out);
void sandbox_subnet_format(struct sandbox_subnet subnet, char out[static SANDBOX_SUBNET_TEXT]);
bool sandbox_subnet_overlap(struct sandbox_subnet a, struct sandbox_subnet b);
void sandbox_address_format(struct sandbox_subnet subnet, unsigned host,
                            char out[static SANDBOX_ADDRESS_TEXT]);

/* The first of 10.64.0.0/24 .. 10.255.255.0/24 (loopback: 127.64.0.0/24 .. 127.254.255.0/24) that
 * overlaps none of used, beginning at a place given by seed and going on from `*attempt`, which
 * becomes the number to continue with. BASE_LIMIT when all are taken. */
bool sandbox_subnet_choose(bool loopback, uint64_t seed, const struct sandbox_subnet *used,
                           size_t count, unsigned *attempt, struct sandbox_subnet *out,
                           struct base_error *err);
/* A subnet the user gave: a /24 of the right kind that overlaps none of used. */
bool sandbox_subnet_accept(const char *text, bool loopback, const struct sandbox_subnet *used,
                           size_t count, struct sandbox_subnet *out, struct base_error *err);

#endif
