/* SPDX-License-Identifier: Apache-2.0 */
#include "model/block.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

bool addr_is_block(const char *text)
{
    return strchr(text, '/') != NULL;
}

static size_t bytes_of(int family)
{
    return family == AF_INET ? 4 : ADDR_BYTES;
}

static bool parse_address(const char *text, int *family, unsigned char *bytes)
{
    *family = AF_INET;
    if (inet_pton(AF_INET, text, bytes) == 1)
        return true;
    *family = AF_INET6;
    return inet_pton(AF_INET6, text, bytes) == 1;
}

/* Of the byte, those bits that lie behind the first `bits` of the whole. */
static unsigned char host_bits(uint64_t bits, size_t byte)
{
    uint64_t before = (uint64_t)byte * 8;
    if (bits >= before + 8)
        return 0;
    return (unsigned char)(bits <= before ? 0xff : 0xff >> (bits - before));
}

struct addr_block addr_block_of(int family, const unsigned char *bytes, unsigned count)
{
    struct addr_block block = {.family = family};
    for (size_t i = 0; i < bytes_of(family); i++) {
        unsigned char rest = host_bits(count, i);
        block.first[i] = (unsigned char)(bytes[i] & ~rest);
        block.last[i] = (unsigned char)(bytes[i] | rest);
    }
    return block;
}

unsigned addr_block_bits(const struct addr_block *block)
{
    unsigned most = (unsigned)bytes_of(block->family) * 8;
    unsigned bits = 0;
    while (bits < most &&
           ((block->first[bits / 8] ^ block->last[bits / 8]) & 0x80 >> bits % 8) == 0)
        bits++;
    return bits;
}

bool addr_block_parse(const char *text, struct addr_block *out, struct base_error *err)
{
    struct addr_block block = {.family = AF_INET};
    char meant[INET6_ADDRSTRLEN] = "";
    uint64_t bits = 0;
    bool whole = true;
    BASE_AUTO_FREE char *address = base_str_dup(text);
    char *slash = strchr(address, '/');
    if (slash != NULL)
        *slash = '\0';
    if (slash == NULL || !parse_address(address, &block.family, block.first) ||
        !base_parse_u64(slash + 1, &bits) || bits > bytes_of(block.family) * 8)
        return base_fail(err, BASE_INVALID,
                         "\"%.60s\" is no block of addresses, expected one such as 10.1.0.0/16 or "
                         "fd00:1::/64",
                         text);
    for (size_t i = 0; i < bytes_of(block.family); i++)
        whole = whole && (block.first[i] & host_bits(bits, i)) == 0;
    block = addr_block_of(block.family, block.first, (unsigned)bits);
    (void)inet_ntop(block.family, block.first, meant, sizeof meant);
    if (!whole)
        return base_fail(err, BASE_INVALID,
                         "%.60s says more bits than its length has; the block that holds it is "
                         "%s/%u",
                         text, meant, (unsigned)bits);
    *out = block;
    return true;
}

bool addr_block_spans(const struct addr_block *block, int family, const unsigned char *bytes)
{
    size_t len = bytes_of(block->family);
    return family == block->family && memcmp(block->first, bytes, len) <= 0 &&
           memcmp(bytes, block->last, len) <= 0;
}

bool addr_block_holds(const struct addr_block *block, const char *address)
{
    unsigned char bytes[ADDR_BYTES] = {0};
    int family;
    return parse_address(address, &family, bytes) && addr_block_spans(block, family, bytes);
}

/* "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1" or "10.0.0.1/32". */
static bool is_address(const char *peer, const char *address)
{
    struct addr_block block = {0};
    size_t len = strlen(address);
    if (addr_is_block(peer))
        return addr_block_parse(peer, &block, NULL) && addr_block_holds(&block, address) &&
               memcmp(block.first, block.last, bytes_of(block.family)) == 0;
    if (peer[0] == '[')
        return strncmp(peer + 1, address, len) == 0 && peer[1 + len] == ']';
    return strncmp(peer, address, len) == 0 &&
           (peer[len] == '\0' || (peer[len] == ':' && strchr(address, ':') == NULL));
}

bool addr_is_named(char *const *peers, size_t count, const char *address)
{
    for (size_t i = 0; i < count; i++)
        if (is_address(peers[i], address))
            return true;
    return false;
}

static bool says(char *const *peers, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (base_str_eq(peers[i], word))
            return true;
    return false;
}

static bool overlap(const struct addr_block *a, const struct addr_block *b)
{
    size_t len = bytes_of(a->family);
    return a->family == b->family && memcmp(a->first, b->last, len) <= 0 &&
           memcmp(b->first, a->last, len) <= 0;
}

static bool spares_loopback(const char *text, const struct addr_block *block,
                            struct base_error *err)
{
    static const char *const loopbacks[] = {"127.0.0.0/8", "::1/128"};
    for (size_t i = 0; i < sizeof loopbacks / sizeof *loopbacks; i++) {
        struct addr_block loopback = {0};
        if (addr_block_parse(loopbacks[i], &loopback, err) && overlap(block, &loopback))
            return base_fail(err, BASE_DENIED,
                             "%s holds loopback addresses (%s), by which a target speaks to "
                             "itself; name smaller blocks",
                             text, loopbacks[i]);
    }
    return true;
}

static bool spares_observers(const struct topo *topo, char *const *peers, size_t count,
                             const char *text, const struct addr_block *block,
                             struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++) {
        const struct topo_service *service = &topo->services[s];
        for (size_t i = 0; service->observability && i < service->instance_count; i++) {
            const struct topo_instance *instance = &service->instances[i];
            if (addr_block_holds(block, instance->address) && !says(peers, count, service->name) &&
                !says(peers, count, instance->name) &&
                !addr_is_named(peers, count, instance->address))
                return base_fail(err, BASE_DENIED,
                                 "%s holds %s (%s), which observes the platform: without it a run "
                                 "can prove nothing; name \"%s\" beside the block to hit it all "
                                 "the same, or name smaller blocks",
                                 text, instance->name, instance->address, service->name);
        }
    }
    return true;
}

bool addr_blocks_check(const struct topo *topo, char *const *peers, size_t count,
                       struct base_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct addr_block block = {0};
        if (!addr_is_block(peers[i]))
            continue;
        if (!addr_block_parse(peers[i], &block, err) || !spares_loopback(peers[i], &block, err) ||
            !spares_observers(topo, peers, count, peers[i], &block, err))
            return false;
    }
    return true;
}

bool addr_next(int family, unsigned char *bytes)
{
    for (size_t i = bytes_of(family); i-- > 0;) {
        bytes[i]++;
        if (bytes[i] != 0)
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct addr_block *)a)->first, ((const struct addr_block *)b)->first,
                  ADDR_BYTES);
}

size_t addr_blocks_merge(struct addr_block *blocks, size_t count)
{
    size_t kept = 0;
    qsort(blocks, count, sizeof *blocks, compare);
    for (size_t i = 0; i < count; i++) {
        unsigned char behind[ADDR_BYTES];
        struct addr_block *before = kept > 0 ? &blocks[kept - 1] : NULL;
        if (before != NULL)
            memcpy(behind, before->last, sizeof behind);
        bool apart = before == NULL || (addr_next(before->family, behind) &&
                                        memcmp(blocks[i].first, behind, sizeof behind) > 0);
        if (apart)
            blocks[kept++] = blocks[i];
        else if (memcmp(before->last, blocks[i].last, sizeof behind) < 0)
            memcpy(before->last, blocks[i].last, sizeof behind);
    }
    return kept;
}

bool addr_block_within(const struct addr_block *block, const struct addr_block *other, bool first)
{
    int below = memcmp(other->first, block->first, ADDR_BYTES);
    int above = memcmp(block->last, other->last, ADDR_BYTES);
    return block->family == other->family && below <= 0 && above <= 0 &&
           (first || below < 0 || above < 0);
}
