/* SPDX-License-Identifier: Apache-2.0 */
/* What recording, reading, adding and encoding a histogram of a million latencies costs, in
 * nanoseconds of this machine. Prints one line a measurement; judges nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "model/hdr.h"

enum { VALUES = 1 << 20, ROUNDS = 16 };

static double elapsed_ns(struct mono_ns since)
{
    return (double)base_mono_sub(base_mono_now(), since).ns;
}

static void bench_record(struct hdr *hdr, const int64_t *values, const char *name)
{
    double best = 1e300;
    for (int round = 0; round < ROUNDS; round++) {
        hdr_reset(hdr);
        struct mono_ns start = base_mono_now();
        for (int i = 0; i < VALUES; i++)
            hdr_record(hdr, values[i]);
        double each = elapsed_ns(start) / VALUES;
        best = each < best ? each : best;
    }
    printf("%-28s %10.2f ns/value\n", name, best);
}

static void bench_rest(struct hdr *hdr, struct hdr *sum)
{
    struct base_error err;
    struct mono_ns start = base_mono_now();
    for (int i = 0; i < 100; i++)
        (void)hdr_add(sum, hdr, &err);
    printf("%-28s %10.0f ns\n", "add, equal shapes", elapsed_ns(start) / 100);
    int64_t sink = 0;
    start = base_mono_now();
    for (int i = 0; i < 100; i++)
        sink += hdr_value_at_quantile(hdr, 0.999);
    printf("%-28s %10.0f ns (%" PRId64 ")\n", "value at p99.9", elapsed_ns(start) / 100,
           sink / 100);
    struct base_buf text;
    base_buf_init(&text, 1 << 20);
    start = base_mono_now();
    for (int i = 0; i < 100; i++) {
        base_buf_clear(&text);
        (void)hdr_encode(hdr, &text, &err);
    }
    printf("%-28s %10.0f ns (%zu bytes)\n", "encode", elapsed_ns(start) / 100, text.len);
    start = base_mono_now();
    for (int i = 0; i < 100; i++) {
        struct hdr back;
        if (hdr_decode(text.data, text.len, &back, &err))
            hdr_fini(&back);
    }
    printf("%-28s %10.0f ns\n", "decode", elapsed_ns(start) / 100);
    base_buf_fini(&text);
}

int main(void)
{
    struct base_error err;
    struct hdr hdr;
    struct hdr sum;
    struct base_rng rng;
    int64_t *values = malloc(VALUES * sizeof *values);
    if (values == NULL || !hdr_init_latency(&hdr, &err) || !hdr_init_latency(&sum, &err))
        return 5;
    base_rng_seed(&rng, 1);
    for (int i = 0; i < VALUES; i++)
        values[i] = (int64_t)base_rng_exponential(&rng, 2e6);
    bench_record(&hdr, values, "record, mean 2 ms");
    bench_rest(&hdr, &sum);
    for (int i = 0; i < VALUES; i++)
        values[i] = (int64_t)(base_rng_u64(&rng) >> (22 + base_rng_below(&rng, 42)));
    bench_record(&hdr, values, "record, every magnitude");
    hdr_fini(&hdr);
    hdr_fini(&sum);
    free(values);
    return 0;
}
