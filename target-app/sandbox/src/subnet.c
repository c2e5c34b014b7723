/* SPDX-License-Identifier: Apache-2.0 */
#include "subnet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static uint32_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

bool sandbox_subnet_parse(const char *text, struct sandbox_subnet *out)
{
    char address[SANDBOX_ADDRESS_TEXT];
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t bits = 32;
    struct in_addr parsed;
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, &parsed) != 1)
        return false;
    if (slash != NULL && (!base_parse_u64(slash + 1, &bits) || bits > 32))
        return false;
    out->bits = (unsigned)bits;
    out->base = ntohl(parsed.s_addr) & mask_of(out->bits);
    return true;
}

static void dotted(uint32_t address, char out[static SANDBOX_ADDRESS_TEXT])
{
    (void)snprintf(out, SANDBOX_ADDRESS_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                   address >> 8 & 255, address & 255);
}

void sandbox_subnet_format(struct sandbox_subnet subnet, char out[static SANDBOX_SUBNET_TEXT])
{
    char address[SANDBOX_ADDRESS_TEXT];
    dotted(subnet.base, address);
    (void)snprintf(out, SANDBOX_SUBNET_TEXT, "%s/%u", address, subnet.bits % 33);
}

bool sandbox_subnet_overlap(struct sandbox_subnet a, struct sandbox_subnet b)
{
    uint32_t mask = mask_of(a.bits < b.bits ? a.bits : b.bits);
    return (a.base & mask) == (b.base & mask);
}

void sandbox_address_format(struct sandbox_subnet subnet, unsigned host,
                            char out[static SANDBOX_ADDRESS_TEXT])
{
    dotted(subnet.base | (host & ~mask_of(subnet.bits)), out);
}

static const struct sandbox_subnet *first_overlap(struct sandbox_subnet subnet,
                                                  const struct sandbox_subnet *used, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sandbox_subnet_overlap(subnet, used[i]))
            return &used[i];
    return NULL;
}

bool sandbox_subnet_choose(bool loopback, uint64_t seed, const struct sandbox_subnet *used,
                           size_t count, unsigned *attempt, struct sandbox_subnet *out,
                           struct base_error *err)
{
    uint32_t net = loopback ? UINT32_C(127) << 24 : UINT32_C(10) << 24;
    uint32_t span = (loopback ? 191U : 192U) * 256U; /* 127.255.255.0/24 holds the broadcast */
    for (unsigned i = *attempt; i < span; i++) {
        uint32_t pick = (uint32_t)((seed + i) % span);
        struct sandbox_subnet subnet = {net | ((64U << 16) + (pick << 8)), 24};
        if (first_overlap(subnet, used, count) != NULL)
            continue;
        *attempt = i + 1;
        *out = subnet;
        return true;
    }
    return base_fail(err, BASE_LIMIT,
                     "no free /24 from %s: existing routes, addresses or sandboxes cover them all; "
                     "name a free one with --subnet A.B.C.0/24",
                     loopback ? "127.64.0.0 on" : "10.64.0.0 on");
}

bool sandbox_subnet_accept(const char *text, bool loopback, const struct sandbox_subnet *used,
                           size_t count, struct sandbox_subnet *out, struct base_error *err)
{
    struct sandbox_subnet subnet;
    if (!sandbox_subnet_parse(text, &subnet) || subnet.bits != 24)
        return base_fail(err, BASE_INVALID, "--subnet %s: expected a network like 10.20.30.0/24",
                         text);
    if (loopback != (subnet.base >> 24 == 127))
        return base_fail(err, BASE_INVALID, "--subnet %s: %s", text,
                         loopback ? "without network namespaces it must lie in 127.0.0.0/8"
                                  : "127.0.0.0/8 cannot be shared between network namespaces");
    const struct sandbox_subnet *other = first_overlap(subnet, used, count);
    if (other != NULL) {
        char taken[SANDBOX_SUBNET_TEXT];
        sandbox_subnet_format(*other, taken);
        return base_fail(err, BASE_UNAVAILABLE,
                         "--subnet %s is in use: it overlaps %s, an address, route or sandbox of "
                         "this machine; choose another or leave --subnet out",
                         text, taken);
    }
    *out = subnet;
    return true;
}
