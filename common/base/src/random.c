/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void base_rng_seed(struct base_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t base_rng_u64(struct base_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double base_rng_unit(struct base_rng *rng)
{
    return (double)(base_rng_u64(rng) >> 11) * 0x1p-53;
}

double base_rng_exponential(struct base_rng *rng, double mean)
{
    return -mean * log1p(-base_rng_unit(rng));
}

uint64_t base_rng_below(struct base_rng *rng, uint64_t n)
{
    /* Reject the low end that would make the first (2^64 mod n) values more likely. */
    uint64_t threshold = (0 - n) % n;
    uint64_t x;
    do {
        x = base_rng_u64(rng);
    } while (x < threshold);
    return x % n;
}

uint64_t base_random_u64(void)
{
    uint64_t value;
    ssize_t got;
    do {
        got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR); /* a signal while the kernel still gathers, getrandom(2) */
    if (got != (ssize_t)sizeof value)
        abort(); /* otherwise 8 bytes fail only where the kernel has no such call */
    return value;
}

void base_random_id(char out[static BASE_ID_TEXT])
{
    (void)snprintf(out, BASE_ID_TEXT, "%016" PRIx64, base_random_u64());
}
