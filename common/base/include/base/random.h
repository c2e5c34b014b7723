/* SPDX-License-Identifier: Apache-2.0 */
/* A seeded generator for schedules (same seed, same sequence, every process) and random ids. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* xoshiro256** (Blackman, Vigna 2018), state filled by splitmix64 from the seed. */
struct base_rng {
    uint64_t state[4];
};

void base_rng_seed(struct base_rng *rng, uint64_t seed);
uint64_t base_rng_u64(struct base_rng *rng);
double base_rng_unit(struct base_rng *rng); /* uniform in [0, 1) with 53 bits */
double base_rng_exponential(struct base_rng *rng, double mean);
uint64_t base_rng_below(struct base_rng *rng, uint64_t n); /* unbiased in [0, n), n > 0 */

uint64_t base_random_u64(void); /* from the kernel; for ids and tokens, not for schedules */
enum { BASE_ID_TEXT = 17 };
void base_random_id(char out[static BASE_ID_TEXT]); /* 16 hex digits and NUL */

#endif
